use stele_domain::id::{Clock, Timestamp};
use stele_store::{DatabaseUrl, Examination, damage, examine};

use super::Finding;
use crate::cli::human;
use crate::place::Place;
use crate::system::SystemClock;

/// A SQLite file beyond this many bytes is read whole only when asked to.
const LARGE: u64 = 2 << 30;

/// How far the clocks of several servers may be apart, in milliseconds.
const MOST_SKEW: i64 = 2_000;

/// A clock before this (2024-01-01) was never set.
const NEVER_SET: Timestamp = Timestamp(1_704_067_200_000);

/// What was found, and whether the record has authentication, if it could be asked.
pub(super) struct Looked {
    pub(super) findings: Vec<Finding>,
    pub(super) authentication: Option<bool>,
}

pub(super) async fn check(place: &Place, thorough: bool) -> Looked {
    const CHECK: &str = "database";

    let url = match place.database_url() {
        Ok(url) => url,
        Err(error) => {
            let hint = "name one with --database sqlite:PATH or --database postgres://USER:PASSWORD@HOST/NAME";
            return Looked { findings: vec![Finding::failed(CHECK, format!("{error:#}"), hint)], authentication: None };
        }
    };
    let asked = SystemClock.now();
    let (examined, of) = on_thread(url.clone(), examine).await;
    let asked = Timestamp(asked.0.midpoint(SystemClock.now().0));
    let found = match examined {
        Ok(Some(found)) => found,
        Ok(None) => {
            let made = Finding::ok(CHECK, format!("{of} is not there yet; the server makes it"));
            return Looked { findings: vec![made, clock(None, asked)], authentication: Some(false) };
        }
        Err(error) => return Looked { findings: vec![failed(&of, &error, &url)], authentication: None },
    };
    let connection = found.connection.as_ref().map(|how| format!(", {how}")).unwrap_or_default();
    let database = format!("{} at {of}, {}{connection}", found.engine, human::size(found.size));
    let mut findings = vec![Finding::ok(CHECK, database)];
    findings.extend(integrity(&url, &found, thorough).await);
    findings.push(migrations(&found));
    findings.push(clock(found.clock, asked));
    Looked { findings, authentication: Some(found.authentication) }
}

async fn on_thread<T: Send + 'static>(
    url: DatabaseUrl,
    work: impl FnOnce(&DatabaseUrl) -> stele_domain::Result<T> + Send + 'static,
) -> (stele_domain::Result<T>, String) {
    let shown = url.to_string();
    let done = tokio::task::spawn_blocking(move || work(&url)).await;
    (done.unwrap_or_else(|error| Err(stele_domain::Error::internal(error.to_string()))), shown)
}

fn failed(of: &str, error: &stele_domain::Error, url: &DatabaseUrl) -> Finding {
    let told = error.to_string();
    let about_tls = ["certificate", "TLS", "ssl"].iter().any(|word| told.contains(word));
    let hint = if about_tls && matches!(url, DatabaseUrl::Postgres(_)) {
        "see sslmode, sslrootcert, sslcert and sslkey in the URL of the database"
    } else {
        mend(url)
    };
    Finding::failed("database", format!("{of} cannot be read: {told}"), hint)
}

fn mend(url: &DatabaseUrl) -> &'static str {
    match url {
        DatabaseUrl::Sqlite(_) => "see that it is a file of Stele's that you may read and write, or restore a backup",
        DatabaseUrl::Postgres(_) => {
            "see that PostgreSQL runs, that the user may connect, and that the database is there (createdb)"
        }
    }
}

async fn integrity(url: &DatabaseUrl, found: &Examination, thorough: bool) -> Option<Finding> {
    const CHECK: &str = "integrity";

    if matches!(url, DatabaseUrl::Postgres(_)) {
        return None;
    }
    if found.size > LARGE && !thorough {
        return Some(Finding::ok(
            CHECK,
            format!("not looked at, as the file has {}", human::size(found.size)) + "; --thorough reads it",
        ));
    }
    let (damaged, of) = on_thread(url.clone(), damage).await;
    Some(match damaged {
        Ok(lines) if lines.is_empty() => Finding::ok(CHECK, "the file is whole"),
        Ok(lines) => Finding::failed(
            CHECK,
            format!("{of} is damaged: {}", lines.join("; ")),
            "stop the server, keep a copy of the file, and restore a backup",
        ),
        Err(error) => Finding::failed(CHECK, format!("{of} cannot be read: {error}"), mend(url)),
    })
}

fn migrations(found: &Examination) -> Finding {
    const CHECK: &str = "migrations";

    let Examination { applied, known, .. } = found;
    match applied.cmp(known) {
        std::cmp::Ordering::Equal => Finding::ok(CHECK, format!("at the newest, {known}")),
        std::cmp::Ordering::Less => {
            Finding::ok(CHECK, format!("at {applied} of {known}; the server applies the others when it starts"))
        }
        std::cmp::Ordering::Greater => Finding::failed(
            CHECK,
            format!("the database is at {applied}, and this program knows {known}"),
            "a newer version of Stele has used it; use that version",
        ),
    }
}

fn clock(database: Option<Timestamp>, here: Timestamp) -> Finding {
    const CHECK: &str = "clock";

    let now = human::time(here);
    if here < NEVER_SET {
        return Finding::failed(CHECK, format!("it says {now}"), "set the clock of this machine, and keep it by NTP");
    }
    let Some(database) = database else { return Finding::ok(CHECK, now) };
    let skew = here.0 - database.0;
    if skew.abs() > MOST_SKEW {
        return Finding::warning(
            CHECK,
            format!(
                "it is {} {} that of the database",
                human::duration(skew.abs()),
                if skew < 0 { "behind" } else { "before" }
            ),
            "keep both machines by NTP: times of runs and deliveries would be out of order",
        );
    }
    Finding::ok(CHECK, format!("{now}, {} from that of the database", human::duration(skew.abs())))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_noticed() {
        let here = Timestamp(1_800_000_000_000);
        assert!(clock(None, here).state == State::Ok);
        assert!(clock(Some(Timestamp(here.0 + 1_500)), here).state == State::Ok);
        assert!(clock(Some(Timestamp(here.0 + 2_500)), here).state == State::Warning);
        assert!(clock(Some(Timestamp(here.0 - 2_500)), here).state == State::Warning);
        assert!(clock(None, Timestamp(0)).state == State::Failed);
    }

    #[test]
    fn a_database_of_a_newer_version_is_noticed() {
        let at = |applied| {
            let (engine, authentication) = (String::new(), false);
            let found =
                Examination { engine, connection: None, size: 0, applied, known: 5, authentication, clock: None };
            migrations(&found).state
        };
        assert!(at(0) == State::Ok && at(5) == State::Ok && at(6) == State::Failed);
    }
}
