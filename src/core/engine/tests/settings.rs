//! What the engine is told to do, and what its gateways have agreed to.

use super::super::{GatewaySettings, Others, Settings, SourceSettings};
use crate::bgp::wire::{Encoding, MAX_LEN, SessionType};
use crate::model::{Asn, GatewayId, PerFamily, Prefix, SourceId};
use crate::policy::{Match, Policy, Rule, Set};
use crate::source::schema::Schema;
use crate::source::sync::{Follow, SyncConfig, Timing};
use crate::table::{Allowed, Fence, GuardConfig, Spent};
use crate::testing::store::name;
use crate::view::Exclusion;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub(super) const SOURCES: u16 = 2;
pub(super) const GATEWAYS: u32 = 3;

/// Prefix number `n`: an IPv4 one if even, else an IPv6 one; the last two lie outside the fence.
pub(super) fn prefix(n: u8) -> Prefix {
    let text = match n % 8 {
        6 => "10.99.0.0/24".into(),
        7 => "2001:db9::/48".into(),
        n if n % 2 == 0 => format!("10.244.{n}.0/24"),
        n => format!("2001:db8:{n}::/48"),
    };
    text.parse().unwrap()
}

/// Addresses number `n` of a host; of number 4 the IPv4 one lies outside the fence, and 5 and 6 lack a family or both.
pub(super) fn addresses(n: u8) -> Vec<IpAddr> {
    let texts: &[&str] = match n % 7 {
        0 => &["10.168.0.1", "fd00:168::1"],
        1 => &["10.168.0.2", "fd00:168::2"],
        2 => &["10.168.1.1", "fd00:169::1"],
        3 => &["10.168.0.3", "fd00:168::3"],
        4 => &["192.0.2.1", "fd00:168::4"],
        5 => &["10.168.0.5"],
        _ => &[],
    };
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(super) fn fence() -> Fence {
    let allowed = |within: &str, lengths| Allowed { within: within.parse().unwrap(), lengths };
    Fence {
        prefixes: vec![allowed("10.244.0.0/16", 24..=24), allowed("2001:db8::/32", 48..=48)],
        next_hops: ["10.168.0.0/16", "fd00::/8"].map(|range| range.parse().unwrap()).into(),
        ..Fence::default()
    }
}

/// Everything as it is; or some prefixes and hosts in other ways.
fn policies(variant: u8) -> BTreeMap<String, Policy> {
    let within = |text: &str, lengths| Allowed { within: text.parse().unwrap(), lengths };
    let some = Match {
        prefixes: vec![within("10.244.2.0/24", 24..=24), within("2001:db8:3::/48", 48..=48)],
        ..Match::default()
    };
    let host = Match { hosts: vec![name(1)], ..Match::default() };
    let rule = |matcher, set, accept| Rule { matcher, set, accept };
    let communities = Set { communities: vec![variant.into()], ..Set::default() };
    let picky = Policy {
        rules: vec![
            rule(some, Set { med: Some(9), ..Set::default() }, variant != 1),
            rule(host, communities, true),
            rule(Match::default(), Set { prepend: 1, ..Set::default() }, true),
        ],
    };
    BTreeMap::from([("all".into(), Policy::accept_all()), ("picky".into(), picky)])
}

/// Four configurations: who has which policy and what it must not be told.
pub(super) fn settings(variant: u8) -> Settings {
    let source = |n: u16| SourceSettings {
        id: SourceId(n),
        name: format!("source-{n}"),
        lacking: String::new(),
        priority: i32::from(n),
        snapshot: None,
        spent: Spent::default(),
        snapshot_after: Duration::from_secs(30),
        sync: SyncConfig {
            source: SourceId(n),
            schema: Schema::Native { prefix: "/fp".into() },
            follow: Follow::Watch,
            ipv4_via_ipv6: false,
            allow_empty: false,
            seed: n.into(),
            timing: Timing::default(),
        },
    };
    let gateway = |n: u32| GatewaySettings {
        drain: (n, variant) == (2, 3),
        id: GatewayId(n),
        name: format!("gateway-{n}"),
        policy: if (n + u32::from(variant)).is_multiple_of(2) { "all" } else { "picky" }.into(),
        max_prefix: match (n, variant) {
            (1, 3) | (2, 1) => PerFamily::from_fn(|_| Some(1)),
            _ => PerFamily::default(),
        },
        exclusion: match (n, variant) {
            (1, 2) => Exclusion { own: Vec::new(), attached: vec!["10.168.0.0/24".parse().unwrap()] },
            _ => Exclusion::NOTHING,
        },
    };
    Settings {
        sources: (0..SOURCES).map(source).collect(),
        fence: fence(),
        guard: GuardConfig::off(),
        policies: policies(variant),
        others: Others::default(),
        gateways: (0..GATEWAYS).map(gateway).collect(),
    }
}

/// What gateway `n` has agreed to: eBGP without brackets, eBGP with two-octet AS numbers, iBGP.
pub(super) fn encoding(n: u32) -> Encoding {
    Encoding {
        session: if n == 2 { SessionType::Internal } else { SessionType::External },
        local_asn: Asn::new(4_200_000_001).unwrap(),
        four_octet_as: n != 1,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    }
}

/// Gateway 0 is a host too: host 0's address is its own.
pub(super) fn address(n: u32) -> IpAddr {
    if n == 0 { addresses(0)[0] } else { IpAddr::from([10, 170, 0, n as u8]) }
}
