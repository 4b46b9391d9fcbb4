//! FRR: lines for vtysh's integrated configuration. Tried in the labs.

use super::opening;
use super::sheet::{Filter, LLGR_SECONDS, Sheet, Speaker};
use crate::config::FencePrefix;
use fingerpost_core::model::{Family, Prefix};
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "FRR (tried with 8.4.4)", out)?;
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
        let filter = sheet.filters.iter().find(|filter| filter.family == family);
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

/// The word before `route` and `prefix-list`.
fn ip(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ipv6",
    }
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
    if filter.prefixes.is_empty() || filter.next_hops.is_empty() {
        writeln!(out, "! Nothing of this family can pass the fence.")?;
        return writeln!(out, "route-map FINGERPOST{digit} deny 10\nexit");
    }
    writeln!(out, "route-map FINGERPOST{digit} permit 10")?;
    writeln!(out, " match {ip} address prefix-list FINGERPOST-PODS{digit}")?;
    writeln!(out, " match {ip} next-hop prefix-list FINGERPOST-HOSTS{digit}\nexit")
}

/// A range with its lengths: `ge` must be above the range's own length.
fn subnets(range: &FencePrefix) -> String {
    let (own, low, high) = (range.within.length(), *range.lengths.start(), *range.lengths.end());
    match (low == own, high == own) {
        (true, true) => range.within.to_string(),
        (true, false) => format!("{} le {high}", range.within),
        (false, _) => format!("{} ge {low} le {high}", range.within),
    }
}

/// Single addresses of a range.
fn addresses(range: Prefix) -> String {
    let bits = match range.family() {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    if range.length() == bits { range.to_string() } else { format!("{range} ge {bits}") }
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
    if let Some(hops) = gateway.multihop.filter(|_| sheet.is_external()) {
        writeln!(out, " neighbor {peer} ebgp-multihop {hops}")?;
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
