//! `fence`: what may be announced at all (promise P1). Required, because a default would be wide open.

use super::check::{Check, Field};
use super::keys;
use super::scalar::quoted;
use super::tree::Value;
use fingerpost_core::model::{Family, Prefix};
use fingerpost_core::table::{Fence as Admission, Refusal};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

/// What may be announced: a route passes if one of `prefixes` holds it and one of `next_hops` its next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fence {
    /// Never empty.
    pub prefixes: Vec<FencePrefix>,
    /// Ranges of next hops; never empty, and none has an address in common with a prefix of `prefixes`.
    pub next_hops: Vec<Prefix>,
}

/// Subnets inside `within` whose length is in `lengths`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FencePrefix {
    /// The range.
    pub within: Prefix,
    /// Allowed lengths; at least the range's own, at most the family's bits; never 0 in a fence.
    pub lengths: RangeInclusive<u8>,
}

impl Fence {
    /// The first range that has an address in common with this one, by its place in `prefixes`.
    pub(super) fn overlapping(&self, other: Prefix) -> Option<(usize, Prefix)> {
        let ranges = self.prefixes.iter().map(|range| range.within).enumerate();
        ranges.into_iter().find(|(_, within)| within.overlaps(other))
    }

    /// An address of the network's own parts must lie outside: a route that draws its traffic to a host cuts it off (P1).
    pub(super) fn keep_out(&self, address: IpAddr, path: &str, check: &mut Check) {
        if let Some((n, within)) = self.overlapping(Prefix::truncated(address.into())) {
            let message = format!("{address} lies inside fence.prefixes[{n}] ({within})");
            check.fault(
                path,
                message,
                "narrow the fence: routes to gateways, stores and ourselves are never announced",
            );
        }
    }

    pub(super) fn has(&self, family: Family) -> bool {
        self.prefixes.iter().any(|range| range.within.family() == family)
    }
}

/// The most bits a prefix of the family has.
pub(super) fn bits(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    }
}

/// `ipv4_via_ipv6`: IPv4 routes may have IPv6 next hops.
pub(super) fn read(field: &Field<'_>, ipv4_via_ipv6: bool, check: &mut Check) -> Option<Fence> {
    let table = field.table(&keys::FENCE, check)?;
    let prefixes = table.need(
        "prefixes",
        "list what may be announced, such as {within: 10.244.0.0/16, lengths: 20-28}",
        check,
        |field, check| {
            let prefixes = field.list("{within: …, lengths: …}", check, prefix)?;
            not_empty(field, prefixes, "nothing could be announced", check)
        },
    );
    let next_hops = table.need("next_hops", "list the ranges that hosts' addresses are in", check, |field, check| {
        let ranges = field.list("ADDRESS/LENGTH", check, Field::parsed::<Prefix>)?;
        not_empty(field, ranges, "nothing could be announced", check)
    });
    let fence = Fence { prefixes: prefixes?, next_hops: next_hops? };
    agree(&fence, ipv4_via_ipv6, check);
    Some(fence)
}

fn not_empty<T>(field: &Field<'_>, list: Vec<T>, so: &str, check: &mut Check) -> Option<Vec<T>> {
    if list.is_empty() {
        check.fault(&field.path, format!("is empty: {so}"), "list at least one range");
        return None;
    }
    Some(list)
}

/// Prefixes and next hops belong to different parts of the network.
fn agree(fence: &Fence, ipv4_via_ipv6: bool, check: &mut Check) {
    // Whether next hops of the family are of use, and whether routes of it have any.
    let borrows = |family| ipv4_via_ipv6 && family == Family::Ipv6 && fence.has(Family::Ipv4);
    let ranges = |family| fence.next_hops.iter().any(|range| range.family() == family);
    let lends = |family| ipv4_via_ipv6 && family == Family::Ipv4 && ranges(Family::Ipv6);
    for (n, range) in fence.next_hops.iter().enumerate() {
        let path = format!("fence.next_hops[{n}]");
        if let Some((_, within)) = fence.overlapping(*range) {
            let message = format!("next hops {range} and announced prefixes {within} overlap");
            check.fault(
                &path,
                message,
                "narrow one of the two: a host is never reached by a route it is the next hop of",
            );
        } else if !fence.has(range.family()) && !borrows(range.family()) {
            check.warn(
                &path,
                format!("no {} prefix is in fence.prefixes", range.family()),
                "remove it or add prefixes",
            );
        }
    }
    for family in Family::ALL {
        let first = fence.prefixes.iter().position(|range| range.within.family() == family);
        if let Some(n) = first.filter(|_| !ranges(family) && !lends(family)) {
            let path = format!("fence.prefixes[{n}]");
            let message = format!("no {family} range is in fence.next_hops, so no {family} route could pass");
            check.fault(&path, message, format!("add the range of the hosts' {family} addresses"));
        }
    }
}

fn prefix(field: &Field<'_>, check: &mut Check) -> Option<FencePrefix> {
    let table = field.table(&keys::FENCE_PREFIX, check)?;
    let within: Option<Prefix> = table.need("within", "give the range, such as 10.244.0.0/16", check, Field::parsed);
    let lengths =
        table.need("lengths", "give the lengths that subnets have, such as 20-28 or 24", check, |field, check| {
            lengths(field, within, check)
        });
    if let Some(within) = within
        && let Err(Refusal::Martian(block)) = Admission::default().admits(within, Ipv4Addr::UNSPECIFIED.into())
        && block.covers(within)
    {
        let message = format!("{block} is special-purpose address space (RFC 6890), of which nothing is announced");
        check.fault(&table.path("within"), message, "give the range that the cluster's subnets are in");
    }
    let prefix = FencePrefix { within: within?, lengths: lengths? };
    if *prefix.lengths.start() == 0 {
        check.fault(
            &table.path("lengths"),
            "length 0 is the default route, which is never announced",
            "begin at 1 or above",
        );
        return None;
    }
    Some(prefix)
}

/// `24` or `20-28`, inside the bounds of the range and its family.
pub(super) fn lengths(field: &Field<'_>, within: Option<Prefix>, check: &mut Check) -> Option<RangeInclusive<u8>> {
    let text = match &field.node.value {
        Value::Int(number) => number.to_string(),
        Value::List(ends) => {
            let ends: Vec<String> =
                ends.iter().filter_map(|end| end.value.integer()).map(|end| end.to_string()).collect();
            let range = if ends.len() == 2 { ends.join("-") } else { "one such as 20-28".into() };
            check.fault(&field.path, "is a list where a range belongs", format!("write {range}"));
            return None;
        }
        _ => field.text(check)?.to_owned(),
    };
    let (low, high) = text.split_once('-').unwrap_or((&text, &text));
    let (Ok(low), Ok(high)) = (low.trim().parse::<u8>(), high.trim().parse::<u8>()) else {
        check.fault(
            &field.path,
            format!("{} is not a range of prefix lengths", quoted(&text)),
            "write one such as 20-28, or one length such as 24",
        );
        return None;
    };
    if low > high {
        check.fault(&field.path, format!("{low}-{high} is empty"), format!("write {high}-{low}"));
        return None;
    }
    let within = within?;
    let bits = bits(within.family());
    if low < within.length() || high > bits {
        let message = format!("{low}-{high} is outside what a subnet of {within} can have");
        check.fault(&field.path, message, format!("write lengths from {} to {bits}", within.length()));
        return None;
    }
    Some(low..=high)
}
