//! Reconciles.

use super::*;

fn keys(at: u64, keys: &[(&str, u64)], more: bool) -> Report {
    let created = |host: &str, modified| match host {
        "a1" => Rev(3),
        "a2" => Rev(4),
        _ => modified,
    };
    let revisions = |host, modified| Revisions { modified, created: created(host, modified) };
    let keys = keys.iter().map(|(host, modified)| (key(host), revisions(host, Rev(*modified)))).collect();
    Report::KeysPage { at: Rev(at), cluster: CLUSTER, keys, more }
}

fn two() -> Client {
    Client::watching(vec![
        record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]),
        record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]),
    ])
}

#[test]
fn c33_a_reconcile_heals_within_five_minutes() {
    let mut client = two();
    let attempt = client.until_reconcile();
    // Lost: a1 deleted, a2 written, a3 created.
    client.report(attempt, keys(20, &[("a2", 12), ("a3", 13)], false));
    assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::MissingFrom { at: Rev(20) })]);
    let Order { attempt, task: Task::Fetch(mut wanted), .. } = client.order() else { panic!("not a fetch") };
    wanted.sort();
    assert_eq!(wanted, [key("a2"), key("a3")]);
    let records =
        vec![record(12, "a2", "10.168.0.42", &["10.244.2.0/24"]), record(13, "a3", "10.168.0.13", &["10.244.3.0/24"])];
    client.report(attempt, Report::Fetched { at: Rev(21), cluster: CLUSTER, records });
    client.assert_table(&[("10.244.2.0/24", "10.168.0.42"), ("10.244.3.0/24", "10.168.0.13")]);
    assert!(client.notes.contains(&Note::Reconciled { at: Rev(20), missing: 1, differing: 2 }));
    // All is known up to the list of keys.
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    assert_eq!(client.order().task, Task::Watch { from: Rev(20) });
}

#[test]
fn a_reconcile_that_finds_nothing_says_nothing() {
    let mut client = two();
    let (changes, notes) = (client.changes, client.notes.len());
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3)], true));
    client.report(attempt, keys(20, &[("a2", 4)], false));
    assert!(client.orders.is_empty());
    assert_eq!((client.changes, client.notes.len()), (changes, notes));
    // And again in five minutes.
    client.until_reconcile();
}

#[test]
fn half_a_list_of_keys_proves_nothing_p2() {
    let mut client = two();
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3)], true));
    client.report(attempt, Report::Failed(Fault { kind: FaultKind::Denied, message: "denied".into() }));
    assert_eq!(client.claims.len(), 2);
    assert!(client.sync.seen().is_current(), "the watch goes on");
    let attempt = client.until_reconcile();
    client.report(attempt, Report::Failed(Fault { kind: FaultKind::Denied, message: "denied".into() }));
    let told = client.notes.iter().filter(|note| matches!(note, Note::ReconcileFailed(_)));
    assert_eq!(told.count(), 1, "the same fault is told once");
    // Pages of two revisions.
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3)], true));
    client.report(attempt, keys(21, &[], false));
    assert_eq!(client.claims.len(), 2);
    // One that never ends.
    let attempt = client.until_reconcile();
    client.report(attempt, keys(22, &[("a1", 3)], true));
    client.wait_alive(seconds(30));
    assert_eq!(client.claims.len(), 2);
    // One that is compacted away.
    let attempt = client.until_reconcile();
    client.report(attempt, keys(23, &[("a1", 3)], true));
    client.report(attempt, Report::Compacted);
    assert_eq!(client.claims.len(), 2);
    assert!(client.sync.seen().is_current());
}

#[test]
fn what_the_watch_tells_during_a_reconcile_is_left_alone_p2() {
    let mut client = two();
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3)], true));
    // Newer than the list of keys: not missing from it, and not to be fetched again.
    client.events(vec![put(21, "a0", "10.168.0.10", &["10.244.0.0/24"]), delete(22, "a1")]);
    client.events(vec![put(23, "a2", "10.168.0.42", &["10.244.2.0/24"])]);
    client.report(attempt, keys(20, &[("a2", 4)], false));
    assert!(client.orders.is_empty());
    client.assert_table(&[("10.244.0.0/24", "10.168.0.10"), ("10.244.2.0/24", "10.168.0.42")]);
}

#[test]
fn what_was_listed_before_it_was_known_is_not_missing_p2() {
    let mut client = two();
    let attempt = client.until_reconcile();
    // a0 is on the first page, and its event comes only now.
    client.report(attempt, keys(20, &[("a0", 15), ("a1", 3)], true));
    client.events(vec![put(15, "a0", "10.168.0.10", &["10.244.0.0/24"])]);
    client.report(attempt, keys(20, &[("a2", 4)], false));
    assert_eq!(client.claims.len(), 3);
    assert!(client.removed.is_empty());
}

#[test]
fn a_place_used_again_during_a_reconcile_is_not_mistaken_p2() {
    let mut client = two();
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a0", 15)], true));
    // a1 goes, a0 takes its place in the table: its event was under way when the keys were listed.
    client.events(vec![delete(12, "a1"), put(15, "a0", "10.168.0.10", &["10.244.0.0/24"])]);
    client.report(attempt, keys(20, &[("a2", 4)], false));
    client.assert_table(&[("10.244.0.0/24", "10.168.0.10"), ("10.244.2.0/24", "10.168.0.12")]);
}

#[test]
fn a_fetched_record_may_have_been_deleted_since() {
    let mut client = two();
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3), ("a2", 4), ("a3", 15)], false));
    let Order { attempt, task: Task::Fetch(_), .. } = client.order() else { panic!("not a fetch") };
    // The answer is of revision 20, and the deletion at 21 has been told before it.
    client.events(vec![delete(21, "a3")]);
    let records = vec![record(15, "a3", "10.168.0.13", &["10.244.3.0/24"])];
    client.report(attempt, Report::Fetched { at: Rev(20), cluster: CLUSTER, records });
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]);
    let told = client.now;
    client.until_reconcile();
    assert!(client.now.since(told) <= seconds(10), "asked again soon");
}

#[test]
fn a_fetched_record_that_is_older_than_the_known_one_is_passed_over() {
    let mut client = two();
    let attempt = client.until_reconcile();
    client.report(attempt, keys(20, &[("a1", 3), ("a2", 15)], false));
    let attempt = client.order().attempt;
    client.events(vec![put(25, "a2", "10.168.0.25", &["10.244.2.0/24"])]);
    let records = vec![record(15, "a2", "10.168.0.15", &["10.244.2.0/24"])];
    client.report(attempt, Report::Fetched { at: Rev(20), cluster: CLUSTER, records });
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.25")]);
}

#[test]
fn many_records_are_fetched_some_at_a_time() {
    let mut client = two();
    let attempt = client.until_reconcile();
    let hosts: Vec<_> = (0..300).map(|number| format!("b{number}")).collect();
    let mut listed = vec![("a1", 3), ("a2", 4)];
    listed.extend(hosts.iter().map(|host| (&host[..], 15)));
    client.report(attempt, keys(20, &listed, false));
    let mut sizes = Vec::new();
    while let Some(Order { attempt, task: Task::Fetch(keys), .. }) = client.orders.pop() {
        sizes.push(keys.len());
        let made = |(number, key): (usize, Bytes)| {
            let subnet = format!("10.{}.{number}.0/24", sizes.len());
            Record { key, ..record(15, "", "10.168.0.15", &[&subnet]) }
        };
        let records = keys.into_iter().enumerate().map(made).collect();
        client.report(attempt, Report::Fetched { at: Rev(20), cluster: CLUSTER, records });
    }
    assert_eq!(sizes, [128, 128, 44]);
    assert_eq!(client.claims.len(), 302);
}

#[test]
fn a_new_watch_ends_a_reconcile_and_does_not_put_it_off() {
    let mut client = two();
    for _ in 0..4 {
        client.wait_alive(seconds(60));
        client.fail(FaultKind::Unreachable);
        client.until_deadline();
        client.open();
    }
    let attempt = client.until_reconcile();
    assert!(client.now.since(Time::since_start(seconds(1000))) <= seconds(541), "240 s and one wait of 300 s");
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    client.open();
    client.report(attempt, keys(20, &[], false));
    assert_eq!(client.claims.len(), 2);
}
