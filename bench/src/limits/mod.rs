//! What the same machine does for the same bytes without any of the servers, so that a figure can be told from what is
//! physically possible here.

mod files;
pub(crate) mod hello;
mod pace;
mod points;
mod postgres;
mod sqlite;
pub(crate) mod sync;

pub(crate) use pace::rate;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::bench::{announce, milliseconds};
use crate::figure::{Figure, Unit};
use crate::http::{self, Connection};
use crate::latency::Percentiles;
use crate::load::{self, Client, Plan};
use crate::options::{Database, Options};
use crate::process;
use crate::report;
use crate::scenarios::{artifacts, log_batch, single};
use hello::Hello;

/// What the limits share.
struct Limits<'a> {
    options: &'a Options,
    scratch: &'a Path,
    hello: Hello,
    /// The servers' figures; only what they have is worth a limit.
    measured: &'a [Figure],
    /// Limits so far.
    figures: Vec<Figure>,
}

pub(crate) fn measure(options: &Options, scratch: &Path, measured: &[Figure]) -> Result<()> {
    let hello = Hello::start(scratch)?;
    let mut limits = Limits { options, scratch, hello, measured, figures: Vec::new() };
    limits.process()?;
    limits.log_batch()?;
    limits.small_writes()?;
    limits.answers()?;
    limits.artifacts()
}

impl Limits<'_> {
    fn add(&mut self, figure: Figure) {
        announce(&figure);
        report::add(figure.clone());
        self.figures.push(figure);
    }

    fn was_measured(&self, id: &str, database: Option<Database>) -> bool {
        let name = database.map(Database::name);
        self.measured.iter().any(|figure| figure.measurement == id && name.is_none_or(|name| figure.database == name))
    }

    fn time(&self) -> Duration {
        self.options.seconds() / 2
    }

    /// A server that does nothing: what starting and being there costs.
    fn process(&mut self) -> Result<()> {
        let memory = process::group_memory(self.hello.running.group()).resident as f64 / f64::from(1 << 20);
        for (id, unit, value) in [
            ("start/empty", Unit::Milliseconds, milliseconds(self.hello.start)),
            ("start/full", Unit::Milliseconds, milliseconds(self.hello.start)),
            ("memory/idle", Unit::Mebibytes, memory),
        ] {
            if self.was_measured(id, None) {
                self.add(Figure::limit(id, None, "hello-world server", unit, value));
            }
        }
        Ok(())
    }

    fn log_batch(&mut self) -> Result<()> {
        let (time, parts, unit) = (self.time(), self.options.repeats, Unit::PointsPerSecond);
        let wanted: Vec<usize> = log_batch::CLIENTS
            .into_iter()
            .filter(|clients| self.was_measured(&log_batch::id(*clients), None))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let parsed = points::parsed(time, parts)?;
        for clients in wanted {
            let id = log_batch::id(clients);
            let bodies = (0..clients).map(|_| posts(log_batch::body(RUN), log_batch::POINTS)).collect();
            self.hello_load(&id, unit, bodies, "hello-world route, same bodies")?;
            self.add(Figure::limit(&id, None, "serde_json alone, one core", unit, parsed));
            let appended = points::appended(self.scratch, clients, time, parts)?;
            let what = format!("encode, append, fdatasync for {clients}, one core");
            self.add(Figure::limit(&id, None, &what, unit, appended));
            if self.was_measured(&id, Some(Database::Sqlite)) {
                let rows = sqlite::rows(self.scratch, clients as u64 * log_batch::POINTS, time, parts)?;
                let what = format!("bare SQLite rows, commit for {clients}");
                self.add(Figure::limit(&id, Some(Database::Sqlite), &what, unit, rows));
            }
            if self.was_measured(&id, Some(Database::Postgres))
                && let Some(cluster) = &self.options.postgres
            {
                let rows = postgres::rows(cluster, clients, log_batch::POINTS as usize, time)?;
                let what = format!("bare PostgreSQL rows, {clients} connections");
                self.add(Figure::limit(&id, Some(Database::Postgres), &what, unit, rows));
            }
        }
        Ok(())
    }

    fn small_writes(&mut self) -> Result<()> {
        /// About what a small write leaves behind: a row and an audit entry.
        const BYTES: usize = 256;
        let (time, parts, unit) = (self.time(), self.options.repeats, Unit::RequestsPerSecond);
        for clients in single::CLIENTS {
            let calls = ["log-metric", "set-tag", "log-parameter", "create-run"];
            let ids: Vec<String> = calls.iter().map(|call| single::id(call, clients)).collect();
            let ids: Vec<String> = ids.into_iter().filter(|id| self.was_measured(id, None)).collect();
            let Some(first) = ids.first() else { continue };
            // One measurement does for all of them: their bodies differ by some bytes.
            let before = self.figures.len();
            let bodies = (0..clients).map(|_| posts(single::log_metric(RUN), 1)).collect();
            self.hello_load(first, unit, bodies, "hello-world route, such bodies")?;
            let appends = points::small_appends(self.scratch, BYTES, clients, time, parts)?;
            let what = format!("append {BYTES} bytes, fdatasync for {clients}");
            self.add(Figure::limit(first, None, &what, unit, appends));
            if self.was_measured(first, Some(Database::Sqlite)) {
                let rows = sqlite::rows(self.scratch, clients as u64, time, parts)?;
                let what = format!("bare SQLite, commit for {clients}");
                self.add(Figure::limit(first, Some(Database::Sqlite), &what, unit, rows));
            }
            if self.was_measured(first, Some(Database::Postgres))
                && let Some(cluster) = &self.options.postgres
            {
                let rows = postgres::rows(cluster, clients, 1, time)?;
                let what = format!("bare PostgreSQL, {clients} connections");
                self.add(Figure::limit(first, Some(Database::Postgres), &what, unit, rows));
            }
            let shared = self.figures[before..].to_vec();
            for id in &ids[1..] {
                for figure in &shared {
                    report::add(Figure { measurement: id.clone(), ..figure.clone() });
                }
            }
        }
        Ok(())
    }

    /// For everything that is read: an answer of the same length out of memory.
    fn answers(&mut self) -> Result<()> {
        let stele = |figure: &&Figure| figure.subject == "Stele" && figure.answer_bytes.is_some();
        let read: Vec<Figure> = self.measured.iter().filter(stele).cloned().collect();
        for figure in read {
            let Some(bytes) = figure.answer_bytes else { continue };
            let request = http::get(&format!("/bytes/{bytes}"));
            let mut connection = Connection::new(self.hello.port, self.options.request_time());
            let mut latencies = Vec::new();
            for _ in 0..20 {
                let sent = std::time::Instant::now();
                connection.stream(&[&request], &mut |_| {})?;
                latencies.push(sent.elapsed());
                if sent.elapsed() > self.time() {
                    break;
                }
            }
            let timed = Percentiles::of(latencies);
            let value = timed.map_or(f64::NAN, |timed| timed.p50);
            let what = "hello-world route, as many bytes";
            let limit = Figure::limit(&figure.measurement, None, what, Unit::Milliseconds, value).latency(timed);
            let limit = Figure { database: figure.database, ..limit };
            self.add(limit.note(format!("{} kB", crate::table::number(bytes as f64 / 1e3))));
        }
        Ok(())
    }

    fn artifacts(&mut self) -> Result<()> {
        if self.was_measured("artifact/large-upload", None) || self.was_measured("artifact/large-download", None) {
            let bytes = self.options.large_artifact_bytes();
            let (copied, read) = files::copy(self.scratch, bytes, self.options.repeats)?;
            let unit = Unit::MegabytesPerSecond;
            self.add(Figure::limit("artifact/large-upload", None, "plain copy, synced", unit, copied));
            self.add(Figure::limit("artifact/large-download", None, "reading it from the page cache", unit, read));
        }
        let unit = Unit::FilesPerSecond;
        if self.was_measured("artifact/small-uploads", None) {
            let written = files::small(self.scratch, self.options.small_artifacts().min(2_000))?;
            let what = "write and fdatasync each, one thread";
            self.add(Figure::limit("artifact/small-uploads", None, what, unit, written));
        }
        if self.was_measured("artifact/small-downloads", None) {
            let what = "hello-world route, as many bytes";
            let request = http::get(&format!("/bytes/{}", artifacts::SMALL));
            let clients = (0..artifacts::CLIENTS).map(|_| {
                let request = request.clone();
                Box::new(move |connection: &mut Connection| connection.expect_ok(&request).map(|()| 1u64)) as Client
            });
            self.hello_load("artifact/small-downloads", unit, clients.collect(), what)?;
        }
        Ok(())
    }

    fn hello_load(&mut self, id: &str, unit: Unit, clients: Vec<Client>, what: &str) -> Result<()> {
        let plan = Plan {
            port: self.hello.port,
            server: self.hello.running.group(),
            seconds: self.time(),
            repeats: self.options.repeats,
            request_time: self.options.request_time(),
            pace: None,
            requests: None,
        };
        let outcome = load::run(&plan, clients)?;
        let figure = Figure::limit(id, None, what, unit, outcome.rate).latency(outcome.latency);
        let figure = Figure { load_cpu: Some(outcome.load_cpu), server_cpu: Some(outcome.server_cpu), ..figure };
        self.add(match outcome.first_failure {
            Some(failure) => figure.failed(failure),
            None => figure,
        });
        Ok(())
    }
}

const RUN: &str = "0123456789abcdef0123456789abcdef";

fn posts(body: crate::template::Template, units: u64) -> Client {
    let mut template = body.post("/");
    Box::new(move |connection| {
        connection.expect_ok(template.next()?)?;
        Ok(units)
    })
}
