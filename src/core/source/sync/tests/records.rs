//! What a record's new value does to its claims.

use super::*;

fn value(modified: u64, host: &str, value: &str) -> Event {
    Event::Put(Record { value: Bytes::copy_from_slice(value.as_bytes()), ..record(modified, host, "", &[]) })
}

#[test]
fn a_prefix_no_longer_stated_is_removed_with_that_proof() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24", "10.244.2.0/24"])]);
    client.events(vec![put(11, "a1", "10.168.0.11", &["10.244.2.0/24", "10.244.3.0/24"])]);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.11"), ("10.244.3.0/24", "10.168.0.11")]);
    assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::NoLongerStated(Rev(11)))]);
}

#[test]
fn only_what_differs_is_changed() {
    let same_age = |modified, subnets: &[&str]| {
        Event::Put(Record { created: Rev(3), ..record(modified, "a1", "10.168.0.11", subnets) })
    };
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24", "10.244.2.0/24"])]);
    let before = client.changes;
    client.events(vec![same_age(11, &["10.244.1.0/24", "10.244.2.0/24", "10.244.3.0/24"])]);
    assert_eq!(client.changes - before, 1);
    client.events(vec![same_age(12, &["10.244.1.0/24"])]);
    assert_eq!(client.changes - before, 3);
}

#[test]
fn c40_an_unreadable_record_keeps_its_claims_and_says_so_p2() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![Event::Put(garbage(11, "a1"))]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    let quarantined: Vec<_> = client.sync.quarantined().collect();
    let [Quarantined { record: RecordId(0), key: found, kept: true, why }] = &quarantined[..] else {
        panic!("{quarantined:?}")
    };
    assert_eq!(*found, key("a1"));
    assert!(why.contains("expected value"), "{why}");
    assert!(client.notes.iter().any(|note| matches!(note, Note::Quarantined { kept: true, .. })));
    assert_eq!(client.sync.record(RecordId(0)).map(|record| record.readable), Some(false));
    // The same garbage again is no news.
    let (changes, notes) = (client.changes, client.notes.len());
    client.events(vec![Event::Put(Record { created: Rev(11), ..garbage(12, "a1") })]);
    assert_eq!((client.changes, client.notes.len()), (changes, notes));
    // Readable again.
    client.events(vec![put(13, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert_eq!(client.sync.quarantined().count(), 0);
    assert!(client.notes.iter().any(|note| matches!(note, Note::Released { .. })));
}

#[test]
fn c40_an_unreadable_record_without_claims_is_quarantined_and_the_rest_flows() {
    let good = record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]);
    let mut client = Client::watching(vec![garbage(3, "a1"), good]);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.12")]);
    let quarantined: Vec<_> = client.sync.quarantined().map(|found| (found.key, found.kept)).collect();
    assert_eq!(quarantined, [(key("a1"), false)]);
    assert_eq!(client.sync.seen(), {
        let value = Counts { records: 2, quarantined: 1, unresolved: 0, hiding: PerFamily { ipv4: 1, ipv6: 1 } };
        Seen::Current { value, at: Rev(10) }
    });
    client.events(vec![delete(11, "a1")]);
    assert_eq!(client.sync.quarantined().count(), 0);
    assert!(client.removed.is_empty());
}

#[test]
fn c40_an_unreadable_record_that_is_deleted_loses_its_claims() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![Event::Put(garbage(11, "a1")), delete(12, "a1")]);
    client.assert_table(&[]);
    assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::Deleted(Rev(12)))]);
}

#[test]
fn c40_a_relist_that_finds_garbage_keeps_the_claims_p2() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    client.list(20, vec![Record { created: Rev(3), ..garbage(15, "a1") }]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
}

const BOTH: &str = r#"{"addresses": ["10.168.0.11", "fd00::11"], "subnets": ["10.244.1.0/24", "fd00:244:1::/64"]}"#;
const ONLY_IPV4: &str = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24", "fd00:244:1::/64"]}"#;
const NO_IPV6_SUBNET: &str = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24"]}"#;

#[test]
fn a_subnet_that_loses_its_next_hop_keeps_the_last_claim_p2() {
    let mut client = Client::watching(vec![]);
    client.events(vec![value(11, "a1", BOTH)]);
    client.events(vec![value(12, "a1", ONLY_IPV4)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11?")]);
    let unresolved: Vec<_> = client.sync.unresolved().collect();
    let [Unresolved { prefix: found, why, .. }] = &unresolved[..] else { panic!("{unresolved:?}") };
    assert_eq!(*found, prefix("fd00:244:1::/64"));
    assert!(why.contains("no IPv6 address"));
    // Garbage on top of it: both stay.
    client.events(vec![Event::Put(garbage(13, "a1"))]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11?"), ("fd00:244:1::/64", "fd00::11?")]);
    client.events(vec![value(14, "a1", ONLY_IPV4)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11?")]);
    // Its address is back.
    client.events(vec![value(15, "a1", BOTH)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11")]);
    assert_eq!(client.sync.unresolved().count(), 0);
    assert!(client.removed.is_empty());
    // No longer stated: that is a proof.
    client.events(vec![value(16, "a1", ONLY_IPV4), value(17, "a1", NO_IPV6_SUBNET)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert_eq!(client.removed, [(prefix("fd00:244:1::/64"), Proof::NoLongerStated(Rev(17)))]);
}

#[test]
fn a_subnet_without_a_next_hop_hides_a_claim_unless_the_last_one_stays_p2() {
    let hides = |client: &Client| (client.sync.hides_claims(Family::Ipv4), client.sync.hides_claims(Family::Ipv6));
    let mut client = Client::watching(vec![]);
    client.events(vec![value(11, "a1", BOTH), value(12, "a1", ONLY_IPV4)]);
    assert_eq!(hides(&client), (false, false), "the claim stays");
    // Another process, which begins here, knows nothing of that claim.
    let Event::Put(record) = value(12, "a1", ONLY_IPV4) else { unreachable!() };
    let mut client = Client::watching(vec![record]);
    assert_eq!(hides(&client), (false, true));
    client.events(vec![Event::Put(garbage(13, "a1"))]);
    assert_eq!(hides(&client), (false, true), "IPv4 keeps its claim");
    client.events(vec![value(14, "a1", BOTH)]);
    assert_eq!(hides(&client), (false, false));
    client.events(vec![value(15, "a2", ONLY_IPV4), value(16, "a2", NO_IPV6_SUBNET)]);
    assert_eq!(hides(&client), (false, false));
    client.events(vec![Event::Put(garbage(17, "a3"))]);
    assert_eq!(hides(&client), (true, true));
    client.events(vec![delete(18, "a3")]);
    assert_eq!(hides(&client), (false, false));
    let told = client.notes.iter().filter_map(|note| match note {
        Note::Hides { family, records } => Some((*family, *records)),
        Note::HidesNoMore { family } => Some((*family, 0)),
        _ => None,
    });
    use Family::{Ipv4, Ipv6};
    let of_a1_and_a2 = [(Ipv6, 1), (Ipv6, 0)];
    let of_a3 = [(Ipv4, 1), (Ipv6, 1), (Ipv4, 0), (Ipv6, 0)];
    assert_eq!(told.collect::<Vec<_>>(), [&of_a1_and_a2[..], &of_a3[..]].concat(), "told when it begins and ends");
}

#[test]
fn a_subnet_that_never_had_a_next_hop_is_reported_and_not_claimed() {
    let mut client = Client::watching(vec![]);
    client.events(vec![value(11, "a1", ONLY_IPV4)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    let note = Note::Unresolved {
        record: RecordId(0),
        key: key("a1"),
        prefix: prefix("fd00:244:1::/64"),
        why: "its host has no IPv6 address to be the next hop",
    };
    assert!(client.notes.contains(&note), "{:?}", client.notes);
    client.events(vec![value(12, "a1", ONLY_IPV4)]);
    assert_eq!(client.notes.iter().filter(|other| **other == note).count(), 1, "told once");
    client.events(vec![delete(13, "a1")]);
    assert_eq!(client.sync.unresolved().count(), 0);
}

const ONLY_IPV6: &str = r#"{"addresses": ["fd00::11"], "subnets": ["10.244.1.0/24", "fd00:244:1::/64"]}"#;

/// RFC 8950, where it is asked for; an IPv4 address goes first, and an IPv6 subnet never borrows one.
#[test]
fn c14_an_ipv4_subnet_borrows_its_hosts_ipv6_address_only_where_that_is_configured() {
    let via = |ipv4_via_ipv6| {
        let mut client = Client::new(SyncConfig { ipv4_via_ipv6, allow_empty: true, ..config() });
        client.list(10, vec![]);
        client
    };
    let mut client = via(true);
    client.events(vec![value(11, "a1", BOTH)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11")]);
    client.events(vec![value(12, "a1", ONLY_IPV6)]);
    client.assert_table(&[("10.244.1.0/24", "fd00::11"), ("fd00:244:1::/64", "fd00::11")]);
    assert_eq!(client.sync.unresolved().count(), 0);
    client.events(vec![value(13, "a1", ONLY_IPV4)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("fd00:244:1::/64", "fd00::11?")]);
    assert!(client.removed.is_empty());

    let mut client = via(false);
    client.events(vec![value(11, "a1", ONLY_IPV6)]);
    client.assert_table(&[("fd00:244:1::/64", "fd00::11")]);
    assert_eq!(client.sync.unresolved().count(), 1);
}

#[test]
fn numbers_of_records_are_not_used_again() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![delete(11, "a1"), put(12, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    assert_eq!(client.claims.keys().map(|(id, _)| *id).collect::<Vec<_>>(), [RecordId(1)]);
    assert_eq!(client.sync.record(RecordId(0)), None);
}

#[test]
fn c40_a_field_that_means_nothing_is_told_once_and_the_record_counts() {
    let mut client = Client::watching(vec![]);
    let written = |modified, more: &str| {
        let value = format!(r#"{{"addresses": ["10.168.0.11"], {more} "subnets": ["10.244.1.0/24"]}}"#);
        Event::Put(Record { value: value.into(), created: Rev(11), ..record(modified, "a1", "", &[]) })
    };
    let told = |client: &Client| {
        let fields = client.notes.iter().filter_map(|note| match note {
            Note::UnknownField { field, .. } => Some(field.to_string()),
            _ => None,
        });
        fields.collect::<Vec<_>>()
    };
    client.events(vec![written(11, r#""label": {"zone": "vlan-a", "zone": [1]}, "foo": null,"#)]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert_eq!(told(&client), [r#""label""#]);
    // Renewed, and renewed with another such field.
    let changes = client.changes;
    client.events(vec![written(12, r#""label": {},"#), written(13, r#""foo": 1,"#), written(14, "")]);
    assert_eq!(told(&client), [r#""label""#, r#""foo""#]);
    client.events(vec![written(15, r#""foo": 1,"#)]);
    assert_eq!(told(&client).len(), 3, "it was away meanwhile");
    assert_eq!(client.changes, changes);
}
