//! `/metrics`: the Prometheus text format 0.0.4, computed at each scrape from what engine and speaker say.
//!
//! Nothing is kept from one scrape to the next, so the series of a gateway that is gone are gone too. Labels are names from
//! the configuration, words from a `match`, or the names of at most 64 replicas in the characters that one may have: nothing else that a
//! store or a gateway says becomes one.

mod catalogue;
mod replicas;
mod session;
mod sheet;
mod table;

use super::{Problem, Shared};
use crate::clock::Clock;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fingerpost_core::engine::{Engine, GatewayRow, ReplicaRow, Role, SourceRow};
use fingerpost_core::model::{PerFamily, Time};
use prometheus::TextEncoder;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use sheet::Sheet;
use std::sync::atomic::Ordering;

/// What the engine says at one moment.
struct Rows {
    sources: Vec<SourceRow>,
    gateways: Vec<GatewayRow>,
    routes: PerFamily<usize>,
    overridden: PerFamily<usize>,
    forgotten: u64,
    frozen: bool,
    role: Role,
    replicas: Vec<ReplicaRow>,
}

/// When it is: for how long something is so already, and in seconds since 1970.
struct Now<'a> {
    clock: &'a Clock,
    at: Time,
}

/// Everything at this moment.
pub(super) async fn scrape(State(shared): State<Shared>) -> Result<Response, Problem> {
    let look = |engine: &Engine| Rows {
        sources: engine.source_rows(),
        gateways: engine.gateway_rows(),
        routes: engine.count_routes(),
        overridden: engine.count_overrides().0,
        forgotten: engine.count_overrides().1,
        frozen: engine.frozen().is_some(),
        role: engine.role().0,
        replicas: engine.replica_rows(),
    };
    let rows = shared.look(look).await?;
    let (reports, ranges) = shared.reports().await;
    let now = Now { clock: &shared.clock, at: shared.clock.now() };
    let mut sheet = Sheet::default();
    table::fill(&mut sheet, &rows, &now);
    replicas::fill(&mut sheet, &rows, shared.engine.troubles(), &now);
    session::fill(&mut sheet, &reports, &now);
    session::ranges(&mut sheet, &ranges, &reports);
    session::listeners(&mut sheet, &shared.listeners);
    let build = crate::cli::build();
    sheet.put(&catalogue::BUILD_INFO, [build.version, build.commit.unwrap_or("unknown")], 1.0);
    let loaded = shared.config_loaded.load(Ordering::Relaxed);
    sheet.put(&catalogue::CONFIG_LAST_RELOAD_SUCCESSFUL, [], truth(loaded));
    sheet.put(&catalogue::TIMELINE_DROPPED, [], number(shared.dropped.load(Ordering::Relaxed)));
    let mut families = sheet.families();
    families.extend(ProcessCollector::for_self().collect());
    let text = TextEncoder::new().encode_to_string(&families).map_err(|error| Problem::defect(&error.to_string()))?;
    let kind = format!("{}; charset=utf-8", prometheus::TEXT_FORMAT);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// 1 or 0.
fn truth(so: bool) -> f64 {
    if so { 1.0 } else { 0.0 }
}

/// Counts beyond 2^53 lose their last digits, as everywhere in Prometheus.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn number(count: u64) -> f64 {
    count as f64
}

fn size(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}
