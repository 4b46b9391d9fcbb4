//! `/api/v1/holds`: what the guard keeps back until a person decides, or until it is proven (promise P3).

use super::query::{Query, wrong_page};
use super::{Problem, Shared, moment};
use crate::clock::Clock;
use crate::look::frozen_since;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use fingerpost_core::engine::{HoldRow, ReloadHold};
use fingerpost_core::model::Prefix;
use serde::Serialize;
use std::net::IpAddr;

/// The answer.
#[derive(Serialize)]
pub(super) struct Holds {
    frozen_since: Option<String>,
    frozen_because: Option<String>,
    reload: Vec<Reload>,
    holds: Vec<Hold>,
    next: Option<String>,
}

/// A change that is kept back.
#[derive(Serialize)]
pub(super) struct Hold {
    prefix: String,
    kind: &'static str,
    source: String,
    since: String,
    reason: String,
    needs_person: bool,
    denied: bool,
    from: Option<Hop>,
    to: Option<Hop>,
}

/// A part of a reload that is kept back.
#[derive(Serialize)]
struct Reload {
    what: String,
    withdrawn: usize,
    moved: usize,
    of: usize,
    since: String,
}

/// A host and its next hop.
#[derive(Serialize)]
struct Hop {
    host: String,
    next_hop: IpAddr,
}

/// One page, in the order of the prefixes.
pub(super) async fn page(State(shared): State<Shared>, uri: Uri) -> Result<Json<Holds>, Problem> {
    let query = Query::read(&uri, &["limit", "page"])?;
    let limit = query.limit()?;
    let read = |text: &str| text.parse::<Prefix>().map_err(|_| wrong_page(text));
    let after = query.get("page").map(read).transpose()?;
    let clock = shared.clock;
    let look = move |engine: &fingerpost_core::engine::Engine| {
        let frozen = (frozen_since(engine, &clock), engine.frozen_because().map(str::to_owned));
        (frozen, engine.reload_holds().to_vec(), engine.hold_rows(after, limit))
    };
    let ((frozen, frozen_because), reload, rows) = shared.look(look).await?;
    let next = rows.get(limit - 1).map(|row| row.prefix.to_string());
    Ok(Json(Holds {
        frozen_since: frozen.map(moment::rfc3339),
        frozen_because,
        reload: reload.into_iter().map(|hold| Reload::shown(hold, &shared.clock)).collect(),
        holds: rows.into_iter().map(|row| Hold::shown(row, &shared.clock)).collect(),
        next,
    }))
}

impl Reload {
    fn shown(hold: ReloadHold, clock: &Clock) -> Reload {
        let ReloadHold { what, withdrawn, moved, of, since } = hold;
        Reload { what, withdrawn, moved, of, since: moment::shown(clock, since) }
    }
}

impl Hold {
    pub(super) fn shown(row: HoldRow, clock: &Clock) -> Hold {
        let hop = |(host, next_hop)| Hop { host, next_hop };
        Hold {
            prefix: row.prefix.to_string(),
            kind: row.kind.name(),
            source: row.source,
            since: moment::shown(clock, row.since),
            reason: row.reason.to_string(),
            needs_person: row.needs_person,
            denied: row.denied,
            from: row.from.map(hop),
            to: row.to.map(hop),
        }
    }
}
