//! Uploads in parts. An object that was uploaded so keeps the files of its parts, so that completing it moves no bytes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use md5::{Digest, Md5};
use serde_json::json;
use stele_domain::authz::WriteObject;
use stele_domain::bucket::{Object, ObjectHead, Part, Piece, Upload};
use stele_domain::change::Change;
use stele_domain::id::Timestamp;
use stele_domain::{Error, Kind, Result};
use stele_store::{ObjectRow, StaleUpload, StoredPart};

use super::Content;
use super::files::Written;
use super::object::{Condition, check_head, check_key, named, put};
use crate::transact::Changed;
use crate::{App, Ctx, Script};

/// The most parts of an upload, and the least bytes of all but the last, as S3 has them.
const MOST_PARTS: u32 = 10_000;
const LEAST_PART_BYTES: u64 = 5 * 1024 * 1024;

/// How long an upload may go without another part.
const STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How many of those are read at a time.
const AT_A_TIME: i64 = 100;

/// A part as the client names it when it completes an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    pub number: u32,
    /// Without quotes.
    pub etag: String,
}

impl App {
    pub async fn upload_create(&self, ctx: &Ctx, bucket: String, key: String, head: ObjectHead) -> Result<Upload> {
        check_key(&key)?;
        check_head(&head)?;
        let upload = Upload { id: ctx.new_id().simple().to_string(), key, started_at: ctx.now() };
        self.change::<WriteObject, _>(ctx, &named(&bucket, &upload.key), move |tx, permit| {
            let row = tx.bucket_open(permit, &bucket)?;
            tx.upload_create(permit, row, &upload, &head)?;
            let change = Change::quiet("upload.create", Kind::Upload, &upload.id);
            Ok(Changed::one(upload.clone(), change.after(json!({ "object": named(&bucket, &upload.key) }))))
        })
        .await
    }

    /// Stores a part of an upload.
    pub async fn upload_part<S, E>(
        &self,
        ctx: &Ctx,
        bucket: String,
        upload: (String, String),
        number: u32,
        content: Content<S>,
    ) -> Result<Part>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Display,
    {
        let (key, id) = upload;
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(Error::invalid(format!("a part has a number from 1 to {MOST_PARTS}, not {number}")));
        }
        self.permit::<WriteObject>(ctx, &key).await?;
        let (visible, wanted) = (ctx.visible(), (bucket.clone(), key.clone(), id.clone()));
        // Before the bytes are taken.
        self.read(move |tx| tx.upload_parts_list(&visible, &wanted.0, &wanted.1, &wanted.2, 0, 1)).await?;
        let Written { piece, md5 } = self.bucket_file_write(ctx, content.length, content.bytes).await?;
        let now = ctx.now();
        let checksums = content.checksums.take();
        let part = Part { number, size: piece.size, etag: hex::encode(md5), modified_at: now, checksums };
        let stored = StoredPart { part: part.clone(), file: piece.file.clone() };
        let added = self
            .change::<WriteObject, _>(ctx, &named(&bucket, &key), move |tx, permit| {
                let upload = tx.upload_open(permit, &bucket, &key, &id)?;
                tx.upload_part_put(permit, &upload, &stored, now)?;
                let told = json!({ "part": stored.part.number, "bytes": stored.part.size });
                Ok(Changed::one((), Change::quiet("upload.part", Kind::Upload, &id).after(told)))
            })
            .await;
        if let Err(error) = added {
            self.bucket_file_drop(&piece).await;
            return Err(error);
        }
        Ok(part)
    }

    /// Makes an object of the parts of an upload that are named, in their order; others go. `checksums` are those of the
    /// whole, by header.
    pub async fn upload_complete(
        &self,
        ctx: &Ctx,
        bucket: String,
        upload: (String, String),
        parts: Vec<CompletedPart>,
        checksums: BTreeMap<String, String>,
        condition: Condition,
    ) -> Result<Object> {
        let (key, id) = upload;
        let now = ctx.now();
        self.change::<WriteObject, _>(ctx, &named(&bucket, &key), move |tx, permit| {
            let upload = tx.upload_open(permit, &bucket, &key, &id)?;
            let chosen = chosen(&tx.upload_parts(&upload)?, &parts)?;
            let mut head = upload.head.clone();
            head.headers.extend(checksums.clone());
            let pieces: Vec<Piece> =
                chosen.iter().map(|stored| Piece { file: stored.file.clone(), size: stored.part.size }).collect();
            let new = ObjectRow {
                object: Object {
                    key: key.clone(),
                    size: pieces.iter().map(|piece| piece.size).sum(),
                    etag: etag_of(&chosen)?,
                    modified_at: now,
                    head,
                },
                pieces,
            };
            let old = tx.object_put(permit, upload.bucket, &new, now, |old| condition.check(old, &key))?;
            tx.upload_end(permit, &upload, &new.pieces, now)?;
            Ok(Changed::one(new.object.clone(), put(&bucket, old.as_ref(), &new.object)))
        })
        .await
    }

    /// Forgets an upload with its parts.
    pub async fn upload_abort(&self, ctx: &Ctx, bucket: String, key: String, id: String) -> Result<()> {
        let now = ctx.now();
        self.change::<WriteObject, _>(ctx, &named(&bucket, &key), move |tx, permit| {
            let upload = tx.upload_open(permit, &bucket, &key, &id)?;
            tx.upload_end(permit, &upload, &[], now)?;
            Ok(Changed::one((), Change::quiet("upload.abort", Kind::Upload, &id)))
        })
        .await
    }

    /// The parts of an upload after a number.
    pub async fn upload_parts(
        &self,
        ctx: &Ctx,
        bucket: String,
        upload: (String, String),
        after: u32,
        most: i64,
    ) -> Result<Vec<Part>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.upload_parts_list(&visible, &bucket, &upload.0, &upload.1, after, most)).await
    }

    /// The uploads of a bucket that are under way, after one of a key and id.
    pub async fn uploads_list(
        &self,
        ctx: &Ctx,
        bucket: String,
        prefix: String,
        after: (String, String),
        most: i64,
    ) -> Result<Vec<Upload>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.uploads_list(&visible, &bucket, &prefix, (&after.0, &after.1), most)).await
    }

    /// Ends uploads that were left alone, and removes the files that no object has any more.
    pub async fn buckets_tidy(&self) -> Result<()> {
        let ctx = self.local_owner(Script::Native, self.new_request_id());
        for ctx in self.everywhere(&ctx).await? {
            self.buckets_tidy_in(&ctx).await?;
        }
        Ok(())
    }

    async fn buckets_tidy_in(&self, ctx: &Ctx) -> Result<()> {
        let before = Timestamp(ctx.now().0 - STALE.as_millis() as i64);
        let mut after = 0;
        loop {
            let visible = ctx.visible();
            let stale = self.read(move |tx| tx.uploads_stale(&visible, before, after, AT_A_TIME)).await?;
            let Some(last) = stale.last() else { break };
            after = last.row;
            for StaleUpload { row: _, bucket, key, id } in stale {
                // One that cannot be ended, perhaps since its client just did so, keeps no other waiting.
                if let Err(error) = self.upload_abort(ctx, bucket, key, id.clone()).await {
                    tracing::warn!(%error, upload = id, "an upload that was left alone could not be ended");
                }
            }
        }
        self.garbage_sweep(ctx).await
    }
}

/// The stored parts that a client names, which must rise in number, have the ETags it says, and be large enough.
fn chosen(stored: &[StoredPart], named: &[CompletedPart]) -> Result<Vec<StoredPart>> {
    if named.is_empty() {
        return Err(Error::invalid("an upload is completed with one part at least"));
    }
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        return Err(Error::conflict("the parts are not in the order of their numbers"));
    }
    let mut chosen = Vec::with_capacity(named.len());
    for CompletedPart { number, etag } in named {
        let found = stored.binary_search_by_key(number, |stored| stored.part.number).ok().map(|at| &stored[at]);
        let found = found.filter(|found| found.part.etag == *etag);
        chosen.push(found.ok_or_else(|| Error::not_found(Kind::Part, format!("part {number}")))?.clone());
    }
    let small = chosen[..chosen.len() - 1].iter().find(|stored| stored.part.size < LEAST_PART_BYTES);
    match small {
        Some(StoredPart { part, .. }) => Err(Error::LimitExceeded {
            message: format!(
                "part {} has {} bytes, and all but the last need {LEAST_PART_BYTES}",
                part.number, part.size
            ),
        }),
        None => Ok(chosen),
    }
}

/// The MD5 of the MD5s of the parts, and how many they are.
fn etag_of(parts: &[StoredPart]) -> Result<String> {
    let mut whole = Md5::new();
    for StoredPart { part, .. } in parts {
        let digest = u128::from_str_radix(&part.etag, 16)
            .map_err(|_| Error::internal(format!("part {} has the ETag {}", part.number, part.etag)))?;
        whole.update(digest.to_be_bytes());
    }
    Ok(format!("{}-{}", hex::encode(whole.finalize()), parts.len()))
}
