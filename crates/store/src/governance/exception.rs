use stele_domain::Result;
use stele_domain::authz::{ManageGate, Permit};
use stele_domain::gate::{Exception, Target};
use stele_domain::id::{ModelVersionRow, Timestamp};

use crate::Tx;
use crate::engine::params;

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
        Ok(Exception { id, by, reason: reason.to_owned(), until: until.0 })
    }

    /// The exception of a version that lasts longest, if one does.
    pub fn gate_exception_now(
        &mut self,
        version: ModelVersionRow,
        target: &Target,
        now: Timestamp,
    ) -> Result<Option<Exception>> {
        const FIND: &str = "SELECT id, person, reason, until_at FROM gate_exception
             WHERE model_version_id = $1 AND target = $2 AND until_at > $3 ORDER BY until_at DESC, id LIMIT 1";
        self.query_opt(FIND, params![version, target.to_string(), now], |row| {
            Ok(Exception { id: row.int(0)?, by: row.text(1)?, reason: row.text(2)?, until: row.int(3)? })
        })
    }
}
