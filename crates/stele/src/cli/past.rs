//! A model as it was, as a table.

use std::collections::BTreeMap;

use serde::Deserialize;
use stele_domain::id::Timestamp;

use super::table::{Cell, Column, Table};
use super::{human, view};

#[derive(Deserialize)]
pub(super) struct Model {
    versions: Vec<Version>,
    aliases: BTreeMap<String, Alias>,
}

#[derive(Deserialize)]
struct Version {
    version: i64,
    stage: String,
    moved: Deed,
    approval: String,
    decided: Option<Deed>,
}

#[derive(Deserialize)]
struct Alias {
    version: i64,
}

#[derive(Deserialize)]
struct Deed {
    by: String,
    at: i64,
}

pub(super) fn version_table(Model { versions, aliases }: Model) -> Table {
    let mut table = Table::new([
        Column::number("VERSION"),
        Column::whole("STAGE"),
        Column::text("MOVED BY"),
        Column::whole("AT"),
        Column::whole("APPROVAL"),
        Column::text("DECIDED BY"),
        Column::text("DECIDED AT"),
        Column::text("ALIASES"),
    ]);
    for Version { version, stage, moved, approval, decided } in versions {
        let own: Vec<&str> =
            aliases.iter().filter(|(_, alias)| alias.version == version).map(|(name, _)| name.as_str()).collect();
        let decided_at = decided.as_ref().map(|deed| human::time(Timestamp(deed.at)));
        table.row([
            Cell::from(version.to_string()),
            view::stage_cell(&stage),
            Cell::from(moved.by),
            Cell::dim(human::time(Timestamp(moved.at))),
            Cell::from(approval),
            Cell::from(decided.map(|deed| deed.by).unwrap_or_default()),
            Cell::dim(decided_at.unwrap_or_default()),
            Cell::from(own.join(" ")),
        ]);
    }
    table
}
