use stele_domain::authz::{LogTrace, Permit};
use stele_domain::id::{ExperimentId, Timestamp, TraceRow};
use stele_domain::record::Tag;
use stele_domain::trace::{MOST_TAGS, TraceId, TraceLink};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::engine::{Value, params};

impl Tx<'_> {
    /// Sets tags of a trace, which the caller holds. Of two with one key the last counts.
    pub fn trace_tags_set(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        experiment: ExperimentId,
        tags: &[Tag],
    ) -> Result<()> {
        self.trace_keyed_set("trace_tag", "tags", trace, experiment, tags)
    }

    /// Sets entries of the metadata of a trace, as [`Tx::trace_tags_set`] sets tags.
    pub fn trace_metadata_set(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        experiment: ExperimentId,
        metadata: &[Tag],
    ) -> Result<()> {
        self.trace_keyed_set("trace_metadata", "entries of metadata", trace, experiment, metadata)
    }

    fn trace_keyed_set(
        &mut self,
        table: &'static str,
        things: &str,
        trace: TraceRow,
        experiment: ExperimentId,
        entries: &[Tag],
    ) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let newest: std::collections::BTreeMap<&str, &str> =
            entries.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let values: Vec<Value> = newest
            .into_iter()
            .flat_map(|(key, value)| [trace.into(), key.into(), value.into(), experiment.into()])
            .collect();
        self.insert_rows(
            &format!("INSERT INTO {table} (trace_id, key, value, experiment_id)"),
            4,
            "ON CONFLICT (trace_id, key) DO UPDATE SET value = excluded.value",
            &values,
        )?;
        let count = format!("SELECT COUNT(*) FROM {table} WHERE trace_id = $1");
        let count = self.query_one(&count, params![trace], |row| row.int(0))?;
        if count > MOST_TAGS {
            return Err(Error::LimitExceeded {
                message: format!("a trace has at most {MOST_TAGS} {things}; this one would have {count}"),
            });
        }
        Ok(())
    }

    /// The value of an entry of the metadata of a trace.
    pub fn trace_metadata_value(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        key: &str,
    ) -> Result<Option<String>> {
        const VALUE: &str = "SELECT value FROM trace_metadata WHERE trace_id = $1 AND key = $2";
        self.query_opt(VALUE, params![trace, key], |row| row.text(0))
    }

    /// Says whether the trace had the tag.
    pub fn trace_tag_delete(&mut self, _permit: &Permit<LogTrace>, trace: TraceRow, key: &str) -> Result<bool> {
        const DELETE: &str = "DELETE FROM trace_tag WHERE trace_id = $1 AND key = $2";
        self.execute(DELETE, params![trace, key]).map(|deleted| deleted > 0)
    }

    /// Links those of these traces that are there to a run or a version of a prompt; says how many links are new.
    pub fn traces_link(
        &mut self,
        permit: &Permit<LogTrace>,
        traces: &[TraceId],
        kind: TraceLink,
        targets: &[String],
        now: Timestamp,
    ) -> Result<u64> {
        let rows: Vec<TraceRow> = self.traces_open(permit, traces)?.into_iter().map(|trace| trace.row).collect();
        let values: Vec<Value> = rows
            .iter()
            .flat_map(|row| targets.iter().map(move |target| (row, target)))
            .flat_map(|(row, target)| [(*row).into(), kind.as_str().into(), target.into(), now.into()])
            .collect();
        let head = "INSERT INTO trace_link (trace_id, kind, target, created_at)";
        self.insert_rows(head, 4, "ON CONFLICT (trace_id, kind, target) DO NOTHING", &values)
    }
}
