//! Buckets of objects: what is replaced, removed and left alone, and the files that go with it.

use bytes::Bytes;
use futures::TryStreamExt;
use stele_app::{Checksums, CompletedPart, Condition, Content, Listed, NewObject};
use stele_domain::bucket::ObjectHead;
use stele_domain::{Error, Result};
use stele_testkit::TestApp;

const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

fn content(bytes: &[u8]) -> Content<futures::stream::Iter<std::array::IntoIter<Result<Bytes>, 1>>> {
    let bytes = futures::stream::iter([Ok(Bytes::copy_from_slice(bytes))]);
    Content { length: None, bytes, checksums: Checksums::default() }
}

async fn put(test: &TestApp, key: &str, bytes: &[u8], condition: Condition) -> Result<()> {
    let new = NewObject { bucket: "abc".to_owned(), key: key.to_owned(), head: ObjectHead::default(), condition };
    test.app.object_put(&test.ctx, new, content(bytes)).await.map(|_| ())
}

async fn get(test: &TestApp, key: &str) -> Vec<u8> {
    test.app.object_read(&test.ctx, "abc".to_owned(), key.to_owned(), 1_000).await.unwrap()
}

async fn apps() -> Vec<TestApp> {
    let apps = stele_testkit::apps().await;
    for test in &apps {
        test.app.bucket_create(&test.ctx, "abc".to_owned()).await.unwrap();
    }
    apps
}

fn files(test: &TestApp) -> usize {
    std::fs::read_dir(test.artifacts.path().join("buckets")).map_or(0, Iterator::count)
}

async fn tidied(test: &TestApp) -> usize {
    test.app.buckets_tidy().await.unwrap();
    files(test)
}

/// An upload of the key with a part of each text.
async fn upload(test: &TestApp, key: &str, texts: &[&str]) -> (String, Vec<CompletedPart>) {
    let made = test.app.upload_create(&test.ctx, "abc".to_owned(), key.to_owned(), ObjectHead::default());
    let id = made.await.unwrap().id;
    let mut parts = Vec::new();
    for (number, text) in (1..).zip(texts) {
        parts.push(part(test, key, &id, number, text).await);
    }
    (id, parts)
}

async fn part(test: &TestApp, key: &str, id: &str, number: u32, text: &str) -> CompletedPart {
    let upload = (key.to_owned(), id.to_owned());
    let put = test.app.upload_part(&test.ctx, "abc".to_owned(), upload, number, content(text.as_bytes()));
    CompletedPart { number, etag: put.await.unwrap().etag }
}

#[tokio::test]
async fn one_of_many_who_put_a_new_key_wins_and_every_other_file_goes() {
    for test in apps().await {
        let put_one = |number: u8| {
            let test = &test;
            async move { put(test, "new", &[number], Condition::Absent).await }
        };
        let done = futures::future::join_all((0..8).map(put_one)).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{}", test.engine);
        assert!(done.iter().all(|done| matches!(done, Ok(()) | Err(Error::WrongState { .. }))));
        assert_eq!(files(&test), 1, "{}", test.engine);
        let put_any = |number: u8| {
            let test = &test;
            async move { put(test, "other", &[number], Condition::None).await }
        };
        for done in futures::future::join_all((0..8).map(put_any)).await {
            done.unwrap();
        }
        assert_eq!(files(&test), 9, "{}", test.engine);
        test.clock.advance(2 * HOUR);
        assert_eq!(tidied(&test).await, 2, "{}", test.engine);
    }
}

#[tokio::test]
async fn who_reads_an_object_reads_on_when_it_is_replaced() {
    for test in apps().await {
        let large = "a".repeat(5 * 1024 * 1024);
        let (id, parts) = upload(&test, "k", &[&large, "end"]).await;
        let (app, ctx) = (&test.app, &test.ctx);
        let complete = app.upload_complete(
            ctx,
            "abc".to_owned(),
            ("k".to_owned(), id),
            parts,
            Default::default(),
            Condition::None,
        );
        complete.await.unwrap();
        let found = app.object_get(ctx, "abc".to_owned(), "k".to_owned()).await.unwrap();
        let size = found.size();
        let mut reading = app.object_content(found, 0..size);
        let mut read = reading.try_next().await.unwrap().unwrap().len();
        put(&test, "k", b"another", Condition::None).await.unwrap();
        assert_eq!(tidied(&test).await, 3, "{}", test.engine);
        while let Some(bytes) = reading.try_next().await.unwrap() {
            read += bytes.len();
        }
        assert_eq!(read as u64, size, "{}", test.engine);
        test.clock.advance(2 * HOUR);
        assert_eq!(tidied(&test).await, 1, "{}", test.engine);
        assert_eq!(get(&test, "k").await, b"another");
        app.object_delete(ctx, "abc".to_owned(), "k".to_owned(), Condition::None).await.unwrap();
        test.clock.advance(2 * HOUR);
        assert_eq!(tidied(&test).await, 0, "{}", test.engine);
    }
}

#[tokio::test]
async fn uploads_end_a_week_after_their_last_part() {
    for test in apps().await {
        upload(&test, "left", &["1", "2"]).await;
        upload(&test, "empty", &[]).await;
        let (id, _) = upload(&test, "slow", &["1"]).await;
        test.clock.advance(5 * DAY);
        part(&test, "slow", &id, 2, "2").await;
        test.clock.advance(5 * DAY);
        tidied(&test).await;
        test.clock.advance(2 * HOUR);
        assert_eq!(tidied(&test).await, 2, "{}", test.engine);
        let list = || test.app.uploads_list(&test.ctx, "abc".to_owned(), String::new(), Default::default(), 10);
        let left = list().await.unwrap();
        assert_eq!(left.iter().map(|upload| upload.key.as_str()).collect::<Vec<_>>(), ["slow"], "{}", test.engine);
        test.clock.advance(3 * DAY);
        tidied(&test).await;
        assert!(list().await.unwrap().is_empty(), "{}", test.engine);
    }
}

#[tokio::test]
async fn listings_fold_and_go_on_whatever_is_read_at_a_time() {
    for test in apps().await {
        let keys = (0..30).flat_map(|folder| (0..=folder % 12).map(move |file| format!("d{folder:02}/{file:02}")));
        let plain = (0..20).map(|file| format!("d10{file:02}"));
        let keys: Vec<String> = keys.chain(plain).collect();
        for key in &keys {
            put(&test, key, b"x", Condition::None).await.unwrap();
        }
        for (delimiter, expected) in [("", keys.len()), ("/", 50)] {
            let mut found: Vec<String> = Vec::new();
            loop {
                let after = found.last().cloned().unwrap_or_default();
                let (bucket, delimiter) = ("abc".to_owned(), delimiter.to_owned());
                let page = test.app.objects_list(&test.ctx, bucket, String::new(), delimiter, after, 11).await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page.into_iter().map(|listed| match listed {
                    Listed::Object(object) => object.key,
                    Listed::Prefix(prefix) => prefix,
                }));
            }
            assert_eq!(found.len(), expected, "{}", test.engine);
            assert!(found.is_sorted_by(|a, b| a < b), "{}", test.engine);
        }
    }
}
