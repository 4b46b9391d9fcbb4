//! HTTP for machines and people: health, metrics, read-only JSON.
//!
//! ```text
//!  TCP ─► listener ─► bounds ─┬─ /livez, /readyz  health ─────────────────────┐
//!         seats for   GET and ├─ /metrics         metrics ────────────────────┼─► EngineHandle::look
//!         so many     HEAD,   └─ /api/v1/…        gateways, sources, routes ──┘   Speaker::report
//!                     a time each
//! ```
//!
//! Nothing is kept between two requests: every answer is computed from what engine and speaker say at that moment, so it
//! cannot be stale. A look holds the engine up, so looks are small, and few requests look at once; health does not wait
//! behind the others. `docs/http-api.md` and `docs/metrics.md` describe the answers, and tests compare.

mod bounds;
mod events;
mod gateways;
mod health;
mod holds;
mod listener;
mod metrics;
mod moment;
mod problem;
mod query;
mod replicas;
mod routes;
mod seats;
mod sources;

use crate::clock::Clock;
use crate::departure::Departure;
use crate::engine::EngineHandle;
use crate::speaker::{GatewayReport, Listeners, RangeReport, Speaker};
use crate::timeline::Dropped;
use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use fingerpost_core::engine::Engine;
use problem::Problem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

/// How long the engine may take to answer before it counts as not answering.
const PATIENCE: Duration = Duration::from_secs(3);

/// Requests that look at once, health aside.
const AT_ONCE: usize = 4;

/// What the pages look at.
#[derive(Clone)]
pub struct Shared {
    /// For moments.
    pub clock: Clock,
    /// For routes and sources.
    pub engine: EngineHandle,
    /// For sessions.
    pub speaker: Arc<Mutex<Speaker>>,
    /// Where gateways can connect.
    pub listeners: Listeners,
    /// Whether the configuration on disk is the one in force.
    pub config_loaded: Arc<AtomicBool>,
    /// How many events are missing in `timeline.file`.
    pub dropped: Dropped,
    /// Whether this process is to leave.
    pub departure: Departure,
}

impl Shared {
    /// What the engine says. Keep it short: the engine does nothing else meanwhile.
    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Engine) -> T + Send + 'static) -> Result<T, Problem> {
        match timeout(PATIENCE, self.engine.look(look)).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Problem::engine_ended()),
            Err(_) => Err(Problem::engine_busy(PATIENCE)),
        }
    }

    /// What the gateways' tasks say, by name.
    async fn reports(&self) -> (Vec<GatewayReport>, Vec<RangeReport>) {
        self.speaker.lock().await.report().await
    }
}

/// The name in a path.
fn name_of(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    path.map(|Path(name)| name).map_err(|_| Problem::bad_request("the name in the path is no text", "write UTF-8"))
}

/// Serves until the listener breaks.
pub async fn serve(listener: TcpListener, shared: Shared) {
    let service = router(shared).into_make_service_with_connect_info::<seats::Client>();
    if let Err(error) = axum::serve(listener::Bounded::new(listener), service).await {
        tracing::error!("the HTTP service has ended: {error}");
    }
}

fn router(shared: Shared) -> Router {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    Router::new()
        .route("/metrics", get(metrics::scrape))
        .route("/api/v1/gateways", get(gateways::all))
        .route("/api/v1/gateways/{*name}", get(gateways::one))
        .route("/api/v1/sources", get(sources::all))
        .route("/api/v1/sources/{name}", get(sources::one))
        .route("/api/v1/routes", get(routes::page))
        .route("/api/v1/holds", get(holds::page))
        .route("/api/v1/events", get(events::page))
        .route("/api/v1/replicas", get(replicas::all))
        .route_layer(from_fn_with_state(turns, bounds::in_turn))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .fallback(problem::no_such_path)
        .layer(from_fn(bounds::bound))
        .with_state(shared)
}
