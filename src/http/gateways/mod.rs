//! `/api/v1/gateways`: each session, what it agreed on, what was said in it, and how much of the table it was told.

mod capability;
mod notification;
mod range;

use super::query::{Query, wrong_page};
use super::{Problem, Shared, moment, name_of};
use crate::clock::Clock;
use crate::speaker::{GatewayReport, RangeReport};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use fingerpost_core::bgp::neighbour::{Agreed, Counters, Direction, End};
use fingerpost_core::bgp::wire::SessionType;
use fingerpost_core::engine::{Engine, GatewayRow};
use fingerpost_core::model::{Family, GatewayId, Time};
use notification::Said;
use range::Range;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The answer to `/api/v1/gateways`.
#[derive(Serialize)]
pub(super) struct Gateways {
    gateways: Vec<Gateway>,
    /// All of them, on every page.
    ranges: Vec<Range>,
    next: Option<String>,
}

/// One gateway.
#[derive(Serialize)]
pub(super) struct Gateway {
    name: String,
    address: IpAddr,
    port: u16,
    state: &'static str,
    since: Option<String>,
    direction: Option<&'static str>,
    policy: Option<String>,
    drain: bool,
    established_count: u64,
    negotiated: Option<Negotiated>,
    messages: BothWays<BTreeMap<&'static str, u64>>,
    last_notification: BothWays<Option<Said>>,
    last_end: Option<LastEnd>,
    hint: Option<String>,
    routes: BTreeMap<&'static str, Routes>,
}

/// What the gateway sent us and what we sent it.
#[derive(Serialize)]
struct BothWays<T> {
    received: T,
    sent: T,
}

/// What both sides agreed on.
#[derive(Serialize)]
struct Negotiated {
    peer_asn: u32,
    peer_router_id: String,
    session: &'static str,
    hold_time_seconds: u16,
    keepalive_seconds: Option<f64>,
    families: Vec<&'static str>,
    enhanced_refresh: bool,
    extended_messages: bool,
    extended_next_hop: bool,
    graceful_restart: Option<Value>,
    peer_capabilities: Vec<Value>,
}

#[derive(Serialize)]
struct LastEnd {
    at: String,
    reason: &'static str,
    text: String,
}

/// What the engine has for it, in one family.
#[derive(Serialize)]
struct Routes {
    exported: usize,
    lag: Option<u64>,
    caught_up: Option<bool>,
    max_prefix: Option<usize>,
    capped: usize,
}

/// A page of them, by name.
pub(super) async fn all(State(shared): State<Shared>, uri: Uri) -> Result<Json<Gateways>, Problem> {
    let query = Query::read(&uri, &["limit", "page"])?;
    let limit = query.limit()?;
    let after = query.get("page").unwrap_or_default();
    let (mut rows, reports, ranges) = ask(&shared).await?;
    let ranges = ranges.into_iter().map(|range| Range::new(range, &reports)).collect();
    if !after.is_empty() && !after.chars().all(is_of_name) {
        return Err(wrong_page(after));
    }
    let mut reports = reports.into_iter().filter(|report| report.name.as_str() > after).peekable();
    let gateways: Vec<Gateway> = reports
        .by_ref()
        .take(limit)
        .map(|report| Gateway::new(&shared.clock, rows.remove(&report.id), report))
        .collect();
    let more = reports.peek().is_some();
    let next = gateways.last().filter(|_| more).map(|gateway| gateway.name.clone());
    Ok(Json(Gateways { gateways, ranges, next }))
}

/// One by its name.
pub(super) async fn one(
    State(shared): State<Shared>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Gateway>, Problem> {
    Query::read(&uri, &[])?;
    let name = name_of(name)?;
    let (mut rows, reports, _) = ask(&shared).await?;
    match reports.into_iter().find(|report| report.name == name) {
        Some(report) => Ok(Json(Gateway::new(&shared.clock, rows.remove(&report.id), report))),
        None => Err(Problem::not_found(format!("no gateway is named {name:?}"), "GET /api/v1/gateways lists them")),
    }
}

/// What names consist of: configured ones and, of those that came from a range, their addresses.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./:".contains(c)
}

type Asked = (HashMap<GatewayId, GatewayRow>, Vec<GatewayReport>, Vec<RangeReport>);

async fn ask(shared: &Shared) -> Result<Asked, Problem> {
    let rows = shared.look(Engine::gateway_rows).await?;
    let (reports, ranges) = shared.reports().await;
    Ok((rows.into_iter().map(|row| (row.id, row)).collect(), reports, ranges))
}

impl Gateway {
    fn new(clock: &Clock, row: Option<GatewayRow>, report: GatewayReport) -> Self {
        let GatewayReport { name, target, status, hint, .. } = report;
        let status = status.as_ref();
        let of = |counters: Option<Counters>| counters.unwrap_or_default().iter().collect();
        Gateway {
            name,
            address: target.address.ip(),
            port: target.address.port(),
            state: status.map_or("Unknown", |status| status.state.name()),
            since: status.map(|status| moment::shown(clock, status.since)),
            direction: status.and_then(|status| status.direction).map(direction),
            policy: row.as_ref().map(|row| row.policy.clone()),
            drain: row.as_ref().is_some_and(|row| row.drain),
            established_count: status.map_or(0, |status| status.established),
            negotiated: status.and_then(|status| status.agreed.as_ref()).map(Negotiated::new),
            messages: BothWays {
                received: of(status.map(|status| status.received)),
                sent: of(status.map(|status| status.sent)),
            },
            last_notification: BothWays {
                received: status.and_then(|status| Said::new(clock, status.last_received.as_ref())),
                sent: status.and_then(|status| Said::new(clock, status.last_sent.as_ref())),
            },
            last_end: status.and_then(|status| LastEnd::new(clock, status.last_end.as_ref())),
            hint,
            routes: row
                .map(|row| Family::ALL.map(|family| (family.name(), Routes::new(&row, family))).into())
                .unwrap_or_default(),
        }
    }
}

impl Negotiated {
    fn new(agreed: &Agreed) -> Self {
        let families = agreed.families.iter().filter(|(_, encoding)| encoding.is_some());
        Negotiated {
            peer_asn: agreed.peer_asn().get(),
            peer_router_id: agreed.peer_id().to_string(),
            session: match agreed.session {
                SessionType::Internal => "internal",
                SessionType::External => "external",
            },
            hold_time_seconds: agreed.hold_time.seconds(),
            keepalive_seconds: agreed.keepalive.map(|span| span.as_secs_f64()),
            families: families.map(|(family, _)| family.name()).collect(),
            enhanced_refresh: agreed.enhanced_refresh,
            extended_messages: agreed.extended_messages,
            extended_next_hop: agreed.families.ipv4.is_some_and(|encoding| encoding.ipv4_via_ipv6),
            graceful_restart: agreed.peer.graceful_restart().map(capability::graceful_restart),
            peer_capabilities: agreed.peer.capabilities.iter().map(capability::shown).collect(),
        }
    }
}

impl LastEnd {
    fn new(clock: &Clock, last: Option<&(Time, End)>) -> Option<Self> {
        let (at, end) = last?;
        Some(LastEnd { at: moment::shown(clock, *at), reason: end.reason(), text: end.to_string() })
    }
}

impl Routes {
    fn new(row: &GatewayRow, family: Family) -> Self {
        Routes {
            exported: row.exported[family],
            lag: row.lag[family],
            caught_up: row.caught_up[family],
            max_prefix: row.max_prefix[family],
            capped: row.withheld[family],
        }
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Outgoing => "outgoing",
        Direction::Incoming => "incoming",
    }
}
