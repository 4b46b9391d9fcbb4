//! Property tests of the invariants I1 to I8 (and P4), against gateways that know nothing but the bytes they are handed.
//!
//! ```text
//!  history of steps ──► World { slots, two views, peers } ──► chunks ──► Gateway: a map, fed by decoding
//!                          └── at every chunk, marker and freed slot: is it true now?   at rest: is it everything?
//! ```

mod capped;
mod dumps;
mod histories;
mod memory;
mod sharing;
mod world;

use crate::bgp::wire::{Encoding, MAX_EXTENDED_LEN, MAX_LEN, RouteAttributes, SessionType};
use crate::model::{Asn, Family, Prefix};
use crate::view::Exclusion;
use std::net::IpAddr;

/// Prefix number `n` of a family.
fn prefix(family: Family, n: u16) -> Prefix {
    match family {
        Family::Ipv4 => format!("10.{}.{}.0/24", 128 + n / 256, n % 256).parse().unwrap(),
        Family::Ipv6 => format!("2001:db8:{n:x}::/48").parse().unwrap(),
    }
}

/// Host number `n`: 0 and 1 share a subnet, 2 is elsewhere, 3 has an address of the other family.
fn next_hop(family: Family, n: u8) -> IpAddr {
    let text = match (family, n % 4) {
        (Family::Ipv4, 0) | (Family::Ipv6, 3) => "10.168.0.1",
        (Family::Ipv4, 1) => "10.168.0.2",
        (Family::Ipv4, 2) => "10.169.0.1",
        (Family::Ipv4, _) | (Family::Ipv6, 0) => "fd00:168::1",
        (Family::Ipv6, 1) => "fd00:168::2",
        (Family::Ipv6, _) => "fd00:169::1",
    };
    text.parse().unwrap()
}

/// Attribute sets that differ; from [`HEAVY`] on so large that a chunk holds about twenty of them.
const LIGHT: u8 = 8;
const HEAVY: u8 = LIGHT;

fn attributes(family: Family, n: u8) -> RouteAttributes {
    let plain = RouteAttributes::via(next_hop(family, n));
    match n {
        0..4 => plain,
        4 => RouteAttributes { communities: [0xFC00_0001, 0xFC00_0002].into(), ..plain },
        5 => RouteAttributes { med: Some(7), local_pref: Some(70), ..plain },
        6 => RouteAttributes { large_communities: [[64512, 1, 2]].into(), prepend: 3, ..plain },
        7 => RouteAttributes { extended_communities: [[0, 2, 252, 0, 0, 0, 0, 1]].into(), ..plain },
        heavy => RouteAttributes { communities: vec![u32::from(heavy); 850].into(), ..plain },
    }
}

/// What differs between neighbours. The last one's messages are too short for the heavy attribute sets.
fn encoding(n: usize) -> Encoding {
    let external = Encoding {
        session: SessionType::External,
        local_asn: Asn::new(64512).unwrap(),
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    };
    match n % 5 {
        0 => external,
        1 => Encoding { session: SessionType::Internal, ..external },
        2 => Encoding { local_asn: Asn::new(4_200_000_001).unwrap(), four_octet_as: false, ..external },
        3 => Encoding { ipv4_via_ipv6: true, max_len: MAX_EXTENDED_LEN, ..external },
        _ => Encoding { max_len: 600, ..external },
    }
}

/// Nothing; the address of host 0; all but hosts 0 and 1; one that no host has.
fn exclusion(n: usize) -> Exclusion {
    let attached = ["10.168.0.0/24", "fd00:168::/64"];
    match n % 4 {
        0 => Exclusion::NOTHING,
        1 => Exclusion { own: Family::ALL.map(|family| next_hop(family, 0)).into(), attached: Vec::new() },
        2 => Exclusion { own: Vec::new(), attached: attached.map(|subnet| subnet.parse().unwrap()).into() },
        _ => Exclusion { own: vec!["10.170.0.9".parse().unwrap()], attached: Vec::new() },
    }
}
