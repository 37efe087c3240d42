use std::collections::HashMap;

use stele_domain::authz::Visibility;
use stele_domain::id::{Timestamp, TraceRow};
use stele_domain::otlp::Span;
use stele_domain::trace::{TraceInfo, TraceLink};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::engine::{list, params};
use crate::load::LoadedLink;
use crate::trace::{COLUMNS, trace};

/// A trace with its spans, and what it was linked to.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedTrace {
    pub info: TraceInfo,
    /// Roots first, then by start.
    pub spans: Vec<Span>,
    pub links: Vec<LoadedLink>,
}

/// The spans of one page have about so many bytes at most, unless one trace has more.
const PAGE_BYTES: i64 = 16 << 20;

impl Tx<'_> {
    pub fn traces_after(&mut self, visible: &Visibility, after: TraceRow, most: usize) -> Result<Vec<ExportedTrace>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let sql =
            format!("SELECT id, span_bytes FROM trace WHERE workspace_id = $1 AND id > $2{seen} ORDER BY id LIMIT $3");
        let mut bytes = 0;
        let found = self.query(&sql, &values, |row| Ok((row.int(0)?, row.int(1)?)))?;
        let page = found.into_iter().enumerate().take_while(|(position, (_, size))| {
            bytes += size;
            *position == 0 || bytes <= PAGE_BYTES
        });
        let rows: Vec<TraceRow> = page.map(|(_, (row, _))| TraceRow(row)).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list(rows.iter().map(|row| row.0));
        let one_of = self.is_one_of_ints(1);
        let sql = format!(
            "SELECT {COLUMNS} FROM trace JOIN experiment ON experiment.id = trace.experiment_id
             WHERE trace.id {one_of} ORDER BY trace.id"
        );
        let infos = self.query(&sql, params![ids.clone()], trace)?;
        let infos = self.traces_complete(infos)?;
        let mut spans = self.spans_of(visible, &rows)?;
        let sql = format!(
            "SELECT trace_id, kind, target, created_at FROM trace_link WHERE trace_id {one_of}
             ORDER BY trace_id, created_at, kind, target"
        );
        let mut links: HashMap<TraceRow, Vec<LoadedLink>> = HashMap::new();
        for (row, link) in self.query(&sql, params![ids], |row| {
            let kind = row.text(1)?;
            let kind = TraceLink::parse(&kind)
                .ok_or_else(|| Error::internal(format!("a trace is linked to a '{kind}', which is unknown")))?;
            let link = LoadedLink { kind, target: row.text(2)?, created_at: Timestamp(row.int(3)?) };
            Ok((TraceRow(row.int(0)?), link))
        })? {
            links.entry(row).or_default().push(link);
        }
        let whole = |info: TraceInfo| ExportedTrace {
            spans: spans.remove(&info.row).unwrap_or_default(),
            links: links.remove(&info.row).unwrap_or_default(),
            info,
        };
        Ok(infos.into_iter().map(whole).collect())
    }
}
