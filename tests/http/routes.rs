//! `/api/v1/routes`.

use super::client::Answer;
use super::world::{HOSTS, World};
use fingerpost_core::engine::{By, Command};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;

const NESTED: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24, 10.244.1.64/26, 192.0.2.0/24] }
  node-b1: { addresses: [10.168.0.21], subnets: [10.244.1.0/24, 10.244.0.0/16] }
  node-c1: { addresses: [10.168.0.31, \"fd00:168::31\"], subnets: [10.244.3.0/24, \"fd00:244:0:3::/64\"] }
  node-d1: { addresses: [10.9.0.1], subnets: [10.244.1.0/24] }
";

/// Every route on all pages, as `prefix relation`.
async fn listed(world: &World, query: &str) -> Vec<String> {
    let (mut routes, mut target) = (Vec::new(), format!("/api/v1/routes?{query}"));
    loop {
        let answer = world.get(&target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let page = answer.json();
        for route in page["routes"].as_array().unwrap() {
            let words = [&route["prefix"], &route["relation"]].map(|word| word.as_str().unwrap_or("-"));
            routes.push(words.join(" "));
        }
        let Some(next) = page["next"].as_str() else { return routes };
        target = format!("/api/v1/routes?{query}&page={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_end_of_a_freeze_is_not_called_shadowed() {
    let world = World::ready(HOSTS, "").await;
    world.service.engine().command(Command::Freeze, By::default()).await.unwrap();
    world
        .write_hosts(Some("hosts: { node-c1: { addresses: [10.168.0.31], subnets: [10.244.1.0/24, 10.244.7.0/24] } }"));
    let target = "/api/v1/routes?prefix=10.244.7.0/24";
    let waits = |answer: &Answer| answer.json()["routes"][0]["claims"][0]["standing"] == "waits";
    let route = world.until_answer(target, waits).await.json()["routes"][0].take();
    assert_eq!(route["waiting"], json!({ "kind": "addition", "until": "unfreeze" }));
    assert_eq!(route["claims"][0]["reason"], "for fingerpost unfreeze; then the guard judges it");
    let moved = world.get("/api/v1/routes?prefix=10.244.1.0/24").await.json()["routes"][0].take();
    assert_eq!(moved["waiting"], json!({ "kind": "move", "until": "unfreeze" }));
    assert_eq!(moved["announced"], json!({ "host": "node-a1", "next_hop": "10.168.0.11" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_claim_is_shown_with_what_became_of_it() {
    let world = World::ready(NESTED, "").await;
    let page = world.get("/api/v1/routes?prefix=10.244.1.0/24").await.json();
    let claim = |host: &str, next_hop: &str, standing: &str, reason: Value| {
        json!({ "standing": standing, "reason": reason, "host": host, "next_hop": next_hop, "source": "lab", "key": host,
            "revision": 1, "readable": true })
    };
    let fenced = json!("the next hop 10.9.0.1 lies in none of fence.next_hops");
    let exact = json!({
        "prefix": "10.244.1.0/24",
        "family": "ipv4",
        "relation": "exact",
        "announced": { "host": "node-a1", "next_hop": "10.168.0.11" },
        "claims": [
            claim("node-a1", "10.168.0.11", "route", Value::Null),
            claim("node-b1", "10.168.0.21", "shadowed", Value::Null),
            claim("node-d1", "10.9.0.1", "fenced", fenced),
        ],
        "hold": null,
    });
    assert_eq!(page["routes"][0], exact);
    let outside = world.get("/api/v1/routes?prefix=192.0.2.0/24").await.json();
    assert_eq!(outside["routes"][0]["claims"][0]["standing"], "fenced");
    assert_eq!(outside["routes"][0]["announced"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_comes_with_what_covers_it_and_what_lies_within() {
    let world = World::ready(NESTED, "").await;
    let around = ["10.244.1.0/24 exact", "10.244.0.0/16 covering", "10.244.1.64/26 within"];
    assert_eq!(listed(&world, "prefix=10.244.1.0/24").await, around);
    assert_eq!(listed(&world, "prefix=10.244.1.0/24&limit=1").await, around, "in pages of one");
    assert_eq!(listed(&world, "prefix=10.244.1.0/24&family=ipv4").await, around);
    assert_eq!(
        listed(&world, "prefix=10.244.1.96/27").await,
        ["10.244.1.64/26 covering", "10.244.1.0/24 covering", "10.244.0.0/16 covering"]
    );
    let mut all_within = listed(&world, "prefix=10.0.0.0/8").await;
    all_within.sort();
    assert_eq!(
        all_within,
        ["10.244.0.0/16 within", "10.244.1.0/24 within", "10.244.1.64/26 within", "10.244.3.0/24 within"]
    );
    assert_eq!(listed(&world, "prefix=0.0.0.0/0").await.len(), 5);
    assert_eq!(listed(&world, "prefix=fd00:244::/32").await, ["fd00:244:0:3::/64 within"]);
    assert_eq!(listed(&world, "prefix=198.51.100.0/24").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gives_the_routes_that_contain_it() {
    let world = World::ready(NESTED, "").await;
    let holding = ["10.244.1.64/26 covering", "10.244.1.0/24 covering", "10.244.0.0/16 covering"];
    assert_eq!(listed(&world, "prefix=10.244.1.70").await, holding);
    assert_eq!(listed(&world, "prefix=10.244.1.70&limit=1").await, holding, "in pages of one");
    assert_eq!(listed(&world, "prefix=10.244.3.5").await, ["10.244.3.0/24 covering", "10.244.0.0/16 covering"]);
    assert_eq!(listed(&world, "prefix=fd00:244:0:3::5").await, ["fd00:244:0:3::/64 covering"]);
    assert_eq!(listed(&world, "prefix=10.245.0.1").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_together_are_the_table_each_prefix_once() {
    let mut hosts = "hosts:\n".to_owned();
    let mut expected = BTreeSet::new();
    for n in 0..250 {
        let (ipv4, ipv6) = (format!("10.244.{n}.0/24"), format!("fd00:244:0:{n:x}::/64"));
        let addresses = format!("[10.168.0.{n}, \"fd00:168::{n:x}\"]");
        let addresses = if n == 0 { "[10.168.1.1, \"fd00:168::1:1\"]".to_owned() } else { addresses };
        writeln!(hosts, "  node-{n}: {{ addresses: {addresses}, subnets: [{ipv4}, \"{ipv6}\"] }}").unwrap();
        expected.insert(format!("{ipv4} -"));
        let net: ipnet::IpNet = ipv6.parse().unwrap();
        expected.insert(format!("{net} -"));
    }
    let world = World::ready(&hosts, "").await;
    for (query, count) in [
        ("", 500),
        ("limit=1000", 500),
        ("limit=7", 500),
        ("family=ipv6&limit=99", 250),
        ("family=ipv4&limit=250", 250),
    ] {
        let listed = listed(&world, query).await;
        let once: BTreeSet<_> = listed.iter().cloned().collect();
        assert_eq!((listed.len(), once.len()), (count, count), "{query}");
        assert!(once.is_subset(&expected), "{query}: {once:?}");
    }
    let first = world.get("/api/v1/routes").await.json();
    assert_eq!(first["routes"].as_array().unwrap().len(), 100, "unless the request says");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_subnet_shows_its_new_owner() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some("hosts:\n  node-b1: { addresses: [10.168.0.21], subnets: [10.244.1.0/24] }\n"));
    let moved = |page: &Value| page["routes"][0]["claims"][0]["host"] == "node-b1";
    let page = world.until_answer("/api/v1/routes?prefix=10.244.1.0/24", |answer| moved(&answer.json())).await.json();
    assert_eq!(page["routes"][0]["claims"].as_array().unwrap().len(), 1);
    assert_eq!(page["routes"][0]["claims"][0]["revision"], 2);
    assert_eq!(listed(&world, "").await, ["10.244.1.0/24 -"], "the other one is gone");
}
