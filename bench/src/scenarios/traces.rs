//! Traces: spans that come through OTLP as exporters send them, and searches of the traces that they make.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::api::Api;
use crate::bench::Bench;
use crate::figure::Unit;
use crate::http;
use crate::load::{self, Client, Plan};
use crate::peers::Kind;
use crate::scenarios::single;
use crate::template::Template;

/// Spans of a trace, one under the other.
const SPANS: usize = 5;
const PAGE: usize = 100;
/// One trace in so many has the rare tag and the rare span.
const RARE: u64 = 100;

/// Ids of traces are 16 bytes, here digits, so that the requests of one client differ in nothing else. Each client has
/// ids of its own.
const FIRST_ID: u64 = 1_000_000_000_000_000;
const IDS_A_CLIENT: u64 = 10_000_000_000;

/// Where the ids of a measurement begin: a trace stays in the experiment that it came to first.
fn ids_of(measurement: u64) -> u64 {
    FIRST_ID + measurement * 1_000 * IDS_A_CLIENT
}

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    if bench.server.target.kind == Kind::FastTrackMl {
        return Ok(());
    }
    for clients in single::CLIENTS {
        let id = single::id("trace-ingest", clients);
        if bench.wants(&id) {
            ingest(bench, &id, clients)?;
        }
    }
    if bench.server.target.kind == Kind::MlflowOneWorker {
        return Ok(());
    }
    let traces = if bench.options.quick { 400 } else { 10_000 };
    let shapes = SHAPES.map(|shape| (format!("trace-search/{traces}/{}", shape.name), shape));
    if shapes.iter().any(|(id, _)| bench.wants(id)) {
        search(bench, traces, &shapes)?;
    }
    Ok(())
}

fn ingest(bench: &mut Bench, id: &str, clients: usize) -> Result<()> {
    let experiment = bench.api().create_experiment(id)?;
    let loads = (0..clients as u64)
        .map(|client| exporter(&experiment, ids_of(clients as u64) + client * IDS_A_CLIENT, 1, "request", None))
        .collect();
    let check = |api: &mut Api, _: &load::Outcome| Ok(count(api, &experiment)? * SPANS as u64);
    bench.measure_writes(id, Unit::SpansPerSecond, loads, check)
}

/// A client that sends a trace a request.
fn exporter(experiment: &str, first: u64, stride: u64, model: &str, tag: Option<&str>) -> Client {
    let mut template = request(first, stride, model, tag)
        .post_as("/v1/traces", &format!("application/x-protobuf\r\nx-mlflow-experiment-id: {experiment}"));
    Box::new(move |connection| {
        connection.expect_ok(template.next()?)?;
        Ok(SPANS as u64)
    })
}

/// An `ExportTraceServiceRequest` with one trace. Lengths stand in front of what they are of, so that it is made from
/// the inside out.
fn request(first: u64, stride: u64, model: &str, tag: Option<&str>) -> Template {
    let mut resource = attribute("service.name", "bench");
    if let Some(tag) = tag {
        resource.extend(attribute("kind", tag));
    }
    let spans: Vec<(Vec<u8>, Vec<u8>)> = (0..SPANS).map(|index| span(index, model)).collect();
    // The id of the trace comes between the two parts of a span.
    let scope: usize = spans.iter().map(|(before, after)| before.len() + 16 + after.len()).sum();
    let resource = field(1, &resource);
    let scope_head = head(2, scope);
    let mut template = Template::new().bytes(&head(1, resource.len() + scope_head.len() + scope));
    template = template.bytes(&resource).bytes(&scope_head);
    for (before, after) in &spans {
        template = template.bytes(before).number(first, stride).bytes(after);
    }
    template
}

/// A span before and after the id of its trace.
fn span(index: usize, model: &str) -> (Vec<u8>, Vec<u8>) {
    const START: u64 = 1_760_000_000_000_000_000;
    let mut after = field(2, format!("span000{index}").as_bytes());
    if index > 0 {
        after.extend(field(4, format!("span000{}", index - 1).as_bytes()));
    }
    let (name, kind) = if index == 3 { (model, "LLM") } else { ("step", "CHAIN") };
    after.extend(field(5, name.as_bytes()));
    for (number, time) in [(7, START + index as u64), (8, START + 2_000_000_000 - index as u64)] {
        after.push(number << 3 | 1);
        after.extend(time.to_le_bytes());
    }
    let text = "the quick brown fox jumps over the lazy dog, again and again, ".repeat(4);
    for (key, value) in
        [("mlflow.spanType", kind), ("mlflow.spanInputs", &text[..200]), ("model", model), ("temperature", "0.7")]
    {
        after.extend(field(9, &key_value(key, value)));
    }
    after.extend(field(15, &[3 << 3, 1]));
    let mut before = vec![1 << 3 | 2, 16];
    before.splice(0..0, head(2, before.len() + 16 + after.len()));
    (before, after)
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    field(1, &key_value(key, value))
}

fn key_value(key: &str, value: &str) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat()
}

/// A field of bytes, a text or a message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [head(number, content.len()), content.to_vec()].concat()
}

fn head(number: u8, mut length: usize) -> Vec<u8> {
    let mut head = vec![number << 3 | 2];
    while length >= 0x80 {
        head.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    head.push(length as u8);
    head
}

/// A search, and how many traces it finds on its first page.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    filter: &'static str,
    found: fn(u64) -> u64,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "newest", filter: "", found: |traces| traces },
    Shape { name: "tag", filter: "tags.kind = 'rare'", found: |traces| traces / RARE },
    Shape { name: "span", filter: "span.name = 'rare' AND span.type = 'LLM'", found: |traces| traces / RARE },
];

fn search(bench: &mut Bench, traces: u64, shapes: &[(String, Shape)]) -> Result<()> {
    let experiment = bench.api().create_experiment(&format!("search traces {traces}"))?;
    let rare = traces / RARE;
    for (measurement, model, tag, count) in [(100, "request", None, traces - rare), (101, "rare", Some("rare"), rare)] {
        let kept = fill(bench, &experiment, ids_of(measurement), model, tag, count)?;
        if kept < count {
            let seconds = bench.options.seed_time().as_secs();
            for (id, _) in shapes {
                let why = format!("{kept} of {count} traces came in in {seconds} s");
                let figure = bench.figure(id, Unit::Milliseconds, f64::NAN).missing(&why);
                bench.record(figure);
            }
            return Ok(());
        }
    }
    for (id, shape) in shapes {
        if !bench.wants(id) {
            continue;
        }
        let body = search_body(&experiment, shape.filter, PAGE);
        let answer = bench.api().post_to("/api/3.0/mlflow/traces/search", &body)?;
        let found = answer["traces"].as_array().map_or(0, Vec::len) as u64;
        let expected = (shape.found)(traces).min(PAGE as u64);
        let figure = bench.figure(id, Unit::Milliseconds, f64::NAN);
        let figure = if found == expected {
            let request = http::post("/api/3.0/mlflow/traces/search", &body.to_string());
            match bench.time_requests(|connection| connection.expect_ok(&request).map(|()| 0)) {
                Ok(timed) => figure.timed(&timed).note(format!("{found} traces")),
                Err(error) => figure.failed(format!("{error:#}")),
            }
        } else {
            figure.failed(format!("found {found} TRACES, NOT {expected}"))
        };
        bench.record(figure);
    }
    Ok(())
}

/// Sends traces; says how many were acknowledged in the time that filling a server may take.
fn fill(bench: &Bench, experiment: &str, first: u64, model: &str, tag: Option<&str>, count: u64) -> Result<u64> {
    const CLIENTS: u64 = 8;
    let clients = CLIENTS.min(count);
    let mut kept = 0;
    for (clients, requests, first) in
        [(clients, count / clients, first), (1, count % clients, first + 999 * IDS_A_CLIENT)]
    {
        let plan = Plan { requests: Some(requests as usize), seconds: bench.options.seed_time(), ..bench.plan() };
        let client = |client| exporter(experiment, first + client * IDS_A_CLIENT, 1, model, tag);
        let outcome = load::run(&plan, (0..clients).map(client).collect())?;
        ensure!(outcome.failures == 0, "{} traces were refused: {:?}", outcome.failures, outcome.first_failure);
        kept += outcome.acknowledged.iter().sum::<u64>() / SPANS as u64;
    }
    Ok(kept)
}

fn search_body(experiment: &str, filter: &str, most: usize) -> Value {
    let location = json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment } });
    json!({ "locations": [location], "filter": filter, "max_results": most })
}

/// How many traces an experiment has, page by page.
fn count(api: &mut Api, experiment: &str) -> Result<u64> {
    let mut body = search_body(experiment, "", 500);
    let mut count = 0;
    loop {
        let page = api.post_to("/api/3.0/mlflow/traces/search", &body).context("traces cannot be counted")?;
        count += page["traces"].as_array().map_or(0, Vec::len) as u64;
        match page["next_page_token"].as_str().filter(|token| !token.is_empty()) {
            Some(token) => body["page_token"] = token.into(),
            None => return Ok(count),
        }
    }
}
