//! FRR: lines for vtysh's integrated configuration. Tried in the labs.

use super::cisco::{Dialect, NONE, ip, peer};
use super::sheet::{LLGR_SECONDS, Sheet, Speaker};
use super::{opening, redirects};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

const FRR: Dialect =
    Dialect { indent: " ", nests_lists: false, exits: true, compares_all_next_hops: false, community_list: None };
/// FRR lowers the preference of a drained speaker's routes by itself where that is of another AS.
const FRR_INTERNAL: Dialect = Dialect { community_list: Some("bgp community-list standard"), ..FRR };

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "FRR (tried with 8.4.4)", out)?;
    lines(sheet, out)
}

/// All but the opening, for whatever runs FRR.
pub(super) fn lines(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "! Load it with: vtysh -f FILE. The daemons zebra, bgpd and staticd must run.")?;
    redirects(sheet, "!", out)?;
    let discards = sheet.discards();
    if !discards.is_empty() {
        writeln!(
            out,
            "! Pod addresses that no host owns go nowhere, instead of round in circles. The distance is the worst that"
        )?;
        writeln!(out, "! is used, so that a range that is itself announced wins.")?;
    }
    for range in discards {
        writeln!(out, "{} route {range} blackhole 254", ip(range.family()))?;
    }
    let dialect = if sheet.is_external() { FRR } else { FRR_INTERNAL };
    dialect.drained(out)?;
    for filter in &sheet.filters {
        dialect.filter(filter, out)?;
    }
    FRR.shut(NONE, out)?;
    writeln!(out, "router bgp {}", sheet.gateway.asn)?;
    writeln!(
        out,
        " ! Without it FRR flushes a dead speaker's routes at once where long-lived graceful restart is agreed."
    )?;
    writeln!(out, " bgp long-lived-graceful-restart stale-time {LLGR_SECONDS}")?;
    let peers: Vec<String> = sheet.speakers.iter().map(|speaker| peer(*speaker)).collect();
    for (speaker, peer) in sheet.speakers.iter().zip(&peers) {
        session(sheet, *speaker, peer, out)?;
    }
    for family in Family::ALL {
        writeln!(out, " address-family {family} unicast")?;
        let filter = sheet.filter(family);
        for peer in &peers {
            match filter {
                None => writeln!(out, "  no neighbor {peer} activate")?,
                Some(filter) => {
                    let digit = filter.digit();
                    writeln!(out, "  neighbor {peer} activate")?;
                    writeln!(out, "  neighbor {peer} route-map FINGERPOST{digit} in")?;
                    writeln!(out, "  neighbor {peer} route-map {NONE} out")?;
                    // The session ends above it, and comes back after the minutes.
                    if let Some(limit) = filter.limit {
                        writeln!(out, "  neighbor {peer} maximum-prefix {limit} 90 restart 1")?;
                    }
                }
            }
        }
        writeln!(out, " exit-address-family")?;
    }
    writeln!(out, "exit")
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, peer: &str, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    if let Speaker::Range(range) = speaker {
        writeln!(out, " neighbor {peer} peer-group")?;
        writeln!(out, " neighbor {peer} remote-as {}", sheet.asn)?;
        writeln!(out, " bgp listen range {range} peer-group {peer}")?;
    } else {
        writeln!(out, " neighbor {peer} remote-as {}", sheet.asn)?;
    }
    match (gateway.ttl_security, sheet.hops()) {
        // FRR takes one of the two.
        (Some(hops), _) => writeln!(out, " neighbor {peer} ttl-security hops {hops}")?,
        (None, Some(hops)) => writeln!(out, " neighbor {peer} ebgp-multihop {hops}")?,
        (None, None) => {}
    }
    if let Some(key) = sheet.key() {
        writeln!(out, " neighbor {peer} password {key}")?;
    }
    if sheet.has_extended_next_hop() {
        writeln!(out, " neighbor {peer} capability extended-nexthop")?;
    }
    if sheet.waits_for(speaker) {
        writeln!(out, " ! Fingerpost has no listener: it connects.\n neighbor {peer} passive")?;
    } else if matches!(speaker, Speaker::Address(_)) {
        if let Some(port) = sheet.other_port(speaker) {
            writeln!(out, " neighbor {peer} port {port}")?;
        }
        writeln!(out, " neighbor {peer} timers connect {}", sheet.retry())?;
    }
    writeln!(out, " neighbor {peer} timers {} {}", timers.keepalive, timers.hold.seconds())
}
