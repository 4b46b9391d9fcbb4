//! GoBGP 3 and 4, TOML. Tried in the labs, without a kernel: its zebra client does not work with FRR 8.4.
//!
//! 4.x reads single addresses in `next-hop-in-list`, no ranges as 3.x does; the command that adds the same condition to the
//! running daemon takes ranges in both. So where the next hops are ranges the filter is that command.

use super::sheet::{Filter, LLGR_SECONDS, Sheet, Speaker};
use super::{opening, redirects};
use crate::config::DEFAULT_PORT;
use fingerpost_core::model::{Family, Prefix};
use std::fmt::{self, Display, Write};
use std::net::{IpAddr, Ipv4Addr};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "#", "GoBGP (tried with 3.10.0 and 4.8.0)", out)?;
    commands(sheet, out)?;
    if sheet.hosts().is_none() {
        writeln!(out, "# GoBGP has no routes of its own in the kernel. Where something installs them, also:")?;
        for range in sheet.discards() {
            writeln!(out, "#   ip route add blackhole {range} metric 10000")?;
        }
    }
    redirects(sheet, "#", out)?;
    if sheet.has_extended_next_hop() {
        writeln!(out, "# IPv6 next hops of IPv4 routes (RFC 8950): GoBGP offers them where IPv4 is in afi-safis.")?;
    }
    writeln!(out)?;
    writeln!(out, "[global.config]\n  as = {}", sheet.gateway.asn)?;
    match sheet.address {
        Some(IpAddr::V4(address)) => writeln!(out, "  router-id = \"{address}\"  # the gateway's own")?,
        Some(IpAddr::V6(address)) => {
            let [.., a, b, c, d] = address.octets();
            // 0.0.0.0 is no identifier (RFC 6286).
            let id = Ipv4Addr::from_bits(u32::from_be_bytes([a, b, c, d]).max(1));
            writeln!(out, "  router-id = \"{id}\"  # any that no other router of the AS has")?;
        }
        None => writeln!(out, "  router-id = \"REPLACE-ME-ROUTER-ID\"  # an IPv4 address of the host")?,
    }
    if sheet.gateway.port != DEFAULT_PORT {
        writeln!(out, "  port = {}", sheet.gateway.port)?;
    }
    writeln!(out, "\n# These hold for every neighbour: one that is not Fingerpost needs statements of its own.")?;
    writeln!(out, "[global.apply-policy.config]\n  import-policy-list = [\"fingerpost\"]")?;
    writeln!(out, "  default-import-policy = \"reject-route\"\n  default-export-policy = \"reject-route\"\n")?;
    let speakers = sheet.speakers.iter().map(|speaker| match speaker {
        Speaker::Address(address) => Prefix::truncated((*address).into()),
        Speaker::Range(range) => *range,
    });
    writeln!(out, "[[defined-sets.neighbor-sets]]\n  neighbor-set-name = \"fingerpost\"")?;
    writeln!(out, "  neighbor-info-list = {}", list(speakers))?;
    let open = sheet.filters.iter().filter(|filter| !filter.is_shut());
    for filter in open.clone() {
        writeln!(out, "\n[[defined-sets.prefix-sets]]\n  prefix-set-name = \"fingerpost{}\"", filter.digit())?;
        for range in &filter.prefixes {
            let (low, high) = (range.lengths.start(), range.lengths.end());
            writeln!(out, "  [[defined-sets.prefix-sets.prefix-list]]\n    ip-prefix = \"{}\"", range.within)?;
            writeln!(out, "    masklength-range = \"{low}..{high}\"")?;
        }
    }
    writeln!(out, "\n[[defined-sets.bgp-defined-sets.community-sets]]\n  community-set-name = \"fingerpost-drained\"")?;
    writeln!(out, "  community-list = [\"65535:0\"]")?;
    writeln!(out, "\n[[policy-definitions]]\n  name = \"fingerpost\"")?;
    drained(out)?;
    for filter in open {
        statement(filter, out)?;
    }
    for (n, speaker) in sheet.speakers.iter().enumerate() {
        session(sheet, *speaker, n + 1, out)?;
    }
    Ok(())
}

/// A drained speaker's routes are the last choice (RFC 8326). It decides nothing: the statements after it do.
fn drained(out: &mut String) -> fmt::Result {
    let at = "policy-definitions.statements";
    writeln!(out, "  # To GoBGP a local preference of 0 means none.")?;
    writeln!(out, "  [[{at}]]\n    name = \"fingerpost-drained\"")?;
    writeln!(out, "    [{at}.conditions.match-neighbor-set]\n      neighbor-set = \"fingerpost\"")?;
    writeln!(out, "    [{at}.conditions.bgp-conditions.match-community-set]")?;
    writeln!(out, "      community-set = \"fingerpost-drained\"")?;
    writeln!(out, "    [{at}.actions.bgp-actions]\n      set-local-pref = 1")
}

/// What the file cannot say to 4.x.
fn commands(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    let mut ranged = sheet.filters.iter().filter(|filter| !filter.is_shut() && !is_addresses(filter)).peekable();
    if ranged.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "# Next hops: a file for both 3.x and 4.x cannot give ranges. After each start and reload:")?;
    for filter in ranged {
        let ranges: Vec<String> = filter.next_hops.iter().map(Prefix::to_string).collect();
        let statement = format!("gobgp policy statement fingerpost{}", filter.digit());
        writeln!(out, "#   {statement} add condition next-hop-in-list {}", ranges.join(" "))?;
    }
    writeln!(out, "#   gobgp neighbor all softresetin")
}

/// Whether the next hops are single addresses.
fn is_addresses(filter: &Filter<'_>) -> bool {
    filter.next_hops.iter().all(|range| range.net().prefix_len() == range.net().max_prefix_len())
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    let quoted: Vec<String> = items.map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn statement(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    let name = format!("fingerpost{}", filter.digit());
    let at = "policy-definitions.statements";
    writeln!(out, "  [[{at}]]\n    name = \"{name}\"")?;
    writeln!(out, "    [{at}.conditions.match-prefix-set]\n      prefix-set = \"{name}\"")?;
    writeln!(out, "    [{at}.conditions.match-neighbor-set]\n      neighbor-set = \"fingerpost\"")?;
    if is_addresses(filter) {
        writeln!(out, "    [{at}.conditions.bgp-conditions]")?;
        writeln!(out, "      next-hop-in-list = {}", list(filter.next_hops.iter().map(|range| range.net().addr())))?;
    }
    writeln!(out, "    [{at}.actions]\n      route-disposition = \"accept-route\"")
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, number: usize, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    let at = match speaker {
        Speaker::Address(address) => {
            writeln!(out, "\n[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{address}\"")?;
            "neighbors"
        }
        Speaker::Range(_) => {
            writeln!(out, "\n[[peer-groups]]\n  [peer-groups.config]\n    peer-group-name = \"fingerpost{number}\"")?;
            "peer-groups"
        }
    };
    writeln!(out, "    peer-as = {}", sheet.asn)?;
    if let Some(key) = sheet.key() {
        writeln!(out, "    auth-password = \"{key}\"")?;
    }
    writeln!(out, "  [{at}.timers.config]\n    hold-time = {}", timers.hold.seconds())?;
    writeln!(out, "    keepalive-interval = {}", timers.keepalive)?;
    if matches!(speaker, Speaker::Address(_)) {
        writeln!(out, "    connect-retry = {}", sheet.retry())?;
    }
    if sheet.waits_for(speaker) {
        writeln!(out, "  [{at}.transport.config]\n    passive-mode = true  # Fingerpost has no listener: it connects")?;
    } else if let Some(port) = sheet.other_port(speaker) {
        writeln!(out, "  [{at}.transport.config]\n    remote-port = {port}")?;
    }
    if let Some(hops) = gateway.ttl_security {
        let least = 256 - u16::from(hops);
        writeln!(out, "  [{at}.ttl-security.config]\n    enabled = true\n    ttl-min = {least}")?;
    } else if let Some(hops) = sheet.hops() {
        writeln!(out, "  [{at}.ebgp-multihop.config]\n    enabled = true\n    multihop-ttl = {hops}")?;
    }
    writeln!(out, "  [{at}.graceful-restart.config]\n    enabled = true\n    restart-time = 120")?;
    writeln!(out, "    notification-enabled = true\n    long-lived-enabled = true")?;
    for family in Family::ALL {
        let Some(filter) = sheet.filter(family) else { continue };
        writeln!(out, "  [[{at}.afi-safis]]\n    [{at}.afi-safis.config]\n      afi-safi-name = \"{family}-unicast\"")?;
        writeln!(out, "    [{at}.afi-safis.mp-graceful-restart.config]\n      enabled = true")?;
        writeln!(out, "    [{at}.afi-safis.long-lived-graceful-restart.config]\n      enabled = true")?;
        writeln!(out, "      restart-time = {LLGR_SECONDS}")?;
        if let Some(limit) = filter.limit {
            writeln!(out, "    [{at}.afi-safis.prefix-limit.config]\n      max-prefixes = {limit}")?;
            writeln!(out, "      shutdown-threshold-pct = 90")?;
        }
    }
    if let Speaker::Range(range) = speaker {
        writeln!(out, "\n[[dynamic-neighbors]]\n  [dynamic-neighbors.config]\n    prefix = \"{range}\"")?;
        writeln!(out, "    peer-group = \"fingerpost{number}\"")?;
    }
    Ok(())
}
