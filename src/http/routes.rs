//! `/api/v1/routes`: every claimed prefix with every claim for it, and what became of each.
//!
//! A page is gathered in many small looks, so the engine goes on between them, and the table may change under a reader: a
//! prefix that is claimed all the while is on exactly one page.

use super::holds::Hold;
use super::query::{Query, wrong, wrong_page};
use super::{Problem, Shared};
use crate::clock::Clock;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use fingerpost_core::engine::{ClaimRow, Engine, RouteRow};
use fingerpost_core::model::{Family, Prefix};
use fingerpost_core::table::Standing;
use ipnet::IpNet;
use serde::Serialize;
use std::net::IpAddr;

/// Prefixes that one look returns at the most.
const SLICE: usize = 100;
/// Looks for one page at the most; a search that finds little among millions of prefixes goes on with the next page.
const LOOKS: usize = 64;

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
    claims: Vec<Claim>,
    hold: Option<Hold>,
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

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Search {
    /// Everything, or one family.
    All(Option<Family>),
    /// This prefix, what covers it, and what lies within it.
    Around(Prefix),
    /// What contains this address, as a prefix of full length.
    Holding(Prefix),
}

/// Where the next look begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cursor {
    /// At the prefix of this length that covers the one asked for.
    Covering(u8),
    /// At this place of a family's table.
    Place(Family, u32),
}

/// One page.
pub(super) async fn page(State(shared): State<Shared>, uri: Uri) -> Result<Json<Routes>, Problem> {
    let query = Query::read(&uri, &["prefix", "family", "limit", "page"])?;
    let limit = query.limit()?;
    let search = Search::read(&query)?;
    let start = match query.get("page") {
        None => search.start(),
        Some(text) => Cursor::read(text).filter(|cursor| search.visits(*cursor)).ok_or_else(|| wrong_page(text))?,
    };
    let mut cursor = Some(start);
    let mut routes = Vec::new();
    for _ in 0..LOOKS {
        let (Some(at), true) = (cursor, routes.len() < limit) else { break };
        let wanted = limit - routes.len();
        let (rows, next) = shared.look(move |engine| search.look(engine, at, wanted)).await?;
        routes.extend(rows.into_iter().map(|row| search.shown(row, &shared.clock)));
        cursor = next.or_else(|| search.after(at));
    }
    Ok(Json(Routes { routes, next: cursor.map(|cursor| cursor.to_string()) }))
}

impl Search {
    fn read(query: &Query) -> Result<Search, Problem> {
        let family = match query.get("family") {
            None => None,
            Some(text) => {
                let known = Family::ALL.into_iter().find(|family| family.name() == text);
                Some(known.ok_or_else(|| wrong("family", text, "write ipv4 or ipv6"))?)
            }
        };
        let Some(text) = query.get("prefix") else { return Ok(Search::All(family)) };
        let search = Search::around(text)?;
        match (search, family) {
            (Search::Around(prefix) | Search::Holding(prefix), Some(family)) if prefix.family() != family => {
                let error = format!("prefix is of the family {}, not {family}", prefix.family());
                Err(Problem::bad_request(error, "leave family out"))
            }
            _ => Ok(search),
        }
    }

    fn around(text: &str) -> Result<Search, Problem> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Search::Holding(Prefix::truncated(address.into())));
        }
        let hint = "write a prefix such as 10.244.1.0/24, or an address such as 10.244.1.5";
        let net: IpNet = text.parse().map_err(|_| wrong("prefix", text, hint))?;
        Prefix::new(net).map(Search::Around).map_err(|_| {
            let hint = format!("write {}, or {} alone for the routes that contain it", net.trunc(), net.addr());
            Problem::bad_request(format!("prefix is {net}, which has host bits set"), hint)
        })
    }

    fn start(self) -> Cursor {
        match self {
            Search::All(family) => Cursor::Place(family.unwrap_or(Family::Ipv4), 0),
            Search::Around(prefix) | Search::Holding(prefix) => Cursor::Covering(prefix.length()),
        }
    }

    /// Where to go on once the part of the cursor has no more.
    fn after(self, cursor: Cursor) -> Option<Cursor> {
        match (self, cursor) {
            (Search::All(None), Cursor::Place(Family::Ipv4, _)) => Some(Cursor::Place(Family::Ipv6, 0)),
            (Search::Around(prefix), Cursor::Covering(_)) => Some(Cursor::Place(prefix.family(), 0)),
            _ => None,
        }
    }

    /// Whether this search ever comes by the cursor.
    fn visits(self, cursor: Cursor) -> bool {
        match (self, cursor) {
            (Search::All(wanted), Cursor::Place(family, _)) => wanted.is_none_or(|wanted| wanted == family),
            (Search::All(_), Cursor::Covering(_)) | (Search::Holding(_), Cursor::Place(..)) => false,
            (Search::Around(prefix), Cursor::Place(family, _)) => prefix.family() == family,
            (Search::Around(prefix) | Search::Holding(prefix), Cursor::Covering(length)) => length <= prefix.length(),
        }
    }

    /// One short look.
    fn look(self, engine: &Engine, cursor: Cursor, wanted: usize) -> (Vec<RouteRow>, Option<Cursor>) {
        match (self, cursor) {
            (Search::Around(prefix) | Search::Holding(prefix), Cursor::Covering(length)) => {
                covering(engine, prefix, length, wanted)
            }
            (_, Cursor::Covering(_)) => (Vec::new(), None),
            (search, Cursor::Place(family, place)) => {
                let inside = |prefix: Prefix| match search {
                    Search::All(_) => true,
                    Search::Around(whole) => prefix != whole && whole.covers(prefix),
                    Search::Holding(_) => false,
                };
                let (rows, next) = engine.route_rows(family, place, wanted.min(SLICE), inside);
                (rows, next.map(|place| Cursor::Place(family, place)))
            }
        }
    }

    fn shown(self, row: RouteRow, clock: &Clock) -> Route {
        let relation = match self {
            Search::All(_) => None,
            Search::Around(asked) | Search::Holding(asked) => Some(match row.prefix {
                prefix if prefix == asked => "exact",
                prefix if prefix.covers(asked) => "covering",
                _ => "within",
            }),
        };
        let mut claims = row.claims;
        claims.sort_by_key(|claim| match claim.standing {
            Standing::Route => 0,
            Standing::Held(_) => 1,
            Standing::Shadowed => 2,
            Standing::Forced => 3,
            Standing::Fenced(_) => 4,
        });
        let claims = claims.into_iter().map(Claim::from).collect();
        let hold = row.hold.map(|row| Hold::shown(row, clock));
        Route { prefix: row.prefix.to_string(), family: row.prefix.family().name(), relation, claims, hold }
    }
}

/// The prefix itself and those that cover it, from this length down, the longest first: one question for each length.
fn covering(engine: &Engine, prefix: Prefix, length: u8, wanted: usize) -> (Vec<RouteRow>, Option<Cursor>) {
    let mut rows = Vec::new();
    for length in (0..=length).rev() {
        if rows.len() == wanted {
            return (rows, Some(Cursor::Covering(length)));
        }
        let net = IpNet::new(prefix.net().addr(), length).ok();
        rows.extend(net.and_then(|net| engine.route(Prefix::truncated(net))));
    }
    (rows, None)
}

impl From<ClaimRow> for Claim {
    fn from(row: ClaimRow) -> Self {
        let (standing, reason) = match row.standing {
            Standing::Route => ("route", None),
            Standing::Held(hold) => ("held", Some(hold.reason.to_string())),
            Standing::Shadowed => ("shadowed", None),
            Standing::Forced => ("forced", Some("a person has withdrawn its prefix or its host".into())),
            Standing::Fenced(refusal) => ("fenced", Some(refusal.to_string())),
        };
        let ClaimRow { host, next_hop, source, key, revision, readable, .. } = row;
        Claim { standing, reason, host, next_hop, source, key, revision, readable }
    }
}

/// As `next` and `page` write it: `c18`, `4.2af`, `6.0`.
impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cursor::Covering(length) => write!(f, "c{length}"),
            Cursor::Place(Family::Ipv4, place) => write!(f, "4.{place:x}"),
            Cursor::Place(Family::Ipv6, place) => write!(f, "6.{place:x}"),
        }
    }
}

impl Cursor {
    fn read(text: &str) -> Option<Cursor> {
        if let Some(length) = text.strip_prefix('c') {
            return length.parse().ok().map(Cursor::Covering);
        }
        let (family, place) = text.split_once('.')?;
        let family = match family {
            "4" => Family::Ipv4,
            "6" => Family::Ipv6,
            _ => return None,
        };
        u32::from_str_radix(place, 16).ok().map(|place| Cursor::Place(family, place))
    }
}
