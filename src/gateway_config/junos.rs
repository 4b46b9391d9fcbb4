//! Juniper's Junos, as set commands. Untested.
//!
//! Its policies compare a next hop with single addresses, not with a range, so the next hops are not filtered here.

use super::sheet::{Sheet, Speaker};
use super::{opening, untested};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    opening(sheet, "#", "Junos", out)?;
    untested("#", out)?;
    writeln!(out, "# Next hops are not filtered: a Junos policy compares them with single addresses only.")?;
    if sheet.hosts().is_none() {
        writeln!(out, "set system no-redirects\nset system no-redirects-ipv6")?;
    }
    for range in sheet.discards() {
        let table = if range.family() == Family::Ipv4 { "" } else { "rib inet6.0 " };
        writeln!(out, "set routing-options {table}static route {range} discard")?;
        writeln!(out, "set routing-options {table}static route {range} preference 250")?;
    }
    for filter in sheet.filters.iter().filter(|filter| !filter.is_shut()) {
        let term = format!("set policy-options policy-statement FINGERPOST-IN term pods{}", filter.digit());
        writeln!(out, "{term} from family {}", inet(filter.family))?;
        for range in &filter.prefixes {
            let (low, high) = (range.lengths.start(), range.lengths.end());
            writeln!(out, "{term} from route-filter {} prefix-length-range /{low}-/{high}", range.within)?;
        }
        writeln!(out, "{term} then accept")?;
    }
    writeln!(out, "set policy-options policy-statement FINGERPOST-IN term other then reject")?;
    writeln!(out, "set policy-options policy-statement FINGERPOST-NONE then reject")?;
    let group = "set protocols bgp group FINGERPOST";
    writeln!(out, "{group} type {}", if sheet.is_external() { "external" } else { "internal" })?;
    writeln!(out, "{group} local-as {}\n{group} peer-as {}", gateway.asn, sheet.asn)?;
    writeln!(out, "{group} import FINGERPOST-IN\n{group} export FINGERPOST-NONE")?;
    writeln!(out, "{group} hold-time {}", timers.hold.seconds())?;
    if let Some(hops) = sheet.hops() {
        writeln!(out, "{group} multihop ttl {hops}")?;
    }
    if let Some(hops) = gateway.ttl_security {
        let least = 256 - u16::from(hops);
        writeln!(
            out,
            "# GTSM: discard packets to port 179 below TTL {least} in the loopback's input filter (from ttl-except)."
        )?;
    }
    for filter in &sheet.filters {
        let family = inet(filter.family);
        let Some(limit) = filter.limit else {
            writeln!(out, "{group} family {family} unicast")?;
            continue;
        };
        writeln!(out, "{group} family {family} unicast prefix-limit maximum {limit}")?;
        writeln!(out, "{group} family {family} unicast prefix-limit teardown 90 idle-timeout 1")?;
    }
    if sheet.has_extended_next_hop() {
        writeln!(out, "{group} family inet unicast extended-nexthop")?;
    }
    if let Some(port) = sheet.speakers.iter().find_map(|speaker| sheet.other_port(*speaker)) {
        writeln!(out, "# It connects to port 179 only, and Fingerpost listens on {port}: Fingerpost must connect.")?;
    }
    if sheet.connect_to.is_none() {
        writeln!(out, "{group} passive")?;
    }
    for speaker in &sheet.speakers {
        match (speaker, sheet.key()) {
            (Speaker::Address(address), None) => writeln!(out, "{group} neighbor {address}")?,
            (Speaker::Address(address), Some(key)) => {
                writeln!(out, "{group} neighbor {address} authentication-key \"{key}\"")?;
            }
            (Speaker::Range(range), None) => writeln!(out, "{group} allow {range}")?,
            (Speaker::Range(range), Some(_)) => {
                writeln!(out, "# No dynamic neighbours in {range}: Junos signs none. Give --speaker an address.")?;
            }
        }
    }
    Ok(())
}

fn inet(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "inet",
        Family::Ipv6 => "inet6",
    }
}
