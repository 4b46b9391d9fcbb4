//! Arista's EOS. Untested.

use super::sheet::{Filter, Sheet, Speaker, addresses, ip, subnets};
use super::{opening, untested};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "EOS", out)?;
    untested("!", out)?;
    writeln!(out, "no ip icmp redirect\nno ipv6 icmp redirect")?;
    for range in sheet.pods() {
        writeln!(out, "{} route {range} Null0 254", ip(range.family()))?;
    }
    for filter in &sheet.filters {
        lists(filter, out)?;
    }
    writeln!(out, "route-map FINGERPOST-NONE deny 10\n!")?;
    writeln!(out, "router bgp {}\n   graceful-restart-helper", sheet.gateway.asn)?;
    let peers: Vec<String> = sheet.speakers.iter().map(|speaker| peer(*speaker)).collect();
    for (speaker, peer) in sheet.speakers.iter().zip(&peers) {
        session(sheet, *speaker, peer, out)?;
    }
    for family in Family::ALL {
        writeln!(out, "   address-family {family}")?;
        for peer in &peers {
            match sheet.filter(family) {
                None => writeln!(out, "      no neighbor {peer} activate")?,
                Some(filter) => {
                    writeln!(out, "      neighbor {peer} route-map FINGERPOST{} in", filter.digit())?;
                    writeln!(out, "      neighbor {peer} route-map FINGERPOST-NONE out")?;
                    writeln!(out, "      neighbor {peer} activate")?;
                }
            }
        }
    }
    Ok(())
}

fn peer(speaker: Speaker) -> String {
    match speaker {
        Speaker::Address(address) => address.to_string(),
        Speaker::Range(_) => "FINGERPOST".into(),
    }
}

fn lists(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    let (ip, digit) = (ip(filter.family), filter.digit());
    if filter.is_shut() {
        return writeln!(out, "route-map FINGERPOST{digit} deny 10");
    }
    writeln!(out, "{ip} prefix-list FINGERPOST-PODS{digit}")?;
    for (n, range) in (1..).zip(&filter.prefixes) {
        writeln!(out, "   seq {} permit {}", n * 10, subnets(range))?;
    }
    writeln!(out, "{ip} prefix-list FINGERPOST-HOSTS{digit}")?;
    for (n, range) in (1..).zip(&filter.next_hops) {
        writeln!(out, "   seq {} permit {}", n * 10, addresses(*range))?;
    }
    writeln!(out, "route-map FINGERPOST{digit} permit 10")?;
    writeln!(out, "   match {ip} address prefix-list FINGERPOST-PODS{digit}")?;
    writeln!(out, "   match {ip} next-hop prefix-list FINGERPOST-HOSTS{digit}")
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, peer: &str, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    if let Speaker::Range(range) = speaker {
        writeln!(out, "   neighbor {peer} peer group")?;
        writeln!(out, "   bgp listen range {range} peer-group {peer} remote-as {}", sheet.asn)?;
    } else {
        writeln!(out, "   neighbor {peer} remote-as {}", sheet.asn)?;
    }
    if let Some(hops) = gateway.ttl_security {
        writeln!(out, "   neighbor {peer} ttl maximum-hops {hops}")?;
    } else if let Some(hops) = sheet.hops() {
        writeln!(out, "   neighbor {peer} ebgp-multihop {hops}")?;
    }
    if sheet.waits_for(speaker) {
        writeln!(out, "   neighbor {peer} passive")?;
    }
    writeln!(out, "   neighbor {peer} timers {} {}", timers.keepalive, timers.hold.seconds())?;
    // Of all families together; the default is 12,000.
    writeln!(out, "   neighbor {peer} maximum-routes {}", sheet.total())
}
