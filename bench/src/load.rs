//! Drives a server with a number of clients at once and says what came of it.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::http::Connection;
use crate::latency::{Percentiles, median};
use crate::process;

/// What one client does again and again; each call is one request. Gives how many units of work it was.
pub(crate) type Client = Box<dyn FnMut(&mut Connection) -> Result<u64> + Send>;

/// A client that is refused this often gives up.
const MOST_FAILURES: usize = 50;

pub(crate) struct Plan {
    pub(crate) port: u16,
    /// The process group of the server, for its processor time.
    pub(crate) server: u32,
    pub(crate) seconds: Duration,
    pub(crate) repeats: usize,
    pub(crate) request_time: Duration,
    /// From one request of a client to its next. Without it a client sends the next when it has the answer.
    pub(crate) pace: Option<Duration>,
    /// How many requests each client sends. Without it they send until the time is over.
    pub(crate) requests: Option<usize>,
}

/// What came of a load.
pub(crate) struct Outcome {
    /// Units a second: the median of the parts of the measurement.
    pub(crate) rate: f64,
    pub(crate) latency: Option<Percentiles>,
    /// Units that each client had acknowledged, also while warming up.
    pub(crate) acknowledged: Vec<u64>,
    pub(crate) failures: usize,
    pub(crate) first_failure: Option<String>,
    /// Processor time over real time: 1.0 is one core.
    pub(crate) load_cpu: f64,
    pub(crate) server_cpu: f64,
}

/// One answered request.
#[derive(Clone, Copy)]
struct Sample {
    finished: Duration,
    latency: Duration,
    units: u64,
}

struct Seen {
    samples: Vec<Sample>,
    failures: usize,
    first_failure: Option<String>,
}

/// Runs the clients together, each on a connection and a thread of its own, until they have sent what they should or
/// the time is over, and the last answers are in.
pub(crate) fn run(plan: &Plan, clients: Vec<Client>) -> Result<Outcome> {
    let warm_up = match plan.requests {
        None => (plan.seconds / 10).min(Duration::from_millis(500)),
        Some(_) => Duration::ZERO,
    };
    let together = Barrier::new(clients.len() + 1);
    let (seen, started, cpu) = std::thread::scope(|scope| {
        let threads: Vec<_> =
            clients.into_iter().map(|client| scope.spawn(|| work(plan, warm_up, client, &together))).collect();
        together.wait();
        let started = Instant::now();
        std::thread::sleep(warm_up);
        let before = (Instant::now(), process::own_cpu(), process::group_cpu(plan.server));
        let join = || threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>();
        let used = || {
            let wall = before.0.elapsed().as_secs_f64();
            let load = process::own_cpu().saturating_sub(before.1).as_secs_f64() / wall;
            let server = process::group_cpu(plan.server).saturating_sub(before.2).as_secs_f64() / wall;
            (load, server)
        };
        if plan.requests.is_some() {
            let seen = join();
            return (seen, started, used());
        }
        std::thread::sleep(plan.seconds);
        let cpu = used();
        (join(), started, cpu)
    });
    let seen: Vec<(Instant, Seen)> =
        seen.into_iter().collect::<std::thread::Result<_>>().map_err(|_| anyhow!("a client panicked"))?;
    // Each client counts from when it passed the barrier; what lies between those moments is far below a part.
    let shift = |at: Instant| at.saturating_duration_since(started);
    let samples: Vec<Sample> = seen
        .iter()
        .flat_map(|(at, seen)| {
            let shift = shift(*at);
            seen.samples.iter().map(move |sample| Sample { finished: sample.finished + shift, ..*sample })
        })
        .collect();
    let measured: Vec<Sample> = samples.iter().copied().filter(|sample| sample.finished >= warm_up).collect();
    let rate = match plan.requests {
        None => rate(&measured, warm_up, plan.seconds, plan.repeats),
        Some(_) => {
            let end = measured.iter().map(|sample| sample.finished).max().unwrap_or(plan.seconds);
            rate(&measured, Duration::ZERO, end, 1)
        }
    };
    Ok(Outcome {
        rate,
        latency: Percentiles::of(measured.iter().map(|sample| sample.latency).collect()),
        acknowledged: seen.iter().map(|(_, seen)| seen.samples.iter().map(|sample| sample.units).sum()).collect(),
        failures: seen.iter().map(|(_, seen)| seen.failures).sum(),
        first_failure: seen.into_iter().find_map(|(_, seen)| seen.first_failure),
        load_cpu: cpu.0,
        server_cpu: cpu.1,
    })
}

fn work(plan: &Plan, warm_up: Duration, mut client: Client, together: &Barrier) -> (Instant, Seen) {
    let mut connection = Connection::new(plan.port, plan.request_time);
    let mut seen = Seen { samples: Vec::with_capacity(1 << 16), failures: 0, first_failure: None };
    together.wait();
    let started = Instant::now();
    let mut due = started;
    let go_on = |seen: &Seen| {
        let enough = plan.requests.is_some_and(|requests| seen.samples.len() + seen.failures >= requests);
        !enough && seen.failures < MOST_FAILURES && started.elapsed() < warm_up + plan.seconds
    };
    while go_on(&seen) {
        if let Some(pace) = plan.pace {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due = (due + pace).max(Instant::now());
        }
        let sent = Instant::now();
        match client(&mut connection) {
            Ok(units) => seen.samples.push(Sample { finished: started.elapsed(), latency: sent.elapsed(), units }),
            Err(error) => {
                seen.failures += 1;
                seen.first_failure.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
    (started, seen)
}

/// Units a second as the median over the parts. With fewer than a handful of requests a part, parts would only show
/// how many happened to end in them, so the whole counts as one.
fn rate(samples: &[Sample], start: Duration, length: Duration, parts: usize) -> f64 {
    let parts = if samples.len() < parts * 20 { 1 } else { parts };
    if parts == 1 {
        // From the first request's start to the last one's end: requests that outlast the time are counted whole.
        let end = samples.iter().map(|sample| sample.finished).max().unwrap_or(start + length).max(start + length);
        let units: u64 = samples.iter().map(|sample| sample.units).sum();
        return units as f64 / (end - start).as_secs_f64();
    }
    let part = length / u32::try_from(parts).unwrap_or(1);
    let mut units = vec![0u64; parts];
    for sample in samples {
        let index = ((sample.finished - start).as_secs_f64() / part.as_secs_f64()) as usize;
        if let Some(units) = units.get_mut(index) {
            *units += sample.units;
        }
    }
    median(units.into_iter().map(|units| units as f64 / part.as_secs_f64()).collect()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(finished: f64, units: u64) -> Sample {
        Sample { finished: Duration::from_secs_f64(finished), latency: Duration::from_millis(1), units }
    }

    #[test]
    fn the_rate_is_the_median_of_the_parts() {
        // 20, 30 and 100 requests of 10 units in three parts of a second each, after a second of warming up.
        let part = |at: f64, count: u32| (0..count).map(move |i| sample(at + f64::from(i) / f64::from(count), 10));
        let samples: Vec<Sample> = part(1.0, 20).chain(part(2.0, 30)).chain(part(3.0, 100)).collect();
        let rate = rate(&samples, Duration::from_secs(1), Duration::from_secs(3), 3);
        assert_eq!(rate, 300.0);
    }

    #[test]
    fn few_requests_are_one_part() {
        let samples = [sample(1.5, 1000), sample(6.0, 1000)];
        assert_eq!(rate(&samples, Duration::from_secs(1), Duration::from_secs(3), 3), 400.0);
    }
}
