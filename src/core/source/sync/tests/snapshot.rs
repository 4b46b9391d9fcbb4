//! What an earlier process knew, put in before a first list or after a while without one.

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// Of three hosts, as the process that followed this client's store knew them.
fn snapshot() -> Snapshot {
    let client = Client::watching(vec![
        record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]),
        record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]),
        record(5, "a3", "10.168.0.13", &["10.244.3.0/24"]),
    ]);
    of(&client)
}

fn of(client: &Client) -> Snapshot {
    let (cluster, at) = client.sync.believed().expect("it was read completely");
    let (mut records, mut place) = (Vec::new(), Some(0));
    while let Some(from) = place {
        let (more, next) = client.sync.known_records(from, 2);
        assert!(more.len() <= 2);
        records.extend(more);
        place = next;
    }
    Snapshot { cluster, at, records, suspect: false, passed: Rev::default() }
}

/// A new process that remembers.
fn restarted(snapshot: Snapshot) -> Client {
    let mut client = Client::new(config());
    client.sync.remember(client.now, snapshot, PATIENCE);
    client
}

#[test]
fn c50_a_store_that_does_not_answer_is_announced_as_it_was_and_is_not_complete_p4() {
    let mut client = restarted(snapshot());
    client.fail(FaultKind::Unreachable);
    client.wait(PATIENCE - seconds(1));
    client.assert_table(&[]);
    client.wait(seconds(2));
    let all = [("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12"), ("10.244.3.0/24", "10.168.0.13")];
    client.assert_table(&all);
    assert!(client.restored && !client.sync.is_complete());
    assert!(matches!(client.sync.seen(), Seen::Lost { last: Counts { records: 3, .. }, at: Rev(10), .. }));
    let remembered = |note: &&Note| matches!(note, Note::Remembered { records: 3, .. });
    assert_eq!(client.notes.iter().filter(remembered).count(), 1);
    assert_eq!(client.sync.believed(), None, "what was only remembered is not kept as if it had been read");
}

#[test]
fn a_first_list_changes_what_was_known_before_it() {
    let mut client = restarted(snapshot());
    let a2 = record(7, "a2", "10.168.0.22", &["10.244.2.0/24"]);
    client.list(20, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]), a2]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.22")]);
    assert_eq!(client.removed, [(prefix("10.244.3.0/24"), Proof::MissingFrom { at: Rev(20) })]);
    assert_eq!(client.changes, 3 + 1 + 1, "three put back, one moved, one gone");
    assert!(client.restored && client.sync.is_complete());
}

#[test]
fn c36_a_first_list_of_another_cluster_is_compared_with_the_snapshot_all_the_same_p3() {
    let mut client = restarted(Snapshot { cluster: ClusterId(8), ..snapshot() });
    client.list(20, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert_eq!(client.removed.len(), 2, "what it lacks is a change, for the guard to judge");
    assert!(client.notes.contains(&Note::SnapshotOfAnother { known: ClusterId(8), found: CLUSTER }));
    assert!(client.restored && client.sync.is_complete());
}

#[test]
fn c36_once_a_snapshot_is_served_another_cluster_is_not_believed_p2() {
    let mut client = restarted(Snapshot { cluster: ClusterId(8), ..snapshot() });
    client.fail(FaultKind::Unreachable);
    client.wait(PATIENCE + seconds(1));
    client.orders.drain(..client.orders.len() - 1);
    client.list(20, vec![]);
    assert!(matches!(client.sync.seen(), Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. }));
    assert_eq!(client.claims.len(), 3);
}

#[test]
fn a_dangling_reference_outlives_the_process_p2() {
    let mut before = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    let lost_its_address =
        Record { value: r#"{"addresses": [], "subnets": ["10.244.1.0/24"]}"#.into(), ..record(11, "a1", "", &[]) };
    before.events(vec![Event::Put(lost_its_address)]);
    before.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    let mut after = restarted(of(&before));
    after.fail(FaultKind::Unreachable);
    after.wait(PATIENCE + seconds(1));
    after.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    assert_eq!(of_known(&after), of_known(&before));
}

#[test]
fn an_unreadable_record_loses_to_readable_ones_after_a_restart_too_p2() {
    let mut before = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    before.events(vec![Event::Put(Record { value: "{".into(), ..record(11, "a1", "", &[]) })]);
    before.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    let mut after = restarted(of(&before));
    after.fail(FaultKind::Unreachable);
    after.wait(PATIENCE + seconds(1));
    after.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    assert_eq!(of_known(&after), of_known(&before));
}

/// The process before may have announced what the record said in between, before it could write that down (world 5364 of several
/// replicas).
#[test]
fn p4_what_cannot_be_read_and_was_written_since_the_snapshot_hides_claims_until_it_can() {
    let hides = |client: &Client| Family::ALL.map(|family| client.sync.hides_claims(family));
    let (a2, a3) = (record(4, "a2", "10.168.0.12", &[]), record(5, "a3", "10.168.0.13", &[]));
    let unreadable = Record { created: Rev(3), ..garbage(12, "a1") };
    let mut client = restarted(snapshot());
    client.list(20, vec![unreadable.clone(), a2.clone(), a3.clone()]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11?")]);
    assert_eq!(hides(&client), [true; 2]);
    let mut next = restarted(of(&client));
    next.list(21, vec![unreadable, a2, a3]);
    assert_eq!(hides(&next), [true; 2], "nor does the process after that know it");
    next.open();
    next.events(vec![Event::Put(Record { created: Rev(3), ..garbage(22, "a1") })]);
    assert_eq!(hides(&next), [true; 2]);
    let readable = Record { created: Rev(3), ..record(23, "a1", "10.168.0.11", &["10.244.1.0/24"]) };
    next.events(vec![Event::Put(readable)]);
    assert_eq!(hides(&next), [false; 2]);
    next.events(vec![Event::Put(Record { created: Rev(3), ..garbage(24, "a1") })]);
    assert_eq!(hides(&next), [false; 2], "what it said last was read");
    let mut last = restarted(of(&next));
    last.list(25, vec![Record { created: Rev(3), ..garbage(24, "a1") }]);
    assert_eq!(hides(&last), [false; 2], "and nothing was written since");
    last.open();
    last.events(vec![Event::Delete { key: key("a1"), modified: Rev(26) }]);
    last.assert_table(&[]);
}

fn of_known(client: &Client) -> Vec<KnownRecord> {
    client.sync.known_records(0, 100).0
}

/// A file's process knew its contents by the third count; the next one counts anew.
#[test]
fn a_files_count_of_an_earlier_process_says_nothing_of_this_ones_p2() {
    let record = |at, host: &str, subnet| {
        let record = record(at, "", "10.168.0.11", &[subnet]);
        Record { key: Bytes::copy_from_slice(host.as_bytes()), created: Rev(0), ..record }
    };
    let contents = |at, records| Report::Page { at: Rev(at), cluster: ClusterId(0), records, more: false };
    let file = SyncConfig { schema: Schema::Hosts, follow: Follow::Relists, ..config() };
    let mut before = Client::new(file.clone());
    let attempt = before.order().attempt;
    before.report(attempt, contents(1, vec![record(1, "a1", "10.244.1.0/24")]));
    before.report(attempt, contents(3, vec![record(3, "a1", "10.244.1.0/24"), record(3, "a2", "10.244.2.0/24")]));
    for is_served_first in [false, true] {
        let mut client = Client::new(file.clone());
        client.sync.remember(client.now, of(&before), PATIENCE);
        let attempt = client.order().attempt;
        if is_served_first {
            client.wait(PATIENCE + seconds(1));
            client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.11")]);
        }
        client.report(attempt, contents(1, vec![record(1, "a1", "10.244.1.0/24"), record(1, "a2", "10.244.3.0/24")]));
        assert!(client.sync.is_complete() && client.sync.seen().is_current(), "{:?}", client.sync.seen());
        assert!(!client.suspect, "served first: {is_served_first}");
        client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.3.0/24", "10.168.0.11")]);
    }
}
