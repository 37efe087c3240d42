//! Which addresses a webhook may reach. Whoever may make a webhook must not reach the network behind the server with
//! it, also not through a name that means one address when it is checked and another one when it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use stele_domain::{Error, Result};
use url::{Host, Url};

/// How long a name may take to resolve.
const PATIENCE: Duration = Duration::from_secs(5);

/// Refuses a URL whose scheme is not allowed, or whose host is or means an address that is not public.
pub(super) async fn check(text: &str, schemes: &[String], private_too: bool) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("Webhook URL cannot be empty or just whitespace: '{text}'")));
    }
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let scheme = if is_scheme { scheme.to_ascii_lowercase() } else { String::new() };
    if !schemes.contains(&scheme) {
        return Err(Error::invalid(format!(
            "Invalid webhook URL scheme: '{scheme}'. Allowed schemes are: {}.",
            schemes.join(", ")
        )));
    }
    let url = Url::parse(text);
    // `http:///path` is read as if its path began with a host, which nobody wrote.
    let names_host = text.split_once("//").is_some_and(|(_, rest)| !rest.starts_with(['/', '?', '#']));
    let Some(host) = url.as_ref().ok().and_then(Url::host).filter(|_| names_host) else {
        return Err(Error::invalid(format!("Webhook URL must include a hostname: '{text}'")));
    };
    if private_too {
        return Ok(());
    }
    let (name, addresses) = match host {
        Host::Ipv4(address) => (address.to_string(), vec![IpAddr::V4(address)]),
        Host::Ipv6(address) => (address.to_string(), vec![IpAddr::V6(address)]),
        Host::Domain(name) => (name.to_owned(), resolve(name).await?.iter().map(SocketAddr::ip).collect()),
    };
    match addresses.iter().find(|address| !is_public(**address)) {
        None => Ok(()),
        Some(address) => Err(Error::invalid(format!(
            "Webhook URL must not resolve to a non-public IP address. '{name}' resolves to {address}."
        ))),
    }
}

async fn resolve(name: &str) -> Result<Vec<SocketAddr>> {
    let failed = |reason: &dyn std::fmt::Display| {
        Error::invalid(format!("Cannot resolve Webhook URL hostname '{name}': {reason}"))
    };
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await;
    let found: Vec<SocketAddr> = found.map_err(|_| failed(&"it takes too long"))?.map_err(|e| failed(&e))?.collect();
    if found.is_empty() { Err(failed(&"it has no address")) } else { Ok(found) }
}

/// Resolves names for connections, and gives none of the addresses when one of them is not public: the connection
/// goes to exactly what was checked.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = resolve(name.as_str()).await?;
            match found.iter().find(|address| !is_public(address.ip())) {
                None => Ok(Box::new(found.into_iter()) as Addrs),
                Some(address) => {
                    let message = format!("{} is not a public address", address.ip());
                    Err(Box::new(Error::Forbidden { message }) as Box<dyn std::error::Error + Send + Sync>)
                }
            }
        })
    }
}

/// Whether an address is reachable from everywhere, by the special-purpose registries of IANA. Addresses that wrap
/// an IPv4 address (mapped, 6to4, NAT64) are what they wrap.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match wrapped(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, d] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0 && d != 9 && d != 10)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only this eighth of the addresses is in global use.
    let global = a & 0xe000 == 0x2000;
    let special = (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000);
    global && !special
}

fn wrapped(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let at = |index: usize| {
        let ([a, b], [c, d]) = (segments[index].to_be_bytes(), segments[index + 1].to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, ..] => Some(at(6)),
        [0x2002, ..] => Some(at(1)),
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(at(6)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are() {
        for public in ["1.1.1.1", "93.184.216.34", "192.0.0.9", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }

    #[tokio::test]
    async fn urls_are_judged_by_scheme_and_address() {
        let https = ["https".to_owned()];
        for (url, text) in [
            (" ", "cannot be empty"),
            ("http://1.1.1.1", "Invalid webhook URL scheme: 'http'. Allowed schemes are: https."),
            ("no url", "Invalid webhook URL scheme: ''."),
            ("https://", "must include a hostname"),
            ("https:///1.1.1.1", "must include a hostname"),
            ("https:1.1.1.1", "must include a hostname"),
            ("https://127.0.0.1/x", "'127.0.0.1' resolves to 127.0.0.1."),
            ("https://[::1]:8443", "must not resolve to a non-public IP address"),
            // Old spellings of an address are the address.
            ("https://0x7f.1", "must not resolve to a non-public IP address"),
            ("https://2130706433/", "must not resolve to a non-public IP address"),
            ("https://localhost/", "must not resolve to a non-public IP address"),
        ] {
            let error = check(url, &https, false).await.unwrap_err().to_string();
            assert!(error.contains(text), "{url}: {error}");
        }
        check("https://1.1.1.1/x", &https, false).await.unwrap();
        check("https://127.0.0.1/x", &https, true).await.unwrap();
    }
}
