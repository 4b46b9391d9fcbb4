//! What a seed's world is made of: hosts, sources, gateways, and how the process is configured.

use super::dice::Dice;
use super::process::Left;
use crate::bgp::neighbour::{GracefulRestartConfig, NeighbourConfig, Timers};
use crate::bgp::wire::{Encoding, MAX_LEN, SessionType};
use crate::engine::{GatewaySettings, Others, Settings, SourceSettings};
use crate::model::{Asn, GatewayId, HoldTime, PerFamily, Prefix, RouterId, SourceId, Time};
use crate::policy::{Match, Policy, Rule, Set};
use crate::source::schema::Schema;
use crate::source::sync::{Follow, SyncConfig, Timing};
use crate::table::{Allowed, Fence, GuardConfig, Spent};
use crate::view::Exclusion;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

/// After so long without the store the snapshot is announced.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(30);

const OURS: u32 = 4_200_000_001;

/// The sizes that a seed chooses.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) hosts: u8,
    pub(super) sources: usize,
    pub(super) gateways: Vec<Kind>,
    /// Whether the guard has its default limits, or none.
    pub(super) guarded: bool,
    /// What other replicas there are.
    pub(super) others: Others,
}

/// What a gateway is like.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) internal: bool,
    /// It keeps our routes over a restart of the session (RFC 4724, RFC 8538).
    pub(super) keeps: bool,
    /// It keeps them for long, but prefers any others (RFC 9494).
    pub(super) lingers: bool,
    /// It knows BoRR and EoRR (RFC 7313).
    pub(super) brackets: bool,
    /// It dials, too.
    pub(super) dials: bool,
    /// How many octets may be on their way to it.
    pub(super) window: usize,
    /// How long octets take.
    pub(super) delay: Duration,
}

impl Shape {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let gateways = (0..dice.from(2..=5)).map(|_| Kind {
            internal: dice.one_in(2),
            keeps: !dice.one_in(4),
            lingers: false,
            brackets: dice.one_in(2),
            dials: dice.one_in(3),
            window: if dice.one_in(2) { 1 << 9 } else { 1 << 16 },
            delay: Duration::from_micros(dice.from(100..=30_000)),
        });
        let gateways = gateways.collect();
        Shape {
            hosts: dice.from(4..=24) as u8,
            sources: if dice.one_in(3) { 2 } else { 1 },
            gateways,
            guarded: !dice.one_in(3),
            others: Others::default(),
        }
    }
}

/// The first more-specific prefix, and how many there are: each lies in the one whose number is so much lower.
pub(super) const SPECIFIC: u8 = 60;
pub(super) const SPECIFICS: u8 = 12;

static PREFIXES: LazyLock<Vec<Prefix>> = LazyLock::new(|| (0..SPECIFIC + SPECIFICS).map(parsed).collect());

/// Prefix number `n`: an IPv4 one if even, else an IPv6 one; from 56 on they lie outside the fence, from 60 on in another one.
pub(super) fn prefix(n: u8) -> Prefix {
    PREFIXES[usize::from(n)]
}

fn parsed(n: u8) -> Prefix {
    let text = match (n % 2, n) {
        (0, 0..56) => format!("10.244.{n}.0/24"),
        (0, 56..SPECIFIC) => format!("10.99.{n}.0/24"),
        (0, _) => format!("10.244.{}.64/26", n - SPECIFIC),
        (_, 0..56) => format!("2001:db8:{n:x}::/48"),
        (_, 56..SPECIFIC) => format!("2001:db9:{n:x}::/48"),
        _ => format!("2001:db8:{:x}:1::/64", n - SPECIFIC),
    };
    text.parse().unwrap()
}

/// What another prefix covers, each with that one.
pub(super) fn specifics() -> impl Iterator<Item = (Prefix, Prefix)> {
    (0..SPECIFICS).map(|n| (prefix(SPECIFIC + n), prefix(n)))
}

/// The prefix that covers this one, if one does.
pub(super) fn cover(prefix: Prefix) -> Option<Prefix> {
    specifics().find(|(specific, _)| *specific == prefix).map(|(_, cover)| cover)
}

/// The addresses of a host; of net 9 the IPv4 one lies outside the fence.
pub(super) fn addresses(host: u8, net: u8) -> Vec<IpAddr> {
    let ipv4 = if net == 9 { [192, 0, 2, host] } else { [10, 168, net, host] };
    vec![ipv4.into(), [0xfd00, 0x168, net.into(), 0, 0, 0, 0, host.into()].into()]
}

/// Whether that lies within the fence, in the judge's own words.
pub(super) fn is_admitted(prefix: Prefix, next_hop: IpAddr) -> bool {
    let is_inside = match prefix.net().addr() {
        IpAddr::V4(address) => address.octets().starts_with(&[10, 244]),
        IpAddr::V6(address) => address.segments().starts_with(&[0x2001, 0xdb8]),
    };
    is_inside
        && match next_hop {
            IpAddr::V4(address) => address.octets().starts_with(&[10, 168]),
            IpAddr::V6(address) => address.segments().starts_with(&[0xfd00]),
        }
}

fn fence() -> Fence {
    let allowed = |within: &str, lengths| Allowed { within: within.parse().unwrap(), lengths };
    Fence {
        prefixes: vec![allowed("10.244.0.0/16", 24..=26), allowed("2001:db8::/32", 48..=64)],
        next_hops: ["10.168.0.0/16", "fd00::/8"].map(|range| range.parse().unwrap()).into(),
        ..Fence::default()
    }
}

/// Everything as it is; or every fourth prefix not, and the others with something set.
pub(super) fn policies(variant: u8) -> BTreeMap<String, Policy> {
    let some = (0..56).filter(|n| n % 8 < 2).map(prefix);
    let some = some.map(|within| Allowed { within, lengths: within.length()..=within.length() });
    let some = Match { prefixes: some.collect(), ..Match::default() };
    let set = Set { communities: vec![u32::from(variant)], med: Some(variant.into()), ..Set::default() };
    let picky = Policy {
        rules: vec![
            Rule { matcher: some, set: Set::default(), accept: variant == 2 },
            Rule { matcher: Match::default(), set, accept: true },
        ],
    };
    BTreeMap::from([("all".into(), Policy::accept_all()), ("picky".into(), picky)])
}

/// The name of the policy that gateway `n` has.
pub(super) fn policy(n: usize, variant: u8) -> &'static str {
    if variant > 0 && n % 2 == 1 { "picky" } else { "all" }
}

pub(super) fn gateway_name(n: usize) -> String {
    format!("gateway-{n}")
}

pub(super) fn settings(now: Time, shape: &Shape, variant: u8, disk: &[Option<Left>], seed: u64) -> Settings {
    let guard = if shape.guarded { GuardConfig::default() } else { GuardConfig::off() };
    let source = |n: usize| SourceSettings {
        id: SourceId(n as u16),
        name: format!("source-{n}"),
        lacking: String::new(),
        priority: n as i32,
        snapshot: disk[n].as_ref().map(|left| left.snapshot.clone()),
        spent: disk[n]
            .as_ref()
            .map_or_else(Spent::default, |Left { spent: (spent, at), .. }| spent.after(now.since(*at), guard.refill)),
        snapshot_after: SNAPSHOT_AFTER,
        sync: SyncConfig {
            source: SourceId(n as u16),
            schema: Schema::Native { prefix: "/fp".into() },
            follow: Follow::Watch,
            ipv4_via_ipv6: false,
            allow_empty: false,
            seed: seed + n as u64,
            timing: Timing::default(),
        },
    };
    let gateway = |n: usize| GatewaySettings {
        drain: false,
        id: GatewayId(n as u32),
        name: gateway_name(n),
        policy: policy(n, variant).into(),
        max_prefix: PerFamily::default(),
        exclusion: Exclusion::NOTHING,
    };
    Settings {
        sources: (0..shape.sources).map(source).collect(),
        fence: fence(),
        guard: guard.clone(),
        policies: policies(variant),
        gateways: (0..shape.gateways.len()).map(gateway).collect(),
        others: shape.others,
    }
}

fn asn(number: u32) -> Asn {
    Asn::new(number).unwrap()
}

/// Our side of the session with a gateway, and the gateway's.
pub(super) fn neighbours(n: usize, kind: &Kind) -> (NeighbourConfig, NeighbourConfig) {
    let theirs = if kind.internal { asn(OURS) } else { asn(64_500) };
    let id = |text: &str| -> RouterId { text.parse().unwrap() };
    let restart = GracefulRestartConfig {
        restart_time: if kind.lingers { 0 } else { 120 },
        notification: true,
        long_lived_stale_time: kind.lingers.then_some(600),
    };
    let ours = NeighbourConfig {
        local_asn: asn(OURS),
        router_id: id("10.0.3.10"),
        peer_asn: theirs,
        families: PerFamily { ipv4: true, ipv6: true },
        passive: false,
        timers: Timers { hold: HoldTime::new(30).unwrap(), ..Timers::default() },
        graceful_restart: Some(restart),
        enhanced_refresh: true,
        extended_messages: true,
        extended_next_hop: false,
    };
    let gateway = NeighbourConfig {
        local_asn: theirs,
        router_id: id(&format!("10.0.{}.1", if n.is_multiple_of(2) { 4 + n } else { n })),
        peer_asn: asn(OURS),
        passive: !kind.dials,
        graceful_restart: kind.keeps.then_some(restart),
        enhanced_refresh: kind.brackets,
        extended_messages: false,
        ..ours.clone()
    };
    (ours, gateway)
}

/// How a gateway reads what it is told.
pub(super) fn encoding(kind: &Kind) -> Encoding {
    Encoding {
        session: if kind.internal { SessionType::Internal } else { SessionType::External },
        local_asn: asn(OURS),
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    }
}

/// All prefixes that a host may ever state, of both families.
pub(super) fn all_prefixes() -> impl Iterator<Item = Prefix> {
    PREFIXES.iter().copied()
}
