//! Filter and sort over many runs, checked against what the generator of the runs says the answer is.

mod shape;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::api::{Api, TRACKING};
use crate::bench::{Bench, Timed};
use crate::figure::Unit;
use crate::http::{self, Connection};
use crate::load::{self, Client, Plan};
use crate::peers::Kind;
use crate::scenarios::single;
use crate::seed::{self, Seeded};
use crate::table::number;
use crate::template::Template;
use shape::{SHAPES, Shape};

/// What a page of the usual web pages and scripts holds.
const PAGE: usize = 100;
/// How far in the deep page lies: a quarter of what is found, but at least and at most so far. FastTrackML reads the
/// tokens of some offsets only, among them those of three and four digits.
const DEEP: std::ops::RangeInclusive<u64> = 100..=9_900;
const WRITERS: usize = 16;

/// A request of which both the bytes and the answer are known.
struct Query {
    request: Vec<u8>,
    /// The names of the runs that must come, in order.
    expected: Vec<String>,
}

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    for runs in bench.options.search_runs() {
        let wanted = |bench: &Bench| bench.wants("start/full") || ids(runs).iter().any(|id| bench.wants(id));
        if wanted(bench) && !measure_size(bench, runs)? {
            break;
        }
    }
    Ok(())
}

/// Every measurement of one size.
fn ids(runs: u64) -> Vec<String> {
    let first_pages = SHAPES.iter().map(|shape| format!("search/{runs}/{}", shape.name));
    first_pages.chain(MIXED.iter().map(|(name, ..)| format!("search/{runs}/{name}"))).collect()
}

/// All shapes in turn: first or deep pages, alone or while others write.
const MIXED: [(&str, Place, Meanwhile); 4] = [
    ("first-page", Place::First, Meanwhile::Nothing),
    ("deep-page", Place::Deep, Meanwhile::Nothing),
    ("first-page-while-writing", Place::First, Meanwhile::Writes),
    ("deep-page-while-writing", Place::Deep, Meanwhile::Writes),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Deep,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Writes,
}

/// Gives false when the server could not be filled so far in time.
fn measure_size(bench: &mut Bench, runs: u64) -> Result<bool> {
    bench.server.renew()?;
    bench.server.start()?;
    let experiment = bench.api().create_experiment(&format!("search {runs}"))?;
    let took = match seed::runs(bench, &experiment, runs)? {
        Seeded::Done(took) => took,
        Seeded::TooSlow(why) => {
            for id in ids(runs) {
                let figure = bench.figure(&id, Unit::Milliseconds, f64::NAN).missing(&why);
                bench.record(figure);
            }
            return Ok(false);
        }
    };
    bench.seeded_runs = Some(runs);
    eprintln!("  filled with {} runs in {:.1} s", number(runs as f64), took.as_secs_f64());
    // What the bulk left to tidy is not part of a search.
    std::thread::sleep(Duration::from_secs(if bench.options.quick { 0 } else { 2 }));

    let mut first = Queries::default();
    for shape in &SHAPES {
        let id = format!("search/{runs}/{}", shape.name);
        let mixed = MIXED.iter().any(|(name, ..)| bench.wants(&format!("search/{runs}/{name}")));
        if !bench.wants(&id) && !mixed {
            continue;
        }
        let query = query(shape, &experiment, runs, None);
        let timed = match check(bench, &query) {
            Ok(()) => time(bench, std::slice::from_ref(&query)).inspect(|_| first.good.push(query)),
            Err(error) => Err(error),
        };
        if let Err(error) = &timed {
            first.failure = Some(format!("{error:#}"));
            if error.is::<http::TimedOut>() {
                // It is still at work on the answer that nobody waits for.
                bench.server.start()?;
            }
        }
        if bench.wants(&id) {
            record(bench, &id, timed, shape.note);
        }
    }
    let mut deep: Option<Queries> = None;
    for (name, place, meanwhile) in MIXED {
        let id = format!("search/{runs}/{name}");
        if !bench.wants(&id) {
            continue;
        }
        let queries = match place {
            Place::First => &first,
            Place::Deep => &*deep.get_or_insert_with(|| deep_queries(bench, &experiment, runs)),
        };
        let timed = match (&queries.failure, meanwhile) {
            (Some(failure), _) if queries.good.is_empty() || bench.server.target.kind == Kind::Stele => {
                Err(anyhow::anyhow!("{failure}"))
            }
            (_, Meanwhile::Nothing) => time(bench, &queries.good),
            (_, Meanwhile::Writes) => while_writing(bench, &experiment, &queries.good),
        };
        let note = match &queries.failure {
            Some(failure) => format!("without the shapes that fail: {failure}"),
            None => format!("{} shapes", queries.good.len()),
        };
        record(bench, &id, timed, &note);
    }
    Ok(true)
}

/// The queries that a server answers well, and why another one is not among them.
#[derive(Default)]
struct Queries {
    good: Vec<Query>,
    failure: Option<String>,
}

fn record(bench: &mut Bench, id: &str, timed: Result<Timed>, note: &str) {
    let figure = match timed {
        Ok(timed) => bench.figure(id, Unit::Milliseconds, f64::NAN).timed(&timed),
        Err(error) if error.is::<http::TimedOut>() => {
            bench.figure(id, Unit::Milliseconds, f64::NAN).missing(format!("{error}"))
        }
        Err(error) => bench.figure(id, Unit::Milliseconds, f64::NAN).failed(format!("{error:#}")),
    };
    let figure = if note.is_empty() { figure } else { figure.note(note) };
    bench.record(figure);
}

fn query(shape: &Shape, experiment: &str, runs: u64, deep: Option<(&str, usize)>) -> Query {
    let mut body = json!({
        "experiment_ids": [experiment],
        "filter": shape.filter(),
        "run_view_type": "ACTIVE_ONLY",
        "max_results": PAGE,
        "order_by": [shape.order()],
    });
    if let Some((token, _)) = deep {
        body["page_token"] = token.into();
    }
    let skip = deep.map_or(0, |(_, skip)| skip);
    let expected = shape.answer(runs).into_iter().skip(skip).take(PAGE).map(|run| run.name()).collect();
    Query { request: http::post(&format!("{TRACKING}/runs/search"), &body.to_string()), expected }
}

fn deep_queries(bench: &Bench, experiment: &str, runs: u64) -> Queries {
    let mut queries = Queries::default();
    for shape in &SHAPES {
        let found = shape.answer(runs).len() as u64;
        let skip = (found / 4).min(*DEEP.end());
        if skip < *DEEP.start() {
            continue;
        }
        match token(&mut bench.api(), experiment, shape, skip) {
            Ok(token) => {
                let query = query(shape, experiment, runs, Some((&token, skip as usize)));
                match check(bench, &query) {
                    Ok(()) => queries.good.push(query),
                    Err(error) => queries.failure = Some(format!("{error:#}")),
                }
            }
            Err(error) => queries.failure = Some(format!("{error:#}")),
        }
    }
    queries
}

/// The token of the page that starts after `skip` runs. The peers' tokens are offsets, which are made here; others
/// are come by as any client does, page after page.
fn token(api: &mut Api, experiment: &str, shape: &Shape, skip: u64) -> Result<String> {
    let mut body = json!({
        "experiment_ids": [experiment], "filter": shape.filter(), "order_by": [shape.order()], "max_results": PAGE,
    });
    let mut after = 0;
    loop {
        let step = (skip - after).min(5_000);
        body["max_results"] = if after == 0 { step.min(PAGE as u64) } else { step }.into();
        let page = api.post("runs/search", &body)?;
        let token = page["next_page_token"].as_str().context("there is no deep page")?.to_owned();
        if is_offset(&token) {
            return Ok(BASE64_STANDARD.encode(json!({ "offset": skip }).to_string()));
        }
        after += page["runs"].as_array().map_or(0, Vec::len) as u64;
        if after >= skip {
            return Ok(token);
        }
        body["page_token"] = token.into();
    }
}

fn is_offset(token: &str) -> bool {
    let decoded = BASE64_STANDARD.decode(token).ok().and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    decoded
        .is_some_and(|value| value.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key("offset")))
}

/// Compares an answer with the generator's.
fn check(bench: &Bench, query: &Query) -> Result<()> {
    let mut body = Vec::new();
    let status = bench.connection().exchange(&query.request, &mut body)?;
    ensure!(status == 200, "the search answered {status}: {}", http::shown(&body));
    let answer: Value = serde_json::from_slice(&body)?;
    let empty = Vec::new();
    let runs = answer["runs"].as_array().unwrap_or(&empty);
    let names: Vec<&str> = runs.iter().filter_map(|run| run["info"]["run_name"].as_str()).collect();
    if let Some(place) = (0..names.len().max(query.expected.len()))
        .find(|place| names.get(*place).copied() != query.expected.get(*place).map(String::as_str))
    {
        let shown = names.get(place).unwrap_or(&"nothing");
        let expected = query.expected.get(place).map_or("nothing", String::as_str);
        anyhow::bail!("THE ANSWER IS WRONG: run {place} is {shown} instead of {expected}");
    }
    for run in runs {
        let data = &run["data"];
        let lengths = ["metrics", "params", "tags"].map(|part| data[part].as_array().map_or(0, Vec::len));
        ensure!(lengths[0] == 20 && lengths[1] == 20 && lengths[2] >= 10, "a found run is not complete: {lengths:?}");
    }
    Ok(())
}

/// The queries in turn, by one client.
fn time(bench: &Bench, queries: &[Query]) -> Result<Timed> {
    let mut turn = queries.iter().cycle();
    let mut body = Vec::new();
    bench.time_requests(|connection| {
        let query = turn.next().context("there are no queries")?;
        body.clear();
        let status = connection.exchange(&query.request, &mut body)?;
        ensure!(status == 200, "the search answered {status}: {}", http::shown(&body));
        Ok(body.len() as u64)
    })
}

/// The same while clients log metrics of their own runs in the same experiment, as fast as they can.
fn while_writing(bench: &Bench, experiment: &str, queries: &[Query]) -> Result<Timed> {
    let runs = bench.api().create_runs(experiment, WRITERS)?;
    let writers: Vec<Client> = runs.iter().map(|run| writer(run)).collect();
    let plan = Plan { seconds: bench.options.seconds() / 2 + Duration::from_millis(300), ..bench.plan() };
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| load::run(&plan, writers));
        std::thread::sleep(Duration::from_millis(300));
        let timed = time(bench, queries);
        let outcome = writing.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        ensure!(
            outcome.rate > 0.0,
            "nothing could be written meanwhile: {}",
            outcome.first_failure.unwrap_or_default()
        );
        timed
    })
}

fn writer(run: &str) -> Client {
    let mut template: Template = single::log_metric(run).post(&format!("{TRACKING}/runs/log-metric"));
    Box::new(move |connection: &mut Connection| {
        connection.expect_ok(template.next()?)?;
        Ok(1)
    })
}
