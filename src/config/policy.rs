//! `policies`: what a gateway is told, and with which attributes.

use super::check::{Check, Field};
use super::community::{self, Community, ExtendedCommunity, LargeCommunity};
use super::fence::{self, Fence};
use super::keys;
use super::suggest::nearest;
use fingerpost_core::bgp::wire::{Encoding, MAX_LEN, Packer, RouteAttributes, SessionType};
use fingerpost_core::model::{Asn, Family, HostName, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

/// Rules in order: the first that matches decides; where none does, the route is not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The rules.
    pub rules: Vec<PolicyRule>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRule {
    /// Which routes.
    pub matcher: Match,
    /// Which attributes they get.
    pub set: Set,
    /// Whether they are sent.
    pub then: Action,
}

/// What a rule decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Send the route.
    Accept,
    /// Do not.
    Reject,
}

/// All that is given must hold; what is empty or `None` holds for every route.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Match {
    /// One of these ranges holds the prefix.
    pub prefixes: Vec<PrefixRange>,
    /// The family.
    pub family: Option<Family>,
    /// One of these hosts owns it.
    pub hosts: BTreeSet<HostName>,
    /// The host has all of these labels.
    pub labels: BTreeMap<String, String>,
    /// One of these sources states it, by name.
    pub sources: BTreeSet<String>,
}

/// Prefixes inside `within` whose length is in `lengths`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixRange {
    /// The range.
    pub within: Prefix,
    /// From the range's own length to the family's bits unless set.
    pub lengths: RangeInclusive<u8>,
}

/// Attributes to set; what is `None` or empty stays as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Set {
    /// Instead of the host; lies in the fence. For routes of its own family; one of IPv6 also for IPv4 routes where the rule
    /// matches that family alone.
    pub next_hop: Option<IpAddr>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF, on iBGP sessions only.
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997), sorted.
    pub communities: BTreeSet<Community>,
    /// Extended communities (RFC 4360), sorted.
    pub extended_communities: BTreeSet<ExtendedCommunity>,
    /// Large communities (RFC 8092), sorted.
    pub large_communities: BTreeSet<LargeCommunity>,
    /// How often our AS is prepended beyond what the session requires: 0 to 16.
    pub prepend: u8,
}

/// What policies refer to.
pub(super) struct Around<'a> {
    pub(super) fence: Option<&'a Fence>,
    /// None where they could not be read: then no reference to them can be judged.
    pub(super) sources: Option<&'a BTreeSet<String>>,
}

pub(super) fn read(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<Policy> {
    let rules = field.list("{match: {}, then: accept}", check, |item, check| rule(item, around, check))?;
    if rules.is_empty() {
        check.warn(
            &field.path,
            "has no rules: nothing is sent",
            "write [{match: {}, then: accept}] to send everything",
        );
    }
    if let Some(all) = rules.iter().position(|rule| rule.matcher == Match::default()).filter(|n| n + 1 < rules.len()) {
        let path = format!("{}[{}]", field.path, all + 1);
        check.warn(&path, format!("is never reached: rule {all} matches everything"), "move it up, or remove it");
    }
    Some(Policy { rules })
}

fn rule(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<PolicyRule> {
    let table = field.table(&keys::RULE, check)?;
    let matcher =
        table.need("match", "say which routes, or {} for all", check, |field, check| matcher(field, around, check));
    let set = table.or("set", Set::default(), check, |field, check| set(field, around, check));
    let actions = [("accept", Action::Accept), ("reject", Action::Reject)];
    let then = table.need("then", "write accept or reject", check, |field, check| field.choice(&actions, check));
    if then == Some(Action::Reject) && set.as_ref().is_some_and(|set| *set != Set::default()) {
        check.key_fault(&table.path("set"), "a rejected route has no attributes", "remove set, or write then: accept");
    }
    if let (Some(matcher), Some(set)) = (&matcher, &set)
        && let (Some(Family::Ipv6), Some(next_hop @ IpAddr::V4(_))) = (matcher.family, set.next_hop)
    {
        let message = format!("{next_hop} cannot be the next hop of IPv6 routes, which are all that match");
        check.fault(&table.path("set.next_hop"), message, "give an IPv6 address, or remove it");
    }
    Some(PolicyRule { matcher: matcher?, set: set?, then: then? })
}

/// Whether a message without any extension has room for these attributes and a prefix, in every encoding.
fn fits(set: &Set) -> bool {
    let attributes = RouteAttributes {
        next_hop: Ipv6Addr::UNSPECIFIED.into(),
        med: set.med,
        local_pref: set.local_pref,
        communities: set.communities.iter().map(|community| community.0).collect(),
        extended_communities: set.extended_communities.iter().map(|community| community.0).collect(),
        large_communities: set.large_communities.iter().map(|c| [c.0, c.1, c.2]).collect(),
        prepend: set.prepend,
    };
    // Which AS does not matter to the length.
    let Ok(local_asn) = Asn::new(Asn::TRANS.into()) else { return true };
    let encoding = Encoding {
        session: SessionType::External,
        local_asn,
        four_octet_as: false,
        ipv4_via_ipv6: true,
        max_len: MAX_LEN,
    };
    Packer::new(encoding, Family::Ipv6).can_announce(&attributes)
}

fn matcher(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<Match> {
    let table = field.table(&keys::MATCH, check)?;
    let family = table.maybe("family", check, |field, check| field.choice(&FAMILIES, check));
    let prefixes = table.or("prefixes", Vec::new(), check, |field, check| {
        let list = field.list("{within: …}", check, |item, check| range(item, around, check))?;
        full(field, list, check)
    });
    if let (Some(Some(family)), Some(prefixes)) = (family, &prefixes)
        && !prefixes.is_empty()
        && prefixes.iter().all(|range| range.within.family() != family)
    {
        check.fault(
            &table.path("family"),
            format!("no range in prefixes is {family}"),
            "remove family, or add a range",
        );
    }
    let hosts = table.or("hosts", BTreeSet::new(), check, |field, check| {
        let list = field.list("HOST", check, |item, check| {
            let name = item.text(check)?;
            HostName::new(name).map_err(|error| check.refused(&item.path, error)).ok()
        })?;
        full(field, list, check).map(BTreeSet::from_iter)
    });
    let labels = table.or("labels", BTreeMap::new(), check, |field, check| {
        let read: Vec<_> = field
            .named(check)?
            .into_iter()
            .map(|(name, value)| {
                let text = if matches!(&value.node.value, super::tree::Value::Text(text) if text.is_empty()) {
                    Some("")
                } else {
                    value.text(check)
                };
                Some((name, text?.to_owned()))
            })
            .collect();
        read.into_iter().collect()
    });
    let sources = table.or("sources", BTreeSet::new(), check, |field, check| {
        let list = field.list("SOURCE", check, |item, check| {
            let name = item.text(check)?;
            named("source", name, around.sources, &item.path, check)?;
            Some(name.to_owned())
        })?;
        full(field, list, check).map(BTreeSet::from_iter)
    });
    Some(Match { prefixes: prefixes?, family: family?, hosts: hosts?, labels: labels?, sources: sources? })
}

/// The words for the families.
pub(super) const FAMILIES: [(&str, Family); 2] = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

/// An empty list would match nothing, or everything: nobody knows which is meant.
fn full<T>(field: &Field<'_>, list: Vec<T>, check: &mut Check) -> Option<Vec<T>> {
    if list.is_empty() {
        check.fault(&field.path, "is empty", "remove it to match everything");
        return None;
    }
    Some(list)
}

/// Reports a reference to a name that is not configured.
pub(super) fn named(
    what: &str,
    name: &str,
    known: Option<&BTreeSet<String>>,
    path: &str,
    check: &mut Check,
) -> Option<()> {
    let Some(known) = known.filter(|known| !known.contains(name)) else { return Some(()) };
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => format!("no {what} is configured"),
        None => format!("configured: {}", known.iter().take(8).cloned().collect::<Vec<_>>().join(", ")),
    };
    check.fault(path, format!("there is no {what} {}", super::scalar::quoted(name)), hint);
    None
}

fn range(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<PrefixRange> {
    let table = field.table(&keys::MATCH_PREFIX, check)?;
    let within: Option<Prefix> = table.need("within", "give the range, such as 10.244.0.0/16", check, Field::parsed);
    let lengths = match (table.get("lengths"), within) {
        (Some(field), within) => fence::lengths(&field, within, check),
        (None, Some(within)) => Some(within.length()..=fence::bits(within.family())),
        (None, None) => None,
    };
    if let (Some(within), Some(fence)) = (within, around.fence)
        && fence.overlapping(within).is_none()
    {
        check.warn(&table.path("within"), format!("{within} is outside fence.prefixes"), "no route can match it");
    }
    Some(PrefixRange { within: within?, lengths: lengths? })
}

fn set(field: &Field<'_>, around: &Around<'_>, check: &mut Check) -> Option<Set> {
    let table = field.table(&keys::SET, check)?;
    let any = 0..=u32::MAX;
    let next_hop = table.maybe("next_hop", check, |field, check| {
        let address = field.address(check)?;
        if let Some(fence) = around.fence.filter(|fence| !fence.next_hops.iter().any(|range| range.contains(address))) {
            let ranges: Vec<String> = fence.next_hops.iter().take(4).map(ToString::to_string).collect();
            let message = format!("{address} is outside fence.next_hops ({})", ranges.join(", "));
            check.fault(&field.path, message, "give an address inside, or widen the fence");
            return None;
        }
        Some(address)
    });
    let med = table.maybe("med", check, |field, check| field.integer(any.clone(), check));
    let local_pref = table.maybe("local_pref", check, |field, check| field.integer(any, check));
    let communities = table.or("communities", BTreeSet::new(), check, |field, check| {
        Some(field.list("\"64512:1\"", check, community::standard)?.into_iter().collect())
    });
    let extended_communities = table.or("extended_communities", BTreeSet::new(), check, |field, check| {
        Some(field.list("\"rt:64512:1\"", check, community::extended)?.into_iter().collect())
    });
    let large_communities = table.or("large_communities", BTreeSet::new(), check, |field, check| {
        Some(field.list("\"64512:1:2\"", check, community::large)?.into_iter().collect())
    });
    let prepend = table.or("prepend", 0, check, |field, check| {
        field.integer(0..=16, check).and_then(|times| u8::try_from(times).ok())
    });
    let set = Set {
        next_hop: next_hop?,
        med: med?,
        local_pref: local_pref?,
        communities: communities?,
        extended_communities: extended_communities?,
        large_communities: large_communities?,
        prepend: prepend?,
    };
    if !fits(&set) {
        let (standard, extended) = (set.communities.len() * 4, set.extended_communities.len() * 8);
        let octets = standard + extended + set.large_communities.len() * 12;
        let message = format!("{octets} octets of communities leave no room for a prefix in a message of {MAX_LEN}");
        check.fault(&field.path, message, "set fewer communities: about 3,900 octets fit (4, 8 or 12 each)");
        return None;
    }
    Some(set)
}
