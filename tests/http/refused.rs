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

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_request_is_told_what_to_write_instead() {
    let world = World::ready(HOSTS, "").await;
    let paths = "there are /livez, /readyz, /metrics, /api/v1/gateways, /api/v1/sources, /api/v1/routes, /api/v1/holds, /api/v1/events and /api/v1/replicas";
    let number = "write a whole number from 1 to 1000";
    let prefix = "write a prefix such as 10.244.1.0/24, or an address such as 10.244.1.5";
    let page = "give what stood as next in the answer to the same query, or leave it out";
    let routes = "it takes prefix, family, limit, page";
    let long = format!("/api/v1/routes?prefix={}", "a".repeat(100));
    let long_error = format!("prefix is \"{}\"…", "a".repeat(64));
    for (target, status, error, hint) in [
        ("/", 404, "there is no /", paths),
        ("/api/v1", 404, "there is no /api/v1", paths),
        ("/api/v1/gateways/", 404, "there is no /api/v1/gateways/", paths),
        ("/api/v2/routes?limit=1", 404, "there is no /api/v2/routes", paths),
        ("/api/v1/sources/a/b", 404, "there is no /api/v1/sources/a/b", paths),
        ("/api/v1/gateways/core-z", 404, "no gateway is named \"core-z\"", "GET /api/v1/gateways lists them"),
        ("/api/v1/gateways/a%0Ab", 404, "no gateway is named \"a\\nb\"", "GET /api/v1/gateways lists them"),
        ("/api/v1/sources/prod", 404, "no source is named \"prod\"", "GET /api/v1/sources lists them"),
        ("/api/v1/gateways/%FF", 400, "the name in the path is no text", "write UTF-8"),
        ("/api/v1/gateways/core-a?limit=1", 400, "there is no parameter \"limit\"", "it takes none"),
        ("/api/v1/gateways?name=core-a", 400, "there is no parameter \"name\"", "it takes limit, page"),
        ("/api/v1/gateways?limit=0", 400, "limit is \"0\"", number),
        ("/api/v1/gateways?page=%20", 400, "page is \" \"", page),
        ("/api/v1/sources?page=1", 400, "there is no parameter \"page\"", "it takes limit"),
        ("/api/v1/sources/lab?limit=all", 400, "limit is \"all\"", number),
        ("/api/v1/routes?famly=ipv4", 400, "there is no parameter \"famly\"", routes),
        ("/api/v1/routes?limit=5&limit=6", 400, "limit stands twice", "give it once"),
        ("/api/v1/routes?limit=0", 400, "limit is \"0\"", number),
        ("/api/v1/routes?limit=1001", 400, "limit is \"1001\"", number),
        ("/api/v1/routes?limit=-1", 400, "limit is \"-1\"", number),
        ("/api/v1/routes?limit=", 400, "limit is \"\"", number),
        ("/api/v1/routes?limit=99999999999999999999", 400, "limit is \"99999999999999999999\"", number),
        ("/api/v1/routes?family=IPv4", 400, "family is \"IPv4\"", "write ipv4 or ipv6"),
        ("/api/v1/routes?prefix=", 400, "prefix is \"\"", prefix),
        ("/api/v1/routes?prefix=node-a1", 400, "prefix is \"node-a1\"", prefix),
        ("/api/v1/routes?prefix=10.244.1.0/33", 400, "prefix is \"10.244.1.0/33\"", prefix),
        (
            "/api/v1/routes?prefix=10.244.1.5/24",
            400,
            "prefix is 10.244.1.5/24, which has host bits set",
            "write 10.244.1.0/24, or 10.244.1.5 alone for the routes that contain it",
        ),
        (
            "/api/v1/routes?prefix=10.244.1.0/24&family=ipv6",
            400,
            "prefix is of the family ipv4, not ipv6",
            "leave family out",
        ),
        ("/api/v1/routes?page=2", 400, "page is \"2\"", page),
        ("/api/v1/routes?page=4.xyz", 400, "page is \"4.xyz\"", page),
        ("/api/v1/routes?page=5.0", 400, "page is \"5.0\"", page),
        ("/api/v1/routes?page=c8", 400, "page is \"c8\"", page),
        ("/api/v1/routes?family=ipv4&page=6.0", 400, "page is \"6.0\"", page),
        ("/api/v1/routes?prefix=10.244.1.0/24&page=c25", 400, "page is \"c25\"", page),
        ("/api/v1/routes?prefix=10.244.1.0/24&page=6.0", 400, "page is \"6.0\"", page),
        ("/api/v1/routes?prefix=10.244.1.5&page=4.0", 400, "page is \"4.0\"", page),
        (&long, 400, &long_error, prefix),
    ] {
        let answer = get(world.http, target).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert_eq!(answer.json(), json!({ "error": error, "hint": hint }), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_there_is_no_answer_rather_than_an_old_one() {
    let world = World::ready(HOSTS, "").await;
    world.service.engine().stop();
    world.until_answer("/livez", |answer| answer.status == 503).await;
    let hint = "the process is about to end: see its log";
    for path in ["/metrics", "/api/v1/gateways", "/api/v1/sources", "/api/v1/sources/lab", "/api/v1/routes"] {
        let answer = get(world.http, path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.json(), json!({ "error": "the engine has ended", "hint": hint }));
    }
}
