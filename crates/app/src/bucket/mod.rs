//! Buckets of objects, for clients that keep files by bucket and key. Objects are rows; their bytes lie in files below
//! the artifact destination, under names that the server makes.

mod files;
mod object;
mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use stele_domain::authz::ManageBucket;
use stele_domain::bucket::{Bucket, MOST_BUCKET_TAGS, check_bucket_name};
use stele_domain::change::Change;
use stele_domain::{Kind, Result};

use self::object::check_tags;
pub use self::object::{Condition, FoundObject, NewObject};
pub use self::upload::CompletedPart;
use crate::transact::Changed;
use crate::{App, Ctx};

/// Checksums of bytes on their way in, by header. What compares them says so before the bytes end, since some come
/// behind the bytes.
#[derive(Debug, Clone, Default)]
pub struct Checksums(Arc<Mutex<BTreeMap<String, String>>>);

impl Checksums {
    pub fn set(&self, checksums: BTreeMap<String, String>) {
        *self.0.lock() = checksums;
    }

    fn take(&self) -> BTreeMap<String, String> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// Bytes on their way in.
pub struct Content<S> {
    /// In bytes, if the client announced it.
    pub length: Option<u64>,
    pub bytes: S,
    pub checksums: Checksums,
}

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

    /// The buckets after a name whose names begin with a text, sorted.
    pub async fn buckets_list(&self, ctx: &Ctx, prefix: String, after: String, most: i64) -> Result<Vec<Bucket>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.buckets_list(&visible, &prefix, &after, most)).await
    }

    pub async fn bucket_tags(&self, ctx: &Ctx, name: String) -> Result<BTreeMap<String, String>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.bucket_tags(&visible, &name)).await
    }

    /// Replaces the tags of a bucket.
    pub async fn bucket_tag(&self, ctx: &Ctx, name: String, tags: BTreeMap<String, String>) -> Result<()> {
        check_tags("a bucket", &tags, MOST_BUCKET_TAGS)?;
        self.change::<ManageBucket, _>(ctx, &name.clone(), move |tx, permit| {
            let before = tx.bucket_tag(permit, &name, &tags)?;
            let change = Change::quiet("bucket.tag", Kind::Bucket, &name);
            Ok(Changed::one((), change.before(json!({ "tags": before })).after(json!({ "tags": tags }))))
        })
        .await
    }

    /// A bucket that the one who asks may change, for changes that come to nothing; a denial is recorded.
    pub async fn bucket_to_change(&self, ctx: &Ctx, name: String) -> Result<Bucket> {
        self.permit::<ManageBucket>(ctx, &name).await?;
        self.bucket_get(ctx, name).await
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
