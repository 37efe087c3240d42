//! Files through the artifact proxy: one large one, and many small ones.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use url::Url;

use crate::api::text;
use crate::bench::Bench;
use crate::figure::{Figure, Unit};
use crate::http::{self, Connection};
use crate::load::{self, Client, Plan};
use crate::process;
use crate::table::number;

pub(crate) const BLOCK: usize = 1 << 20;
pub(crate) const SMALL: usize = 4 << 10;
pub(crate) const CLIENTS: usize = 4;

pub(crate) fn measure(bench: &mut Bench) -> Result<()> {
    const IDS: [&str; 4] =
        ["artifact/large-upload", "artifact/large-download", "artifact/small-uploads", "artifact/small-downloads"];
    if !IDS.iter().any(|id| bench.wants(id)) {
        return Ok(());
    }
    let mut api = bench.api();
    let experiment = api.create_experiment("artifacts")?;
    let run = api.create_run(&experiment)?;
    let place = text(&api.run(&run)?["info"]["artifact_uri"])?;
    let Some(path) = Url::parse(&place).ok().filter(|url| url.scheme() == "mlflow-artifacts") else {
        for id in IDS.iter().filter(|id| bench.options.wants(id)) {
            let figure = bench.figure(id, Unit::MegabytesPerSecond, f64::NAN).missing("has no artifact proxy");
            bench.record(figure);
        }
        return Ok(());
    };
    let folder = format!("/api/2.0/mlflow-artifacts/artifacts{}", path.path());
    large(bench, IDS[0], IDS[1], &folder)?;
    small(bench, IDS[2], IDS[3], &folder)
}

/// Bytes that do not compress and differ from place to place.
pub(crate) fn block() -> Vec<u8> {
    (0..BLOCK as u64 / 8).flat_map(|at| crate::seed::unit(at).to_bits().to_le_bytes()).collect()
}

fn large(bench: &mut Bench, upload_id: &str, download_id: &str, folder: &str) -> Result<()> {
    let bytes = bench.options.large_artifact_bytes();
    let block = block();
    let target = format!("{folder}/large.bin");
    let (mut ups, mut downs) = (Vec::new(), Vec::new());
    process::forget_peak(bench.server.group());
    for _ in 0..bench.options.repeats.max(1) {
        let head = http::head("PUT", &target, "application/octet-stream", bytes);
        let mut parts: Vec<&[u8]> = vec![&head];
        parts.extend((0..bytes as usize / BLOCK).map(|_| block.as_slice()));
        let sent = Instant::now();
        let mut answer = Vec::new();
        let status = bench.connection().stream(&parts, &mut |part| answer.extend_from_slice(part))?;
        ensure!(status == 200, "the upload answered {status}: {}", http::shown(&answer));
        ups.push(bytes as f64 / 1e6 / sent.elapsed().as_secs_f64());

        let (mut received, mut same) = (0u64, true);
        let sent = Instant::now();
        let status = bench.connection().stream(&[&http::get(&target)], &mut |part| {
            let at = (received % BLOCK as u64) as usize;
            // The first bytes of each part are enough to notice a file that is not the one sent.
            let probe = part.len().min(BLOCK - at).min(64);
            same &= part[..probe] == block[at..at + probe];
            received += part.len() as u64;
        })?;
        downs.push(bytes as f64 / 1e6 / sent.elapsed().as_secs_f64());
        ensure!(
            status == 200 && received == bytes && same,
            "the download answered {status} with {received} of {bytes} bytes, the same: {same}"
        );
    }
    let peak = process::group_memory(bench.server.group()).peak as f64 / (1 << 20) as f64;
    for (id, rates) in [(upload_id, ups), (download_id, downs)] {
        if bench.wants(id) {
            let median = crate::latency::median(rates).unwrap_or(f64::NAN);
            let figure = bench.figure(id, Unit::MegabytesPerSecond, median);
            bench.record(figure.note(format!("{} MB, peak memory {} MiB", number(bytes as f64 / 1e6), number(peak))));
        }
    }
    Ok(())
}

fn small(bench: &mut Bench, upload_id: &str, download_id: &str, folder: &str) -> Result<()> {
    let files = bench.options.small_artifacts();
    let content = &block()[..SMALL];
    let share = files / CLIENTS;
    // How many files each client has put there.
    let mut there = [share; CLIENTS];
    for (id, method) in [(upload_id, "PUT"), (download_id, "GET")] {
        let files = |client: usize| client * share..client * share + there[client];
        let clients = (0..CLIENTS).map(|client| each_file(method, folder, files(client), content));
        // Every client has about as many, since they share the time.
        let requests = there.iter().copied().min();
        let plan = Plan { seconds: bench.options.seed_time() / 4, requests, ..bench.plan() };
        let outcome = load::run(&plan, clients.collect())?;
        for (there, acknowledged) in there.iter_mut().zip(&outcome.acknowledged) {
            *there = usize::try_from(*acknowledged)?;
        }
        let done: u64 = outcome.acknowledged.iter().sum();
        let mut figure = Figure {
            load_cpu: Some(outcome.load_cpu),
            server_cpu: Some(outcome.server_cpu),
            ..bench.figure(id, Unit::FilesPerSecond, outcome.rate).latency(outcome.latency)
        };
        figure = figure.note(format!("{} files of 4 KiB by {CLIENTS} clients", number(done as f64)));
        if let Some(failure) = outcome.first_failure {
            figure = figure.failed(format!("{} requests failed, first: {failure}", outcome.failures));
        }
        if bench.wants(id) {
            bench.record(figure);
        }
    }
    Ok(())
}

/// A client that sends or fetches each of its files once.
fn each_file(method: &'static str, folder: &str, files: std::ops::Range<usize>, content: &[u8]) -> Client {
    let (folder, content) = (folder.to_owned(), content.to_vec());
    let mut files = files;
    Box::new(move |connection: &mut Connection| {
        let file = files.next().context("every file was sent")?;
        let target = format!("{folder}/small/{file:05}.bin");
        let mut answer = Vec::new();
        if method == "PUT" {
            let mut request = http::head("PUT", &target, "application/octet-stream", content.len() as u64);
            request.extend_from_slice(&content);
            let status = connection.exchange(&request, &mut answer)?;
            ensure!(status == 200, "an upload answered {status}: {}", http::shown(&answer));
        } else {
            let status = connection.exchange(&http::get(&target), &mut answer)?;
            ensure!(status == 200 && answer == content, "a download answered {status} with {} bytes", answer.len());
        }
        Ok(1)
    })
}
