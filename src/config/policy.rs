//! `policies`: what a gateway is told, and with which attributes.

use super::check::{Check, Field};
use super::community::{self, Community, LargeCommunity};
use super::fence::{self, Fence};
use super::keys;
use super::suggest::nearest;
use fingerpost_core::model::{Family, HostName, Prefix};
use std::collections::{BTreeMap, BTreeSet};
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
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF, on iBGP sessions only.
    pub local_pref: Option<u32>,
    /// Communities (RFC 1997), sorted.
    pub communities: BTreeSet<Community>,
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
    let set = table.or("set", Set::default(), check, set);
    let actions = [("accept", Action::Accept), ("reject", Action::Reject)];
    let then = table.need("then", "write accept or reject", check, |field, check| field.choice(&actions, check));
    if then == Some(Action::Reject) && set.as_ref().is_some_and(|set| *set != Set::default()) {
        check.key_fault(&table.path("set"), "a rejected route has no attributes", "remove set, or write then: accept");
    }
    Some(PolicyRule { matcher: matcher?, set: set?, then: then? })
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

fn set(field: &Field<'_>, check: &mut Check) -> Option<Set> {
    let table = field.table(&keys::SET, check)?;
    let any = 0..=u32::MAX;
    let med = table.maybe("med", check, |field, check| field.integer(any.clone(), check));
    let local_pref = table.maybe("local_pref", check, |field, check| field.integer(any, check));
    let communities = table.or("communities", BTreeSet::new(), check, |field, check| {
        Some(field.list("\"64512:1\"", check, community::standard)?.into_iter().collect())
    });
    let large_communities = table.or("large_communities", BTreeSet::new(), check, |field, check| {
        Some(field.list("\"64512:1:2\"", check, community::large)?.into_iter().collect())
    });
    let prepend = table.or("prepend", 0, check, |field, check| {
        field.integer(0..=16, check).and_then(|times| u8::try_from(times).ok())
    });
    Some(Set {
        med: med?,
        local_pref: local_pref?,
        communities: communities?,
        large_communities: large_communities?,
        prepend: prepend?,
    })
}
