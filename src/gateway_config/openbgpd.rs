//! OpenBGPD. Tried in the labs with the portable version, which keeps no kernel's table on Linux.
//!
//! Its filters compare a next hop with one address only, not with a range, so the next hops are not filtered here.

use super::opening;
use super::sheet::{Sheet, Speaker};
use crate::config::DEFAULT_PORT;
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    opening(sheet, "#", "OpenBGPD (tried with 7.7)", out)?;
    if sheet.has_extended_next_hop() {
        writeln!(
            out,
            "# 7.7 does not know IPv6 next hops of IPv4 routes (RFC 8950). Where it does, add to the group:"
        )?;
        writeln!(out, "#   announce extended nexthop yes")?;
    }
    writeln!(out, "# It cannot filter next hops by range.")?;
    if sheet.hosts().is_none() {
        writeln!(out, "# On OpenBSD, where it has a kernel's table, also:")?;
        for range in sheet.discards() {
            let flag = if range.family() == Family::Ipv4 { "-inet" } else { "-inet6" };
            let via = if range.family() == Family::Ipv4 { "127.0.0.1" } else { "::1" };
            writeln!(out, "#   route add {flag} -blackhole -priority 60 {range} {via}")?;
        }
        writeln!(out, "#   sysctl net.inet.ip.redirect=0 net.inet6.ip6.redirect=0")?;
    }
    writeln!(out, "\nAS {}", gateway.asn)?;
    if let (Some(address), true) = (sheet.address, gateway.port != DEFAULT_PORT) {
        writeln!(out, "listen on {address} port {}", gateway.port)?;
    }
    if sheet.connect_to.is_some() && sheet.speakers.iter().any(|speaker| matches!(speaker, Speaker::Address(_))) {
        writeln!(out, "connect-retry {}  # of all neighbours", sheet.retry())?;
    }
    writeln!(out, "\ngroup \"fingerpost\" {{\n\tremote-as {}", sheet.asn)?;
    for family in Family::ALL {
        let (name, what) = match family {
            Family::Ipv4 => ("IPv4", "unicast"),
            Family::Ipv6 => ("IPv6", "unicast"),
        };
        let what = if sheet.filter(family).is_some() { what } else { "none" };
        writeln!(out, "\tannounce {name} {what}")?;
    }
    writeln!(out, "\texport none")?;
    match timers.hold.seconds() {
        0 => writeln!(out, "\t# It cannot offer hold time 0, and takes Fingerpost's: no hold timer, no KEEPALIVEs.")?,
        hold => writeln!(out, "\tholdtime {hold}")?,
    }
    if let Some(total) = sheet.total() {
        writeln!(out, "\tmax-prefix {total} restart 1  # of all families together")?;
    }
    if let Some(hops) = sheet.hops() {
        writeln!(out, "\tmultihop {hops}")?;
    }
    if let Some(key) = sheet.key() {
        writeln!(out, "\ttcp md5sig password \"{key}\"")?;
    }
    if gateway.ttl_security.is_some() {
        writeln!(out, "\tttl-security yes")?;
    }
    for speaker in &sheet.speakers {
        match speaker {
            Speaker::Range(range) => writeln!(out, "\tneighbor {range}")?,
            Speaker::Address(address) => {
                writeln!(out, "\tneighbor {address} {{")?;
                if sheet.waits_for(*speaker) {
                    writeln!(out, "\t\tpassive  # Fingerpost has no listener: it connects")?;
                } else if let Some(port) = sheet.other_port(*speaker) {
                    writeln!(out, "\t\tport {port}")?;
                }
                writeln!(out, "\t}}")?;
            }
        }
    }
    writeln!(out, "}}\n\ndeny from group \"fingerpost\"")?;
    for filter in sheet.filters.iter().filter(|filter| !filter.is_shut()) {
        for range in &filter.prefixes {
            let (low, high) = (range.lengths.start(), range.lengths.end());
            let lengths = if low == high { format!("= {low}") } else { format!("{low} - {high}") };
            writeln!(out, "allow from group \"fingerpost\" prefix {} prefixlen {lengths}", range.within)?;
        }
    }
    writeln!(out, "# A drained speaker's routes are the last choice (RFC 8326).")?;
    writeln!(out, "match from group \"fingerpost\" community GRACEFUL_SHUTDOWN set localpref 0")
}
