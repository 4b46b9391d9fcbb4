//! `/api/v1/sources`.

use super::world::{HOSTS, World};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_current_source_counts_its_records_and_names_the_faulty_ones() {
    let hosts = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24, \"fd00:244:0:1::/64\"] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.2.1/24] }
  node-c1: { addresses: [here], subnets: [10.244.3.0/24] }
";
    let world = World::ready(hosts, "").await;
    let source = world.get("/api/v1/sources/lab").await.json();
    let expected = json!({
        "name": "lab",
        "state": "current",
        "complete": true,
        "why": null,
        "since": null,
        "revision": 1,
        "records": 3,
        "quarantined": { "count": 2, "records": [
            { "key": "node-b1", "why": source["quarantined"]["records"][0]["why"], "kept": false },
            { "key": "node-c1", "why": source["quarantined"]["records"][1]["why"], "kept": false },
        ] },
        "unresolved": { "count": 1, "prefixes": [
            { "prefix": "fd00:244:0:1::/64", "key": "node-a1", "why": "its host has no IPv6 address to be the next hop" },
        ] },
    });
    assert_eq!(source, expected);
    let why = source["quarantined"]["records"][0]["why"].as_str().unwrap();
    assert!(why.contains("10.244.2.1/24"), "{why}");
    assert_eq!(world.get("/api/v1/sources").await.json(), json!({ "sources": [expected] }));

    let limited = world.get("/api/v1/sources/lab?limit=1").await.json();
    assert_eq!(limited["quarantined"]["count"], 2);
    assert_eq!(limited["quarantined"]["records"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_never_read_says_why() {
    let world = World::start(None, "").await;
    let failed = |source: &Value| source["why"]["kind"] == "unreachable";
    let source = world.until_answer("/api/v1/sources/lab", |answer| failed(&answer.json())).await.json();
    assert_eq!(source["state"], "never");
    assert_eq!(source["complete"], false);
    assert_eq!(source["revision"], Value::Null);
    assert!(source["since"].is_string());
    let message = source["why"]["message"].as_str().unwrap();
    assert!(message.contains("hosts.yaml"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_source_says_since_when_and_keeps_its_records() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some("hosts: ["));
    let lost = |source: &Value| source["state"] == "lost";
    let source = world.until_answer("/api/v1/sources/lab", |answer| lost(&answer.json())).await.json();
    assert_eq!(source["why"]["kind"], "malformed");
    assert_eq!(source["records"], 2);
    assert_eq!(source["complete"], true);
    assert_eq!(source["revision"], 1);
    assert!(source["since"].as_str().unwrap().ends_with('Z'));
    assert_eq!(world.get("/api/v1/routes").await.json()["routes"].as_array().unwrap().len(), 2);
}
