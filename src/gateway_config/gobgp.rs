//! GoBGP 3, TOML. Tried in the labs, without a kernel: its zebra client does not work with FRR 8.4.

use super::opening;
use super::sheet::{Filter, LLGR_SECONDS, Sheet, Speaker};
use fingerpost_core::model::{Family, Prefix};
use std::fmt::{self, Write};
use std::net::IpAddr;

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "#", "GoBGP (tried with 3.10.0)", out)?;
    writeln!(out, "# GoBGP has no routes of its own in the kernel. Where something installs them, also:")?;
    for range in sheet.pods() {
        writeln!(out, "#   ip route add blackhole {range} metric 10000")?;
    }
    writeln!(out, "#   sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0\n")?;
    writeln!(out, "[global.config]\n  as = {}", sheet.gateway.asn)?;
    match sheet.address {
        IpAddr::V4(address) => writeln!(out, "  router-id = \"{address}\"  # the gateway's own")?,
        IpAddr::V6(_) => writeln!(out, "  router-id = \"REPLACE-ME\"  # the gateway's own")?,
    }
    if sheet.gateway.port != 179 {
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
    writeln!(out, "\n[[policy-definitions]]\n  name = \"fingerpost\"")?;
    for filter in open {
        statement(filter, out)?;
    }
    for (n, speaker) in sheet.speakers.iter().enumerate() {
        session(sheet, *speaker, n + 1, out)?;
    }
    Ok(())
}

fn list(ranges: impl Iterator<Item = Prefix>) -> String {
    let quoted: Vec<String> = ranges.map(|range| format!("\"{range}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn statement(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    let name = format!("fingerpost{}", filter.digit());
    let at = "policy-definitions.statements";
    writeln!(out, "  [[{at}]]\n    name = \"{name}\"")?;
    writeln!(out, "    [{at}.conditions.match-prefix-set]\n      prefix-set = \"{name}\"")?;
    writeln!(out, "    [{at}.conditions.match-neighbor-set]\n      neighbor-set = \"fingerpost\"")?;
    writeln!(out, "    [{at}.conditions.bgp-conditions]")?;
    writeln!(out, "      next-hop-in-list = {}", list(filter.next_hops.iter().copied()))?;
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
    writeln!(out, "  [{at}.timers.config]\n    hold-time = {}", timers.hold.seconds())?;
    writeln!(out, "    keepalive-interval = {}", timers.keepalive)?;
    let port = sheet.connect_to.filter(|port| *port != 179 && matches!(speaker, Speaker::Address(_)));
    if sheet.waits_for(speaker) {
        writeln!(out, "  [{at}.transport.config]\n    passive-mode = true  # Fingerpost has no listener: it connects")?;
    } else if let Some(port) = port {
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
        writeln!(out, "    [{at}.afi-safis.prefix-limit.config]\n      max-prefixes = {}", filter.limit)?;
        writeln!(out, "      shutdown-threshold-pct = 90")?;
    }
    if let Speaker::Range(range) = speaker {
        writeln!(out, "\n[[dynamic-neighbors]]\n  [dynamic-neighbors.config]\n    prefix = \"{range}\"")?;
        writeln!(out, "    peer-group = \"fingerpost{number}\"")?;
    }
    Ok(())
}
