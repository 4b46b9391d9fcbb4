//! A file's transport: lists under one attempt, and faults that do not end it.

use super::*;

fn file() -> SyncConfig {
    SyncConfig { schema: Schema::Hosts, follow: Follow::Relists, ..config() }
}

/// The file has these hosts; its contents are the `at`-th.
fn contents(at: u64, hosts: &[(&str, &str)]) -> Report {
    let records = hosts.iter().map(|(host, subnet)| {
        let record = record(at, "", "10.168.0.11", &[subnet]);
        Record { key: Bytes::copy_from_slice(host.as_bytes()), created: Rev(0), ..record }
    });
    Report::Page { at: Rev(at), cluster: ClusterId(0), records: records.collect(), more: false }
}

#[test]
fn a_changed_file_changes_the_difference() {
    let mut client = Client::new(file());
    let attempt = client.order().attempt;
    client.report(attempt, contents(1, &[("a1", "10.244.1.0/24"), ("a2", "10.244.2.0/24")]));
    assert!(client.sync.is_complete() && client.sync.seen().is_current());
    assert!(client.orders.is_empty(), "no watch: {:?}", client.orders);
    let before = client.changes;
    client.report(attempt, contents(2, &[("a2", "10.244.2.0/24"), ("a3", "10.244.3.0/24")]));
    assert_eq!(client.changes - before, 2);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.11"), ("10.244.3.0/24", "10.168.0.11")]);
    assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::MissingFrom { at: Rev(2) })]);
}

#[test]
fn a_file_that_cannot_be_read_keeps_its_hosts_p2() {
    let mut client = Client::new(file());
    let attempt = client.order().attempt;
    client.report(attempt, contents(1, &[("a1", "10.244.1.0/24")]));
    client.fail(FaultKind::Malformed);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert!(matches!(client.sync.seen(), Seen::Lost { .. }));
    assert!(client.orders.is_empty(), "the transport goes on looking");
    // As it was.
    let before = client.changes;
    client.report(attempt, contents(1, &[("a1", "10.244.1.0/24")]));
    assert!(client.sync.seen().is_current());
    assert_eq!(client.changes, before);
}

#[test]
fn a_file_that_is_missing_at_first_is_read_when_it_comes() {
    let mut client = Client::new(file());
    let attempt = client.order().attempt;
    client.fail(FaultKind::Unreachable);
    assert!(matches!(client.sync.seen(), Seen::Never(Why::Failed(_))));
    client.report(attempt, contents(1, &[("a1", "10.244.1.0/24")]));
    assert!(client.sync.is_complete());
}

#[test]
fn an_empty_file_counts_once_there_have_been_hosts() {
    let mut client = Client::new(file());
    let attempt = client.order().attempt;
    client.report(attempt, contents(1, &[]));
    assert_eq!(client.sync.seen(), Seen::Never(Why::Empty { at: Rev(1) }));
    client.report(attempt, contents(2, &[("a1", "10.244.1.0/24")]));
    assert!(client.sync.is_complete());
    client.report(attempt, contents(3, &[]));
    client.assert_table(&[]);
    assert!(client.sync.seen().is_current());
}

#[test]
fn pages_of_one_content_are_one_list() {
    let mut client = Client::new(file());
    let attempt = client.order().attempt;
    client.report(attempt, contents(1, &[("a1", "10.244.1.0/24"), ("a2", "10.244.2.0/24")]));
    let Report::Page { at, cluster, records, .. } = contents(2, &[("a1", "10.244.1.0/24")]) else { unreachable!() };
    client.report(attempt, Report::Page { at, cluster, records, more: true });
    assert_eq!(client.claims.len(), 2);
    client.report(attempt, contents(2, &[("a3", "10.244.3.0/24")]));
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.3.0/24", "10.168.0.11")]);
}

#[test]
fn an_unchanged_file_is_asked_for_again_as_a_proof_of_what_it_lacks() {
    let mut client = Client::new(file());
    let first = client.order().attempt;
    client.report(first, contents(1, &[("a1", "10.244.1.0/24")]));
    client.until_deadline();
    let again = client.order();
    assert!(again.task == Task::List && again.attempt != first);
    let before = client.changes;
    client.report(again.attempt, contents(1, &[("a1", "10.244.1.0/24")]));
    assert_eq!((client.changes, client.compared), (before, 2));
}
