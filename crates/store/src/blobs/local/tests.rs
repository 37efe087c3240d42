use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use stele_domain::{ArtifactPath, Error};

use super::super::{BlobOptions, BlobStores, Blobs, ByteRange, ByteStream, Entry, EntryKind, Listing, RangedBlob};

async fn open(folder: &Path) -> Blobs {
    Blobs::open(folder.to_str().unwrap(), &BlobOptions::default()).await.unwrap()
}

fn path(raw: &str) -> ArtifactPath {
    ArtifactPath::parse(raw).unwrap()
}

fn chunks(content: &[u8]) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + use<> {
    let chunks: Vec<_> = content.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    stream::iter(chunks)
}

async fn put(blobs: &Blobs, raw: &str, content: &[u8]) -> stele_domain::Result<u64> {
    blobs.put(&path(raw), Some(content.len() as u64), chunks(content)).await
}

async fn collect(content: ByteStream) -> Vec<u8> {
    content.try_collect::<BytesMut>().await.unwrap().to_vec()
}

async fn read(blobs: &Blobs, raw: &str) -> Vec<u8> {
    collect(blobs.get(&path(raw)).await.unwrap().content).await
}

fn file(name: &str, size: u64) -> Entry {
    Entry { name: name.to_owned(), kind: EntryKind::File { size } }
}

fn folder(name: &str) -> Entry {
    Entry { name: name.to_owned(), kind: EntryKind::Directory }
}

fn names_below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(current) = open.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

fn big() -> Vec<u8> {
    (0..3_000_017_u32).map(|i| (i % 251) as u8).collect()
}

#[tokio::test]
async fn files_come_back_and_lie_under_their_own_names() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(&root.path().join("made/on/demand")).await;
    assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Missing);
    for name in ["plain.txt", "run/sp ace/ü.bin", "run/日本.pkl", "r/q?*~{}[]|", "r/a:b"] {
        assert_eq!(put(&blobs, name, name.as_bytes()).await.unwrap(), name.len() as u64);
        assert_eq!(read(&blobs, name).await, name.as_bytes());
        assert_eq!(fs::read(root.path().join("made/on/demand").join(name)).unwrap(), name.as_bytes());
    }
    assert_eq!(put(&blobs, "empty", b"").await.unwrap(), 0);
    assert_eq!(read(&blobs, "empty").await, b"");
    let content = big();
    put(&blobs, "big", &content).await.unwrap();
    assert_eq!(read(&blobs, "big").await, content);
    assert_eq!(blobs.head(&path("big")).await.unwrap().size, content.len() as u64);
}

#[tokio::test]
async fn uploads_arrive_whole_in_whatever_pieces() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    // More than is written before the first sync; from pieces of nothing to such as are written at once.
    let content: Vec<u8> = (0..70_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut pieces, mut rest) = (Vec::new(), content.as_slice());
    for size in [0, 1, 90, 600_000, 16_384].into_iter().cycle() {
        let Some((piece, after)) = rest.split_at_checked(size) else { break };
        pieces.push(Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
        rest = after;
    }
    pieces.extend(rest.chunks(3).map(|piece| Ok(Bytes::copy_from_slice(piece))));
    let size = content.len() as u64;
    assert_eq!(blobs.put(&path("f"), Some(size), stream::iter(pieces)).await.unwrap(), size);
    assert!(read(&blobs, "f").await == content);
}

#[tokio::test]
async fn ranges_are_exact() {
    let root = tempfile::tempdir().unwrap();
    for blobs in [open(root.path()).await, Blobs::in_memory()] {
        let content = big();
        put(&blobs, "f", &content).await.unwrap();
        let size = content.len() as u64;
        for (range, expected) in [
            (ByteRange::From { start: 5 }, 5..size),
            (ByteRange::Between { start: 0, end: 1 }, 0..1),
            (ByteRange::Between { start: 524_287, end: 1_048_577 }, 524_287..1_048_577),
            (ByteRange::Between { start: 10, end: u64::MAX }, 10..size),
            (ByteRange::Last { length: 3 }, size - 3..size),
            (ByteRange::Last { length: u64::MAX }, 0..size),
        ] {
            let RangedBlob::Part(blob) = blobs.get_range(&path("f"), range).await.unwrap() else {
                panic!("{range:?} is unsatisfiable")
            };
            assert_eq!((blob.range.clone(), blob.meta.size), (expected.clone(), size));
            assert_eq!(collect(blob.content).await, content[expected.start as usize..expected.end as usize]);
        }
        for range in
            [ByteRange::From { start: size }, ByteRange::Between { start: 4, end: 4 }, ByteRange::Last { length: 0 }]
        {
            let answer = blobs.get_range(&path("f"), range).await.unwrap();
            assert!(matches!(answer, RangedBlob::Unsatisfiable { size: known } if known == size), "{range:?}");
        }
    }
}

#[tokio::test]
async fn listings_show_one_level_in_order() {
    let root = tempfile::tempdir().unwrap();
    for blobs in [open(root.path()).await, Blobs::in_memory()] {
        for name in ["r/b.txt", "r/a/deep/x", "r/B", "r/a.txt", "r2/x"] {
            put(&blobs, name, b"12").await.unwrap();
        }
        let entries = vec![file("B", 2), folder("a"), file("a.txt", 2), file("b.txt", 2)];
        assert_eq!(blobs.list(&path("r")).await.unwrap(), Listing::Directory(entries));
        let roots = vec![folder("r"), folder("r2")];
        assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Directory(roots));
        assert_eq!(blobs.list(&path("r/b.txt")).await.unwrap(), Listing::File);
        assert_eq!(blobs.list(&path("r/nope")).await.unwrap(), Listing::Missing);
        assert_eq!(blobs.list(&path("r/b.txt/x")).await.unwrap(), Listing::Missing);
        assert!(blobs.exists(&path("r/a")).await.unwrap() && blobs.exists(&path("r/B")).await.unwrap());
        assert!(!blobs.exists(&path("r/nope")).await.unwrap());
    }
}

#[tokio::test]
async fn deletes_take_files_and_whole_folders_and_can_be_repeated() {
    let root = tempfile::tempdir().unwrap();
    for blobs in [open(root.path()).await, Blobs::in_memory()] {
        for name in ["r/m/a", "r/m/b/c", "r/mm", "r/f"] {
            put(&blobs, name, b"x").await.unwrap();
        }
        for _ in 0..2 {
            blobs.delete(&path("r/m")).await.unwrap();
            blobs.delete(&path("r/f")).await.unwrap();
            blobs.delete(&path("never/was")).await.unwrap();
        }
        assert_eq!(blobs.list(&path("r")).await.unwrap().into_entries(), [file("mm", 1)]);
        assert!(blobs.delete(&ArtifactPath::root()).await.is_err());
        put(&blobs, "r/m/a", b"again").await.unwrap();
        assert_eq!(read(&blobs, "r/m/a").await, b"again");
    }
}

#[tokio::test]
async fn what_is_missing_or_a_folder_is_told() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    put(&blobs, "r/f", b"x").await.unwrap();
    let message = |error: Error| error.to_string();
    assert!(matches!(blobs.head(&path("nope")).await, Err(Error::NotFound { .. })));
    assert_eq!(message(blobs.get(&path("nope/x")).await.err().unwrap()), "artifact 'nope/x' does not exist");
    assert!(matches!(blobs.get(&path("r/f/x")).await.err().unwrap(), Error::NotFound { .. }));
    let is_folder = "Artifact path refers to a directory, not a file: 'r'";
    assert_eq!(message(blobs.get(&path("r")).await.err().unwrap()), is_folder);
    assert_eq!(message(put(&blobs, "r", b"x").await.unwrap_err()), is_folder);
    assert!(matches!(put(&blobs, "r/f/x", b"x").await, Err(Error::Invalid { .. })));
    let reserved = put(&blobs, "r/.artifact.uploading.1", b"x").await.unwrap_err();
    assert!(message(reserved).starts_with("Invalid artifact file name: '.artifact.uploading.1'."));
    assert_eq!(names_below(root.path()), ["r", "r/f"]);
}

#[tokio::test]
async fn a_broken_upload_changes_nothing_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let local = open(root.path()).await;
    for blobs in [&local, &Blobs::in_memory()] {
        put(blobs, "kept", b"before").await.unwrap();
        let reset = || stream::once(async { Err(std::io::Error::other("connection reset")) });
        let broken = || chunks(&big()).map_err(|never| match never {}).chain(reset());
        for target in ["kept", "new/file"] {
            let error = blobs.put(&path(target), None, broken()).await.unwrap_err();
            assert!(error.to_string().contains("connection reset"), "{error}");
            for length in [1, 4_000_000] {
                assert!(blobs.put(&path(target), Some(length), chunks(&big())).await.is_err());
            }
        }
        assert_eq!(read(blobs, "kept").await, b"before");
        assert_eq!(blobs.list(&path("new")).await.unwrap(), Listing::Missing);
    }
    assert_eq!(names_below(root.path()), ["kept"]);
}

#[tokio::test]
async fn an_abandoned_upload_removes_its_temporary_file() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let endless = chunks(&big()).chain(stream::once(async move {
        receiver.await.ok();
        Ok(Bytes::new())
    }));
    let target = path("a/b");
    let mut upload = Box::pin(blobs.put(&target, None, endless));
    while names_below(root.path()).is_empty() {
        assert!((&mut upload).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Directory(Vec::new()));
    drop(upload);
    drop(sender);
    // A write that was under way holds the file until it ends.
    while !names_below(root.path()).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn leftovers_of_a_killed_process_are_removed_but_not_uploads_in_progress() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(".artifact.uploading.1-1"), b"half").unwrap();
    let alive = fs::File::create(root.path().join(".artifact.uploading.2-2")).unwrap();
    alive.lock().unwrap();
    fs::write(root.path().join("file"), b"x").unwrap();
    let stores = BlobStores::new(BlobOptions::default());
    let blobs = stores.open(&format!("file://{}", root.path().display())).await.unwrap();
    assert_eq!(names_below(root.path()), [".artifact.uploading.2-2", "file"]);
    assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Directory(vec![file("file", 1)]));
    assert!(matches!(blobs.get(&path(".artifact.uploading.2-2")).await.err().unwrap(), Error::NotFound { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_leave_one_whole_file() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let writers: Vec<_> = (0..8_u8)
        .map(|writer| {
            let blobs = blobs.clone();
            tokio::spawn(async move {
                put(&blobs, "deep/er/shared", &vec![writer; 1_200_000]).await.unwrap();
                put(&blobs, &format!("deep/{writer}/own"), &[writer]).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let content = read(&blobs, "deep/er/shared").await;
    assert_eq!(content.len(), 1_200_000);
    assert!(content.iter().all(|byte| *byte == content[0]));
    for writer in 0..8_u8 {
        assert_eq!(read(&blobs, &format!("deep/{writer}/own")).await, [writer]);
    }
    assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Directory(vec![folder("deep")]));
}

#[tokio::test]
async fn a_reader_sees_the_version_it_opened() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let content = big();
    put(&blobs, "f", &content).await.unwrap();
    let reading = blobs.get(&path("f")).await.unwrap();
    put(&blobs, "f", b"new").await.unwrap();
    assert_eq!(collect(reading.content).await, content);
    let now = blobs.head(&path("f")).await.unwrap();
    assert_eq!(now.size, 3);
    assert_ne!(now.etag, reading.meta.etag);
}

#[tokio::test]
async fn symbolic_links_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    let root = tempfile::tempdir().unwrap();
    symlink(outside.path(), root.path().join("dir")).unwrap();
    symlink(outside.path().join("secret"), root.path().join("link")).unwrap();
    symlink("/nowhere", root.path().join("dangling")).unwrap();
    let blobs = open(root.path()).await;
    for name in ["dir/secret", "link", "dangling"] {
        assert!(blobs.get(&path(name)).await.is_err(), "{name}");
        assert!(put(&blobs, name, b"overwritten").await.is_err(), "{name}");
    }
    assert!(blobs.list(&path("dir")).await.is_err());
    assert!(put(&blobs, "dir/new/file", b"x").await.is_err());
    assert!(blobs.delete(&path("dir/secret")).await.is_err());
    assert_eq!(blobs.list(&ArtifactPath::root()).await.unwrap(), Listing::Directory(Vec::new()));
    blobs.delete(&path("dir")).await.unwrap();
    assert_eq!(names_below(outside.path()), ["secret"]);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_linked_root_and_pipes_in_it_do_no_harm() {
    let real = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("root");
    symlink(real.path(), &link).unwrap();
    let blobs = open(&link).await;
    put(&blobs, "a/b", b"x").await.unwrap();
    assert_eq!(fs::read(real.path().join("a/b")).unwrap(), b"x");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        real.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(blobs.get(&path("pipe")).await.is_err());
}

#[tokio::test]
async fn local_folders_sign_nothing() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    assert!(!blobs.supports_multipart() && !blobs.supports_presigned());
    let error = blobs.multipart_create(&path("f"), 2).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }));
    assert_eq!(error.to_string(), "Multipart upload is not supported for the current artifact repository");
}
