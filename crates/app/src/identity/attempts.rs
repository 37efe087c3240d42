//! Failed logins, counted for each account and each address, so that passwords cannot be guessed.

use std::collections::HashMap;
use std::net::IpAddr;

use stele_domain::id::Timestamp;

/// How long a failed attempt counts.
const WINDOW_MS: i64 = 5 * 60 * 1000;
const MOST_AN_ACCOUNT: u32 = 10;
/// More, since many people may share an address.
const MOST_AN_ADDRESS: u32 = 50;
/// Beyond these the oldest are forgotten, so that memory does not grow with an attack.
const MOST_KEPT: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Account(String),
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    since: i64,
    count: u32,
}

#[derive(Default)]
pub(super) struct Attempts {
    failed: HashMap<Who, Failed>,
}

impl Attempts {
    /// The seconds until one of these may try again, if they have failed too often.
    pub(super) fn wait(&self, who: &[Who], now: Timestamp) -> Option<u64> {
        let waits = who.iter().filter_map(|who| {
            let failed = self.failed.get(who)?;
            let left = failed.since + WINDOW_MS - now.0;
            (failed.count >= most(who) && left > 0).then(|| u64::try_from(left).unwrap_or(0).div_ceil(1000))
        });
        waits.max()
    }

    pub(super) fn failed(&mut self, who: &[Who], now: Timestamp) {
        for who in who {
            if self.failed.len() >= MOST_KEPT && !self.failed.contains_key(who) {
                self.make_room(now);
            }
            let failed = self.failed.entry(who.clone()).or_insert(Failed { since: now.0, count: 0 });
            if now.0 - failed.since >= WINDOW_MS {
                *failed = Failed { since: now.0, count: 0 };
            }
            failed.count += 1;
        }
    }

    /// Somebody proved who they are: the account's failures are forgiven, those of the address are not, as others may
    /// share it.
    pub(super) fn succeeded(&mut self, account: &str) {
        if !self.failed.is_empty() {
            self.failed.remove(&Who::Account(account.to_owned()));
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        self.failed.retain(|_, failed| now.0 - failed.since < WINDOW_MS);
        if self.failed.len() >= MOST_KEPT {
            let mut begun: Vec<i64> = self.failed.values().map(|failed| failed.since).collect();
            let (_, middle, _) = begun.select_nth_unstable(MOST_KEPT / 2);
            let middle = *middle;
            self.failed.retain(|_, failed| failed.since > middle);
        }
    }
}

fn most(who: &Who) -> u32 {
    match who {
        Who::Account(_) => MOST_AN_ACCOUNT,
        Who::Address(_) => MOST_AN_ADDRESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_for_a_while() {
        let mut attempts = Attempts::default();
        let who = [Who::Account("ann".to_owned())];
        for second in 0..i64::from(MOST_AN_ACCOUNT) {
            assert_eq!(attempts.wait(&who, Timestamp(second)), None);
            attempts.failed(&who, Timestamp(second));
        }
        assert_eq!(attempts.wait(&who, Timestamp(1000)), Some(299));
        assert_eq!(attempts.wait(&[Who::Account("bob".to_owned())], Timestamp(1000)), None);
        assert_eq!(attempts.wait(&who, Timestamp(WINDOW_MS)), None);
        attempts.succeeded("ann");
        assert_eq!(attempts.wait(&who, Timestamp(1000)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut attempts = Attempts::default();
        for number in 0..3 * MOST_KEPT {
            attempts.failed(&[Who::Account(number.to_string())], Timestamp(i64::try_from(number).unwrap()));
            assert!(attempts.failed.len() <= MOST_KEPT);
        }
        for _ in 0..2 * MOST_KEPT {
            attempts.failed(&[Who::Account(String::new())], Timestamp(7));
        }
        assert!(attempts.failed.len() <= MOST_KEPT);
    }
}
