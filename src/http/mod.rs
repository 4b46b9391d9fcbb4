//! HTTP for machines and people: metrics, health, read-only JSON.

use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::speaker::Speaker;
use axum::Router;
use axum::routing::get;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// What the pages look at.
#[derive(Clone)]
pub struct Shared {
    /// For moments.
    pub clock: Clock,
    /// For routes and sources.
    pub engine: EngineHandle,
    /// For sessions.
    pub speaker: Arc<Mutex<Speaker>>,
    /// Whether the configuration on disk is the one in force.
    pub config_loaded: Arc<AtomicBool>,
}

/// Serves until the listener breaks.
pub async fn serve(listener: TcpListener, shared: Shared) {
    let router = Router::new().route("/livez", get(|| async { "ok\n" })).with_state(shared);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the HTTP service has ended: {error}");
    }
}
