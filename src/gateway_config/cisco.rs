//! What the languages that descend from Cisco's have in common: FRR's, EOS's and NX-OS's prefix lists and route maps.

use super::sheet::{Filter, Speaker};
use crate::config::FencePrefix;
use fingerpost_core::model::{Family, Prefix};
use std::fmt::{self, Write};

/// Where they differ.
pub(super) struct Dialect {
    /// Before what stands in a block.
    pub(super) indent: &'static str,
    /// A prefix list is a block, not a line for each range.
    pub(super) nests_lists: bool,
    /// Route maps are closed by `exit`.
    pub(super) exits: bool,
    /// `match ipv6 next-hop` looks at IPv4 routes too. FRR does so at IPv6 routes alone, and an IPv4 route with an IPv6 next
    /// hop has 0.0.0.0 for `match ip next-hop`.
    pub(super) compares_all_next_hops: bool,
    /// How community lists begin, where route maps must make a drained speaker's routes the last choice (RFC 8326).
    pub(super) community_list: Option<&'static str>,
}

/// The list of GRACEFUL_SHUTDOWN.
const DRAINED: &str = "FINGERPOST-DRAINED";

/// The name of the route map that lets nothing pass.
pub(super) const NONE: &str = "FINGERPOST-NONE";

impl Dialect {
    /// The community list that the filters refer to, where they do.
    pub(super) fn drained(&self, out: &mut String) -> fmt::Result {
        self.community_list.map_or(Ok(()), |start| writeln!(out, "{start} {DRAINED} permit 65535:0"))
    }

    /// The route map `FINGERPOST4` or `FINGERPOST6`, with its lists.
    pub(super) fn filter(&self, filter: &Filter<'_>, out: &mut String) -> fmt::Result {
        let (word, digit, indent) = (ip(filter.family), filter.digit(), self.indent);
        let map = format!("FINGERPOST{digit}");
        // A list without lines would match everything.
        if filter.is_shut() {
            writeln!(out, "! Nothing of this family can pass the fence.")?;
            return self.shut(&map, out);
        }
        let pods = format!("{word} prefix-list FINGERPOST-PODS{digit}");
        self.list(&pods, filter.prefixes.iter().map(|range| subnets(range)), out)?;
        let mut entries = Vec::new();
        for family in Family::ALL {
            let mut ranges = filter.next_hops.iter().filter(|range| range.family() == family).peekable();
            if ranges.peek().is_some() {
                let hosts =
                    if family == filter.family { format!("HOSTS{digit}") } else { format!("HOSTS{digit}-VIA6") };
                if family == filter.family || self.compares_all_next_hops {
                    let list = format!("{} prefix-list FINGERPOST-{hosts}", ip(family));
                    self.list(&list, ranges.map(|range| addresses(*range)), out)?;
                    entries.push((ip(family), hosts));
                } else {
                    writeln!(
                        out,
                        "! Any IPv6 next hop of an IPv4 route: such routes are not compared with IPv6 ranges."
                    )?;
                    let list = format!("{word} prefix-list FINGERPOST-{hosts}");
                    self.list(&list, std::iter::once("0.0.0.0/32".to_owned()), out)?;
                    entries.push((word, hosts));
                }
            }
        }
        for (n, (next_hop, hosts)) in (1..).zip(entries) {
            for drained in [true, false].into_iter().skip(usize::from(self.community_list.is_none())) {
                writeln!(out, "route-map {map} permit {}", if drained { n * 10 - 5 } else { n * 10 })?;
                writeln!(out, "{indent}match {word} address prefix-list FINGERPOST-PODS{digit}")?;
                writeln!(out, "{indent}match {next_hop} next-hop prefix-list FINGERPOST-{hosts}")?;
                if drained {
                    writeln!(out, "{indent}match community {DRAINED}\n{indent}set local-preference 0")?;
                }
                self.exit(out)?;
            }
        }
        Ok(())
    }

    /// A route map that lets nothing pass.
    pub(super) fn shut(&self, map: &str, out: &mut String) -> fmt::Result {
        writeln!(out, "route-map {map} deny 10")?;
        self.exit(out)
    }

    fn list(&self, list: &str, ranges: impl Iterator<Item = String>, out: &mut String) -> fmt::Result {
        if self.nests_lists {
            writeln!(out, "{list}")?;
        }
        for (n, range) in (1..).zip(ranges) {
            let start = if self.nests_lists { self.indent.to_owned() } else { format!("{list} ") };
            writeln!(out, "{start}seq {} permit {range}", n * 10)?;
        }
        Ok(())
    }

    fn exit(&self, out: &mut String) -> fmt::Result {
        if self.exits { writeln!(out, "exit") } else { Ok(()) }
    }
}

/// The word before `route` and `prefix-list` in the languages that descend from Cisco's.
pub(super) fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ipv6",
    }
}

/// How the sessions of a speaker are named: by its address, or by the group of its range.
pub(super) fn peer(speaker: Speaker) -> String {
    match speaker {
        Speaker::Address(address) => address.to_string(),
        Speaker::Range(_) => "FINGERPOST".into(),
    }
}

/// A range with its lengths, in those languages: `ge` must be above the range's own length.
fn subnets(range: &FencePrefix) -> String {
    let (own, low, high) = (range.within.length(), *range.lengths.start(), *range.lengths.end());
    match (low == own, high == own) {
        (true, true) => range.within.to_string(),
        (true, false) => format!("{} le {high}", range.within),
        (false, _) => format!("{} ge {low} le {high}", range.within),
    }
}

/// Single addresses of a range, in those languages.
fn addresses(range: Prefix) -> String {
    let bits = match range.family() {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    if range.length() == bits { range.to_string() } else { format!("{range} ge {bits}") }
}
