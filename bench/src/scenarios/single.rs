use anyhow::{Result, ensure};
use serde_json::Value;

use crate::api::{Api, TRACKING};
use crate::bench::Bench;
use crate::figure::Unit;
use crate::load::{Client, Outcome};
use crate::scenarios::log_batch::{FIRST_STEP, FIRST_TIMESTAMP};
use crate::template::Template;

pub(crate) const CLIENTS: [usize; 2] = [1, 16];

/// One kind of small write.
pub(crate) struct Single {
    pub(crate) call: &'static str,
    body: fn(&str) -> Template,
    /// How many of the acknowledged writes the server has; what each of the clients counted helps where writes overwrite.
    stored: fn(&mut Api, &str) -> Result<u64>,
}

const FIRST_TAG: u64 = 100_000_000;

pub(crate) const SINGLES: [Single; 3] = [
    Single { call: "log-metric", body: log_metric, stored: |api, run| api.count_points(run, "loss") },
    Single {
        call: "set-tag",
        body: |run| {
            let start = format!(r#"{{"run_uuid": "{run}", "run_id": "{run}", "key": "checkpoint", "value": "epoch-"#);
            Template::new().text(&start).number(FIRST_TAG, 1).text(r#""}"#)
        },
        // Each write overwrites the one before, so the last value tells how many there were.
        stored: |api, run| {
            let run = api.run(run)?;
            let tags = run["data"]["tags"].as_array().cloned().unwrap_or_default();
            let tag = tags.into_iter().find(|tag| tag["key"] == "checkpoint").unwrap_or(Value::Null);
            let number = tag["value"].as_str().and_then(|value| value.strip_prefix("epoch-")?.parse::<u64>().ok());
            Ok(number.map_or(0, |number| number - FIRST_TAG + 1))
        },
    },
    Single {
        call: "log-parameter",
        body: |run| {
            let start = format!(r#"{{"run_uuid": "{run}", "run_id": "{run}", "key": "layer_"#);
            Template::new().text(&start).number(100_000_000, 1).text(r#"", "value": "0.0003"}"#)
        },
        stored: |api, run| {
            let run = api.run(run)?;
            ensure!(run["data"].is_object(), "the run has no data");
            Ok(run["data"]["params"].as_array().map_or(0, Vec::len) as u64)
        },
    },
];

pub(crate) fn log_metric(run: &str) -> Template {
    let start = format!(
        r#"{{"run_uuid": "{run}", "run_id": "{run}", "key": "loss", "value": 0.6931471805599453, "timestamp": "#
    );
    Template::new().text(&start).number(FIRST_TIMESTAMP, 41).text(r#", "step": "#).number(FIRST_STEP, 1).text("}")
}

/// Requests that each write one small thing and are acknowledged one by one.
pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    for single in SINGLES {
        for clients in CLIENTS {
            let id = id(single.call, clients);
            if !bench.wants(&id) {
                continue;
            }
            let mut api = bench.api();
            let experiment = api.create_experiment(&id)?;
            let runs = api.create_runs(&experiment, clients)?;
            let loads = runs.iter().map(|run| client(&single, run)).collect();
            let check = |api: &mut Api, _: &Outcome| runs.iter().map(|run| (single.stored)(api, run)).sum();
            bench.measure_writes(&id, Unit::RequestsPerSecond, loads, check)?;
        }
    }
    Ok(())
}

pub(crate) fn id(call: &str, clients: usize) -> String {
    format!("{call}/{clients}-client{}", if clients == 1 { "" } else { "s" })
}

pub(crate) fn client(single: &Single, run: &str) -> Client {
    let mut template = (single.body)(run).post(&format!("{TRACKING}/runs/{}", single.call));
    Box::new(move |connection| {
        connection.expect_ok(template.next()?)?;
        Ok(1)
    })
}
