//! Records as other programs write them (`tests/fixtures/sources/`), and as they must not be written.

use super::*;
use proptest::prelude::*;
use serde_json::Value;

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/sources/", $path))
    };
}

const FLANNEL: &str = "/coreos.com/network/subnets/";

fn flannel() -> Schema {
    Schema::Flannel { prefix: "/coreos.com/network".into() }
}

fn native() -> Schema {
    Schema::Native { prefix: "/fingerpost".into() }
}

fn statement(schema: &Schema, key: &str, value: &str) -> Statement {
    match schema.decode(key.as_bytes(), value.as_bytes()) {
        Ok(Decoded::Statement(statement)) => statement,
        other => panic!("{key}: {other:?}"),
    }
}

fn unreadable(schema: &Schema, key: &str, value: &str) -> String {
    match schema.decode(key.as_bytes(), value.as_bytes()) {
        Err(Unreadable(why)) => why,
        other => panic!("{key} {value}: {other:?}"),
    }
}

/// Prefix and next hop of all claims, as text and in order.
fn claims(statement: &Statement) -> Vec<(String, String)> {
    statement.claims().map(|(prefix, next_hop)| (prefix.to_string(), next_hop.to_string())).collect()
}

/// The routes that a fixture expects.
fn expected(json: &str) -> Vec<(String, String)> {
    let expected: Value = serde_json::from_str(json).unwrap();
    let text = |route: &Value, field: &str| route[field].as_str().unwrap().to_owned();
    let routes = expected["routes"].as_array().unwrap().iter();
    let mut routes: Vec<_> = routes.map(|route| (text(route, "prefix"), text(route, "next_hop"))).collect();
    routes.sort();
    routes
}

/// What a fixture's records state: claims, and prefixes without a next hop.
fn stated(data: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut routes, mut unresolved) = (Vec::new(), Vec::new());
    for line in data.lines() {
        let (key, value) = line.split_once('\t').unwrap();
        match flannel().decode(key.as_bytes(), value.as_bytes()).unwrap() {
            Decoded::Ignored => assert!(key.ends_with("/config"), "{key}"),
            Decoded::Statement(statement) => {
                routes.extend(claims(&statement));
                unresolved.extend(statement.unresolved().map(|(prefix, _)| prefix.to_string()));
            }
        }
    }
    routes.sort();
    unresolved.sort();
    (routes, unresolved)
}

#[test]
fn flannel_as_flanneld_writes_it() {
    let (routes, unresolved) = stated(fixture!("flannel-etcd/data.tsv"));
    assert_eq!(routes, expected(fixture!("flannel-etcd/expected.json")));
    assert!(unresolved.is_empty());
}

#[test]
fn flannel_alloc_has_no_ipv6_next_hop_and_borrows_none() {
    let (routes, unresolved) = stated(fixture!("flannel-etcd-alloc/data.tsv"));
    assert_eq!(routes, expected(fixture!("flannel-etcd-alloc/expected.json")));
    let dual = ["fd00:10:244:31::/64", "fd00:10:244:40::/64", "fd00:10:244:6::/64", "fd00:10:244:9d::/64"];
    assert_eq!(unresolved, dual);
}

#[test]
fn a_flannel_host_is_known_by_its_public_ip() {
    let lease =
        statement(&flannel(), &format!("{FLANNEL}10.244.1.0-24"), r#"{"PublicIP":"10.168.0.11","PublicIPv6":null}"#);
    assert_eq!(lease.host.as_str(), "10.168.0.11");
    let key = format!("{FLANNEL}0.0.0.0-0&fd00:10:244:5a::-64");
    let lease = statement(&flannel(), &key, r#"{"PublicIP":"0.0.0.0","PublicIPv6":"fd00::11"}"#);
    assert_eq!(lease.host.as_str(), "fd00::11");
    assert_eq!(claims(&lease), [("fd00:10:244:5a::/64".into(), "fd00::11".into())]);
}

#[test]
fn a_flannel_lease_without_a_public_ip_is_unresolved() {
    let key = format!("{FLANNEL}10.244.1.0-24&fd00:10:244:5a::-64");
    let lease = statement(&flannel(), &key, r#"{"PublicIP":"0.0.0.0","PublicIPv6":"::"}"#);
    assert_eq!(claims(&lease), []);
    assert_eq!(lease.unresolved().count(), 2);
}

#[test]
fn flannel_keys_and_values_that_make_no_sense_say_why() {
    let good = r#"{"PublicIP":"10.168.0.11"}"#;
    for (name, value, says) in [
        ("10.244.1.0", good, "not a lease's key"),
        ("", good, "not a lease's key"),
        ("10.244.1.0-24&", good, "not a lease's key"),
        ("10.244.1.0-24&10.244.2.0-24", good, "not a lease's key"),
        ("10.244.1.0-33", good, "not a lease's key"),
        ("10.244.1.7-24", good, "write 10.244.1.0/24"),
        ("host-a1", good, "not a lease's key"),
        ("10.244.1.0-24", "", "not a flannel lease"),
        ("10.244.1.0-24", r#"{"PublicIPv6":"fd00::11"}"#, "PublicIP"),
        ("10.244.1.0-24", r#"{"PublicIP":"fd00::11"}"#, "not an IPv4 address"),
        ("10.244.1.0-24", r#"{"PublicIP":"10.168.0.11","PublicIPv6":"10.168.0.11"}"#, "not an IPv6 address"),
        ("10.244.1.0-24", r#"{"PublicIP":167772161}"#, "not a flannel lease"),
    ] {
        let why = unreadable(&flannel(), &format!("{FLANNEL}{name}"), value);
        assert!(why.contains(says), "{name} {value}: {why}");
    }
}

#[test]
fn a_native_host_has_addresses_subnets_and_labels() {
    let value = r#"{"addresses": ["10.168.0.11", "fd00::11"], "subnets": ["fd00:244:1::/64", "10.244.1.0/24"],
                    "labels": {"zone": "vlan-a"}, "newer": {"field": [1, null]}}"#;
    let host = statement(&native(), "/fingerpost/hosts/node-a1", value);
    assert_eq!(host.host.as_str(), "node-a1");
    assert_eq!(host.labels.0["zone"], "vlan-a");
    let expected = [("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11")];
    assert_eq!(claims(&host), expected.map(|(prefix, next_hop)| (prefix.to_owned(), next_hop.to_owned())));
}

#[test]
fn a_subnet_stated_twice_is_stated_once() {
    let value = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24", "10.244.1.0/24"]}"#;
    assert_eq!(statement(&native(), "/fingerpost/hosts/a1", value).subnets.len(), 1);
}

#[test]
fn a_family_without_an_address_is_unresolved() {
    let value = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24", "fd00:244:1::/64"]}"#;
    let host = statement(&native(), "/fingerpost/hosts/a1", value);
    assert_eq!(host.claims().count(), 1);
    let (prefix, why) = host.unresolved().next().unwrap();
    assert_eq!(prefix.to_string(), "fd00:244:1::/64");
    assert!(why.contains("no IPv6 address"));
}

#[test]
fn c40_native_records_that_make_no_sense_say_why() {
    let good = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24"]}"#;
    for (name, value, says) in [
        ("", good, "not a host name"),
        ("a1/x", good, "slash"),
        ("a 1", good, "not a host name"),
        ("a1", "", "EOF"),
        ("a1", "{", "EOF"),
        ("a1", "[]", "addresses"),
        ("a1", r#"{"addresses": ["10.168.0.11"]}"#, "missing field `subnets`"),
        ("a1", r#"{"addresses": ["10.168.0.11"], "subnet": ["10.244.1.0/24"]}"#, "missing field `subnets`"),
        ("a1", r#"{"subnets": ["10.244.1.0/24"]}"#, "missing field `addresses`"),
        ("a1", r#"{"addresses": null, "subnets": []}"#, "null"),
        ("a1", r#"{"addresses": [], "addresses": [], "subnets": []}"#, "duplicate field"),
        ("a1", r#"{"addresses": ["10.168.0.11", "10.168.0.12"], "subnets": []}"#, "two addresses of one family"),
        ("a1", r#"{"addresses": ["0.0.0.0"], "subnets": []}"#, "leave it out"),
        ("a1", r#"{"addresses": ["10.168.0"], "subnets": []}"#, "\"10.168.0\" is not an address"),
        ("a1", r#"{"addresses": [], "subnets": ["10.244.1.7/24"]}"#, "write 10.244.1.0/24"),
        ("a1", r#"{"addresses": [], "subnets": ["10.244.1.0"]}"#, "\"10.244.1.0\" is not a prefix"),
        ("a1", r#"{"addresses": [], "subnets": [], "labels": {"zone": 7}}"#, "expected a string"),
        ("a1", r#"{"addresses": [], "subnets": []} trailing"#, "trailing"),
    ] {
        let why = unreadable(&native(), &format!("/fingerpost/hosts/{name}"), value);
        assert!(why.contains(says), "{name} {value}: {why}");
    }
}

#[test]
fn c40_only_an_object_is_a_record_p2() {
    for value in ["[[],[]]", " \n[[],[],{}]", r#"[["10.168.0.11"],["10.244.1.0/24"]]"#] {
        assert!(unreadable(&native(), "/fingerpost/hosts/a1", value).contains("not an object"), "{value}");
    }
    for value in ["null", "7", r#""x""#, "true"] {
        assert!(unreadable(&native(), "/fingerpost/hosts/a1", value).contains("invalid type"), "{value}");
    }
    for value in [r#"["10.168.0.11",null]"#, r#"["10.168.0.11","fd00::11"]"#] {
        let why = unreadable(&flannel(), &format!("{FLANNEL}10.244.1.0-24"), value);
        assert!(why.contains("not an object"), "{value}: {why}");
    }
    let spaced = " \t\r\n{\"addresses\": [], \"subnets\": []}";
    assert!(statement(&native(), "/fingerpost/hosts/a1", spaced).subnets.is_empty());
}

#[test]
fn c40_a_huge_value_gives_a_short_message() {
    let huge = "9".repeat(1_500_000);
    for value in [
        huge.clone(),
        format!(r#"{{"addresses": ["{huge}"], "subnets": []}}"#),
        format!(r#"{{"addresses": [], "subnets": ["{huge}"]}}"#),
        format!(r#""{huge}""#),
        format!(r#"{{"addresses": "{huge}", "subnets": []}}"#),
        format!(r#"{{"addresses": [], "subnets": [], "labels": "{huge}"}}"#),
    ] {
        let why = unreadable(&native(), "/fingerpost/hosts/a1", &value);
        assert!(why.len() < 300, "{} octets", why.len());
    }
    let why = unreadable(&flannel(), &format!("{FLANNEL}10.244.1.0-24"), &format!(r#""{huge}""#));
    assert!(why.len() < 300 && why.ends_with("… at line 1 column 1500002"), "{} octets", why.len());
    assert!(unreadable(&flannel(), &format!("{FLANNEL}{huge}"), "{}").len() < 300);
    assert!(unreadable(&flannel(), &format!("{FLANNEL}{huge}-24"), "{}").len() < 300);
}

#[test]
fn ranges_end_where_the_prefix_ends() {
    for schema in [native(), Schema::Native { prefix: "/fingerpost/".into() }] {
        let range = schema.range();
        assert_eq!((&range.start[..], &range.end[..]), (&b"/fingerpost/hosts/"[..], &b"/fingerpost/hosts0"[..]));
        assert!(range.contains(b"/fingerpost/hosts/z") && !range.contains(b"/fingerpost/hosts"));
    }
    assert_eq!(&flannel().range().start[..], FLANNEL.as_bytes());
    assert!(Schema::Hosts.range().contains("ÿ-host".as_bytes()));
    let everything = KeyRange::of_prefix(&[0xff, 0xff]);
    assert_eq!(&everything.end[..], [0]);
    assert!(everything.contains(&[0xff, 0xff, 1]) && !everything.contains(&[0xff, 0xfe]));
}

#[test]
fn what_lies_beside_the_range_is_ignored() {
    for key in ["/coreos.com/network/config", "/coreos.com/network/subnets", "/coreos.com/network/subnetsX", ""] {
        assert_eq!(flannel().decode(key.as_bytes(), b"{}"), Ok(Decoded::Ignored), "{key}");
    }
}

proptest! {
    #[test]
    fn c40_no_octets_panic(name in proptest::collection::vec(any::<u8>(), 0..40),
                           value in proptest::collection::vec(any::<u8>(), 0..80)) {
        for schema in [native(), flannel(), Schema::Hosts] {
            let _ = schema.decode_name(&name, &value);
        }
    }

    #[test]
    fn c40_no_text_panics(name in "[0-9a-f.:&/-]{0,30}", address in "\\PC{0,20}", subnet in "[0-9a-f.:/]{0,20}") {
        let value = serde_json::json!({
            "addresses": [address], "subnets": [subnet], "PublicIP": address, "PublicIPv6": subnet
        });
        for schema in [native(), flannel(), Schema::Hosts] {
            if let Ok(statement) = schema.decode_name(name.as_bytes(), value.to_string().as_bytes()) {
                prop_assert_eq!(statement.claims().count() + statement.unresolved().count(), statement.subnets.len());
            }
        }
    }
}
