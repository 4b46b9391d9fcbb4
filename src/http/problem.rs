//! Answers other than the one that was asked for: always JSON, always with what to do.

use axum::Json;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;

/// Why there is no other answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: StatusCode,
    pub(super) error: String,
    pub(super) hint: String,
}

const PATHS: &str = "there are /livez, /readyz, /metrics, /api/v1/gateways, /api/v1/sources, /api/v1/routes, \
                     /api/v1/holds, /api/v1/events and /api/v1/replicas";

impl Problem {
    fn new(status: StatusCode, error: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { status, error: error.into(), hint: hint.into() }
    }

    /// 400.
    pub(super) fn bad_request(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, error, hint)
    }

    /// 404 for a thing that a path names.
    pub(super) fn not_found(error: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, error, hint)
    }

    /// 405.
    pub(super) fn method(method: &Method) -> Self {
        let error = format!("{method} is not possible: everything here is read-only");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, error, "use GET or HEAD")
    }

    /// 503.
    pub(super) fn engine_ended() -> Self {
        Problem::unavailable("the engine has ended", "the process is about to end: see its log")
    }

    /// 503.
    pub(super) fn engine_busy(span: Duration) -> Self {
        let error = format!("the engine has not answered for {} s", span.as_secs());
        Problem::unavailable(error, "try again; if it stays so, see the log")
    }

    /// 503.
    pub(super) fn too_long(span: Duration) -> Self {
        let error = format!("the answer took longer than {} s", span.as_secs());
        Problem::unavailable(error, "try again, or ask for less at once (limit)")
    }

    /// 500.
    pub(super) fn defect(error: &str) -> Self {
        let hint = "this is a defect of Fingerpost: please report it";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error, hint)
    }

    fn unavailable(error: impl Into<String>, hint: &str) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, hint)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            // RFC 9110 §15.5.6: it must be said what is allowed.
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

/// For every path that nothing serves.
pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no {}", uri.path()), PATHS)
}
