//! FRR: lines for vtysh's integrated configuration. Tried in the labs.

use super::opening;
use super::sheet::{Filter, LLGR_SECONDS, Sheet, Speaker, addresses, ip, subnets};
use fingerpost_core::model::Family;
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "FRR (tried with 8.4.4)", out)?;
    lines(sheet, out)
}

/// All but the opening, for whatever runs FRR.
pub(super) fn lines(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "! Load it with: vtysh -f FILE. The daemons zebra, bgpd and staticd must run.")?;
    writeln!(
        out,
        "! Redirects off: sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0"
    )?;
    writeln!(out, "! (IPv6 has no such switch: nft add rule inet filter output icmpv6 type nd-redirect drop)")?;
    writeln!(
        out,
        "! Pod addresses that no host owns go nowhere, instead of round in circles. The distance is the worst that"
    )?;
    writeln!(out, "! is used, so that a range that is itself announced wins.")?;
    for range in sheet.pods() {
        writeln!(out, "{} route {range} blackhole 254", ip(range.family()))?;
    }
    for filter in &sheet.filters {
        lists(filter, out)?;
    }
    writeln!(out, "route-map FINGERPOST-NONE deny 10\nexit")?;
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
                    writeln!(out, "  neighbor {peer} route-map FINGERPOST-NONE out")?;
                    // The session ends above it, and comes back after the minutes.
                    writeln!(out, "  neighbor {peer} maximum-prefix {} 90 restart 1", filter.limit)?;
                }
            }
        }
        writeln!(out, " exit-address-family")?;
    }
    writeln!(out, "exit")
}

/// How the sessions of a speaker are named: by its address, or by the group of its range.
fn peer(speaker: Speaker) -> String {
    match speaker {
        Speaker::Address(address) => address.to_string(),
        Speaker::Range(_) => "FINGERPOST".into(),
    }
}

fn lists(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    let (ip, digit) = (ip(filter.family), filter.digit());
    for (n, range) in (1..).zip(&filter.prefixes) {
        writeln!(out, "{ip} prefix-list FINGERPOST-PODS{digit} seq {} permit {}", n * 5, subnets(range))?;
    }
    for (n, range) in (1..).zip(&filter.next_hops) {
        writeln!(out, "{ip} prefix-list FINGERPOST-HOSTS{digit} seq {} permit {}", n * 5, addresses(*range))?;
    }
    // A list without lines would match everything.
    if filter.is_shut() {
        writeln!(out, "! Nothing of this family can pass the fence.")?;
        return writeln!(out, "route-map FINGERPOST{digit} deny 10\nexit");
    }
    writeln!(out, "route-map FINGERPOST{digit} permit 10")?;
    writeln!(out, " match {ip} address prefix-list FINGERPOST-PODS{digit}")?;
    writeln!(out, " match {ip} next-hop prefix-list FINGERPOST-HOSTS{digit}\nexit")
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
    match (sheet.connect_to, speaker) {
        (_, Speaker::Range(_)) | (Some(179), _) => {}
        (Some(port), Speaker::Address(_)) => writeln!(out, " neighbor {peer} port {port}")?,
        (None, Speaker::Address(_)) => {
            writeln!(out, " ! Fingerpost has no listener: it connects.")?;
            writeln!(out, " neighbor {peer} passive")?;
        }
    }
    writeln!(out, " neighbor {peer} timers {} {}", timers.keepalive, timers.hold.seconds())
}
