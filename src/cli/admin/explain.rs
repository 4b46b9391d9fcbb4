//! `fingerpost explain`: the whole story of a prefix, an address or a host.

use super::events;
use super::output::{Table, plain};
use super::tables::{self, kind, moment, waits_for};
use crate::admin::proto::{Claim, ExplainResponse, Hold, Hop, Override, Relation, Route, Standing, Subject, TellState};
use std::io::{self, Write};

pub(super) fn print(out: &mut dyn Write, answer: &ExplainResponse, no_headers: bool) -> io::Result<()> {
    if let Some(since) = &answer.frozen_since {
        writeln!(out, "frozen since {since}: nothing changes at any gateway before fingerpost unfreeze")?;
    }
    for forced in &answer.forced {
        let (what, name) = tables::forced(forced);
        let restoring = forced.target.as_ref().map(tables::restoring).unwrap_or_default();
        writeln!(out, "withdrawn by order: {what} {}; {restoring} takes that back", plain(name))?;
    }
    for route in &answer.routes {
        one(out, route)?;
    }
    for row in &answer.unresolved {
        let (prefix, source, key, why) = (&row.prefix, &row.source, plain(&row.key), &row.reason);
        writeln!(out, "{prefix}: not announced\n  unresolved  record {key} of {source}: {why}")?;
    }
    if !answer.told.is_empty() {
        writeln!(out, "gateways, for {}:", answer.told_prefix)?;
        let heads = ["GATEWAY", "STATE", "NEXT-HOP", "ATTRIBUTES"];
        let mut table = Table::new(&heads, no_headers);
        for told in &answer.told {
            let state = TellState::try_from(told.state).map(TellState::word).unwrap_or_default();
            let attributes = told.attributes.as_ref().map(tables::attributes).unwrap_or_default();
            let next_hop = told.attributes.as_ref().map(|of| of.next_hop.clone()).unwrap_or_default();
            table.row(vec![told.gateway.clone(), state, next_hop, attributes]);
        }
        table.flush(out, "  ")?;
    }
    events::past(out, &answer.events, answer.older_events)?;
    if Subject::try_from(answer.subject) == Ok(Subject::Host) {
        writeln!(out, "fingerpost explain PREFIX tells what each gateway was told")?;
    }
    Ok(())
}

fn hop(hop: &Hop) -> String {
    format!("host {} via {}", plain(&hop.host), hop.next_hop)
}

fn one(out: &mut dyn Write, route: &Route) -> io::Result<()> {
    let relation = match Relation::try_from(route.relation) {
        Ok(Relation::Covering) => " (covers it)",
        Ok(Relation::Within) => " (lies within it)",
        _ => "",
    };
    let announced = match (&route.announced, &route.overridden) {
        (Some(owner), _) => format!("announced, {}", hop(owner)),
        (None, Some(over)) => format!("withdrawn, and announced like {}", over.by),
        (None, None) => "not announced".into(),
    };
    writeln!(out, "{}{relation}: {announced}", route.prefix)?;
    if route.stale {
        writeln!(out, "  stale       its source cannot be read now: see fingerpost status")?;
    }
    if let Some(over) = &route.overridden {
        overridden(out, over)?;
    }
    if let Some(hold) = &route.hold {
        held(out, hold)?;
    }
    if let Some(waiting) = route.waiting.as_ref().filter(|_| route.announced.is_some()) {
        let (kind, until) = (tables::change(waiting.kind), tables::until(&waiting.until));
        writeln!(out, "  waits       a {kind}, {until}; then the guard judges it")?;
    }
    for claim in &route.claims {
        self::claim(out, claim)?;
    }
    if route.more_claims > 0 {
        writeln!(out, "  … and {} more claims", route.more_claims)?;
    }
    Ok(())
}

/// Why a withdrawn prefix is announced, and until when.
fn overridden(out: &mut dyn Write, over: &Override) -> io::Result<()> {
    let (by, since) = (&over.by, moment(over.since.as_ref()));
    let via = over.hop.as_ref().map(|of| format!(", {}", self::hop(of))).unwrap_or_default();
    writeln!(out, "  overridden  like {by}{via}, since {since}, until no other replica can hold it:")?;
    for behind in &over.waits {
        let until = behind.until.as_ref().map(|until| format!(", until {until} at the latest")).unwrap_or_default();
        writeln!(out, "              {}{until}", behind.text)?;
    }
    Ok(())
}

fn held(out: &mut dyn Write, hold: &Hold) -> io::Result<()> {
    let to = hold.to.as_ref().map(|to| format!(" to {}", hop(to))).unwrap_or_default();
    let since = moment(hold.since.as_ref());
    writeln!(out, "  held        a {}{to}, since {since}: {}", kind(hold), hold.reason)?;
    let prefix = &hold.prefix;
    match waits_for(hold) {
        "denied" => writeln!(out, "              denied: it stays until source {} says something else", hold.source),
        "person" => writeln!(out, "              waits for a person: fingerpost approve {prefix}, or deny"),
        _ => writeln!(out, "              waits until it is proven, or for: fingerpost approve {prefix}"),
    }
}

fn claim(out: &mut dyn Write, claim: &Claim) -> io::Result<()> {
    let standing = Standing::try_from(claim.standing).map(Standing::word).unwrap_or_default();
    let (host, next_hop, source) = (plain(&claim.host), &claim.next_hop, &claim.source);
    let reason = if claim.reason.is_empty() { String::new() } else { format!(": {}", claim.reason) };
    let (key, revision) = (plain(&claim.key), claim.revision);
    writeln!(
        out,
        "  {standing:<10}  host {host} via {next_hop}, record {key} of {source} at revision {revision}{reason}"
    )?;
    if !claim.readable {
        writeln!(out, "              the record cannot be read any more; this is what it said before")?;
    }
    Ok(())
}
