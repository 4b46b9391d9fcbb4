//! What every platform must be told, derived from the configuration.

use crate::config::{Config, FencePrefix, Gateway};
use fingerpost_core::model::{Asn, Family, Prefix};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use thiserror::Error;

/// The most routes that a limit allows where nothing else bounds them.
const MOST: u64 = 1_000_000;
/// Seconds that stale routes may be kept under LLGR; the value of our OPEN where LLGR is offered.
pub(super) const LLGR_SECONDS: u32 = 600;

/// Where Fingerpost's connections come from, as the gateway sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaker {
    /// One replica.
    Address(IpAddr),
    /// Replicas anywhere in a subnet: the gateway's dynamic neighbours.
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
    /// Hosts of a range peer in as they like.
    #[error("{0} is a range of hosts that peer in, not one gateway: on each, our address is its only neighbour")]
    IsRange(String),
    /// Neither configuration nor command line say what it runs.
    #[error("nothing says what the gateway runs: add --platform, or set its platform in the configuration")]
    NoPlatform,
    /// Neither configuration nor command line say where we come from.
    #[error(
        "nothing says which address the gateway sees us at: add --speaker ADDRESS (for each replica; ADDRESS/LENGTH for \
         dynamic neighbours), or set its source_address in the configuration"
    )]
    NoSpeaker,
    /// A session has two ends of one family.
    #[error("the gateway's address {gateway} cannot be reached from {speaker}: the families differ")]
    OtherFamily {
        /// The gateway's address.
        gateway: IpAddr,
        /// Ours.
        speaker: Speaker,
    },
}

/// All that is said to one gateway.
pub(super) struct Sheet<'a> {
    /// Its name in our configuration.
    pub(super) name: &'a str,
    pub(super) gateway: &'a Gateway,
    pub(super) address: IpAddr,
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
    /// Ranges; empty: no route can pass.
    pub(super) next_hops: Vec<Prefix>,
    /// More prefixes than this are not meant to come.
    pub(super) limit: u32,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(
        config: &'a Config,
        name: &'a str,
        gateway: &'a Gateway,
        given: &[Speaker],
    ) -> Result<Self, Unprintable> {
        let address = gateway.address().ok_or_else(|| Unprintable::IsRange(name.to_owned()))?;
        let family = Family::of(address);
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
            return Err(Unprintable::OtherFamily { gateway: address, speaker: *speaker });
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
    pub(super) fn total(&self) -> u32 {
        self.filters.iter().fold(0, |sum, filter| sum.saturating_add(filter.limit))
    }

    /// The ranges of pods, each once.
    pub(super) fn pods(&self) -> BTreeSet<Prefix> {
        self.filters.iter().flat_map(|filter| filter.prefixes.iter().map(|range| range.within)).collect()
    }
}

impl<'a> Filter<'a> {
    fn new(config: &'a Config, gateway: &Gateway, family: Family) -> Self {
        let fence = &config.fence;
        let prefixes: Vec<_> = fence.prefixes.iter().filter(|range| range.within.family() == family).collect();
        let next_hops = fence.next_hops.iter().filter(|range| range.family() == family);
        let attached = gateway.attached.iter().filter(|subnet| subnet.family() == family);
        let next_hops: BTreeSet<Prefix> = if attached.clone().next().is_none() {
            next_hops.copied().collect()
        } else {
            // Two prefixes are apart, or one lies in the other.
            let both = next_hops.flat_map(|range| attached.clone().map(move |subnet| (*range, *subnet)));
            let both = both.filter(|(range, subnet)| range.overlaps(*subnet));
            both.map(|(range, subnet)| if range.covers(subnet) { subnet } else { range }).collect()
        };
        // Above what we send at most, so that the gateway's limit is never what stops us.
        let limit =
            gateway.max_prefix[family].map_or_else(|| limit(&prefixes), |cap| cap.saturating_add((cap / 4).max(10)));
        Filter { family, prefixes, next_hops: next_hops.into_iter().collect(), limit }
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

/// How many routes the fence can let out: all subnets of all allowed lengths. Nested ones count, since each may be a route.
fn limit(prefixes: &[&FencePrefix]) -> u32 {
    let of = |length: u8, within: u8| 1u64.checked_shl(u32::from(length - within)).unwrap_or(MOST).min(MOST);
    let all = prefixes.iter().flat_map(|range| range.lengths.clone().map(|length| of(length, range.within.length())));
    let sum = all.fold(0u64, u64::saturating_add).min(MOST);
    u32::try_from(sum).unwrap_or(u32::MAX)
}

/// The word before `route` and `prefix-list` in the languages that descend from Cisco's.
pub(super) fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ipv6",
    }
}

/// A range with its lengths, in those languages: `ge` must be above the range's own length.
pub(super) fn subnets(range: &FencePrefix) -> String {
    let (own, low, high) = (range.within.length(), *range.lengths.start(), *range.lengths.end());
    match (low == own, high == own) {
        (true, true) => range.within.to_string(),
        (true, false) => format!("{} le {high}", range.within),
        (false, _) => format!("{} ge {low} le {high}", range.within),
    }
}

/// Single addresses of a range, in those languages.
pub(super) fn addresses(range: Prefix) -> String {
    let bits = match range.family() {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    if range.length() == bits { range.to_string() } else { format!("{range} ge {bits}") }
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
