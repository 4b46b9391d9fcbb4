//! Requests that get no answer but a reason: exact status and words.

use super::client::{get, request};
use super::world::{HOSTS, World};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_writes_is_refused() {
    let world = World::ready(HOSTS, "").await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        for path in ["/livez", "/nowhere"] {
            let answer = request(world.http, method, path).await.unwrap();
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
            let error = format!("{method} is not possible: everything here is read-only");
            assert_eq!(answer.json(), json!({ "error": error, "hint": "use GET or HEAD" }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_a_body() {
    let world = World::ready(HOSTS, "").await;
    let answer = request(world.http, "HEAD", "/readyz?verbose").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let length = get(world.http, "/readyz?verbose").await.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_kept_or_guessed_at() {
    let world = World::ready(HOSTS, "").await;
    for path in ["/livez", "/nowhere"] {
        let answer = get(world.http, path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}
