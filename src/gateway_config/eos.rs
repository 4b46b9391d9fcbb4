//! Arista's EOS. Untested.

use super::cisco::{Dialect, NONE, ip, peer};
use super::sheet::{Sheet, Speaker};
use super::{opening, untested};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

// It lowers the preference of a drained speaker's routes by itself, after the route map.
const EOS: Dialect =
    Dialect { indent: "   ", nests_lists: true, exits: false, compares_all_next_hops: true, community_list: None };

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "EOS", out)?;
    untested("!", out)?;
    if sheet.hosts().is_none() {
        writeln!(out, "no ip icmp redirect\nno ipv6 icmp redirect")?;
    }
    for range in sheet.discards() {
        writeln!(out, "{} route {range} Null0 254", ip(range.family()))?;
    }
    for filter in &sheet.filters {
        EOS.filter(filter, out)?;
    }
    EOS.shut(NONE, out)?;
    writeln!(out, "!")?;
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
                    writeln!(out, "      neighbor {peer} route-map {NONE} out")?;
                    if family == Family::Ipv4 && sheet.has_extended_next_hop() {
                        writeln!(out, "      neighbor {peer} next-hop address-family ipv6")?;
                    }
                    writeln!(out, "      neighbor {peer} activate")?;
                }
            }
        }
    }
    Ok(())
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, peer: &str, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    if let Speaker::Range(range) = speaker {
        writeln!(out, "   neighbor {peer} peer group")?;
        writeln!(out, "   bgp listen range {range} peer-group {peer} remote-as {}", sheet.asn)?;
    } else {
        writeln!(out, "   neighbor {peer} remote-as {}", sheet.asn)?;
    }
    if let Some(key) = sheet.key() {
        writeln!(out, "   neighbor {peer} password 0 {key}")?;
    }
    if let Some(port) = sheet.other_port(speaker) {
        writeln!(out, "   neighbor {peer} transport remote-port {port}")?;
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
    sheet.total().map_or(Ok(()), |total| writeln!(out, "   neighbor {peer} maximum-routes {total}"))
}
