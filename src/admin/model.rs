//! From the engine's rows to messages.

use super::proto;
use crate::clock::Clock;
use crate::config::{Community, ExtendedCommunity, LargeCommunity};
use crate::look::search::{Relation, Search};
use crate::look::seen::{Known, known, reason};
use crate::speaker::GatewayReport;
use fingerpost_core::bgp::wire::RouteAttributes;
use fingerpost_core::engine::{
    Behind, ClaimRow, GatewayRow, HoldRow, OverrideRow, ReloadHold, RouteRow, SourceRow, TellState, ToldRow,
    UnresolvedOf, Waiting,
};
use fingerpost_core::model::{Family, Time};
use fingerpost_core::source::sync::Seen;
use fingerpost_core::table::{ChangeKind, Standing, Target};
use prost_types::Timestamp;
use std::net::IpAddr;

/// Claims of one prefix that are shown.
const CLAIMS: usize = 64;

pub(super) fn moment(clock: &Clock, at: Time) -> Timestamp {
    seconds(clock.unix_seconds(at))
}

/// Of seconds since 1970.
pub(super) fn seconds(seconds: u64) -> Timestamp {
    Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}

/// To the millisecond: events follow one another.
pub(super) fn precise(clock: &Clock, at: Time) -> Timestamp {
    let unix = clock.unix(at);
    let nanos = i32::try_from(unix.subsec_millis() * 1_000_000).unwrap_or_default();
    Timestamp { seconds: i64::try_from(unix.as_secs()).unwrap_or(i64::MAX), nanos }
}

pub(crate) fn source(clock: &Clock, row: SourceRow) -> proto::Source {
    let why = reason(&row);
    let Known { since, at, counts } = known(&row.seen);
    let state = match row.seen {
        Seen::Never(_) => proto::SourceState::Never,
        Seen::Lost { .. } => proto::SourceState::Stale,
        Seen::Current { .. } => proto::SourceState::Current,
    };
    let held = |wanted: ChangeKind| row.held.iter().filter(|(kind, _)| *kind == wanted).map(|(_, n)| *n as u64).sum();
    let (kind, message) = why.map(|why| (why.kind.to_owned(), why.message)).unwrap_or_default();
    proto::Source {
        name: row.name,
        state: state.into(),
        reason: kind,
        message,
        since: since.map(|since| moment(clock, since)),
        revision: at.map_or(0, |at| at.0),
        complete: row.complete,
        records: counts.records as u64,
        routes: row.routes as u64,
        quarantined: counts.quarantined as u64,
        unresolved: counts.unresolved as u64,
        held_withdrawals: held(ChangeKind::Withdrawal),
        held_moves: held(ChangeKind::Move),
        held_additions: held(ChangeKind::Addition),
    }
}

pub(super) fn gateway(clock: &Clock, row: Option<&GatewayRow>, report: GatewayReport) -> proto::Gateway {
    let status = report.status.as_ref();
    let last_end = status.and_then(|status| status.last_end.as_ref());
    let total = |counters: fingerpost_core::bgp::neighbour::Counters| counters.iter().map(|(_, count)| count).sum();
    let agreed = status.and_then(|status| status.agreed.as_ref());
    let families = row.map(|row| Family::ALL.map(|family| gateway_family(row, family)).into());
    proto::Gateway {
        name: report.name,
        address: report.target.address.ip().to_string(),
        port: report.target.address.port().into(),
        state: status.map_or("Unknown", |status| status.state.name()).to_owned(),
        since: status.map(|status| moment(clock, status.since)),
        asn: agreed.map_or(0, |agreed| agreed.peer_asn().get()),
        policy: row.map(|row| row.policy.clone()).unwrap_or_default(),
        drain: row.is_some_and(|row| row.drain),
        established_count: status.map_or(0, |status| status.established),
        messages_received: status.map_or(0, |status| total(status.received)),
        messages_sent: status.map_or(0, |status| total(status.sent)),
        families: families.unwrap_or_default(),
        last_end: last_end.map(|(_, end)| end.to_string()).unwrap_or_default(),
        last_end_at: last_end.map(|(at, _)| moment(clock, *at)),
        hint: report.hint.unwrap_or_default(),
    }
}

fn gateway_family(row: &GatewayRow, family: Family) -> proto::GatewayFamily {
    proto::GatewayFamily {
        family: family.name().to_owned(),
        negotiated: row.caught_up[family].is_some(),
        caught_up: row.caught_up[family].unwrap_or(false),
        lag: row.lag[family].unwrap_or(0),
        exported: row.exported[family] as u64,
        capped: row.withheld[family] as u64,
    }
}

pub(crate) fn route(clock: &Clock, search: &Search, row: RouteRow) -> proto::Route {
    let relation = match search.relation(row.prefix) {
        None => proto::Relation::Unspecified,
        Some(Relation::Exact) => proto::Relation::Exact,
        Some(Relation::Covering) => proto::Relation::Covering,
        Some(Relation::Within) => proto::Relation::Within,
    };
    let more = row.claims.len().saturating_sub(CLAIMS);
    proto::Route {
        prefix: row.prefix.to_string(),
        relation: relation.into(),
        announced: row.announced.map(hop),
        claims: row.claims.into_iter().take(CLAIMS).map(claim).collect(),
        more_claims: u32::try_from(more).unwrap_or(u32::MAX),
        hold: row.hold.map(|row| hold(clock, row)),
        waiting: row.waiting.map(waiting),
        stale: row.stale,
        overridden: row.overridden.map(|row| overridden(clock, row)),
    }
}

fn waiting(Waiting { kind, until }: Waiting) -> proto::Waiting {
    proto::Waiting { kind: change_kind(kind).into(), until: until.name().to_owned() }
}

fn overridden(clock: &Clock, row: OverrideRow) -> proto::Override {
    let behind = |behind: &Behind| proto::Behind {
        why: behind.name().into(),
        text: behind.to_string(),
        until: behind.until().map(|until| moment(clock, until)),
    };
    proto::Override {
        by: row.by.to_string(),
        hop: Some(hop((row.hop.host.to_string(), row.hop.next_hop))),
        since: Some(moment(clock, row.since)),
        waits: row.waits.iter().map(behind).collect(),
    }
}

pub(super) fn hop((host, next_hop): (String, IpAddr)) -> proto::Hop {
    proto::Hop { host, next_hop: next_hop.to_string() }
}

fn claim(row: ClaimRow) -> proto::Claim {
    let (standing, reason) = match (row.waits, row.standing) {
        (Some(until), _) => (proto::Standing::Waits, until.to_string()),
        (None, Standing::Route) => (proto::Standing::Route, String::new()),
        (None, Standing::Held(hold)) => (proto::Standing::Held, hold.reason.to_string()),
        (None, Standing::Shadowed) => (proto::Standing::Shadowed, "another claim for the prefix won".into()),
        (None, Standing::Forced) => (proto::Standing::Forced, "a person has withdrawn its prefix or its host".into()),
        (None, Standing::Fenced(refusal)) => (proto::Standing::Fenced, refusal.to_string()),
    };
    proto::Claim {
        standing: standing.into(),
        reason,
        host: row.host,
        next_hop: row.next_hop.to_string(),
        source: row.source,
        key: row.key,
        revision: row.revision,
        readable: row.readable,
    }
}

fn change_kind(kind: ChangeKind) -> proto::ChangeKind {
    match kind {
        ChangeKind::Withdrawal => proto::ChangeKind::Withdrawal,
        ChangeKind::Move => proto::ChangeKind::Move,
        ChangeKind::Addition => proto::ChangeKind::Addition,
    }
}

pub(super) fn hold(clock: &Clock, row: HoldRow) -> proto::Hold {
    proto::Hold {
        prefix: row.prefix.to_string(),
        kind: change_kind(row.kind).into(),
        source: row.source,
        since: Some(moment(clock, row.since)),
        reason: row.reason.to_string(),
        needs_person: row.needs_person,
        denied: row.denied,
        from: row.from.map(hop),
        to: row.to.map(hop),
    }
}

pub(super) fn reload_hold(clock: &Clock, hold: ReloadHold) -> proto::ReloadHold {
    let ReloadHold { what, withdrawn, moved, of, since } = hold;
    proto::ReloadHold {
        what,
        withdrawn: withdrawn as u64,
        moved: moved as u64,
        of: of as u64,
        since: Some(moment(clock, since)),
    }
}

pub(crate) fn unresolved(row: UnresolvedOf) -> proto::Unresolved {
    proto::Unresolved { prefix: row.prefix.to_string(), source: row.source, key: row.key, reason: row.why.to_owned() }
}

pub(super) fn told(row: ToldRow) -> proto::Told {
    let state = match row.told {
        TellState::Told => proto::TellState::Told,
        TellState::Pending => proto::TellState::Pending,
        TellState::Down => proto::TellState::Down,
        TellState::Rejected => proto::TellState::Rejected,
        TellState::Excluded => proto::TellState::Excluded,
        TellState::Capped => proto::TellState::Capped,
        TellState::Absent => proto::TellState::Absent,
    };
    proto::Told { gateway: row.gateway, state: state.into(), attributes: row.attributes.map(attributes) }
}

pub(super) fn attributes(attributes: RouteAttributes) -> proto::Attributes {
    let community = |value: &u32| Community(*value).to_string();
    let extended = |octets: &[u8; 8]| ExtendedCommunity(*octets).to_string();
    let large = |[global, one, two]: &[u32; 3]| LargeCommunity(*global, *one, *two).to_string();
    proto::Attributes {
        next_hop: attributes.next_hop.to_string(),
        med: attributes.med,
        local_pref: attributes.local_pref,
        communities: attributes.communities.iter().map(community).collect(),
        large_communities: attributes.large_communities.iter().map(large).collect(),
        prepend: attributes.prepend.into(),
        extended_communities: attributes.extended_communities.iter().map(extended).collect(),
    }
}

pub(super) fn target(target: &Target) -> proto::Target {
    let which = match target {
        Target::Prefix(prefix) => proto::target::Which::Prefix(prefix.to_string()),
        Target::Host(host) => proto::target::Which::Host(host.to_string()),
    };
    proto::Target { which: Some(which) }
}
