use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use stele_domain::Result;

use super::Blobs;
use super::bucket::Bucket;
use super::connect::{self, BlobOptions};
use super::local::LocalFolder;
use super::location::{BucketName, Location};

/// Opens artifact roots and keeps the connections behind them, since every run may have its own root.
///
/// What is kept is a connection a bucket and the state of a local root, the most recently used first, and few of them.
#[derive(Debug, Clone)]
pub struct BlobStores {
    options: Arc<BlobOptions>,
    buckets: Arc<Mutex<VecDeque<(BucketName, Bucket)>>>,
    folders: Arc<Mutex<VecDeque<(std::path::PathBuf, LocalFolder)>>>,
}

const MOST_BUCKETS: usize = 32;
const MOST_FOLDERS: usize = 1024;

impl BlobStores {
    pub fn new(options: BlobOptions) -> BlobStores {
        BlobStores { options: Arc::new(options), buckets: Arc::default(), folders: Arc::default() }
    }

    /// As [`Blobs::open`].
    pub async fn open(&self, uri: &str) -> Result<Blobs> {
        match Location::parse(uri)? {
            Location::Bucket(location) => {
                if let Some(bucket) = take_recent(&self.buckets, &location.bucket) {
                    return Ok(Blobs::in_bucket(bucket, location.prefix));
                }
                let bucket = connect::connect(&location.bucket, &self.options)?;
                keep_recent(&self.buckets, MOST_BUCKETS, location.bucket, bucket.clone());
                Ok(Blobs::in_bucket(bucket, location.prefix))
            }
            Location::Folder(path) => {
                if let Some(folder) = take_recent(&self.folders, &path) {
                    return Ok(Blobs::in_folder(folder));
                }
                let folder = LocalFolder::new(path.clone());
                let blobs = Blobs::open_folder(folder.clone()).await?;
                keep_recent(&self.folders, MOST_FOLDERS, path, folder);
                Ok(blobs)
            }
        }
    }
}

fn take_recent<K: PartialEq, V: Clone>(kept: &Mutex<VecDeque<(K, V)>>, key: &K) -> Option<V> {
    let mut kept = kept.lock();
    let at = kept.iter().position(|(known, _)| known == key)?;
    let found = kept.remove(at)?;
    let value = found.1.clone();
    kept.push_front(found);
    Some(value)
}

fn keep_recent<K, V>(kept: &Mutex<VecDeque<(K, V)>>, most: usize, key: K, value: V) {
    let mut kept = kept.lock();
    kept.push_front((key, value));
    kept.truncate(most);
}
