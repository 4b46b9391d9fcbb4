//! Complete lists.

use super::*;

#[test]
fn c29_nothing_is_let_out_before_the_list_is_complete() {
    let mut client = Client::new(config());
    let attempt = client.order().attempt;
    client.page(attempt, 10, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])], true);
    assert_eq!(client.changes, 0);
    assert!(!client.sync.is_complete());
    assert_eq!(client.sync.seen(), Seen::Never(Why::Listing));
    client.page(attempt, 10, vec![record(4, "a2", "10.168.0.12", &["10.244.2.0/24"])], false);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]);
    assert!(client.sync.is_complete());
    let counts = Counts { records: 2, quarantined: 0, unresolved: 0, ..Counts::default() };
    assert_eq!(client.sync.seen(), Seen::Current { value: counts, at: Rev(10) });
    assert_eq!(client.notes, [Note::Current { at: Rev(10), records: 2 }]);
    assert_eq!(client.order().task, Task::Watch { from: Rev(10) });
}

#[test]
fn a_claim_says_who_where_and_since_when() {
    let mut client = Client::new(config());
    let value = r#"{"addresses": ["10.168.0.11"], "subnets": ["10.244.1.0/24"], "labels": {"zone": "vlan-a"}}"#;
    let record = Record { value: value.into(), modified: Rev(5), ..record(3, "a1", "", &[]) };
    client.list(10, vec![record]);
    let (id, claim) = client.claims.iter().map(|((id, _), claim)| (*id, claim.clone())).next().unwrap();
    assert_eq!((claim.host.as_str(), claim.created, claim.readable), ("a1", 3, true));
    assert_eq!(claim.labels.0["zone"], "vlan-a");
    let info = RecordInfo { key: key("a1"), modified: Rev(5), created: Rev(3), readable: true };
    assert_eq!(client.sync.record(id), Some(info));
    assert_eq!(client.sync.record(RecordId(99)), None);
}

#[test]
fn c30_pages_of_two_revisions_make_no_list() {
    let mut client = Client::new(config());
    let attempt = client.order().attempt;
    client.page(attempt, 10, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])], true);
    client.page(attempt, 11, vec![], false);
    assert_eq!(client.changes, 0);
    assert!(
        matches!(&client.notes[..], [Note::Failing(Fault { kind: FaultKind::Malformed, .. })]),
        "{:?}",
        client.notes
    );
    client.until_deadline();
    client.list(11, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
}

#[test]
fn c30_a_compaction_in_the_middle_begins_anew_and_keeps_the_routes_p2() {
    let mut client = Client::watching(vec![
        record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]),
        record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]),
    ]);
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.page(attempt, 20, vec![record(15, "a0", "10.168.0.10", &["10.244.0.0/24"])], true);
    client.report(attempt, Report::Compacted);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]);
    client.until_deadline();
    client.list(30, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert_eq!(client.removed, [(prefix("10.244.2.0/24"), Proof::MissingFrom { at: Rev(30) })]);
}

#[test]
fn c31_a_relist_replaces_atomically_and_changes_only_the_difference() {
    let mut client = Client::watching(vec![
        record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]),
        record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]),
        record(5, "a3", "10.168.0.13", &["10.244.3.0/24"]),
    ]);
    let before = client.changes;
    client.report(client.watch(), Report::Compacted);
    assert!(client.notes.contains(&Note::Compacted { from: Rev(10) }));
    assert!(matches!(client.sync.seen(), Seen::Lost { why: Fault { kind: FaultKind::Compacted, .. }, .. }));
    client.until_deadline();
    let order = client.order();
    assert!(!order.elsewhere, "the endpoint is not to blame");
    client.page(order.attempt, 20, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])], true);
    assert_eq!(client.changes, before, "changes before the list was complete");
    // a2 has moved to a4, a3 is gone, a5 is new.
    let rest =
        vec![record(15, "a4", "10.168.0.14", &["10.244.2.0/24"]), record(16, "a5", "10.168.0.15", &["10.244.5.0/24"])];
    client.page(order.attempt, 20, rest, false);
    let table = [("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.14"), ("10.244.5.0/24", "10.168.0.15")];
    client.assert_table(&table);
    assert_eq!(client.changes - before, 4);
    assert!(client.removed.iter().all(|(_, proof)| *proof == Proof::MissingFrom { at: Rev(20) }));
    assert!(client.sync.seen().is_current());
}

#[test]
fn a_relist_adds_before_it_removes() {
    let stays = record(4, "a0", "10.168.0.10", &[]);
    let mut client = Client::watching(vec![stays.clone(), record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    let attempt = client.order().attempt;
    let moved = vec![stays, record(15, "a2", "10.168.0.12", &["10.244.1.0/24"])];
    let page = Report::Page { at: Rev(20), cluster: CLUSTER, records: moved, more: false };
    client.sync.handle(client.now, attempt, page, &mut client.out);
    assert!(matches!(client.out.changes[..], [ClaimChange::Upsert(..), ClaimChange::Remove(..)]), "{:?}", client.out);
}

#[test]
fn a_record_deleted_and_made_anew_meanwhile_is_younger() {
    let stays = record(4, "a0", "10.168.0.10", &[]);
    let mut client = Client::watching(vec![stays.clone(), record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    client.list(20, vec![stays, record(15, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    assert_eq!(client.claims.values().map(|claim| claim.created).collect::<Vec<_>>(), [15]);
}

#[test]
fn an_empty_first_list_is_not_believed_until_records_are_seen_and_no_new_ones_come_p2() {
    let mut client = Client::new(config());
    client.list(10, vec![]);
    assert!(!client.sync.is_complete());
    assert_eq!(client.sync.seen(), Seen::Never(Why::Empty { at: Rev(10) }));
    assert_eq!(client.notes, [Note::NotBelieved { at: Rev(10) }]);
    client.open();
    assert_eq!(client.notes.len(), 1, "told once");
    client.fail(FaultKind::Unreachable);
    assert!(matches!(client.sync.seen(), Seen::Never(Why::Failed(_))));
    client.until_deadline();
    client.open();
    assert!(!client.sync.is_complete());
    client.events(vec![delete(11, "a0")]);
    assert!(!client.sync.is_complete());
    let first = put(12, "a1", "10.168.0.11", &["10.244.1.0/24"]);
    client.events(vec![first]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    client.wait_alive(seconds(59));
    client.events(vec![put(13, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    client.wait_alive(seconds(30));
    client.events(vec![put(14, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    assert!(!client.sync.is_complete() && client.orders.is_empty());
    let asked = client.now;
    let attempt = client.until_reconcile();
    assert_eq!(client.now.since(asked), seconds(30), "a record written again is not a new one");
    // Another has come that the watch did not tell.
    let keys = vec![listed("a1", 12), listed("a2", 14), listed("a3", 15)];
    client.report(attempt, Report::KeysPage { at: Rev(20), cluster: CLUSTER, keys: keys.clone(), more: false });
    let attempt = client.order().attempt;
    let records = vec![record(15, "a3", "10.168.0.13", &["10.244.3.0/24"])];
    client.report(attempt, Report::Fetched { at: Rev(20), cluster: CLUSTER, records });
    assert!(!client.sync.is_complete() && !client.sync.seen().is_current());
    let asked = client.now;
    let attempt = client.until_reconcile();
    assert_eq!(client.now.since(asked), seconds(60));
    client.report(attempt, Report::KeysPage { at: Rev(20), cluster: CLUSTER, keys, more: false });
    assert!(client.sync.is_complete() && client.sync.seen().is_current());
    assert_eq!(client.claims.len(), 3);
}

#[test]
fn an_empty_first_list_is_doubted_beyond_a_second_list_p2() {
    let mut client = Client::new(config());
    client.list(10, vec![]);
    client.report(client.orders[0].attempt, Report::Compacted);
    client.orders.clear();
    client.until_deadline();
    client.list(20, vec![record(12, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.open();
    assert!(!client.sync.is_complete());
    let attempt = client.until_reconcile();
    let keys = vec![listed("a1", 12)];
    client.report(attempt, Report::KeysPage { at: Rev(20), cluster: CLUSTER, keys, more: false });
    assert!(client.sync.is_complete() && client.sync.seen().is_current());
}

#[test]
fn an_empty_first_list_is_believed_if_that_is_allowed() {
    let mut client = Client::new(SyncConfig { allow_empty: true, ..config() });
    client.list(10, vec![]);
    assert!(client.sync.is_complete() && client.sync.seen().is_current());
}

#[test]
fn a_list_of_records_that_cannot_be_read_is_not_an_empty_one() {
    let mut client = Client::new(config());
    client.list(10, vec![garbage(3, "a1")]);
    assert!(client.sync.is_complete());
}

#[test]
fn a_large_list_is_let_out_in_slices() {
    let mut client = Client::new(config());
    let attempt = client.order().attempt;
    let many = |from: usize, to: usize| {
        let subnet = |number: usize| format!("10.{}.{}.0/24", number / 256, number % 256);
        (from..to).map(|number| record(3, &format!("h{number}"), "10.168.0.11", &[&subnet(number)])).collect()
    };
    client.page(attempt, 10, many(0, 10_000), true);
    client.page(attempt, 10, many(10_000, 20_000), true);
    client.page(attempt, 10, many(20_000, 40_000), false);
    assert_eq!(client.changes, SLICE);
    assert!(client.orders.is_empty(), "no watch while a list is let out: its events would find half a table");
    assert!(!client.sync.is_complete() && !client.sync.seen().is_current());
    client.until_deadline();
    assert_eq!(client.changes, 2 * SLICE);
    client.until_deadline();
    assert_eq!(client.changes, 40_000);
    assert!(client.sync.is_complete());
    assert!(matches!(client.order().task, Task::Watch { from: Rev(10) }));
    // And the same again, all gone.
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.page(attempt, 20, many(0, 1), false);
    assert_eq!(client.removed.len(), SLICE);
    client.drain();
    assert_eq!(client.claims.len(), 1);
}

#[test]
fn a_list_that_stays_away_is_asked_for_elsewhere() {
    let mut client = Client::new(config());
    client.order();
    client.wait(seconds(29));
    assert!(client.notes.is_empty());
    client.wait(seconds(1));
    assert!(matches!(&client.notes[..], [Note::Failing(Fault { kind: FaultKind::Stuck, .. })]));
    client.until_deadline();
    let order = client.order();
    assert!(order.elsewhere && order.task == Task::List);
}
