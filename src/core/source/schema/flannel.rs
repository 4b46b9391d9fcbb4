//! flannel's leases in etcd (`pkg/subnet/subnet.go`, `pkg/subnet/etcd/registry.go`, `pkg/lease/lease.go`; read at v0.28.9).
//!
//! ```text
//! /coreos.com/network/subnets/10.244.1.0-24&fd00:10:244:5a::-64  →  {"PublicIP": "10.168.0.11", "PublicIPv6": null, …}
//! ```
//!
//! In the key only `/` becomes `-`, and the IPv6 half follows a `&`. The value names no node, so a host is known by its
//! PublicIP. The alloc backend writes no PublicIPv6 even under a dual-stack key: that half is unresolved, and never borrows
//! the IPv4 next hop. A renewal writes the same value again, which changes nothing.

use super::{Addresses, Statement, Unreadable, from_object, quoted};
use crate::model::{HostName, Labels, Prefix};
use ipnet::IpNet;
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

#[derive(serde::Deserialize)]
struct Value<'a> {
    #[serde(borrow, rename = "PublicIP")]
    public_ip: Cow<'a, str>,
    #[serde(borrow, rename = "PublicIPv6", default)]
    public_ipv6: Option<Cow<'a, str>>,
}

pub(super) fn decode(name: &[u8], value: &[u8]) -> Result<Statement, Unreadable> {
    let name = std::str::from_utf8(name).map_err(|_| Unreadable::new("the lease's key is not UTF-8"))?;
    let subnets = subnets(name)?;
    let value: Value<'_> =
        from_object(value).map_err(|error| Unreadable::new(format!("not a flannel lease: {error}")))?;
    let ipv4: Ipv4Addr = value
        .public_ip
        .parse()
        .map_err(|_| Unreadable::new(format!("PublicIP {} is not an IPv4 address", quoted(&value.public_ip))))?;
    let ipv6: Ipv6Addr = match value.public_ipv6 {
        None => Ipv6Addr::UNSPECIFIED,
        Some(text) => {
            text.parse().map_err(|_| Unreadable::new(format!("PublicIPv6 {} is not an IPv6 address", quoted(&text))))?
        }
    };
    let addresses =
        Addresses { ipv4: (!ipv4.is_unspecified()).then_some(ipv4), ipv6: (!ipv6.is_unspecified()).then_some(ipv6) };
    let host = match (addresses.ipv4, addresses.ipv6) {
        (None, Some(ipv6)) => HostName::new(&ipv6.to_string()),
        // There is one way only to write an IPv4 address: the text is the host's name.
        _ => HostName::new(&value.public_ip),
    };
    let host = host.map_err(|error| Unreadable::new(error.to_string()))?;
    Ok(Statement { host, labels: Labels::default(), addresses, subnets, unknown: None })
}

/// `10.244.1.0-24&fd00:10:244:5a::-64` → both subnets. An IPv4 half `0.0.0.0-0` stands for "no IPv4 subnet".
fn subnets(name: &str) -> Result<Vec<Prefix>, Unreadable> {
    let not_a_lease =
        || Unreadable::new(format!("{} is not a lease's key, such as 10.244.1.0-24&fd00:10:244:5a::-64", quoted(name)));
    let mut subnets: Vec<Prefix> = Vec::with_capacity(2);
    for half in name.split('&') {
        let (address, length) = half.rsplit_once('-').ok_or_else(not_a_lease)?;
        if half == "0.0.0.0-0" {
            continue;
        }
        let net = address
            .parse()
            .ok()
            .zip(length.parse().ok())
            .and_then(|(address, length)| IpNet::new(address, length).ok());
        let subnet = Prefix::new(net.ok_or_else(not_a_lease)?)
            .map_err(|error| Unreadable::new(format!("the lease's key: {error}")))?;
        if subnets.iter().any(|other| other.family() == subnet.family()) {
            return Err(not_a_lease());
        }
        subnets.push(subnet);
    }
    subnets.sort_unstable();
    Ok(subnets)
}
