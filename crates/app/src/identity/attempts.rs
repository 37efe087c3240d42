//! Failed logins, counted so that passwords cannot be guessed, and so that nobody is locked out by what others guess.
//!
//! Each failure is a drop in three buckets: that of the account at its address, that of the address, and that of the
//! account wherever it is asked for. A bucket leaks, and who meets a full one waits until there is room for one more
//! drop. An account that was let in at an address lately is known there, and answers for its own failures there alone.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use stele_domain::id::Timestamp;

const MINUTE: i64 = 60 * 1000;

/// Of an account at one address: this many at once, and one more each minute.
const AT_ADDRESS: Leak = Leak { holds: 10, drop_ms: MINUTE };
/// Of an address: more, since many people may share one.
const OF_ADDRESS: Leak = Leak { holds: 50, drop_ms: MINUTE / 10 };
/// Of an account from all addresses together.
const OF_ACCOUNT: Leak = Leak { holds: 100, drop_ms: MINUTE / 10 };

/// How long an account stays known at an address.
const KNOWN_MS: i64 = 30 * 24 * 60 * MINUTE;
/// Beyond these, those with the least in them are forgotten, so that memory does not grow with an attack.
const MOST_KEPT: usize = 10_000;
/// Characters of a name that tell it apart.
const LONGEST_NAME: usize = 128;

/// Who tries to log in: an account, if one is named, at an address, if it is known.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    account: Option<String>,
    place: Option<IpAddr>,
}

type AtPlace = (String, Option<IpAddr>);

pub(super) struct Attempts {
    at_address: Buckets<AtPlace>,
    of_address: Buckets<IpAddr>,
    of_account: Buckets<String>,
    /// When an account was last let in at an address.
    known: HashMap<AtPlace, i64>,
}

#[derive(Debug, Clone, Copy)]
struct Leak {
    /// Drops that a bucket holds.
    holds: i64,
    /// After how long one has leaked out.
    drop_ms: i64,
}

/// A bucket is the time at which it will be empty.
struct Buckets<K> {
    empty_at: HashMap<K, i64>,
    leak: Leak,
}

impl Asker {
    pub(super) fn new(account: Option<&str>, address: Option<IpAddr>) -> Asker {
        Asker {
            account: account.map(|name| name.chars().take(LONGEST_NAME).collect()),
            place: address.map(|address| match address.to_canonical() {
                // Whoever has one of these addresses has all that begin alike.
                IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
                address @ IpAddr::V4(_) => address,
            }),
        }
    }

    fn at_place(&self) -> Option<AtPlace> {
        self.account.clone().map(|account| (account, self.place))
    }
}

impl Default for Attempts {
    fn default() -> Attempts {
        Attempts {
            at_address: Buckets::new(AT_ADDRESS),
            of_address: Buckets::new(OF_ADDRESS),
            of_account: Buckets::new(OF_ACCOUNT),
            known: HashMap::new(),
        }
    }
}

impl Attempts {
    /// The seconds until there may be another attempt, if there were too many.
    pub(super) fn wait(&self, asker: &Asker, now: Timestamp) -> Option<u64> {
        let at_place = asker.at_place();
        let own = at_place.as_ref().and_then(|at| self.at_address.wait(at, now));
        let is_known = at_place.is_some_and(|at| self.known.get(&at).is_some_and(|at| now.0 - at < KNOWN_MS));
        let others = || {
            let address = asker.place.as_ref().and_then(|place| self.of_address.wait(place, now));
            address.max(asker.account.as_ref().and_then(|account| self.of_account.wait(account, now)))
        };
        let wait = if is_known { own } else { own.max(others()) };
        wait.map(|ms| ms.unsigned_abs().div_ceil(1000))
    }

    pub(super) fn failed(&mut self, asker: &Asker, now: Timestamp) {
        if let Some(at) = asker.at_place() {
            self.at_address.add(at, now);
        }
        if let Some(place) = asker.place {
            self.of_address.add(place, now);
        }
        if let Some(account) = &asker.account {
            self.of_account.add(account.clone(), now);
        }
    }

    /// Somebody proved who they are: their failures there are forgiven. Those of the address are not, as others may share
    /// it, nor those of the account, which others may have tried.
    pub(super) fn succeeded(&mut self, asker: &Asker, now: Timestamp) {
        let Some(at) = asker.at_place() else { return };
        self.at_address.empty_at.remove(&at);
        make_room(&mut self.known, &at, now.0 - KNOWN_MS);
        self.known.insert(at, now.0);
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn new(leak: Leak) -> Buckets<K> {
        Buckets { empty_at: HashMap::new(), leak }
    }

    /// The milliseconds until there is room for a drop, if there is none.
    fn wait(&self, key: &K, now: Timestamp) -> Option<i64> {
        let Leak { holds, drop_ms } = self.leak;
        let filled = self.empty_at.get(key)? - now.0;
        Some(filled - (holds - 1) * drop_ms).filter(|wait| *wait > 0)
    }

    fn add(&mut self, key: K, now: Timestamp) {
        make_room(&mut self.empty_at, &key, now.0);
        let Leak { holds, drop_ms } = self.leak;
        let empty_at = self.empty_at.entry(key).or_insert(now.0);
        // What runs over is not kept: those that were looked at together may be more than there was room for.
        *empty_at = (*empty_at).max(now.0).saturating_add(drop_ms).min(now.0 + holds * drop_ms);
    }
}

/// Makes room for `key`: what stands before `past` is forgotten, and if that is not enough, the earlier half.
fn make_room<K: Eq + Hash>(kept: &mut HashMap<K, i64>, key: &K, past: i64) {
    if kept.len() < MOST_KEPT || kept.contains_key(key) {
        return;
    }
    kept.retain(|_, time| *time > past);
    if kept.len() >= MOST_KEPT {
        let mut times: Vec<i64> = kept.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable(MOST_KEPT / 2);
        let middle = *middle;
        kept.retain(|_, time| *time > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(account: &str, address: &str) -> Asker {
        Asker::new(Some(account), Some(address.parse().unwrap()))
    }

    fn fail(attempts: &mut Attempts, asker: &Asker, times: i64) {
        for _ in 0..times {
            attempts.failed(asker, Timestamp(0));
        }
    }

    #[test]
    fn some_failures_are_free_and_the_next_ones_take_time() {
        let mut attempts = Attempts::default();
        let ann = asker("ann", "192.0.2.1");
        for _ in 0..AT_ADDRESS.holds {
            assert_eq!(attempts.wait(&ann, Timestamp(0)), None);
            attempts.failed(&ann, Timestamp(0));
        }
        assert_eq!(attempts.wait(&ann, Timestamp(0)), Some(60));
        assert_eq!(attempts.wait(&ann, Timestamp(59_500)), Some(1));
        assert_eq!(attempts.wait(&ann, Timestamp(60_000)), None);
        attempts.failed(&ann, Timestamp(60_000));
        assert_eq!(attempts.wait(&ann, Timestamp(60_000)), Some(60));
        attempts.succeeded(&ann, Timestamp(120_000));
        assert_eq!(attempts.wait(&ann, Timestamp(120_000)), None);
    }

    #[test]
    fn what_somebody_guesses_elsewhere_locks_nobody_out() {
        let mut attempts = Attempts::default();
        fail(&mut attempts, &asker("ann", "192.0.2.66"), 20);
        assert_eq!(attempts.wait(&asker("ann", "192.0.2.1"), Timestamp(0)), None);
        assert_eq!(attempts.wait(&asker("bob", "192.0.2.66"), Timestamp(0)), None);
    }

    #[test]
    fn an_account_that_is_known_at_an_address_answers_for_itself_alone() {
        let mut attempts = Attempts::default();
        let ann = asker("ann", "192.0.2.1");
        attempts.succeeded(&ann, Timestamp(0));
        for number in 0..OF_ACCOUNT.holds {
            attempts.failed(&asker("ann", &format!("198.51.100.{number}")), Timestamp(0));
        }
        fail(&mut attempts, &asker("nobody", "192.0.2.1"), OF_ADDRESS.holds);
        assert_eq!(attempts.wait(&ann, Timestamp(0)), None);
        assert_eq!(attempts.wait(&ann, Timestamp(KNOWN_MS)), None, "the buckets are empty by then");
        assert_eq!(attempts.wait(&asker("ann", "203.0.113.1"), Timestamp(0)), Some(6));
        assert_eq!(attempts.wait(&asker("bob", "192.0.2.1"), Timestamp(0)), Some(6));
        assert_eq!(attempts.wait(&Asker::new(None, Some("192.0.2.1".parse().unwrap())), Timestamp(0)), Some(6));
        fail(&mut attempts, &ann, AT_ADDRESS.holds);
        assert_eq!(attempts.wait(&ann, Timestamp(0)), Some(60));
    }

    #[test]
    fn whoever_has_many_addresses_of_one_network_has_one() {
        let mut attempts = Attempts::default();
        for number in 0..AT_ADDRESS.holds {
            attempts.failed(&asker("ann", &format!("2001:db8::{number}")), Timestamp(0));
        }
        assert_eq!(attempts.wait(&asker("ann", "2001:db8::ffff"), Timestamp(0)), Some(60));
        assert_eq!(attempts.wait(&asker("ann", "2001:db8:0:1::1"), Timestamp(0)), None);
        fail(&mut attempts, &asker("bob", "::ffff:192.0.2.1"), AT_ADDRESS.holds);
        assert_eq!(attempts.wait(&asker("bob", "192.0.2.1"), Timestamp(0)), Some(60));
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_remembered() {
        let mut attempts = Attempts::default();
        let worst = asker("ann", "192.0.2.1");
        fail(&mut attempts, &worst, 2 * AT_ADDRESS.holds);
        for number in 0..3 * MOST_KEPT {
            let other = asker(&number.to_string(), "192.0.2.2");
            attempts.failed(&other, Timestamp(0));
            attempts.succeeded(&other, Timestamp(i64::try_from(number).unwrap()));
            attempts.failed(&other, Timestamp(0));
            assert!(attempts.at_address.empty_at.len() <= MOST_KEPT);
            assert!(attempts.of_account.empty_at.len() <= MOST_KEPT);
            assert!(attempts.known.len() <= MOST_KEPT);
        }
        assert_eq!(attempts.wait(&worst, Timestamp(0)), Some(60));
    }
}
