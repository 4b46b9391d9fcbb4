//! BIRD 2. Tried in the labs.
//!
//! Next hops are matched one range at a time: `bgp_next_hop ~ [ set ]` silently rejects everything on 2.0.12.

use super::sheet::{Filter, Sheet, Speaker};
use super::{opening, redirects};
use crate::config::DEFAULT_PORT;
use fingerpost_core::model::{Family, Prefix};
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "#", "BIRD 2 (tried with 2.0.12)", out)?;
    kernel(sheet, out)?;
    redirects(sheet, "#", out)?;
    if is_recursive(sheet) {
        writeln!(
            out,
            "\n# Next hops that are no neighbours of the session are resolved by these: without them every route is"
        )?;
        writeln!(out, "# unreachable. A second protocol direct does no harm, and one that is disabled does not help.")?;
        writeln!(out, "protocol direct fingerpost_direct {{ ipv4; ipv6; }}")?;
    }
    let discarded = sheet.discards();
    for filter in &sheet.filters {
        let ranges: Vec<_> = discarded.iter().copied().filter(|range| range.family() == filter.family).collect();
        if !ranges.is_empty() {
            discards(filter, &ranges, out)?;
        }
    }
    for filter in &sheet.filters {
        filter_of(filter, out)?;
    }
    for (n, speaker) in sheet.speakers.iter().enumerate() {
        // One session has a plain name, several are numbered.
        let number = if sheet.speakers.len() == 1 { String::new() } else { (n + 1).to_string() };
        session(sheet, *speaker, &number, out)?;
    }
    Ok(())
}

/// What the rest of bird.conf must have. A kernel's table takes one protocol only, and nearly every bird.conf has it, so
/// it is not in the text: what is printed can be included as it is.
fn kernel(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "# Include it at the end of bird.conf, which must have: protocol device, and a protocol kernel for each family"
    )?;
    writeln!(out, "# with the line below. Debian's bird.conf has them: put it in place of \"export all;\" in both.")?;
    // The kernel has its own routes to the subnets it is attached to. A host reaches other subnets by its default route,
    // which an unreachable route would hide.
    let also = if sheet.hosts().is_some() { " && dest != RTD_UNREACHABLE" } else { "" };
    writeln!(out, "#   export where source != RTS_DEVICE{also};")
}

/// Whether BIRD looks next hops up in its table, and not among the neighbours of the session's interface.
fn is_recursive(sheet: &Sheet<'_>) -> bool {
    !sheet.is_external() || sheet.gateway.multihop.is_some()
}

fn discards(filter: &Filter<'_>, ranges: &[Prefix], out: &mut String) -> fmt::Result {
    writeln!(out, "\n# Pod addresses that no host owns go nowhere, instead of round in circles.")?;
    writeln!(out, "protocol static fingerpost_discard{} {{", filter.digit())?;
    // The lowest preference: a range that is itself announced must win.
    writeln!(out, "  {} {{ preference 1; }};", filter.family)?;
    for range in ranges {
        writeln!(out, "  route {range} blackhole;")?;
    }
    writeln!(out, "}}")
}

fn filter_of(filter: &Filter<'_>, out: &mut String) -> fmt::Result {
    writeln!(out, "\nfilter fingerpost_{} {{", filter.family)?;
    let prefixes = filter.prefixes.iter().map(|range| {
        let (low, high) = (range.lengths.start(), range.lengths.end());
        format!("{}{{{low},{high}}}", range.within)
    });
    let prefixes: Vec<String> = prefixes.collect();
    let next_hops: Vec<String> = filter.next_hops.iter().map(|range| format!("bgp_next_hop ~ {range}")).collect();
    if filter.is_shut() {
        writeln!(out, "  # Nothing of this family can pass the fence.")?;
    } else {
        writeln!(out, "  if net ~ [ {} ]", prefixes.join(", "))?;
        writeln!(out, "    && ( {} ) then {{", next_hops.join(" || "))?;
        writeln!(out, "    if (65535, 0) ~ bgp_community then bgp_local_pref = 0;  # drained (RFC 8326)")?;
        writeln!(out, "    accept;\n  }}")?;
    }
    writeln!(out, "  reject;\n}}")
}

fn session(sheet: &Sheet<'_>, speaker: Speaker, number: &str, out: &mut String) -> fmt::Result {
    let (gateway, timers) = (sheet.gateway, sheet.gateway.timers);
    writeln!(out, "\nprotocol bgp fingerpost{number} {{")?;
    match gateway.port {
        DEFAULT_PORT => writeln!(out, "  local as {};", gateway.asn)?,
        port => writeln!(out, "  local port {port} as {};", gateway.asn)?,
    }
    let port = sheet.other_port(speaker).map(|port| format!(" port {port}")).unwrap_or_default();
    match speaker {
        Speaker::Address(address) => writeln!(out, "  neighbor {address}{port} as {};", sheet.asn)?,
        Speaker::Range(range) => {
            writeln!(out, "  neighbor range {range} as {};", sheet.asn)?;
            writeln!(out, "  dynamic name \"fingerpost{number}_\";")?;
        }
    }
    match (sheet.is_external(), gateway.multihop) {
        (true, None) => writeln!(out, "  direct;")?,
        (true, Some(hops)) => writeln!(out, "  multihop {hops};")?,
        (false, _) => writeln!(out, "  multihop;")?,
    }
    if let Some(key) = sheet.key() {
        writeln!(out, "  password \"{key}\";")?;
    }
    if gateway.ttl_security.is_some() {
        writeln!(out, "  ttl security on;")?;
    }
    if sheet.waits_for(speaker) {
        writeln!(out, "  passive;  # Fingerpost has no listener: it connects")?;
    } else if matches!(speaker, Speaker::Address(_)) {
        writeln!(out, "  connect retry time {};", sheet.retry())?;
    }
    match timers.hold.seconds() {
        // A keepalive time must be from 1 to the hold time.
        0 => writeln!(out, "  hold time 0;  # no hold timer, no KEEPALIVEs")?,
        hold => writeln!(out, "  hold time {hold}; keepalive time {};", timers.keepalive)?,
    }
    writeln!(out, "  error wait time 1, 2;  # the default of 60, 300 locks a returning speaker out after an error")?;
    writeln!(out, "  graceful restart aware;")?;
    writeln!(out, "  long lived graceful restart aware;")?;
    for family in Family::ALL {
        let Some(filter) = sheet.filter(family) else { continue };
        writeln!(out, "  {family} {{")?;
        if family == Family::Ipv4 && sheet.has_extended_next_hop() {
            writeln!(out, "    extended next hop;")?;
        }
        writeln!(out, "    import filter fingerpost_{family};")?;
        if let Some(limit) = filter.limit {
            writeln!(out, "    import limit {limit} action block;")?;
        }
        writeln!(out, "    export none;\n  }};")?;
    }
    writeln!(out, "}}")
}
