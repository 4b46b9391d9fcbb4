//! `gateways`: the neighbours that are told the routes.

use super::check::{Check, Field, Table};
use super::fence::Fence;
use super::gateway_checks as checks;
use super::keys;
use super::open::{self, OpenOptions};
use super::platform::Platform;
use super::policy::{FAMILIES, Policy, named};
use super::transport;
use super::tree::Value;
use fingerpost_core::model::{Asn, Family, HoldTime, PerFamily, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// BGP's port.
pub const DEFAULT_PORT: u16 = 179;
/// Seconds, unless set (DESIGN: shorter than RFC 4271's suggestion of 90).
pub const DEFAULT_HOLD: u16 = 30;
/// Unless set; jittered downwards when used.
pub const DEFAULT_CONNECT_RETRY: Duration = Duration::from_secs(5);

/// One gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gateway {
    /// Where it is.
    pub remote: Remote,
    /// Where we connect to.
    pub port: u16,
    /// Its AS; the router's own makes it iBGP.
    pub asn: Asn,
    /// What it is known to handle.
    pub platform: Platform,
    /// The policy's name. None: everything is sent on iBGP, nothing on eBGP (RFC 8212).
    pub policy: Option<String>,
    /// How far away an eBGP gateway may be, in hops (2 to 255); none: one.
    pub multihop: Option<u8>,
    /// What is negotiated; never empty.
    pub families: BTreeSet<Family>,
    /// Whether we wait for its connection and make none.
    pub passive: bool,
    /// Where our connections come from.
    pub source_address: Option<IpAddr>,
    /// The only network interface that its connections use.
    pub interface: Option<String>,
    /// How many hops its packets may have made (RFC 5082), 1 on the same link; none: unprotected.
    pub ttl_security: Option<u8>,
    /// The file with the key that its connections are signed with (TCP MD5, RFC 2385); none: unsigned.
    pub password_file: Option<PathBuf>,
    /// The session's times.
    pub timers: Timers,
    /// Subnets it is attached to; a next hop outside them is not sent to it. Empty: any next hop.
    pub attached: Vec<Prefix>,
    /// Whether its routes carry GRACEFUL_SHUTDOWN (RFC 8326).
    pub drain: bool,
    /// The most routes of each family that are sent to it.
    pub max_prefix: PerFamily<Option<u32>>,
    /// What our OPEN offers.
    pub open: OpenOptions,
}

/// Where a gateway is, or where gateways may come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remote {
    /// Its address; may be another gateway's too if the ports differ.
    Address(IpAddr),
    /// Whoever connects from here is a gateway of its own (a dynamic neighbour).
    Range {
        /// From where.
        within: Prefix,
        /// How many there may be at a time.
        limit: u32,
    },
}

/// A session's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Seconds between KEEPALIVEs; at most a third of the hold time, 0 if and only if that is never.
    pub keepalive: u16,
    /// The hold time that is offered.
    pub hold: HoldTime,
    /// Between attempts to connect, before jitter.
    pub connect_retry: Duration,
}

impl Remote {
    /// The address, if it is one gateway's.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Remote::Address(address) => Some(address),
            Remote::Range { .. } => None,
        }
    }

    /// The range, if it is one.
    pub fn range(self) -> Option<Prefix> {
        match self {
            Remote::Address(_) => None,
            Remote::Range { within, .. } => Some(within),
        }
    }

    /// The family of the address or the range.
    pub fn family(self) -> Family {
        match self {
            Remote::Address(address) => Family::of(address),
            Remote::Range { within, .. } => within.family(),
        }
    }
}

impl Gateway {
    /// Its address, if it is one gateway's.
    pub fn address(&self) -> Option<IpAddr> {
        self.remote.address()
    }

    /// Whether it is in another AS.
    pub fn is_external(&self, own: Asn) -> bool {
        self.asn != own
    }
}

/// What gateways refer to.
pub(super) struct Around<'a> {
    pub(super) router: &'a super::router::Partial,
    pub(super) fence: Option<&'a Fence>,
    /// The policies that could be read.
    pub(super) policies: Option<&'a BTreeMap<String, Policy>>,
    /// The names of all; none where they could not be read.
    pub(super) policy_names: Option<&'a BTreeSet<String>>,
}

pub(super) fn read(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<Gateway> {
    let table = field.table(&keys::GATEWAY, check)?;
    let remote = checks::remote(&table, check);
    let address = remote.and_then(Remote::address);
    let is_range = remote.and_then(Remote::range).is_some();
    let port = table.or("port", DEFAULT_PORT, check, |field, check| {
        field.integer(1..=u16::MAX.into(), check).and_then(|port| u16::try_from(port).ok())
    });
    let asn: Option<Asn> = table.need("asn", "give the number of the gateway's AS", check, Field::parsed);
    let platform = table.or("platform", Platform::Generic, check, platform);
    let policy = table.maybe("policy", check, |field, check| {
        let name = field.text(check)?;
        named("policy", name, around.policy_names, &field.path, check)?;
        Some(name.to_owned())
    });
    let multihop = table.or("multihop", None, check, multihop);
    let families = match table.get("families") {
        Some(field) => families(&field, check),
        None => remote.map(|remote| BTreeSet::from([remote.family()])),
    };
    let passive = table.or("passive", is_range, check, Field::boolean);
    let source_address = table.maybe("source_address", check, checks::own_address);
    let interface = table.maybe("interface", check, transport::interface);
    let ttl_security = transport::ttl_security(&table, multihop, asn, around, check);
    let password_file = table.maybe("password_file", check, Field::password_file);
    let timers = match table.get("timers") {
        Some(field) => read_timers(&field, check),
        None => timers(&[], check),
    };
    let attached =
        table.or("attached", Vec::new(), check, |field, check| field.list("ADDRESS/LENGTH", check, Field::parsed));
    let drain = table.or("drain", false, check, Field::boolean);
    let max_prefix =
        table.or("max_prefix", PerFamily::default(), check, |field, check| max_prefix(field, families.as_ref(), check));
    let open = open::read(&table, platform, families.as_ref(), around, check);

    checks::external(&table, asn, policy.as_ref(), around, check);
    checks::addresses(&table, address, source_address.flatten(), attached.as_deref(), around, check);
    if let Some(families) = &families {
        checks::families(&table, families, around, check);
    }
    if passive == Some(true) || is_range {
        checks::heard(&table, remote, around, check);
    }
    Some(Gateway {
        remote: remote?,
        port: port?,
        asn: asn?,
        platform: platform?,
        policy: policy?,
        multihop: multihop?,
        families: families?,
        passive: passive?,
        source_address: source_address?,
        interface: interface?,
        ttl_security: ttl_security?,
        password_file: password_file?,
        timers: timers?,
        attached: attached?,
        drain: drain?,
        max_prefix: max_prefix?,
        open: open?,
    })
}

fn platform(field: &Field<'_>, check: &mut Check) -> Option<Platform> {
    field.choice(&Platform::ALL.map(|platform| (platform.name(), platform)), check)
}

/// One number for each family, or a table of them.
fn max_prefix(
    field: &Field<'_>,
    families: Option<&BTreeSet<Family>>,
    check: &mut Check,
) -> Option<PerFamily<Option<u32>>> {
    let mut limits = PerFamily::default();
    if let Value::Int(_) = field.node.value {
        let limit = field.integer(1..=u32::MAX, check)?;
        for family in families.into_iter().flatten() {
            limits[*family] = Some(limit);
        }
        return Some(limits);
    }
    let table = field.table(&keys::MAX_PREFIX, check)?;
    for (word, family) in FAMILIES {
        limits[family] = table.maybe(word, check, |field, check| field.integer(1..=u32::MAX, check))?;
        if limits[family].is_some() && families.is_some_and(|families| !families.contains(&family)) {
            check.warn(&table.path(word), format!("{family} is not in families"), "remove it, or add the family");
        }
    }
    Some(limits)
}

fn multihop(field: &Field<'_>, check: &mut Check) -> Option<Option<u8>> {
    match field.node.value {
        Value::Bool(true) => Some(Some(u8::MAX)),
        Value::Bool(false) => Some(None),
        Value::Int(_) => field.integer(2..=255, check).map(|hops| u8::try_from(hops).ok()),
        _ => {
            field.expected("true, false or a number of hops", "write true, false or a number from 2 to 255", check);
            None
        }
    }
}

fn families(field: &Field<'_>, check: &mut Check) -> Option<BTreeSet<Family>> {
    let mut seen = BTreeSet::new();
    let list = field.list("ipv4", check, |item, check| {
        let family = item.choice(&FAMILIES, check)?;
        if !seen.insert(family) {
            check.fault(&item.path, format!("{family} stands twice"), "remove one of the two");
        }
        Some(family)
    })?;
    if list.is_empty() {
        check.fault(&field.path, "is empty", "write [ipv4], [ipv6] or [ipv4, ipv6]");
        return None;
    }
    Some(seen)
}

fn read_timers(field: &Field<'_>, check: &mut Check) -> Option<Timers> {
    let table = field.table(&keys::TIMERS, check)?;
    timers(&[table], check)
}

/// The times of a `timers` table, or the defaults where there is none.
fn timers(table: &[Table<'_>], check: &mut Check) -> Option<Timers> {
    let get = |key: &str| table.first().and_then(|table| table.get(key));
    let hold = match get("hold") {
        None => HoldTime::new(DEFAULT_HOLD).ok(),
        Some(field) => field.seconds(0..=u16::MAX, check).and_then(|seconds| {
            HoldTime::new(seconds).map_err(|error| check.fault(&field.path, error.to_string(), "write 3s or more")).ok()
        }),
    };
    let keepalive = match get("keepalive") {
        None => hold.map(|hold| hold.seconds() / 3),
        Some(field) => field
            .seconds(0..=21_845, check)
            .filter(|keepalive| hold.is_some_and(|hold| checks::keepalive(&field.path, *keepalive, hold, check))),
    };
    let range = Duration::from_millis(100)..=Duration::from_secs(300);
    let connect_retry = match get("connect_retry") {
        None => Some(DEFAULT_CONNECT_RETRY),
        Some(field) => field.duration(range, check),
    };
    Some(Timers { keepalive: keepalive?, hold: hold?, connect_retry: connect_retry? })
}
