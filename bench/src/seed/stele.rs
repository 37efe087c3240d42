use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use stele_domain::Point;
use stele_domain::authz::{LogRun, Principal, Rules, Subject, authorize, visible};
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::lifecycle::{Presence, RunKind, RunStatus};
use stele_domain::record::{Param, Tag};
use stele_store::{DatabaseUrl, LoadedLineage, LoadedMetric, LoadedRun, RunBatch, Store};

use super::RunData;
use super::dataset::{METRICS, PARAMS, TAGS, metric_key, param_key, tag_key};
use crate::peers::Server;

/// Runs in one transaction.
const BATCH: u64 = 1_000;

/// Puts runs into an experiment through the bulk path of the store, while the server does not run. Gives how many
/// were in when the time was over.
pub(super) fn runs(server: &Server, experiment: &str, runs: u64, limit: Duration) -> Result<u64> {
    let experiment = ExperimentId(experiment.parse().context("the experiment's id is not a number")?);
    let store = Store::open(&url(server))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    std::thread::scope(|scope| {
        // One batch is written while the next is made ready.
        let (batches, ready) = sync_channel(1);
        let started = Instant::now();
        scope.spawn(move || {
            for first in (0..runs).step_by(BATCH as usize) {
                let last = (first + BATCH).min(runs);
                let batch = RunBatch::new((first..last).map(|index| loaded(RunData { index }, runs)).collect());
                if started.elapsed() > limit || batches.send((last, batch)).is_err() {
                    break;
                }
            }
        });
        runtime
            .block_on(async {
                let workspace = store.write(|tx| tx.bootstrap("mlflow-artifacts:/0", Timestamp(0))).await?;
                let subject = Subject { principal: Principal::LocalOwner, workspace, workspace_name: "default".into() };
                let visible = visible(&subject);
                let experiment = store.read(move |tx| tx.experiment_get(&visible, experiment)).await?;
                store.load_begin().await?;
                let mut done = 0;
                for (last, batch) in ready {
                    let (permit, experiment) = (authorize::<LogRun>(&subject, Rules::none()), experiment.clone());
                    store.write(move |tx| tx.runs_load(&permit, &experiment, &batch, Timestamp(0))).await?;
                    done = last;
                }
                store.load_finish().await?;
                Ok(done)
            })
            .map_err(|error: stele_domain::Error| anyhow!("{error:?}"))
    })
}

/// The database of a Stele server.
pub(crate) fn url(server: &Server) -> DatabaseUrl {
    match &server.postgres {
        Some(database) => DatabaseUrl::Postgres(database.url.clone()),
        None => DatabaseUrl::Sqlite(server.sqlite_file()),
    }
}

fn loaded(data: RunData, salt: u64) -> LoadedRun {
    LoadedRun {
        id: RunId(data.id(salt)),
        kind: RunKind::Training,
        parent: None,
        name: data.name(),
        status: RunStatus::Completed,
        presence: Presence::Active,
        deleted_at: None,
        user: "researcher".to_owned(),
        artifact_uri: None,
        started_at: Some(Timestamp(data.start_time())),
        ended_at: Some(Timestamp(data.end_time())),
        created_at: Timestamp(data.start_time()),
        tags: (0..TAGS).map(|number| Tag { key: tag_key(number), value: data.tag(number) }).collect(),
        params: (0..PARAMS).map(|number| Param { key: param_key(number), value: data.param(number) }).collect(),
        metrics: (0..METRICS)
            .map(|number| LoadedMetric {
                key: metric_key(number),
                points: vec![Point::new(0, data.end_time(), data.metric(number))],
            })
            .collect(),
        lineage: LoadedLineage::default(),
    }
}
