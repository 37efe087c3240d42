use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::Range;

use bytes::Bytes;
use futures::Stream;
use futures::stream::BoxStream;
use serde_json::json;
use stele_domain::authz::WriteObject;
use stele_domain::bucket::{MOST_KEY_BYTES, MOST_METADATA_BYTES, MOST_TAGS, Object, ObjectHead, Piece};
use stele_domain::change::Change;
use stele_domain::{Error, Kind, Result};
use stele_store::{Listed, ObjectRow};

use super::Content;
use super::files::Written;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// An object to be stored.
#[derive(Debug, Clone)]
pub struct NewObject {
    pub bucket: String,
    pub key: String,
    pub head: ObjectHead,
    pub condition: Condition,
}

/// What must hold of the object that is there, for a new one to take its place or for it to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    #[default]
    None,
    /// There is none.
    Absent,
    /// There is one.
    Present,
    /// Its ETag is this.
    Is(String),
}

/// An object that was found, whose bytes can be read.
#[derive(Debug, Clone)]
pub struct FoundObject {
    pub object: Object,
    pieces: Vec<Piece>,
}

impl App {
    /// Stores an object, in the place of the one of its key. Nobody sees any of it before all of it is durable.
    pub async fn object_put<S, E>(&self, ctx: &Ctx, new: NewObject, content: Content<S>) -> Result<Object>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        check_key(&new.key)?;
        check_head(&new.head)?;
        let key = new.key.clone();
        self.permit::<WriteObject>(ctx, &key).await?;
        // Before the bytes are taken.
        self.bucket_get(ctx, new.bucket.clone()).await?;
        let Written { piece, md5 } = self.bucket_file_write(ctx, content.length, content.bytes).await?;
        let mut head = new.head;
        head.headers.extend(content.checksums.take());
        let object = ObjectRow {
            object: Object { key, size: piece.size, etag: hex::encode(md5), modified_at: ctx.now(), head },
            pieces: vec![piece.clone()],
        };
        let stored = self.object_place(ctx, new.bucket, new.condition, object).await;
        if stored.is_err() {
            self.bucket_file_drop(&piece).await;
        }
        stored
    }

    async fn object_place(&self, ctx: &Ctx, bucket: String, condition: Condition, new: ObjectRow) -> Result<Object> {
        let now = ctx.now();
        self.change::<WriteObject, _>(ctx, &named(&bucket, &new.object.key), move |tx, permit| {
            let row = tx.bucket_open(permit, &bucket)?;
            let old = tx.object_put(permit, row, &new, now, |old| condition.check(old, &new.object.key))?;
            Ok(Changed::one(new.object.clone(), put(&bucket, old.as_ref(), &new.object)))
        })
        .await
    }

    pub async fn object_get(&self, ctx: &Ctx, bucket: String, key: String) -> Result<FoundObject> {
        let visible = ctx.visible();
        let ObjectRow { object, pieces } = self.read(move |tx| tx.object_get(&visible, &bucket, &key)).await?;
        Ok(FoundObject { object, pieces })
    }

    /// The bytes of a range of an object.
    pub fn object_content(&self, found: FoundObject, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        self.bucket_content(found.pieces, range)
    }

    /// The whole of an object that has at most so many bytes.
    pub async fn object_read(&self, ctx: &Ctx, bucket: String, key: String, most: u64) -> Result<Vec<u8>> {
        use futures::TryStreamExt;
        let found = self.object_get(ctx, bucket, key.clone()).await?;
        let size = found.object.size;
        if size > most {
            return Err(Error::invalid(format!("the object '{key}' has {size} bytes, and at most {most} are read")));
        }
        let content = self.object_content(found, 0..size);
        content
            .try_fold(Vec::new(), |mut whole, part| async move {
                whole.extend_from_slice(&part);
                Ok(whole)
            })
            .await
    }

    /// Removes an object; that it is not there is fine without a condition, since clients retry.
    pub async fn object_delete(&self, ctx: &Ctx, bucket: String, key: String, condition: Condition) -> Result<()> {
        check_key(&key)?;
        let now = ctx.now();
        self.change::<WriteObject, _>(ctx, &named(&bucket, &key), move |tx, permit| {
            let row = tx.bucket_open(permit, &bucket)?;
            if !tx.object_delete(permit, row, &key, now, |old| condition.check(old, &key))? {
                return Ok(Changed::nothing(()));
            }
            Ok(Changed::one((), Change::quiet("object.delete", Kind::Object, named(&bucket, &key))))
        })
        .await
    }

    /// Replaces the tags of an object.
    pub async fn object_tag(
        &self,
        ctx: &Ctx,
        bucket: String,
        key: String,
        tags: BTreeMap<String, String>,
    ) -> Result<()> {
        check_head(&ObjectHead { tags: tags.clone(), ..ObjectHead::default() })?;
        self.change::<WriteObject, _>(ctx, &named(&bucket, &key), move |tx, permit| {
            let row = tx.bucket_open(permit, &bucket)?;
            let old = tx.object_open(permit, row, &key)?.ok_or_else(|| Error::not_found(Kind::Object, &key))?;
            let before = json!({ "tags": old.object.head.tags });
            let head = ObjectHead { tags: tags.clone(), ..old.object.head };
            tx.object_describe(permit, row, &key, &head)?;
            let change = Change::quiet("object.tag", Kind::Object, named(&bucket, &key));
            Ok(Changed::one((), change.before(before).after(json!({ "tags": tags }))))
        })
        .await
    }

    /// What is in a bucket after a text, folded at the delimiter, at most so much.
    pub async fn objects_list(
        &self,
        ctx: &Ctx,
        bucket: String,
        prefix: String,
        delimiter: String,
        after: String,
        most: usize,
    ) -> Result<Vec<Listed>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.objects_list(&visible, &bucket, &prefix, &delimiter, &after, most)).await
    }
}

impl FoundObject {
    pub fn size(&self) -> u64 {
        self.object.size
    }

    /// How many bytes each part has of an object that was uploaded in parts.
    pub fn part_sizes(&self) -> Option<Vec<u64>> {
        // Only theirs say how many they are.
        self.object.etag.contains('-').then(|| self.pieces.iter().map(|piece| piece.size).collect())
    }
}

impl Condition {
    pub(super) fn check(&self, old: Option<&Object>, key: &str) -> Result<()> {
        let state = match (self, old) {
            (Condition::None, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => return Ok(()),
            (Condition::Is(etag), Some(old)) if *etag == old.etag => return Ok(()),
            (Condition::Is(_) | Condition::Present, None) => return Err(Error::not_found(Kind::Object, key)),
            (Condition::Absent, Some(_)) => "there already",
            (Condition::Is(_), Some(_)) => "another one",
        };
        Err(Error::WrongState { kind: Kind::Object, id: key.to_owned(), state, needed: "as the request says" })
    }
}

/// What the audit log knows an object by.
pub(super) fn named(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{key}")
}

pub(super) fn put(bucket: &str, old: Option<&Object>, new: &Object) -> Change {
    let told = |object: &Object| json!({ "bytes": object.size, "etag": object.etag });
    let change = Change::quiet("object.put", Kind::Object, named(bucket, &new.key)).after(told(new));
    match old {
        Some(old) => change.before(told(old)),
        None => change,
    }
}

pub(super) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid("an object needs a key"));
    }
    if key.len() > MOST_KEY_BYTES {
        return Err(Error::LimitExceeded { message: format!("a key has at most {MOST_KEY_BYTES} bytes") });
    }
    check_text("the key of an object", key)
}

pub(super) fn check_head(head: &ObjectHead) -> Result<()> {
    let ObjectHead { headers, metadata, tags } = head;
    for (name, value) in headers.iter().chain(metadata) {
        check_text(name, name)?;
        check_text(name, value)?;
    }
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MOST_METADATA_BYTES {
        return Err(Error::LimitExceeded {
            message: format!(
                "the metadata of an object takes {bytes} bytes, and at most {MOST_METADATA_BYTES} are kept"
            ),
        });
    }
    check_tags("an object", tags, MOST_TAGS)
}

/// Refuses more tags than `what` may have, and longer ones.
pub(super) fn check_tags(what: &str, tags: &BTreeMap<String, String>, most: usize) -> Result<()> {
    for (name, value) in tags {
        check_text(name, name)?;
        check_text(name, value)?;
    }
    if tags.len() > most {
        return Err(Error::invalid(format!("{what} has at most {most} tags")));
    }
    let is_long = |(name, value): (&String, &String)| {
        name.is_empty() || name.chars().count() > 128 || value.chars().count() > 256
    };
    match tags.iter().any(is_long) {
        true => Err(Error::invalid("a tag has a key of 1 to 128 characters and a value of at most 256")),
        false => Ok(()),
    }
}
