//! Bare PostgreSQL: inserts of many rows in one statement, each committed and synced.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use postgres::{Client, NoTls};

use crate::peers::PostgresDatabase;

/// Rows a second of `clients` connections that each insert and commit `rows` at a time.
pub(super) fn rows(cluster: &str, clients: usize, rows: usize, time: Duration) -> Result<f64> {
    let database = PostgresDatabase::create(cluster)?;
    let mut client = Client::connect(&database.url, NoTls)?;
    client.batch_execute(
        "CREATE TABLE point (series BIGINT, step BIGINT, timestamp BIGINT, value DOUBLE PRECISION, PRIMARY KEY (series, step))",
    )?;
    let insert = |number: usize| -> Result<u64> {
        let mut client = Client::connect(&database.url, NoTls)?;
        let sql =
            "INSERT INTO point SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::double precision[])";
        let statement = client.prepare(sql)?;
        let series: Vec<i64> = (0..rows).map(|row| (number * 10 + row % 10) as i64).collect();
        let values: Vec<f64> = (0..rows).map(|row| crate::seed::unit(row as u64)).collect();
        let started = Instant::now();
        let (mut first, mut inserted) = (0, 0);
        while started.elapsed() < time {
            let steps: Vec<i64> = (0..rows).map(|row| first + (row / 10) as i64).collect();
            let times: Vec<i64> = steps.iter().map(|step| 1_764_000_000_000 + step).collect();
            inserted += client.execute(&statement, &[&series, &steps, &times, &values])?;
            first += (rows / 10) as i64 + 1;
        }
        Ok(inserted)
    };
    let started = Instant::now();
    let inserted: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || insert(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("an inserter panicked"))?)
            .sum::<Result<u64>>()
    })?;
    Ok(inserted as f64 / started.elapsed().as_secs_f64())
}
