//! A long series read back: whole, sampled as MLflow's web pages ask for it, and as Stele's exact chart.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::api::{Counter, TRACKING};
use crate::bench::{Bench, milliseconds};
use crate::figure::{Figure, Unit};
use crate::http;
use crate::latency::Percentiles;
use crate::peers::Kind;
use crate::seed::{self, SPIKE, Seeded};
use crate::table::number;

/// What MLflow's web pages ask for, and the pixel columns of a wide chart.
const SAMPLES: usize = 320;
pub(crate) const BUCKETS: usize = 1_000;

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    // The time of the whole series before, from which the next one is foretold.
    let mut before: Option<(u64, Option<Duration>)> = None;
    for points in bench.options.history_points() {
        let ids = ["whole", "sampled", "exact-chart"].map(|kind| format!("history/{points}/{kind}"));
        if !ids.iter().any(|id| bench.wants(id)) {
            continue;
        }
        let mut api = bench.api();
        let experiment = api.create_experiment(&format!("history {points}"))?;
        let run = api.create_run(&experiment)?;
        let took = match seed::series(bench, &run, points)? {
            Seeded::Done(took) => took,
            Seeded::TooSlow(why) => {
                for id in &ids[..2] {
                    let figure = bench.figure(id, Unit::Milliseconds, f64::NAN).missing(&why);
                    bench.record(figure);
                }
                return Ok(());
            }
        };
        eprintln!("  filled with {} points in {:.1} s", number(points as f64), took.as_secs_f64());
        if bench.wants(&ids[0]) {
            let took = whole(bench, &ids[0], &run, points, before)?;
            before = Some((points, took));
        }
        if bench.wants(&ids[1]) {
            let figure = sampled(bench, &ids[1], &run, points);
            bench.record(figure);
        }
        if bench.wants(&ids[2]) && bench.server.target.kind == Kind::Stele {
            let figure = exact_chart(bench, &ids[2], &run);
            bench.record(figure);
        }
    }
    Ok(())
}

/// Gives how long it took, None if it took longer than a request may.
fn whole(
    bench: &mut Bench,
    id: &str,
    run: &str,
    points: u64,
    before: Option<(u64, Option<Duration>)>,
) -> Result<Option<Duration>> {
    let limit = bench.options.request_time();
    if let Some((fewer, took)) = before {
        let expected = took.map_or(limit, |took| took.mul_f64(points as f64 / fewer as f64));
        if expected >= limit {
            let why = format!(
                "not measured: {} points let expect more than the {} s that a request may take",
                number(fewer as f64),
                limit.as_secs()
            );
            let figure = bench.figure(id, Unit::Milliseconds, f64::NAN).missing(why);
            bench.record(figure);
            return Ok(None);
        }
    }
    let request = http::get(&format!("{TRACKING}/metrics/get-history?run_id={run}&metric_key=loss"));
    let mut latencies = Vec::new();
    let mut bytes = 0;
    for _ in 0..bench.options.repeats.max(1) {
        let mut counter = Counter::new(b"\"step\"");
        bytes = 0u64;
        let sent = Instant::now();
        let answered = bench.connection().stream(&[&request], &mut |part| {
            bytes += part.len() as u64;
            counter.take(part);
        });
        let took = sent.elapsed();
        let figure = bench.figure(id, Unit::Milliseconds, f64::NAN);
        match answered {
            Err(error) if error.is::<http::TimedOut>() => {
                bench.record(figure.missing(format!("{error}")));
                // It is still at work on the answer that nobody waits for.
                bench.server.start()?;
                return Ok(None);
            }
            Err(error) => return Err(error),
            Ok(200) if counter.found == points => latencies.push(took),
            Ok(status) => {
                bench.record(figure.failed(format!("answered {status} with {} OF {points} POINTS", counter.found)));
                return Ok(None);
            }
        }
        if took > limit / 4 {
            break;
        }
    }
    let longest = latencies.iter().max().copied();
    let timed = Percentiles::of(latencies);
    let figure = bench.figure(id, Unit::Milliseconds, timed.map_or(f64::NAN, |timed| timed.p50)).latency(timed);
    let figure = Figure { answer_bytes: Some(bytes), ..figure };
    bench.record(figure.note(format!("{} MB of JSON, every point counted", number(bytes as f64 / 1e6))));
    Ok(longest)
}

fn sampled(bench: &Bench, id: &str, run: &str, points: u64) -> Figure {
    let request = http::get(&format!(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&max_results={SAMPLES}"
    ));
    timed(bench, id, &request, |answer| {
        let metrics = answer["metrics"].as_array().map_or(0, Vec::len);
        ensure!(metrics >= SAMPLES.min(points as usize) / 2, "ONLY {metrics} SAMPLES");
        let last = answer["metrics"].as_array().and_then(|metrics| metrics.last()?["step"].as_u64());
        ensure!(last == Some(points - 1), "THE LAST POINT IS NOT THERE");
        Ok(format!("{metrics} samples"))
    })
}

fn exact_chart(bench: &Bench, id: &str, run: &str) -> Figure {
    let request = http::get(&format!("/api/stele/v1/runs/{run}/metrics/envelope?key=loss&buckets={BUCKETS}"));
    timed(bench, id, &request, |answer| {
        ensure!(answer.to_string().contains(&SPIKE.to_string()), "THE SPIKE IS MISSING");
        Ok(format!("{BUCKETS} buckets, the spike is there"))
    })
}

fn timed(bench: &Bench, id: &str, request: &[u8], check: impl FnOnce(&Value) -> Result<String>) -> Figure {
    let figure = |value| bench.figure(id, Unit::Milliseconds, value);
    let mut body = Vec::new();
    let sent = Instant::now();
    match bench.connection().exchange(request, &mut body) {
        Ok(200) => {}
        Ok(404) => return figure(f64::NAN).missing("not served"),
        Ok(status) => return figure(f64::NAN).failed(format!("answered {status}: {}", http::shown(&body))),
        Err(error) if error.is::<http::TimedOut>() => return figure(f64::NAN).missing(format!("{error}")),
        Err(error) => return figure(f64::NAN).failed(format!("{error:#}")),
    }
    let first = sent.elapsed();
    let checked = serde_json::from_slice(&body).map_err(Into::into).and_then(|answer| check(&answer));
    let note = match checked {
        Ok(note) => format!("{note}; the first took {} ms", number(milliseconds(first))),
        Err(error) => return figure(f64::NAN).failed(format!("{error:#}")),
    };
    let bytes = body.len() as u64;
    match bench.time_requests(|connection| connection.expect_ok(request).map(|()| bytes)) {
        Ok(timed) => figure(f64::NAN).timed(&timed).note(note),
        Err(error) => figure(f64::NAN).failed(format!("{error:#}")),
    }
}
