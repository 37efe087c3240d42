//! Which bytes the files hold that were written through this server, so that it is noticed when others take their place.

use sha2::{Digest, Sha256};
use stele_domain::Result;
use stele_domain::authz::{Permit, WriteArtifact};
use stele_domain::id::Timestamp;

use crate::Tx;
use crate::engine::params;
use crate::search::first_after_prefix;

/// The longest URI that PostgreSQL keeps in an index, in bytes, with room to spare.
const LONGEST_URI: usize = 1_800;

/// The most files of one root that are looked at one by one; more are counted and summed up.
pub(crate) const MOST_FILES: i64 = 10_000;

/// What is known of the files below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFiles {
    /// Follows from the paths, sizes and bytes of all files.
    pub digest: String,
    /// When bytes last took the place of others.
    pub replaced_at: Option<Timestamp>,
}

impl Tx<'_> {
    /// Notes which bytes a file holds now. `digest` differs whenever the bytes do.
    pub fn artifact_file_put(
        &mut self,
        _permit: &Permit<WriteArtifact>,
        uri: &str,
        size: u64,
        digest: &str,
        now: Timestamp,
    ) -> Result<()> {
        const PUT: &str = "INSERT INTO artifact_file (uri, size, digest, written_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (uri) DO UPDATE SET size = excluded.size, digest = excluded.digest,
                 written_at = excluded.written_at, replaced_at = excluded.written_at
             WHERE artifact_file.digest <> excluded.digest";
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        self.execute(PUT, params![shortened(uri), size, digest, now]).map(|_| ())
    }

    /// Forgets a file, or all files of a folder, that are gone.
    pub fn artifact_files_forget(&mut self, uri: &str) -> Result<()> {
        const FILE: &str = "DELETE FROM artifact_file WHERE uri = $1";
        const FOLDER: &str = "DELETE FROM artifact_file WHERE uri >= $1 AND uri < $2";
        self.execute(FILE, params![shortened(uri)])?;
        let folder = format!("{}/", uri.trim_end_matches('/'));
        let Some(end) = first_after_prefix(&folder) else { return Ok(()) };
        self.execute(FOLDER, params![folder, end]).map(|_| ())
    }

    /// The files at or below a URI, as they were written through this server; `None` if none were.
    pub fn artifact_files(&mut self, uri: &str) -> Result<Option<ArtifactFiles>> {
        const FILES: &str = "SELECT uri, size, digest FROM artifact_file WHERE uri = $1 OR (uri >= $2 AND uri < $3)
             ORDER BY uri LIMIT $4";
        const ALL: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT), MAX(written_at), MAX(replaced_at)
             FROM artifact_file WHERE uri = $1 OR (uri >= $2 AND uri < $3)";
        let folder = format!("{}/", uri.trim_end_matches('/'));
        let end = first_after_prefix(&folder).unwrap_or_default();
        let uri = shortened(uri);
        let (count, size, written_at, replaced_at) = self.query_one(ALL, params![&uri, &folder, &end], |row| {
            Ok((row.int(0)?, row.int(1)?, row.opt_int(2)?, row.opt_int(3)?))
        })?;
        if count == 0 {
            return Ok(None);
        }
        let files = self.query(FILES, params![&uri, &folder, &end, MOST_FILES], |row| {
            Ok((row.text(0)?, row.int(1)?, row.text(2)?))
        })?;
        let digest = digest_of_files(files, (count, size, written_at));
        Ok(Some(ArtifactFiles { digest, replaced_at: replaced_at.map(Timestamp) }))
    }
}

/// Follows from the names, sizes and bytes of the first files, and from how many there are of them all, how large they
/// are and when one was written last.
pub(crate) fn digest_of_files(
    first: Vec<(String, i64, String)>,
    (count, size, written_at): (i64, i64, Option<i64>),
) -> String {
    let mut whole = Sha256::new();
    for (name, size, bytes) in first {
        whole.update(format!("{}:{name} {size} {bytes}\n", name.len()));
    }
    if count > MOST_FILES {
        whole.update(format!("{count} files, {size} bytes, {written_at:?}"));
    }
    hex::encode(whole.finalize())
}

/// A URI as it is kept: one that no index could hold keeps its beginning, which tells its folder.
fn shortened(uri: &str) -> String {
    if uri.len() <= LONGEST_URI {
        return uri.to_owned();
    }
    let end = (0..=LONGEST_URI).rev().find(|at| uri.is_char_boundary(*at)).unwrap_or(0);
    format!("{}#{}", &uri[..end], hex::encode(Sha256::digest(uri)))
}
