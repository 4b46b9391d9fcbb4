//! `/api/v1/events`.

use super::world::{HOSTS, World};
use serde_json::{Value, json};

/// All pages of a query.
async fn listed(world: &World, query: &str) -> Vec<Value> {
    let (mut events, mut target) = (Vec::new(), format!("/api/v1/events?{query}"));
    loop {
        let answer = world.get(&target).await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let page = answer.json();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return events };
        target = format!("/api/v1/events?{query}&page={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_shown_with_its_reason_in_pages_p8() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some("hosts:\n  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }\n"));
    world.until_answer("/api/v1/events?kind=withdrawn", |answer| answer.json()["events"][0].is_object()).await;
    let all = listed(&world, "").await;
    assert_eq!(listed(&world, "limit=2").await, all);
    let numbers: Vec<u64> = all.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let of_prefix = listed(&world, "prefix=10.244.2.7").await;
    let kinds: Vec<_> = of_prefix.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["announced", "withdrawn"]);
    let mut withdrawn = of_prefix[1].clone();
    assert!(withdrawn["at"].as_str().unwrap().starts_with("20"), "{withdrawn}");
    for unsteady in ["at", "number"] {
        withdrawn[unsteady] = Value::Null;
    }
    assert_eq!(
        withdrawn,
        json!({
            "number": null, "at": null, "kind": "withdrawn", "prefix": "10.244.2.0/24",
            "from": { "host": "node-b1", "next_hop": "10.168.0.21" }, "to": null,
            "source": "lab", "key": "node-b1", "revision": 2, "gateway": null, "by": null, "count": null,
            "reason": "a complete list lacks its record",
        })
    );
    assert_eq!(listed(&world, "host=node-b1&kind=withdrawn&source=lab").await, of_prefix[1..]);
    assert_eq!(listed(&world, &format!("since={}", all.len() - 1)).await, all[all.len() - 1..]);
    let last = world.get("/api/v1/events").await.json();
    assert_eq!((&last["last"], &last["lost"]), (&json!(all.len()), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_says_what_to_write() {
    let world = World::ready(HOSTS, "").await;
    for (query, hint) in [
        ("since=x", "the number of an event"),
        ("since=999999", "numbers begin anew"),
        ("page=999999", "numbers begin anew"),
        ("page=x", "next"),
        ("kind=lost", "announced, moved, changed"),
        ("prefix=10.244.1.5/24", "write 10.244.1.0/24"),
        ("prefix=x", "write a prefix"),
        ("host=a%20b", "a host's name"),
        ("limit=0", "1 to 1000"),
        ("prefx=10.244.1.0/24", "since, prefix"),
    ] {
        let answer = world.get(&format!("/api/v1/events?{query}")).await;
        let said = answer.json();
        assert!(answer.status == 400 && said["hint"].as_str().unwrap().contains(hint), "{query}: {said}");
    }
}
