//! Where a request comes from, for the audit log: the other end of the connection, or what a proxy in front says if it
//! is one that the settings trust.

use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::Request;
use axum::http::HeaderMap;

use crate::login::Peer;

/// Where a request comes from, as far as it can be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Addresses that begin alike, such as `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Notes on a request where it comes from.
pub(crate) fn note(mut request: Request, trusted: &[Network]) -> Request {
    if let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() {
        let address = client(peer, request.headers(), trusted);
        request.extensions_mut().insert(ClientAddress(address));
    }
    request
}

/// Proxies append whom they were asked by. Anybody may write what stands before the first that is not trusted.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.has(address));
    let mut nearest = peer.to_canonical();
    let lists: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    for before in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        if !is_trusted(nearest) {
            break;
        }
        let Some(address) = address(before.trim()) else { break };
        nearest = address.to_canonical();
    }
    nearest
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split(']').next()).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let shared = |own: u128, other: u128, width: u8| {
            let rest = u32::from(width - self.bits);
            own.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shared(u32::from(own).into(), u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => shared(own.into(), other.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wrong = || format!("expected an address such as 10.1.2.3 or a network such as 10.0.0.0/8, not '{text}'");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse().map_err(|_| wrong()))?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Network { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for list in forwarded {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_counts_only_if_a_trusted_proxy_wrote_it() {
        assert_eq!(seen("192.0.2.9", &["10.9.9.9"], &[]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, 192.0.2.9"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4", "192.0.2.9, 10.0.0.2"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["192.0.2.9:4711"], &["10.0.0.1"]), "192.0.2.9");
        assert_eq!(seen("::1", &["[2001:db8::5]:80"], &["::1"]), "2001:db8::5");
        assert_eq!(seen("::ffff:10.0.0.1", &["192.0.2.9"], &["10.0.0.0/8"]), "192.0.2.9");
        assert_eq!(seen("10.0.0.1", &["nonsense"], &["0.0.0.0/0"]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0", "host", "::1/129", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
