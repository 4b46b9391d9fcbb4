//! What holds for every request: it reads, it takes a bounded time, and its answer is for now.

use super::problem::Problem;
use super::seats::Client;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The longest a request may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Middleware around everything.
pub(super) async fn bound(request: Request, next: Next) -> Response {
    let _asking = request.extensions().get::<ConnectInfo<Client>>().map(|ConnectInfo(client)| client.asks());
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        match timeout(LONGEST, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::too_long(LONGEST).into_response(),
        }
    } else {
        Problem::method(request.method()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Middleware around what looks at the engine for long: the others wait, so that no crowd of clients holds it up.
pub(super) async fn in_turn(State(turns): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    // The semaphore is never closed.
    let _turn = turns.acquire().await;
    next.run(request).await
}
