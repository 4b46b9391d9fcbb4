//! `/api/v1/routes`: every claimed prefix with every claim for it, and what became of each.
//!
//! A page is gathered in many small looks, so the engine goes on between them, and the table may change under a reader: a
//! prefix that is claimed all the while is on exactly one page.

use super::holds::Hold;
use super::query::{Query, wrong, wrong_page};
use super::{Problem, Shared};
use crate::clock::Clock;
use crate::look::search::{LOOKS, Relation, Search, Unclear};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use fingerpost_core::engine::{ClaimRow, OverrideRow, RouteRow};
use fingerpost_core::model::Family;
use fingerpost_core::table::Standing;
use serde::Serialize;
use std::net::IpAddr;

/// The answer.
#[derive(Serialize)]
pub(super) struct Routes {
    routes: Vec<Route>,
    next: Option<String>,
}

/// A prefix that somebody claims.
#[derive(Serialize)]
struct Route {
    prefix: String,
    family: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation: Option<&'static str>,
    announced: Option<Announced>,
    claims: Vec<Claim>,
    hold: Option<Hold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overridden: Option<Override>,
}

/// Whose route it is.
#[derive(Serialize)]
struct Announced {
    host: String,
    next_hop: IpAddr,
}

/// What would become of the route, and until when nothing does.
#[derive(Serialize)]
struct Waiting {
    kind: &'static str,
    until: &'static str,
}

/// Why a withdrawn prefix is announced.
#[derive(Serialize)]
struct Override {
    by: String,
    host: String,
    next_hop: IpAddr,
    since: u64,
    waits: Vec<Behind>,
}

/// Who may still hold it.
#[derive(Serialize)]
struct Behind {
    why: &'static str,
    text: String,
    until: Option<u64>,
}

/// One record's claim.
#[derive(Serialize)]
struct Claim {
    standing: &'static str,
    reason: Option<String>,
    host: String,
    next_hop: IpAddr,
    source: String,
    key: String,
    revision: u64,
    readable: bool,
}

/// One page.
pub(super) async fn page(State(shared): State<Shared>, uri: Uri) -> Result<Json<Routes>, Problem> {
    let query = Query::read(&uri, &["prefix", "family", "limit", "page"])?;
    let limit = query.limit()?;
    let search = read(&query)?;
    let start = match query.get("page") {
        None => search.start(),
        Some(text) => search.resume(text).ok_or_else(|| wrong_page(text))?,
    };
    let mut cursor = Some(start);
    let mut routes = Vec::new();
    for _ in 0..LOOKS {
        let (Some(at), true) = (cursor, routes.len() < limit) else { break };
        let wanted = limit - routes.len();
        let asked = search.clone();
        let (rows, next) = shared.look(move |engine| asked.look(engine, at, wanted)).await?;
        routes.extend(rows.into_iter().map(|row| shown(&search, row, &shared.clock)));
        cursor = next;
    }
    Ok(Json(Routes { routes, next: cursor.map(|cursor| cursor.to_string()) }))
}

fn read(query: &Query) -> Result<Search, Problem> {
    let known = |text: &str| Family::named(text).ok_or_else(|| wrong("family", text, "write ipv4 or ipv6"));
    let family = query.get("family").map(known).transpose()?;
    let Some(text) = query.get("prefix") else { return Ok(Search::All(family)) };
    let search = Search::around(text).map_err(|why| match why {
        Unclear::Syntax => {
            wrong("prefix", text, "write a prefix such as 10.244.1.0/24, or an address such as 10.244.1.5")
        }
        Unclear::HostBits(net) => {
            let hint = format!("write {}, or {} alone for the routes that contain it", net.trunc(), net.addr());
            Problem::bad_request(format!("prefix is {net}, which has host bits set"), hint)
        }
    })?;
    match (&search, family) {
        (Search::Around(prefix) | Search::Holding(prefix), Some(family)) if prefix.family() != family => {
            let error = format!("prefix is of the family {}, not {family}", prefix.family());
            Err(Problem::bad_request(error, "leave family out"))
        }
        _ => Ok(search),
    }
}

fn shown(search: &Search, row: RouteRow, clock: &Clock) -> Route {
    let relation = search.relation(row.prefix).map(|relation| match relation {
        Relation::Exact => "exact",
        Relation::Covering => "covering",
        Relation::Within => "within",
    });
    let announced = row.announced.map(|(host, next_hop)| Announced { host, next_hop });
    let claims = row.claims.into_iter().map(Claim::from).collect();
    let hold = row.hold.map(|row| Hold::shown(row, clock));
    let waiting = row.waiting.map(|row| Waiting { kind: row.kind.name(), until: row.until.name() });
    let overridden = row.overridden.map(|row| overridden(row, clock));
    let (prefix, family) = (row.prefix.to_string(), row.prefix.family().name());
    Route { prefix, family, relation, announced, claims, hold, waiting, overridden }
}

fn overridden(row: OverrideRow, clock: &Clock) -> Override {
    let waits = row.waits.iter().map(|behind| Behind {
        why: behind.name(),
        text: behind.to_string(),
        until: behind.until().map(|until| clock.unix_seconds(until)),
    });
    Override {
        by: row.by.to_string(),
        host: row.hop.host.to_string(),
        next_hop: row.hop.next_hop,
        since: clock.unix_seconds(row.since),
        waits: waits.collect(),
    }
}

impl From<ClaimRow> for Claim {
    fn from(row: ClaimRow) -> Self {
        let (standing, reason) = match (row.waits, row.standing) {
            (Some(until), _) => ("waits", Some(until.to_string())),
            (None, Standing::Route) => ("route", None),
            (None, Standing::Held(hold)) => ("held", Some(hold.reason.to_string())),
            (None, Standing::Shadowed) => ("shadowed", None),
            (None, Standing::Forced) => ("forced", Some("a person has withdrawn its prefix or its host".into())),
            (None, Standing::Fenced(refusal)) => ("fenced", Some(refusal.to_string())),
        };
        let ClaimRow { host, next_hop, source, key, revision, readable, .. } = row;
        Claim { standing, reason, host, next_hop, source, key, revision, readable }
    }
}
