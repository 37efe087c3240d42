//! What the scenarios share: the server under test, the figures so far, and how a load becomes a figure.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::api::Api;
use crate::figure::{Figure, Unit};
use crate::http::Connection;
use crate::latency::Percentiles;
use crate::load::{self, Client, Outcome, Plan};
use crate::options::Options;
use crate::peers::Server;
use crate::report;

pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) server: Server<'a>,
    /// How many runs the search scenario put into the server.
    pub(crate) seeded_runs: Option<u64>,
}

impl Bench<'_> {
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.options.wants(id)
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.server.port, self.options.request_time())
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection::new(self.server.port, self.options.request_time())
    }

    pub(crate) fn plan(&self) -> Plan {
        Plan {
            port: self.server.port,
            server: self.server.group(),
            seconds: self.options.seconds(),
            repeats: self.options.repeats.max(1),
            request_time: self.options.request_time(),
            pace: None,
            requests: None,
        }
    }

    /// An empty figure of this server.
    pub(crate) fn figure(&self, id: &str, unit: Unit, value: f64) -> Figure {
        let target = self.server.target;
        Figure::new(id, Some(target.database), target.kind.name(), unit, value)
    }

    #[expect(clippy::unused_self, reason = "only who measures a server has figures of it")]
    pub(crate) fn record(&mut self, figure: Figure) {
        announce(&figure);
        report::add(figure);
    }

    /// Loads the server, then counts what it has stored with `check`, and records both.
    pub(crate) fn measure_writes(
        &mut self,
        id: &str,
        unit: Unit,
        clients: Vec<Client>,
        check: impl FnOnce(&mut Api, &Outcome) -> Result<u64>,
    ) -> Result<()> {
        let outcome = load::run(&self.plan(), clients)?;
        let mut figure = Figure {
            load_cpu: Some(outcome.load_cpu),
            server_cpu: Some(outcome.server_cpu),
            ..self.figure(id, unit, outcome.rate).latency(outcome.latency)
        };
        if let Some(failure) = &outcome.first_failure {
            figure = figure.failed(format!("{} requests failed, first: {failure}", outcome.failures));
        }
        let acknowledged: u64 = outcome.acknowledged.iter().sum();
        figure = match check(&mut self.api(), &outcome) {
            // A request that failed for its client may have been carried out.
            Ok(stored) if stored == acknowledged || (stored > acknowledged && outcome.failures > 0) => {
                figure.note(format!("{stored} read back"))
            }
            Ok(stored) => figure.failed(format!("{acknowledged} ACKNOWLEDGED BUT {stored} STORED")),
            Err(error) => figure.failed(format!("cannot be read back: {error:#}")),
        };
        self.record(figure);
        Ok(())
    }

    /// Times requests of one client, one after another, for a part of the measuring time and a few times at least.
    /// `request` gives the length of the answer.
    pub(crate) fn time_requests(&self, mut request: impl FnMut(&mut Connection) -> Result<u64>) -> Result<Timed> {
        const LEAST: usize = 5;
        let mut connection = self.connection();
        let mut latencies = Vec::new();
        let time = self.options.seconds() / 2;
        let started = Instant::now();
        // The first is not counted: it opens the connection and prepares statements.
        request(&mut connection)?;
        let slow = started.elapsed() > time;
        let mut bytes = 0;
        while latencies.is_empty() || (!slow && latencies.len() < LEAST) || started.elapsed() < time {
            let sent = Instant::now();
            bytes += request(&mut connection)?;
            latencies.push(sent.elapsed());
        }
        let bytes = bytes / latencies.len() as u64;
        Ok(Timed { latency: Percentiles::of(latencies).context("nothing was measured")?, bytes })
    }
}

/// What a request of one client took, and how long its answers were on the average.
pub(crate) struct Timed {
    pub(crate) latency: Percentiles,
    pub(crate) bytes: u64,
}

/// Tells the one who waits.
pub(crate) fn announce(figure: &Figure) {
    let value =
        figure.value.map_or("-".to_owned(), |value| format!("{} {}", crate::table::number(value), figure.unit.name()));
    let failed = if figure.failed { "FAILED: " } else { "" };
    eprintln!("  {:<44} {:<18} {value:>24}  {failed}{}", figure.measurement, figure.subject, figure.note);
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
