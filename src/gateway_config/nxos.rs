//! Cisco's NX-OS. Untested.

use super::sheet::{Filter, Sheet, Speaker, addresses, ip, subnets};
use super::{opening, untested};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "NX-OS", out)?;
    untested("!", out)?;
    writeln!(out, "! On each interface that faces hosts: no ip redirects, no ipv6 redirects")?;
    writeln!(out, "feature bgp")?;
    for range in sheet.pods() {
        writeln!(out, "{} route {range} Null0 254", ip(range.family()))?;
    }
    for filter in &sheet.filters {
        lists(filter, out)?;
    }
    writeln!(out, "route-map FINGERPOST-NONE deny 10")?;
    writeln!(out, "router bgp {}\n  graceful-restart-helper", sheet.gateway.asn)?;
    for speaker in &sheet.speakers {
        session(sheet, *speaker, out)?;
    }
    Ok(())
}

fn lists(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    let (ip, digit) = (ip(filter.family), filter.digit());
    if filter.is_shut() {
        return writeln!(out, "route-map FINGERPOST{digit} deny 10");
    }
    for (n, range) in (1..).zip(&filter.prefixes) {
        writeln!(out, "{ip} prefix-list FINGERPOST-PODS{digit} seq {} permit {}", n * 5, subnets(range))?;
    }
    for (n, range) in (1..).zip(&filter.next_hops) {
        writeln!(out, "{ip} prefix-list FINGERPOST-HOSTS{digit} seq {} permit {}", n * 5, addresses(*range))?;
    }
    writeln!(out, "route-map FINGERPOST{digit} permit 10")?;
    writeln!(out, "  match {ip} address prefix-list FINGERPOST-PODS{digit}")?;
    writeln!(out, "  match {ip} next-hop prefix-list FINGERPOST-HOSTS{digit}")
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    writeln!(out, "  neighbor {speaker}\n    remote-as {}", sheet.asn)?;
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
        writeln!(out, "      route-map FINGERPOST-NONE out")?;
        writeln!(out, "      maximum-prefix {} 90 restart 1", filter.limit)?;
    }
    Ok(())
}
