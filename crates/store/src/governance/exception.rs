use stele_domain::Result;
use stele_domain::authz::{ManageGate, Permit};
use stele_domain::gate::{Exception, Target};
use stele_domain::id::{ModelVersionRow, Timestamp};

use crate::Tx;
use crate::engine::params;

/// How many exceptions of one version and target are looked at.
const MOST_EXCEPTIONS: i64 = 100;

impl Tx<'_> {
    /// Lets a version past the gates of a target until a time.
    pub fn gate_exception_make(
        &mut self,
        permit: &Permit<ManageGate>,
        version: ModelVersionRow,
        target: &Target,
        reason: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Exception> {
        const INSERT: &str = "INSERT INTO gate_exception (model_version_id, target, reason, person, at, until_at)
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
        let by = permit.subject().principal.name().to_owned();
        let values = params![version, target.to_string(), reason, &by, now, until];
        let id = self.query_one(INSERT, values, |row| row.int(0))?;
        Ok(Exception { id, by, reason: reason.to_owned(), until: until.0, lapsed: None })
    }

    /// The exceptions of a version that have not ended, with when they were made; those first that last longest.
    pub fn gate_exceptions_now(
        &mut self,
        version: ModelVersionRow,
        target: &Target,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, Exception)>> {
        const FIND: &str = "SELECT id, person, reason, until_at, at FROM gate_exception
             WHERE model_version_id = $1 AND target = $2 AND until_at > $3 ORDER BY until_at DESC, id LIMIT $4";
        self.query(FIND, params![version, target.to_string(), now, MOST_EXCEPTIONS], |row| {
            let (id, by, reason, until) = (row.int(0)?, row.text(1)?, row.text(2)?, row.int(3)?);
            Ok((Timestamp(row.int(4)?), Exception { id, by, reason, until, lapsed: None }))
        })
    }
}
