//! Answers as tables.

use super::output::{Table, plain};
use crate::admin::proto::target::Which;
use crate::admin::proto::{
    Attributes, ChangeKind, Claim, Forced, Gateway, Hold, Hop, Leaving, ReloadHold, Route, Source, SourceState,
    Standing, StatusResponse, Target,
};
use prost_types::Timestamp;
use std::io::{self, Write};

pub(super) const GATEWAYS: [&str; 9] =
    ["NAME", "ADDRESS", "AS", "MSGRCVD", "MSGSENT", "LAG", "SINCE", "STATE", "EXPORTED"];
pub(super) const GATEWAYS_WIDE: [&str; 14] = [
    "NAME",
    "ADDRESS",
    "AS",
    "MSGRCVD",
    "MSGSENT",
    "LAG",
    "SINCE",
    "STATE",
    "EXPORTED",
    "CAUGHT-UP",
    "CAPPED",
    "POLICY",
    "SESSIONS",
    "LAST-END",
];
pub(super) const ROUTES: [&str; 5] = ["PREFIX", "STATE", "HOST", "NEXT-HOP", "SOURCE"];
pub(super) const ROUTES_WIDE: [&str; 8] =
    ["PREFIX", "STATE", "HOST", "NEXT-HOP", "SOURCE", "KEY", "REVISION", "REASON"];
pub(super) const HOLDS: [&str; 8] = ["PREFIX", "KIND", "SOURCE", "SINCE", "WAITS-FOR", "FROM", "TO", "REASON"];
pub(super) const FORCED: [&str; 2] = ["WHAT", "NAME"];

pub(super) fn moment(at: Option<&Timestamp>) -> String {
    at.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn status(out: &mut dyn Write, status: &StatusResponse, no_headers: bool) -> io::Result<()> {
    let config = if status.config_loaded { "in force" } else { "not loaded: the one before is in force, see the log" };
    let frozen = match &status.frozen_since {
        None => "no".to_owned(),
        Some(since) => match &*status.frozen_because {
            "" => format!("since {since}: nothing changes at any gateway"),
            because => format!("since {since}: nothing changes at any gateway; {}", plain(because)),
        },
    };
    writeln!(out, "version   {}", plain(&status.version))?;
    writeln!(out, "started   {}", moment(status.started_at.as_ref()))?;
    writeln!(out, "config    {config}")?;
    writeln!(out, "role      {}", role(status))?;
    writeln!(out, "frozen    {frozen}")?;
    if status.waiting > 0 {
        let until = until(if status.frozen_since.is_some() { "unfreeze" } else { "leader" });
        writeln!(out, "waiting   {} {until}: see waits in fingerpost routes", status.waiting)?;
    }
    if !status.drained.is_empty() {
        writeln!(out, "drained   {}", plain(&status.drained.join(", ")))?;
    }
    if let Some(told) = &status.leaving {
        writeln!(out, "leaving   {}", leaving(told))?;
    }
    writeln!(out, "routes    {} ipv4, {} ipv6", status.ipv4_routes, status.ipv6_routes)?;
    writeln!(out, "gateways  {} of {} established", status.established, status.gateways)?;
    let held: u64 = status.sources.iter().map(held).sum();
    let of_reload = match status.held_reload {
        0 => String::new(),
        parts => format!(" and {parts} of the last reload: see fingerpost holds"),
    };
    writeln!(out, "held      {held}{of_reload}")?;
    writeln!(out, "forced    {}", status.forced)?;
    writeln!(out)?;
    let heads =
        ["SOURCE", "STATE", "SINCE", "REVISION", "RECORDS", "ROUTES", "HELD", "QUARANTINED", "UNRESOLVED", "WHY"];
    let mut table = Table::new(&heads, no_headers);
    status.sources.iter().for_each(|source| table.row(source_row(source)));
    table.flush(out, "")
}

/// What becomes of a process that was ordered to leave, and until when.
pub(super) fn leaving(leaving: &Leaving) -> String {
    let at = moment(leaving.ends_at.as_ref());
    let end = if leaving.withdraws {
        "then the gateways drop its routes and it ends; drain without --withdraw, or SIGTERM, leaves them"
    } else {
        "then it leaves the lead to another replica and ends, and gateways keep its routes for their restart time"
    };
    format!("drains until {at} at the latest, with GRACEFUL_SHUTDOWN on every route; {end}")
}

fn role(status: &StatusResponse) -> String {
    let since = moment(status.role_since.as_ref());
    match (status.role.as_str(), status.term) {
        ("alone", _) => "alone: there is no election".to_owned(),
        ("unsure", _) => format!("unsure who leads since {since}: nothing changes at any gateway"),
        (role, Some(term)) => format!("{} in term {term}, since {since}", plain(role)),
        (role, None) => format!("{}, since {since}", plain(role)),
    }
}

fn held(source: &Source) -> u64 {
    source.held_withdrawals + source.held_moves + source.held_additions
}

fn source_row(source: &Source) -> Vec<String> {
    let state = SourceState::try_from(source.state).map(SourceState::word).unwrap_or_default();
    vec![
        source.name.clone(),
        state,
        moment(source.since.as_ref()),
        source.revision.to_string(),
        source.records.to_string(),
        source.routes.to_string(),
        held(source).to_string(),
        source.quarantined.to_string(),
        source.unresolved.to_string(),
        source.message.clone(),
    ]
}

pub(super) fn gateway_row(gateway: &Gateway, wide: bool) -> Vec<String> {
    let families = || gateway.families.iter();
    let negotiated = || families().filter(|family| family.negotiated);
    let lag = match negotiated().count() {
        0 => String::new(),
        _ => negotiated().map(|family| family.lag).sum::<u64>().to_string(),
    };
    let mut row = vec![
        gateway.name.clone(),
        gateway.address.clone(),
        if gateway.asn == 0 { String::new() } else { gateway.asn.to_string() },
        gateway.messages_received.to_string(),
        gateway.messages_sent.to_string(),
        lag,
        moment(gateway.since.as_ref()),
        gateway.state.clone(),
        families().map(|family| family.exported).sum::<u64>().to_string(),
    ];
    if wide {
        let caught_up: Vec<String> = negotiated()
            .map(|family| format!("{}:{}", family.family, if family.caught_up { "yes" } else { "no" }))
            .collect();
        let drained = if gateway.drain { " (drained)" } else { "" };
        row.extend([
            caught_up.join(","),
            families().map(|family| family.capped).sum::<u64>().to_string(),
            format!("{}{drained}", gateway.policy),
            gateway.established_count.to_string(),
            [&gateway.last_end, &gateway.hint]
                .into_iter()
                .filter(|text| !text.is_empty())
                .cloned()
                .collect::<Vec<_>>()
                .join("; "),
        ]);
    }
    row
}

/// What a claim's standing is called, and of a route what is the matter with it.
fn state(route: &Route, standing: Option<Standing>) -> String {
    let mut words = Vec::new();
    match standing {
        _ if route.overridden.is_some() => words.push("overridden".into()),
        Some(standing) => words.push(standing.word()),
        // Its withdrawal is held.
        None if route.announced.is_some() => words.push(Standing::Route.word()),
        None => {}
    }
    if standing.is_none_or(|standing| standing == Standing::Route) {
        if let Some(hold) = &route.hold {
            words.push(format!("held:{}", kind(hold)));
        }
        if let Some(waiting) = &route.waiting {
            words.push(format!("waits:{}", change(waiting.kind)));
        }
        if route.stale {
            words.push("stale".into());
        }
    }
    words.join(",")
}

/// Until when nothing changes.
pub(super) fn until(word: &str) -> &'static str {
    if word == "unfreeze" { "for fingerpost unfreeze" } else { "until it is known who leads" }
}

pub(super) fn kind(hold: &Hold) -> String {
    change(hold.kind)
}

pub(super) fn change(kind: i32) -> String {
    ChangeKind::try_from(kind).map(ChangeKind::word).unwrap_or_default()
}

/// One row for a route.
pub(super) fn route_row(route: &Route) -> Vec<String> {
    let first = route.claims.first();
    let standing = first.and_then(|claim| Standing::try_from(claim.standing).ok());
    // What is announced stands in no claim any more, if its withdrawal or move is held.
    let is_first = standing == Some(Standing::Route) || route.announced.is_none();
    let overridden = route.overridden.as_ref().and_then(|over| over.hop.as_ref());
    let (host, next_hop) = match (route.announced.as_ref().or(overridden), first) {
        (Some(Hop { host, next_hop }), _) | (None, Some(Claim { host, next_hop, .. })) => {
            (host.clone(), next_hop.clone())
        }
        (None, None) => Default::default(),
    };
    let source = match (first.filter(|_| is_first), &route.hold) {
        (Some(claim), _) => claim.source.clone(),
        (None, Some(hold)) => hold.source.clone(),
        (None, None) => String::new(),
    };
    vec![route.prefix.clone(), state(route, standing.filter(|_| is_first)), host, next_hop, source]
}

/// A row for each claim.
pub(super) fn claim_rows(route: &Route) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let standing = |claim: &Claim| Standing::try_from(claim.standing).ok();
    if let Some(hop) = &route.announced
        && !route.claims.iter().any(|claim| standing(claim) == Some(Standing::Route))
    {
        let reason = match &route.waiting {
            Some(waiting) => format!("its {} waits {}", change(waiting.kind), until(&waiting.until)),
            None => "no record states it any more".into(),
        };
        let source = route.hold.as_ref().map(|hold| hold.source.clone()).unwrap_or_default();
        let state = state(route, None);
        rows.push(vec![
            route.prefix.clone(),
            state,
            hop.host.clone(),
            hop.next_hop.clone(),
            source,
            String::new(),
            String::new(),
            reason,
        ]);
    }
    rows.extend(route.claims.iter().map(|claim| {
        vec![
            route.prefix.clone(),
            state(route, Some(standing(claim).unwrap_or_default())),
            claim.host.clone(),
            claim.next_hop.clone(),
            claim.source.clone(),
            claim.key.clone(),
            claim.revision.to_string(),
            reason(claim),
        ]
    }));
    rows
}

pub(in crate::cli) fn reason(claim: &Claim) -> String {
    match (claim.reason.as_str(), claim.readable) {
        (reason, true) => reason.to_owned(),
        ("", false) => "the record cannot be read any more; this is what it said before".into(),
        (reason, false) => format!("{reason}; the record cannot be read any more"),
    }
}

pub(super) fn hold_row(hold: &Hold) -> Vec<String> {
    let hop =
        |hop: &Option<Hop>| hop.as_ref().map(|hop| format!("{} via {}", hop.host, hop.next_hop)).unwrap_or_default();
    vec![
        hold.prefix.clone(),
        kind(hold),
        hold.source.clone(),
        moment(hold.since.as_ref()),
        waits_for(hold).into(),
        hop(&hold.from),
        hop(&hold.to),
        hold.reason.clone(),
    ]
}

/// A part of a reload, in the same columns.
pub(super) fn reload_row(hold: &ReloadHold) -> Vec<String> {
    let ReloadHold { what, withdrawn, moved, of, since } = hold;
    vec![
        String::new(),
        "reload".into(),
        what.clone(),
        moment(since.as_ref()),
        "person".into(),
        String::new(),
        String::new(),
        format!("it would withdraw {withdrawn} and move {moved} of {of} routes: fingerpost approve --reload"),
    ]
}

/// All but the next hop.
pub(in crate::cli) fn attributes(of: &Attributes) -> String {
    let mut words = Vec::new();
    words.extend(of.med.map(|med| format!("med {med}")));
    words.extend(of.local_pref.map(|preference| format!("local-pref {preference}")));
    words.extend((of.prepend > 0).then(|| format!("prepend {}", of.prepend)));
    let communities = [&of.communities, &of.extended_communities, &of.large_communities];
    let communities: Vec<&str> = communities.into_iter().flatten().map(String::as_str).collect();
    words.extend((!communities.is_empty()).then(|| format!("communities {}", communities.join(" "))));
    words.join(", ")
}

pub(super) fn waits_for(hold: &Hold) -> &'static str {
    match (hold.denied, hold.needs_person) {
        (true, _) => "denied",
        (false, true) => "person",
        (false, false) => "proof",
    }
}

/// What is withdrawn by order: of which kind, and its name.
pub(super) fn forced(forced: &Forced) -> (&'static str, &str) {
    forced.target.as_ref().map(target).unwrap_or_default()
}

fn target(target: &Target) -> (&'static str, &str) {
    match &target.which {
        Some(Which::Prefix(prefix)) => ("prefix", prefix),
        Some(Which::Host(host)) => ("host", host),
        None => ("", ""),
    }
}

/// The command that takes a withdrawal by order back.
pub(super) fn restoring(order: &Target) -> String {
    let (what, name) = target(order);
    let option = if what == "host" { "--host " } else { "" };
    format!("fingerpost restore {option}{}", plain(name))
}
