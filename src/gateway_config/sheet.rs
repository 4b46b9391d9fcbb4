//! What every platform must be told, derived from the configuration.

use crate::config::{Config, DEFAULT_PORT, FencePrefix, Gateway, Remote};
use fingerpost_core::model::{Asn, Family, Prefix};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use thiserror::Error;

/// The most routes that a limit allows where nothing else bounds them.
const MOST: u64 = 1_000_000;
/// What stands for the key of TCP MD5.
const KEY: &str = "REPLACE-ME-KEY";
/// Seconds that stale routes may be kept under LLGR; the value of our OPEN where LLGR is offered.
pub(super) const LLGR_SECONDS: u32 = 600;

/// Where Fingerpost's connections come from, as the gateway sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    /// One address.
    Address(IpAddr),
    /// Anywhere in a subnet: the gateway's dynamic neighbours.
    Range(Prefix),
}

/// Why there is nothing to print.
#[derive(Clone, PartialEq, Eq, Error, Debug)]
pub enum Unprintable {
    /// The configuration has no such gateway.
    #[error("there is no gateway {name:?} in the configuration; there {}", these(.known))]
    NoGateway {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A host of a range connects to us, and nobody connects to all of a subnet.
    #[error("{0} are hosts that connect to us: give --speaker an address, no subnet")]
    HostsConnect(String),
    /// Neither configuration nor command line say what it runs.
    #[error("nothing says what the gateway runs: add --platform, or set its platform in the configuration")]
    NoPlatform,
    /// Neither configuration nor command line say where we come from.
    #[error(
        "nothing says which address the gateway sees us at: add --speaker ADDRESS (or ADDRESS/LENGTH, for a \
         gateway's dynamic neighbours), or set its source_address in the configuration"
    )]
    NoSpeaker,
    /// A session has two ends of one family.
    #[error("the gateway's address {gateway} cannot be reached from {speaker}: the families differ")]
    OtherFamily {
        /// The gateway's address, or the range of such.
        gateway: Speaker,
        /// Ours.
        speaker: Speaker,
    },
}

/// All that is said to one gateway.
pub(super) struct Sheet<'a> {
    /// Its name in our configuration.
    pub(super) name: &'a str,
    pub(super) gateway: &'a Gateway,
    /// Its address; none: this is for each host of a range, who knows its own.
    pub(super) address: Option<IpAddr>,
    /// Our AS.
    pub(super) asn: Asn,
    /// Each end of the session: at least one.
    pub(super) speakers: Vec<Speaker>,
    /// Where the gateway connects to; none: it waits for us.
    pub(super) connect_to: Option<u16>,
    /// What it lets in, for each family of the session.
    pub(super) filters: Vec<Filter<'a>>,
}

/// What is let in of one family.
pub(super) struct Filter<'a> {
    pub(super) family: Family,
    pub(super) prefixes: Vec<&'a FencePrefix>,
    /// Ranges, those of IPv6 last, which IPv4 routes have only by RFC 8950; empty: no route can pass.
    pub(super) next_hops: Vec<Prefix>,
    /// More prefixes than this are not meant to come. None: the fence has no range of the family, so none can pass, and
    /// the platforms have no limit of 0.
    pub(super) limit: Option<NonZeroU32>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(
        config: &'a Config,
        name: &'a str,
        gateway: &'a Gateway,
        given: &[Speaker],
    ) -> Result<Self, Unprintable> {
        let (place, address) = match gateway.remote {
            Remote::Address(address) => (Speaker::Address(address), Some(address)),
            Remote::Range { within, .. } => (Speaker::Range(within), None),
        };
        let family = place.family();
        let listeners = config.router.listen.iter().filter(|socket| Family::of(socket.ip()) == family);
        let speakers = match (given, gateway.source_address) {
            ([], Some(address)) => vec![Speaker::Address(address)],
            ([], None) => {
                let own = listeners.clone().map(std::net::SocketAddr::ip).find(|address| !address.is_unspecified());
                vec![Speaker::Address(own.ok_or(Unprintable::NoSpeaker)?)]
            }
            (given, _) => given.to_vec(),
        };
        if let Some(speaker) = speakers.iter().find(|speaker| speaker.family() != family) {
            return Err(Unprintable::OtherFamily { gateway: place, speaker: *speaker });
        }
        if address.is_none() && speakers.iter().any(|speaker| matches!(speaker, Speaker::Range(_))) {
            return Err(Unprintable::HostsConnect(name.to_owned()));
        }
        // A gateway takes a connection from any port, but must know which one to make its own to.
        let ports: BTreeSet<u16> = listeners.map(std::net::SocketAddr::port).filter(|port| *port != 0).collect();
        let connect_to = ports.first().copied();
        let filters = gateway.families.iter().map(|family| Filter::new(config, gateway, *family)).collect();
        Ok(Sheet { name, gateway, address, asn: config.router.asn, speakers, connect_to, filters })
    }

    pub(super) fn is_external(&self) -> bool {
        self.gateway.is_external(self.asn)
    }

    /// The range of the hosts that this is for, if it is for hosts that peer in.
    pub(super) fn hosts(&self) -> Option<Prefix> {
        self.gateway.remote.range()
    }

    /// The key of TCP MD5: a word to be replaced, since secrets are not printed. None: unsigned.
    pub(super) fn key(&self) -> Option<&'static str> {
        self.gateway.password_file.is_some().then_some(KEY)
    }

    /// Whether IPv4 routes may have IPv6 next hops (RFC 8950).
    pub(super) fn has_extended_next_hop(&self) -> bool {
        self.gateway.open.extended_next_hop && self.filter(Family::Ipv4).is_some()
    }

    /// Seconds after which a gateway that could not connect to us tries again. Its own default is minutes, mostly.
    pub(super) fn retry(&self) -> u64 {
        self.gateway.timers.connect_retry.as_secs().max(1)
    }

    /// The port to connect to at this speaker, where the gateway does connect and that is not BGP's own.
    pub(super) fn other_port(&self, speaker: Speaker) -> Option<u16> {
        self.connect_to.filter(|port| *port != DEFAULT_PORT && matches!(speaker, Speaker::Address(_)))
    }

    /// Whether the gateway must wait for us at this speaker.
    pub(super) fn waits_for(&self, speaker: Speaker) -> bool {
        self.connect_to.is_none() && matches!(speaker, Speaker::Address(_))
    }

    /// The hops of an eBGP session that has more than one.
    pub(super) fn hops(&self) -> Option<u8> {
        self.gateway.multihop.filter(|_| self.is_external())
    }

    /// What it lets in of the family, if the session has it.
    pub(super) fn filter(&self, family: Family) -> Option<&Filter<'a>> {
        self.filters.iter().find(|filter| filter.family == family)
    }

    /// Prefixes of all families, for platforms that count them together.
    pub(super) fn total(&self) -> Option<NonZeroU32> {
        let limits = self.filters.iter().filter_map(|filter| filter.limit);
        limits.reduce(|sum, limit| sum.saturating_add(limit.get()))
    }

    /// The ranges of pods that are to be discarded where no host owns an address, each once. A host discards nothing: it has
    /// its default route for the pods whose hosts are in other subnets.
    pub(super) fn discards(&self) -> BTreeSet<Prefix> {
        if self.hosts().is_some() {
            return BTreeSet::new();
        }
        self.filters.iter().flat_map(|filter| filter.prefixes.iter().map(|range| range.within)).collect()
    }
}

impl<'a> Filter<'a> {
    fn new(config: &'a Config, gateway: &Gateway, family: Family) -> Self {
        let prefixes: Vec<_> = config.fence.prefixes.iter().filter(|range| range.within.family() == family).collect();
        let mut next_hops = next_hops(config, gateway, family);
        let borrows = gateway.open.extended_next_hop && config.sources.values().any(|source| source.ipv4_via_ipv6);
        if borrows && family == Family::Ipv4 {
            next_hops.extend(self::next_hops(config, gateway, Family::Ipv6));
        }
        // Above what we send at most, so that the gateway's limit is never what stops us.
        let limit =
            gateway.max_prefix[family].map_or_else(|| limit(&prefixes), |cap| cap.saturating_add((cap / 4).max(10)));
        Filter { family, prefixes, next_hops, limit: NonZeroU32::new(limit) }
    }

    /// Whether nothing of this family can pass the fence.
    pub(super) fn is_shut(&self) -> bool {
        self.prefixes.is_empty() || self.next_hops.is_empty()
    }

    /// The digit in names of filters.
    pub(super) fn digit(&self) -> char {
        match self.family {
            Family::Ipv4 => '4',
            Family::Ipv6 => '6',
        }
    }
}

/// The ranges that next hops of the family are in and that the gateway can resolve.
fn next_hops(config: &Config, gateway: &Gateway, family: Family) -> Vec<Prefix> {
    let ranges = config.fence.next_hops.iter().copied().filter(|range| range.family() == family);
    let attached: Vec<Prefix> = gateway.attached.iter().copied().filter(|subnet| subnet.family() == family).collect();
    let ranges: BTreeSet<Prefix> = if attached.is_empty() {
        ranges.collect()
    } else {
        // Two prefixes are apart, or one lies in the other.
        let both = ranges.flat_map(|range| attached.iter().map(move |subnet| (range, *subnet)));
        let both = both.filter(|(range, subnet)| range.overlaps(*subnet));
        both.map(|(range, subnet)| if range.covers(subnet) { subnet } else { range }).collect()
    };
    ranges.into_iter().collect()
}

/// How many routes the fence can let out: all subnets of all allowed lengths. Nested ones count, since each may be a route.
fn limit(prefixes: &[&FencePrefix]) -> u32 {
    let of = |length: u8, within: u8| 1u64.checked_shl(u32::from(length - within)).unwrap_or(MOST).min(MOST);
    let all = prefixes.iter().flat_map(|range| range.lengths.clone().map(|length| of(length, range.within.length())));
    let sum = all.fold(0u64, u64::saturating_add).min(MOST);
    u32::try_from(sum).unwrap_or(u32::MAX)
}

impl Speaker {
    fn family(self) -> Family {
        match self {
            Speaker::Address(address) => Family::of(address),
            Speaker::Range(range) => range.family(),
        }
    }
}

impl FromStr for Speaker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(address) => Ok(Speaker::Address(address)),
            Err(_) if text.contains('/') => text
                .parse()
                .map(Speaker::Range)
                .map_err(|error: fingerpost_core::model::InvalidPrefix| error.to_string()),
            Err(_) => Err("write an address, or a subnet as ADDRESS/LENGTH".into()),
        }
    }
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Speaker::Address(address) => write!(f, "{address}"),
            Speaker::Range(range) => write!(f, "{range}"),
        }
    }
}

impl Unprintable {
    pub(super) fn unknown(config: &Config, name: &str) -> Self {
        Unprintable::NoGateway { name: name.to_owned(), known: config.gateways.keys().cloned().collect() }
    }
}

fn these(names: &[String]) -> String {
    match names {
        [] => "is none at all".into(),
        [one] => format!("is {one}"),
        many => format!("are {}", many.join(", ")),
    }
}
