//! flannel's fixture, from its list through its events.

use super::*;
use serde_json::Value;

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/sources/flannel-etcd/", $path))
    };
}

fn routes(json: &str) -> BTreeMap<String, String> {
    let expected: Value = serde_json::from_str(json).unwrap();
    let text = |route: &Value, field: &str| route[field].as_str().unwrap().to_owned();
    expected["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (text(route, "prefix"), text(route, "next_hop")))
        .collect()
}

#[test]
fn an_alloc_lease_hides_nothing_by_its_missing_ipv6_address() {
    let schema = Schema::Flannel { prefix: "/coreos.com/network".into() };
    let mut client = Client::new(SyncConfig { schema, ..config() });
    let lease = |name: &str, value: &'static str| Record {
        key: format!("/coreos.com/network/subnets/{name}").into(),
        value: value.into(),
        modified: Rev(3),
        created: Rev(3),
    };
    let alloc = lease("10.244.1.0-24&fd00:10:244:5a::-64", r#"{"PublicIP": "10.168.0.11", "PublicIPv6": null}"#);
    client.list(10, vec![alloc]);
    client.open();
    assert_eq!(client.sync.unresolved().count(), 1);
    assert!(Family::ALL.iter().all(|family| !client.sync.hides_claims(*family)));
    client
        .events(vec![Event::Put(Record { modified: Rev(11), ..lease("10.244.2.0-24", r#"{"PublicIP": "0.0.0.0"}"#) })]);
    assert!(client.sync.hides_claims(Family::Ipv4) && !client.sync.hides_claims(Family::Ipv6));
}

#[test]
fn flannels_list_and_events_give_what_they_should() {
    let schema = Schema::Flannel { prefix: "/coreos.com/network".into() };
    let mut client = Client::new(SyncConfig { schema, ..config() });
    let record = |number: u64, key: &str, value: String| Record {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
        modified: Rev(number),
        created: Rev(number),
    };
    let lines = (1..).zip(fixture!("data.tsv").lines());
    let data = lines.map(|(number, line)| {
        let (key, value) = line.split_once('\t').unwrap();
        record(number, key, value.into())
    });
    client.list(10, data.collect());
    client.open();
    assert_eq!(client.table(), routes(fixture!("expected.json")));
    let counts = Counts { records: 4, quarantined: 0, unresolved: 0, ..Counts::default() };
    assert_eq!(client.sync.seen(), Seen::Current { value: counts, at: Rev(10) }, "config is no record");

    for (number, line) in (11..).zip(fixture!("events.jsonl").lines()) {
        let event: Value = serde_json::from_str(line).unwrap();
        let (key, note) = (event["key"].as_str().unwrap(), event["note"].as_str().unwrap());
        let created = client.sync.table.find(&key.as_bytes()["/coreos.com/network/subnets/".len()..]);
        let created = created.and_then(|slot| client.sync.table.created(slot)).unwrap_or(Rev(number));
        let before = client.changes;
        client.events(vec![match event["op"].as_str().unwrap() {
            "PUT" => Event::Put(Record { created, ..record(number, key, event["value"].to_string()) }),
            _ => Event::Delete { key: Bytes::copy_from_slice(key.as_bytes()), modified: Rev(number) },
        }]);
        if note.contains("renewal") {
            assert_eq!(client.changes, before, "a renewal must not reach the gateways");
        }
    }
    assert_eq!(client.table(), routes(fixture!("expected-after-events.json")));
    assert_eq!(client.removed.len(), 2, "both halves of the lease that ran out: {:?}", client.removed);
}
