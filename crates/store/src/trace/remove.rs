//! Removing traces for good: rows first, with a note on the files of each.

use stele_domain::authz::{LogTrace, Permit, Place, PurgeRecord};
use stele_domain::id::{ExperimentId, Timestamp, TraceRow, WorkspaceId};
use stele_domain::trace::TraceId;
use stele_domain::{Kind, Result};

use super::info::artifact_uri;
use crate::Tx;
use crate::engine::{Value, list, params};
use crate::purge::Purged;

/// The tables that hold what belongs to a trace.
const OF_TRACE: [&str; 7] =
    ["trace_tag", "trace_metadata", "trace_link", "trace_block", "span", "assessment", "review_item"];

impl Tx<'_> {
    /// Removes those of these traces that are in the experiment.
    pub fn traces_delete(
        &mut self,
        permit: &Permit<LogTrace>,
        experiment: ExperimentId,
        ids: &[TraceId],
        now: Timestamp,
    ) -> Result<Vec<TraceId>> {
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let due = format!("{DUE} AND trace.public_id {} ORDER BY trace.public_id", self.is_one_of_texts(3));
        let values = params![permit.workspace(), experiment, list(ids.iter().map(TraceId::as_str))].to_vec();
        self.traces_remove(permit.workspace(), &due, &values, now).map(|purged| ids_of(&purged))
    }

    /// Removes at most `most` traces of an experiment that are not newer than `newest`, the oldest first.
    pub fn traces_delete_oldest(
        &mut self,
        permit: &Permit<LogTrace>,
        experiment: ExperimentId,
        newest: Timestamp,
        most: i64,
        now: Timestamp,
    ) -> Result<Vec<TraceId>> {
        permit.require(self, Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let due = format!("{DUE} AND trace.requested_at <= $3 ORDER BY trace.requested_at, trace.public_id LIMIT $4");
        let values = params![permit.workspace(), experiment, newest, most].to_vec();
        self.traces_remove(permit.workspace(), &due, &values, now).map(|purged| ids_of(&purged))
    }

    /// Removes at most `most` traces of experiments that are in the trash since `cutoff` or longer.
    pub fn traces_purge(
        &mut self,
        permit: &Permit<PurgeRecord>,
        cutoff: Timestamp,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Purged>> {
        permit.require_workspace()?;
        let due = "SELECT trace.id, trace.public_id, experiment.artifact_location FROM trace
             JOIN experiment ON experiment.id = trace.experiment_id
             WHERE trace.workspace_id = $1 AND experiment.presence = 'deleted' AND experiment.updated_at <= $2
             ORDER BY trace.id LIMIT $3";
        let values = params![permit.workspace(), cutoff, most as i64].to_vec();
        self.traces_remove(permit.workspace(), due, &values, now)
    }

    /// Removes the traces that `due` selects, with the location of the experiment of each.
    fn traces_remove(
        &mut self,
        workspace: WorkspaceId,
        due: &str,
        values: &[Value],
        now: Timestamp,
    ) -> Result<Vec<Purged>> {
        let lock = self.for_update_of("trace");
        let due = self.query(&format!("{due}{lock}"), values, |row| {
            let id = TraceId::parse(&row.text(1)?)?;
            let artifact_uri = artifact_uri(&row.text(2)?, &id)?;
            Ok((TraceRow(row.int(0)?), Purged { id: id.as_str().to_owned(), name: String::new(), artifact_uri }))
        })?;
        let (rows, purged): (Vec<TraceRow>, Vec<Purged>) = due.into_iter().unzip();
        if rows.is_empty() {
            return Ok(purged);
        }
        let rows = list(rows.iter().map(|row| row.0));
        let one_of = self.is_one_of_ints(1);
        for table in OF_TRACE {
            self.execute(&format!("DELETE FROM {table} WHERE trace_id {one_of}"), params![rows.clone()])?;
        }
        self.execute(&format!("DELETE FROM trace WHERE id {one_of}"), params![rows])?;
        self.garbage_note(workspace, &purged, now)?;
        Ok(purged)
    }
}

const DUE: &str = "SELECT trace.id, trace.public_id, experiment.artifact_location FROM trace
     JOIN experiment ON experiment.id = trace.experiment_id
     WHERE trace.workspace_id = $1 AND trace.experiment_id = $2";

fn ids_of(purged: &[Purged]) -> Vec<TraceId> {
    purged.iter().filter_map(|purged| TraceId::parse(&purged.id).ok()).collect()
}
