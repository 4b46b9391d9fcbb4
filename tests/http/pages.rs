//! `docs/http-api.md`: each example's path answers, and its JSON has the fields of the answer, no more and no fewer.

use super::client::Answer;
use super::peer::Peer;
use super::world::World;
use bytes::Bytes;
use fingerpost_core::bgp::wire::{Capability, GracefulRestart, Notification, RestartFamily};
use serde_json::Value;

/// What a `curl` of the page asks for, and the block that shows the answer.
fn examples() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http-api.md")).unwrap();
    let mut examples = Vec::new();
    let mut blocks = page.split("\n```");
    while let Some(block) = blocks.next() {
        let Some(command) = block.strip_prefix("sh\ncurl -s '") else { continue };
        let url = command.split('\'').next().unwrap();
        let target = url.strip_prefix("http://127.0.0.1:9179").unwrap_or_else(|| panic!("{url}"));
        // Behind the end of this block comes the answer's.
        let answer = blocks.nth(1).unwrap_or_else(|| panic!("no answer to {target}"));
        let (kind, answer) = answer.split_once('\n').unwrap();
        assert!(["json", "text"].contains(&kind), "{target}: {kind}");
        examples.push((target.to_owned(), answer.to_owned()));
    }
    examples
}

/// Whether the answer has the fields that the page shows. Where one of the two is null or empty there is nothing to compare.
fn compare(shown: &Value, answered: &Value, place: &str) -> Result<(), String> {
    match (shown, answered) {
        (Value::Object(shown), Value::Object(answered)) => {
            let names = [shown, answered].map(|object| object.keys().collect::<Vec<_>>());
            if names[0] != names[1] {
                return Err(format!("{place}: the page has {:?}, the answer {:?}", names[0], names[1]));
            }
            shown.iter().try_for_each(|(name, value)| compare(value, &answered[name], &format!("{place}.{name}")))
        }
        (Value::Array(shown), Value::Array(answered)) if !answered.is_empty() => shown.iter().try_for_each(|one| {
            let all = answered.iter().map(|other| compare(one, other, place));
            let fits = all.clone().any(|fits| fits.is_ok());
            if fits {
                Ok(())
            } else {
                Err(format!("{one} is like none of {answered:?}: {:?}", all.collect::<Vec<_>>()))
            }
        }),
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (shown, answered) if std::mem::discriminant(shown) == std::mem::discriminant(answered) => Ok(()),
        _ => Err(format!("{place}: the page has {shown}, the answer {answered}")),
    }
}

const HOSTS: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.0.0/16, 10.244.1.0/24, 10.244.1.64/26] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.1.0/24, \"fd00:244:0:2::/64\"] }
  node-c1: { addresses: [10.168.0.31], subnets: [10.244.2.1/24] }
";

#[tokio::test(flavor = "multi_thread")]
async fn every_example_answers_as_the_page_shows() {
    let peer = Peer::listen().await;
    let world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let restart = RestartFamily { afi: 1, safi: 1, forwarding: true };
    let capabilities = vec![
        Capability::MultiProtocol { afi: 1, safi: 1 },
        Capability::RouteRefresh,
        Capability::FourOctetAs(64500),
        Capability::GracefulRestart(GracefulRestart { families: vec![restart], ..GracefulRestart::default() }),
        Capability::Unknown { code: 75, value: Bytes::from_static(b"\x08frr/10.2") },
    ];
    let mut first = peer.establish(capabilities.clone()).await;
    first.send(Notification::administrative_shutdown("upgrade").encode()).await;
    let _second = peer.establish(capabilities).await;
    // Not caught up: a record of HOSTS cannot be read, so End-of-RIB is held back.
    let told = |answer: &Answer| answer.json()["established_count"] == 2 && answer.json()["routes"]["ipv4"]["lag"] == 0;
    world.until_answer("/api/v1/gateways/core-a", told).await;

    let examples = examples();
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/gateways",
        "/api/v1/sources",
        "/api/v1/routes",
        "/api/v1/holds",
        "/api/v1/events",
        "/api/v1/replicas",
    ] {
        assert!(examples.iter().any(|(target, _)| target.starts_with(path)), "no example of {path}");
    }
    for (target, shown) in examples {
        let answer = world.get(&target).await;
        let Ok(shown) = serde_json::from_str::<Value>(&shown) else {
            assert!(
                shown.starts_with(|c| "o[#".contains(c)),
                "the example of {target} is neither JSON nor text: {shown}"
            );
            assert_eq!(answer.status, 200, "{target}");
            continue;
        };
        let refused = shown.get("error").is_some();
        assert_eq!(answer.status >= 400, refused, "{target}: {answer:?}");
        compare(&shown, &answer.json(), &target).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn the_comparison_can_fail() {
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (shown, answered) in [
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2}"#, r#"{"a":1}"#),
        (r#"{"a":1}"#, r#"{"a":"1"}"#),
        (r#"{"a":[{"b":1}]}"#, r#"{"a":[{"c":1}]}"#),
    ] {
        assert!(compare(&parse(shown), &parse(answered), "").is_err(), "{shown} {answered}");
    }
    assert_eq!(compare(&parse(r#"{"a":null,"b":[]}"#), &parse(r#"{"a":1,"b":[2]}"#), ""), Ok(()));
}
