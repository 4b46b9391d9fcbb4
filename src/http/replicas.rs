//! `/api/v1/replicas`: who else takes part in the election, and whether all say the same.

use super::query::Query;
use super::{Problem, Shared, moment};
use crate::clock::Clock;
use crate::departure::{self, Way};
use crate::look::replicas::{compared, role};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use fingerpost_core::engine::{Engine, ReplicaRow};
use fingerpost_core::replicas::SourceReport;
use serde::Serialize;

/// The answer. There are few replicas, so it has no pages.
#[derive(Serialize)]
pub(super) struct Replicas {
    identity: Option<String>,
    role: &'static str,
    term: Option<u32>,
    troubles: Vec<Trouble>,
    leaving: Option<Leaving>,
    read_at: Option<String>,
    replicas: Vec<Replica>,
}

/// How this process ends, if it was ordered to.
#[derive(Serialize)]
struct Leaving {
    ends_at: String,
    withdraws: bool,
}

#[derive(Serialize)]
struct Trouble {
    kind: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Replica {
    identity: String,
    gone_since: Option<String>,
    role: &'static str,
    term: Option<u32>,
    ordinal: u32,
    version: String,
    other_version: bool,
    other_config: Vec<String>,
    agreement: &'static str,
    reason: String,
    differs_since: Option<String>,
    diverges: bool,
    routes: Routes,
    sessions: u64,
    gateways: Vec<String>,
    held: u64,
    forced: u64,
    frozen: bool,
    trouble: bool,
    leaving: bool,
    sources: Vec<Source>,
}

#[derive(Serialize)]
struct Routes {
    ipv4: u64,
    ipv6: u64,
}

#[derive(Serialize)]
struct Source {
    name: String,
    revision: u64,
    told: u64,
    complete: bool,
    current: bool,
}

/// All of them.
pub(super) async fn all(State(shared): State<Shared>, uri: Uri) -> Result<Json<Replicas>, Problem> {
    Query::read(&uri, &[])?;
    let look = |engine: &Engine| {
        let others = (engine.replicas_read_at(), engine.replica_rows());
        (engine.identity().map(str::to_owned), engine.role().0, others)
    };
    let (identity, own, (read_at, rows)) = shared.look(look).await?;
    let troubles = shared.engine.troubles().all();
    let leaving = shared.departure.ordered().map(|departure::Leaving { at, way }| Leaving {
        ends_at: moment::shown(&shared.clock, at),
        withdraws: way == Way::Withdrawing,
    });
    Ok(Json(Replicas {
        identity,
        role: own.name(),
        term: own.term(),
        troubles: troubles.into_iter().map(|wrong| Trouble { kind: wrong.kind, message: wrong.message }).collect(),
        leaving,
        read_at: read_at.map(|at| moment::shown(&shared.clock, at)),
        replicas: rows.into_iter().map(|row| replica(&shared.clock, row)).collect(),
    }))
}

fn replica(clock: &Clock, row: ReplicaRow) -> Replica {
    let compared = compared(&row);
    let ReplicaRow { known, diverges, other_version, other_config, .. } = row;
    let report = known.report;
    let source = |(name, source): (String, SourceReport)| {
        let SourceReport { revision, told, handed: _, complete, current, store: _, since: _ } = source;
        Source { name, revision, told, complete, current }
    };
    Replica {
        identity: report.replica.identity.to_string(),
        gone_since: known.gone.map(|gone| moment::shown(clock, gone)),
        role: role(report.role),
        term: report.term.known(),
        ordinal: report.ordinal,
        version: report.version,
        other_version,
        other_config,
        agreement: compared.word,
        reason: compared.reason,
        differs_since: compared.since.map(|since| moment::shown(clock, since)),
        diverges,
        routes: Routes { ipv4: report.tables.ipv4.routes, ipv6: report.tables.ipv6.routes },
        sessions: report.sessions.established,
        gateways: report.sessions.gateways,
        held: report.held,
        forced: report.forced,
        frozen: report.frozen,
        trouble: report.trouble,
        leaving: report.leaving,
        sources: report.sources.into_iter().map(source).collect(),
    }
}
