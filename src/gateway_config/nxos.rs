//! Cisco's NX-OS. Untested.

use super::cisco::{Dialect, NONE, ip};
use super::sheet::{Sheet, Speaker};
use super::{opening, untested};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

const NXOS: Dialect = Dialect {
    indent: "  ",
    nests_lists: false,
    exits: false,
    compares_all_next_hops: true,
    community_list: Some("ip community-list standard"),
};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "NX-OS", out)?;
    untested("!", out)?;
    if sheet.has_extended_next_hop() {
        writeln!(
            out,
            "! IPv6 next hops of IPv4 routes (RFC 8950): no line is known to ask for them; see that they are agreed on."
        )?;
    }
    if sheet.hosts().is_none() {
        writeln!(out, "! On each interface that faces hosts: no ip redirects, no ipv6 redirects")?;
    }
    writeln!(out, "feature bgp")?;
    for range in sheet.discards() {
        writeln!(out, "{} route {range} Null0 254", ip(range.family()))?;
    }
    NXOS.drained(out)?;
    for filter in &sheet.filters {
        NXOS.filter(filter, out)?;
    }
    NXOS.shut(NONE, out)?;
    writeln!(out, "router bgp {}\n  graceful-restart-helper", sheet.gateway.asn)?;
    for speaker in &sheet.speakers {
        session(sheet, *speaker, out)?;
    }
    Ok(())
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    writeln!(out, "  neighbor {speaker}\n    remote-as {}", sheet.asn)?;
    if let Some(key) = sheet.key() {
        writeln!(out, "    password 0 {key}")?;
    }
    if let Some(port) = sheet.other_port(speaker) {
        writeln!(
            out,
            "    ! It connects to port 179 only, and Fingerpost listens on {port}: Fingerpost must connect."
        )?;
    }
    if let Some(hops) = gateway.ttl_security {
        writeln!(out, "    ttl-security hops {hops}")?;
    } else if let Some(hops) = sheet.hops() {
        writeln!(out, "    ebgp-multihop {hops}")?;
    }
    if sheet.waits_for(speaker) {
        writeln!(out, "    transport connection-mode passive")?;
    }
    writeln!(out, "    timers {} {}", timers.keepalive, timers.hold.seconds())?;
    for family in Family::ALL {
        let Some(filter) = sheet.filter(family) else { continue };
        writeln!(out, "    address-family {family} unicast")?;
        writeln!(out, "      route-map FINGERPOST{} in", filter.digit())?;
        writeln!(out, "      route-map {NONE} out")?;
        if let Some(limit) = filter.limit {
            writeln!(out, "      maximum-prefix {limit} 90 restart 1")?;
        }
    }
    Ok(())
}
