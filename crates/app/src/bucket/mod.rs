//! Buckets of objects, for clients that keep files by bucket and key. Objects are rows; their bytes lie in files below
//! the artifact destination, under names that the server makes.

mod files;
mod object;
mod upload;

use serde_json::json;
use stele_domain::authz::ManageBucket;
use stele_domain::bucket::{Bucket, check_bucket_name};
use stele_domain::change::Change;
use stele_domain::{Kind, Result};

pub use self::object::{Condition, FoundObject, NewObject};
pub use self::upload::CompletedPart;
use crate::transact::Changed;
use crate::{App, Ctx};

impl App {
    pub async fn bucket_create(&self, ctx: &Ctx, name: String) -> Result<()> {
        check_bucket_name(&name)?;
        let now = ctx.now();
        self.change::<ManageBucket, _>(ctx, &name.clone(), move |tx, permit| {
            tx.bucket_create(permit, &name, now)?;
            Ok(Changed::one((), Change::quiet("bucket.create", Kind::Bucket, &name)))
        })
        .await
    }

    pub async fn bucket_get(&self, ctx: &Ctx, name: String) -> Result<Bucket> {
        let visible = ctx.visible();
        self.read(move |tx| tx.bucket_get(&visible, &name)).await
    }

    /// The buckets after a name, sorted.
    pub async fn buckets_list(&self, ctx: &Ctx, after: String, most: i64) -> Result<Vec<Bucket>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.buckets_list(&visible, &after, most)).await
    }

    /// Removes a bucket, which must be empty.
    pub async fn bucket_delete(&self, ctx: &Ctx, name: String) -> Result<()> {
        self.change::<ManageBucket, _>(ctx, &name.clone(), move |tx, permit| {
            tx.bucket_delete(permit, &name)?;
            Ok(Changed::one((), Change::quiet("bucket.delete", Kind::Bucket, &name).before(json!({ "name": name }))))
        })
        .await
    }
}
