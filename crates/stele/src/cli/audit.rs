use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use axum::http::Method;
use clap::{Args, Subcommand};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stele_app::{AuditReport, verify_export};
use stele_domain::audit::{ChainEnd, ends_of_json, ends_to_json};
use stele_domain::id::{Clock, Timestamp};

use super::client::{Client, Connection, Payload};
use super::listing::{Limit, list};
use super::table::{Cell, Column, Table};
use super::{Failure, Output, human, progress, when};
use crate::system::SystemClock;

#[derive(Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List entries, the newest first
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        filter: Filter,

        #[command(flatten)]
        limit: Limit,

        #[command(flatten)]
        connection: Connection,
    },
    /// Write the whole log as JSON Lines, for `stele audit verify FILE`
    Export {
        /// The file to write; it must not be there. - is standard output
        file: PathBuf,

        #[command(flatten)]
        connection: Connection,
    },
    /// Look for entries that were changed, removed, inserted or moved
    Verify {
        /// An export, which needs no server; without it the log of the record is verified
        file: Option<PathBuf>,

        /// What `stele audit heads` printed at some time: the log must still have it
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,

        #[command(flatten)]
        connection: Connection,
    },
    /// Print where the chains of the log end, to be kept elsewhere
    Heads {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
struct Filter {
    /// Who did it
    #[arg(long, value_name = "PRINCIPAL")]
    who: Option<String>,

    /// What was done, such as run.create, or model. for all that begins so
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,

    /// The kind of what it was done to, such as "model version"
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,

    /// The id or name of what it was done to, such as churn/3
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,

    /// The API that it was asked through: mlflow, sagemaker or native
    #[arg(long, value_name = "SCRIPT")]
    script: Option<String>,

    /// The id of the request
    #[arg(long, value_name = "ID")]
    request: Option<String>,

    /// Only what was refused
    #[arg(long)]
    denied: bool,

    /// From then on: 2026-03-03T14:00:00Z, 2026-03-03 14:00 (UTC), 2026-03-03, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    since: Option<Timestamp>,

    /// Before then
    #[arg(long, value_name = "TIME", value_parser = when::parse)]
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    at: i64,
    principal: String,
    script: String,
    address: Option<String>,
    action: String,
    object: String,
    outcome: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// What a verification found, as the native API says it.
#[derive(Serialize, Deserialize)]
struct Report {
    entries: u64,
    ends: Vec<Value>,
    faults: Vec<Fault>,
}

#[derive(Serialize, Deserialize)]
struct Fault {
    chain: Option<i64>,
    seq: i64,
    detail: String,
}

pub(super) async fn run(output: &Output, Audit { action }: Audit) -> anyhow::Result<ExitCode> {
    match action {
        Action::List { filter, limit, connection } => {
            let client = connection.open().await?;
            let listed = {
                let text = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.0.to_string());
                let (since, until) = (text(filter.since), text(filter.until));
                let query = [filter.query(), vec![("since", &since), ("until", &until)]].concat();
                list(&client, "entries", &["audit"], &query, &limit).await?
            };
            if output.is_json() {
                listed.json(output)?;
            } else {
                output.table(&entry_table(&listed.views()?))?;
                listed.comment(output, "entry");
            }
        }
        Action::Export { file, connection } => export(output, &connection.open().await?, &file).await?,
        Action::Verify { file, heads, connection } => {
            let noted = heads.as_deref().map(read_heads).transpose()?.unwrap_or_default();
            let report = match file {
                Some(file) => verify_file(&file, &noted)?,
                None => verify_record(&connection.open().await?, &noted).await?,
            };
            return tell(output, &report);
        }
        Action::Heads { connection } => {
            let heads: Value = connection.open().await?.get(&["audit", "heads"], &[]).await?;
            output.json(&heads)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let Filter { who, action, kind, object, script, request, denied, since: _, until: _ } = self;
        let texts = [
            ("principal", who),
            ("action", action),
            ("kind", kind),
            ("object", object),
            ("script", script),
            ("request_id", request),
        ];
        let mut query: Vec<(&str, &str)> =
            texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?))).collect();
        if *denied {
            query.push(("outcome", "denied"));
        }
        query
    }
}

pub(super) fn entry_table(entries: &[Entry]) -> Table {
    let now = SystemClock.now();
    let mut table = Table::new([
        Column::whole("WHEN"),
        Column::text("WHO"),
        Column::text("FROM").spare(),
        Column::whole("THROUGH").spare(),
        Column::whole("ACTION"),
        Column::text("OBJECT"),
        Column::text("OUTCOME"),
        Column::text("CHANGE"),
    ]);
    for entry in entries {
        let outcome = if entry.outcome == "done" { "" } else { &entry.outcome };
        table.row([
            Cell::dim(human::ago(Timestamp(entry.at), now)),
            Cell::from(&entry.principal),
            Cell::dim(entry.address.as_deref().unwrap_or_default()),
            Cell::dim(&entry.script),
            Cell::from(&entry.action),
            Cell::from(&entry.object),
            Cell::from(outcome),
            Cell::dim(change(entry.before.as_ref(), entry.after.as_ref())),
        ]);
    }
    table
}

/// As much of a change as a table shows; `--json` has all of it.
const LONGEST_CHANGE: usize = 300;

fn change(before: Option<&Value>, after: Option<&Value>) -> String {
    let mut change = match (before, after) {
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        (Some(before), None) => format!("was {before}"),
        (None, Some(after)) => after.to_string(),
        (None, None) => String::new(),
    };
    if let Some((end, _)) = change.char_indices().nth(LONGEST_CHANGE) {
        change.truncate(end);
        change.push('\u{2026}');
    }
    change
}

async fn export(output: &Output, client: &Client, file: &Path) -> anyhow::Result<()> {
    let answer = client.send(Method::GET, &["audit", "export"], &[], Payload::Nothing).await?;
    let mut chunks = answer.into_body().into_data_stream();
    let is_standard = file == Path::new("-");
    let mut out: Box<dyn Write> = if is_standard {
        Box::new(std::io::stdout())
    } else {
        let made = File::options().write(true).create_new(true).open(file);
        Box::new(made.map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", file.display())).hint("name a file that is not there yet")
        })?)
    };
    let bar = progress::spinner("writing bytes");
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.context("the export broke off; what is written is not the whole log")?;
        out.write_all(&chunk)?;
        bar.inc(chunk.len() as u64);
    }
    out.flush()?;
    bar.finish_and_clear();
    if !is_standard {
        output.done(format_args!("wrote {}", file.display()));
    }
    Ok(())
}

/// The largest file of heads, in bytes; each chain has some hundred.
const MOST_HEADS: u64 = 16 * 1024 * 1024;

fn read_heads(file: &Path) -> anyhow::Result<Vec<(i64, ChainEnd)>> {
    let text = super::given::text(file, MOST_HEADS)?;
    ends_of_json(&text).ok_or_else(|| {
        Failure::usage(format!("{} does not say where chains end", file.display()))
            .hint("`stele audit heads > FILE` writes such a file")
            .into()
    })
}

fn verify_file(file: &Path, noted: &[(i64, ChainEnd)]) -> anyhow::Result<Report> {
    let open = File::open(file).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", file.display())).hint("`stele audit export` writes one")
    })?;
    let bar = progress::spinner("verifying entries");
    let verified = verify_export(BufReader::with_capacity(1 << 20, open), noted, |entries| bar.set_position(entries));
    bar.finish_and_clear();
    let AuditReport { entries, ends, faults } =
        verified.map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let fault = |faulty: stele_domain::audit::Faulty| Fault {
        detail: faulty.to_string(),
        chain: (faulty.chain >= 0).then_some(faulty.chain),
        seq: faulty.seq,
    };
    Ok(Report { entries, ends: ends_to_json(&ends), faults: faults.into_iter().map(fault).collect() })
}

async fn verify_record(client: &Client, noted: &[(i64, ChainEnd)]) -> anyhow::Result<Report> {
    let bar = progress::spinner("verifying");
    let payload = Payload::Json(json!({ "ends": ends_to_json(noted) }));
    let report = client.ask(Method::POST, &["audit", "verification"], &[], payload).await;
    bar.finish_and_clear();
    report
}

fn tell(output: &Output, report: &Report) -> anyhow::Result<ExitCode> {
    let Report { entries, ends, faults } = report;
    if output.is_json() {
        output.json(report)?;
    } else if faults.is_empty() {
        let chains = human::count(ends.len(), "chain");
        output.text(&format!("the log is whole: {entries} entries in {chains}\n"))?;
    } else {
        let faults: String = faults.iter().map(|fault| format!("{}\n", human::harmless(&fault.detail))).collect();
        output.text(&faults)?;
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
