use anyhow::Result;

use crate::api::TRACKING;
use crate::bench::Bench;
use crate::figure::Unit;
use crate::load::Client;
use crate::scenarios::log_batch::FIRST_TIMESTAMP;
use crate::scenarios::single;
use crate::template::Template;

/// New runs with the tags that the stock client puts on them.
pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    for clients in single::CLIENTS {
        let id = single::id("create-run", clients);
        if !bench.wants(&id) {
            continue;
        }
        let experiment = bench.api().create_experiment(&id)?;
        let loads = (0..clients).map(|_| client(&experiment)).collect();
        bench.measure_writes(&id, Unit::RequestsPerSecond, loads, |api, _| api.count_runs(&experiment))?;
    }
    Ok(())
}

fn client(experiment: &str) -> Client {
    let start = format!(r#"{{"experiment_id": "{experiment}", "user_id": "researcher", "start_time": "#);
    let tags = r#", "tags": [{"key": "mlflow.user", "value": "researcher"},
        {"key": "mlflow.source.name", "value": "/home/researcher/project/train.py"},
        {"key": "mlflow.source.type", "value": "LOCAL"},
        {"key": "mlflow.source.git.commit", "value": "8f3b2c1d0e9a8b7c6d5e4f30211203f4e5d6c7b8"}], "run_name": "sweep-"#;
    let mut template = Template::new()
        .text(&start)
        .number(FIRST_TIMESTAMP, 1)
        .text(tags)
        .number(100_000_000, 1)
        .text(r#""}"#)
        .post(&format!("{TRACKING}/runs/create"));
    Box::new(move |connection| {
        connection.expect_ok(template.next()?)?;
        Ok(1)
    })
}
