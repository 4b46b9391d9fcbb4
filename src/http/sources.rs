//! `/api/v1/sources`: what is known of each store, how surely, and which of its records make no sense.

use super::query::Query;
use super::{Problem, Shared, moment, name_of};
use crate::clock::Clock;
use crate::look::seen::{Known, Reason, known, reason};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use fingerpost_core::engine::{Engine, RecordFaults, SourceRow};
use fingerpost_core::source::sync::Seen;
use serde::Serialize;

/// The answer to `/api/v1/sources`. There are few sources, so it has no pages.
#[derive(Serialize)]
pub(super) struct Sources {
    sources: Vec<Source>,
}

/// One source.
#[derive(Serialize)]
pub(super) struct Source {
    name: String,
    state: &'static str,
    complete: bool,
    why: Option<Reason>,
    since: Option<String>,
    revision: Option<u64>,
    records: usize,
    quarantined: Quarantined,
    unresolved: Unresolved,
}

/// How many, and the first of them.
#[derive(Serialize)]
struct Quarantined {
    count: usize,
    records: Vec<QuarantinedRecord>,
}

#[derive(Serialize)]
struct QuarantinedRecord {
    key: String,
    why: String,
    kept: bool,
}

/// How many, and the first of them.
#[derive(Serialize)]
struct Unresolved {
    count: usize,
    prefixes: Vec<UnresolvedPrefix>,
}

#[derive(Serialize)]
struct UnresolvedPrefix {
    prefix: String,
    key: String,
    why: &'static str,
}

/// All of them.
pub(super) async fn all(State(shared): State<Shared>, uri: Uri) -> Result<Json<Sources>, Problem> {
    let limit = Query::read(&uri, &["limit"])?.limit()?;
    let look = move |engine: &Engine| -> Vec<(SourceRow, RecordFaults)> {
        let rows = engine.source_rows().into_iter();
        rows.map(|row| (engine.record_faults(row.id, limit), row)).map(|(faults, row)| (row, faults)).collect()
    };
    let rows = shared.look(look).await?;
    let sources = rows.into_iter().map(|(row, faults)| Source::new(&shared.clock, row, faults)).collect();
    Ok(Json(Sources { sources }))
}

/// One by its name.
pub(super) async fn one(
    State(shared): State<Shared>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Json<Source>, Problem> {
    let limit = Query::read(&uri, &["limit"])?.limit()?;
    let name = name_of(name)?;
    let wanted = name.clone();
    let look = move |engine: &Engine| {
        let row = engine.source_rows().into_iter().find(|row| row.name == wanted)?;
        let faults = engine.record_faults(row.id, limit);
        Some((row, faults))
    };
    match shared.look(look).await? {
        Some((row, faults)) => Ok(Json(Source::new(&shared.clock, row, faults))),
        None => Err(Problem::not_found(format!("no source is named {name:?}"), "GET /api/v1/sources lists them")),
    }
}

impl Source {
    fn new(clock: &Clock, row: SourceRow, faults: RecordFaults) -> Self {
        let why = reason(&row);
        let Known { since, at, counts } = known(&row.seen);
        let state = match row.seen {
            Seen::Never(_) => "never",
            Seen::Lost { .. } => "lost",
            Seen::Current { .. } => "current",
        };
        let quarantined = faults.quarantined.into_iter();
        let unresolved = faults.unresolved.into_iter();
        Source {
            name: row.name,
            state,
            complete: row.complete,
            why,
            since: since.map(|since| moment::shown(clock, since)),
            revision: at.map(|at| at.0),
            records: counts.records,
            quarantined: Quarantined {
                count: counts.quarantined,
                records: quarantined
                    .map(|record| QuarantinedRecord { key: record.key, why: record.why, kept: record.kept })
                    .collect(),
            },
            unresolved: Unresolved {
                count: counts.unresolved,
                prefixes: unresolved
                    .map(|row| UnresolvedPrefix { prefix: row.prefix.to_string(), key: row.key, why: row.why })
                    .collect(),
            },
        }
    }
}
