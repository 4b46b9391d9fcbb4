//! Events, progress, resuming, and silence.

use super::*;

#[test]
fn events_change_what_they_say_and_a_deletion_is_a_proof() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![put(11, "a2", "10.168.0.12", &["10.244.2.0/24"]), delete(12, "a1")]);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.12")]);
    assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::Deleted(Rev(12)))]);
    let Seen::Current { at, .. } = client.sync.seen() else { panic!("{:?}", client.sync.seen()) };
    assert_eq!(at, Rev(12));
}

#[test]
fn the_same_value_again_changes_nothing() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    let before = client.changes;
    let renewed = Record { created: Rev(3), ..record(11, "a1", "10.168.0.11", &["10.244.1.0/24"]) };
    client.events(vec![Event::Put(renewed)]);
    assert_eq!(client.changes, before);
    assert_eq!(client.sync.record(RecordId(0)).unwrap().modified, Rev(11));
}

#[test]
fn c32_a_watch_resumes_at_the_last_event_and_progress_moves_nothing() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![put(12, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    // Overtakes the events 13 to 50, which are still to come (etcd#15220).
    client.report(client.watch(), Report::Progress { at: Rev(50) });
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    assert_eq!(client.order().task, Task::Watch { from: Rev(12) });
}

#[test]
fn a_revision_cut_in_two_is_not_lost() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![put(12, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    client.open();
    let again = put(12, "a2", "10.168.0.12", &["10.244.2.0/24"]);
    client.events(vec![again, put(12, "a3", "10.168.0.13", &["10.244.3.0/24"]), delete(12, "a1")]);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.12"), ("10.244.3.0/24", "10.168.0.13")]);
    assert!(!client.notes.iter().any(|note| matches!(note, Note::OutOfOrder { .. })));
}

#[test]
fn c33_what_is_told_twice_counts_once() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![put(11, "a1", "10.168.0.42", &["10.244.1.0/24"])]);
    let before = client.changes;
    client.events(vec![put(11, "a1", "10.168.0.42", &["10.244.1.0/24"]), delete(9, "a1")]);
    client.events(vec![put(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    assert_eq!(client.changes, before);
    assert_eq!(client.notes.len(), 1, "and is no reason for alarm: {:?}", client.notes);
}

#[test]
fn c33_an_old_event_does_not_bring_back_what_was_deleted() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![delete(12, "a1"), put(11, "a1", "10.168.0.42", &["10.244.1.0/24"])]);
    client.assert_table(&[]);
    assert!(client.notes.contains(&Note::OutOfOrder { event: Rev(11), after: Rev(12) }));
    let told = client.now;
    client.until_reconcile();
    assert!(client.now.since(told) <= seconds(10), "the store is asked soon");
}

#[test]
fn c33_an_old_deletion_is_no_proof_p2() {
    // Put at 20, and the events 12 to 19 came too late: the deletion at 15 may be followed by a put at 16 that was lost.
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.events(vec![put(20, "a2", "10.168.0.12", &["10.244.2.0/24"]), delete(15, "a1")]);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]);
    assert!(client.notes.contains(&Note::OutOfOrder { event: Rev(15), after: Rev(20) }));
}

#[test]
fn no_fault_removes_anything_p2() {
    use FaultKind::{Compacted, Denied, Malformed, Replaced, Stuck, Tls, Unreachable};
    for kind in [Unreachable, Denied, Tls, Malformed, Replaced, Stuck, Compacted] {
        let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
        client.fail(kind);
        for _ in 0..20 {
            client.until_deadline();
            client.orders.clear();
            client.fail(kind);
        }
        client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
        assert!(client.sync.is_complete());
        let Seen::Lost { since, at, why, .. } = client.sync.seen() else { panic!("{:?}", client.sync.seen()) };
        assert_eq!((at, since, why.kind), (Rev(10), Time::since_start(seconds(1000)), kind));
        let told = client.notes.iter().filter(|note| matches!(note, Note::Lost(_) | Note::Failing(_))).count();
        assert_eq!(told, 1, "the same fault is told once");
    }
}

#[test]
fn c34_a_silent_watch_is_asked_and_then_left() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.wait(Duration::from_millis(2999));
    assert!(client.orders.is_empty());
    client.wait(Duration::from_millis(1));
    let order = client.order();
    assert_eq!((order.task, order.attempt), (Task::Progress, client.watch()));
    client.wait(Duration::from_millis(5999));
    assert!(client.sync.seen().is_current());
    client.wait(Duration::from_millis(1));
    let Seen::Lost { why: Fault { kind: FaultKind::Stuck, message }, .. } = client.sync.seen() else {
        panic!("{:?}", client.sync.seen())
    };
    assert!(message.contains("does an etcd grpc-proxy stand between? It answers no progress requests"), "{message}");
    client.orders.clear();
    client.until_deadline();
    let order = client.order();
    assert!(client.elsewhere);
    assert_eq!(order.task, Task::Watch { from: Rev(10) });
}

#[test]
fn a_watch_that_answers_is_never_left() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.wait_alive(seconds(200));
    assert!(client.sync.seen().is_current());
    assert_eq!(client.notes.len(), 1);
}

#[test]
fn a_watch_that_never_stands_is_left() {
    let mut client = Client::new(config());
    client.list(10, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.order();
    client.wait(seconds(9));
    assert!(matches!(client.sync.seen(), Seen::Lost { .. }));
}

#[test]
fn c34_after_watches_that_stand_and_say_nothing_a_list_tells_what_was_missed() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    for (at, records) in [(11, vec![]), (12, vec![record(12, "a2", "10.168.0.12", &["10.244.2.0/24"])])] {
        for _ in 0..3 {
            let Order { attempt, task: Task::Watch { .. }, .. } = client.order() else { panic!("not a watch") };
            client.report(attempt, Report::Watching { cluster: CLUSTER });
            client.wait(seconds(9));
            client.orders.clear(); // it was asked for its progress and said nothing
            assert!(!client.sync.seen().is_current());
            client.until_deadline();
        }
        client.list(at, records);
        assert_eq!(client.orders[0].task, Task::Watch { from: Rev(at) });
        assert_eq!(client.removed, [(prefix("10.244.1.0/24"), Proof::MissingFrom { at: Rev(11) })]);
    }
    client.assert_table(&[("10.244.2.0/24", "10.168.0.12")]);
    client.open();
    assert!(client.sync.seen().is_current());
}

#[test]
fn a_list_after_watches_in_vain_that_fails_gives_way_to_watches_again() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.fail(FaultKind::Unreachable);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        client.until_deadline();
        tasks.push(matches!(client.order().task, Task::Watch { from } if from == Rev(10)));
        client.fail(FaultKind::Unreachable);
    }
    assert_eq!(tasks, [true, true, true, false, true, true, true, false]);
    client.until_deadline();
    client.open();
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert!(client.sync.seen().is_current());
}

#[test]
fn a_watch_counts_once_it_has_said_something() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.report(attempt, Report::Watching { cluster: CLUSTER });
    assert!(!client.sync.seen().is_current(), "its backlog may be long");
    client.wait(Duration::from_millis(200));
    assert_eq!(client.order().task, Task::Progress, "so it is asked soon");
    client.report(attempt, Report::Progress { at: Rev(10) });
    assert!(client.sync.seen().is_current());
}

#[test]
fn reports_of_older_attempts_are_dropped() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    let old = client.watch();
    client.fail(FaultKind::Unreachable);
    let waiting = client.sync.next_deadline();
    let late = [
        Report::Events(vec![delete(11, "a1")]),
        Report::Progress { at: Rev(11) },
        Report::Compacted,
        Report::Failed(Fault { kind: FaultKind::Denied, message: "late".into() }),
        Report::Page { at: Rev(11), cluster: CLUSTER, records: vec![], more: false },
        Report::KeysPage { at: Rev(11), cluster: CLUSTER, keys: vec![], more: false },
        Report::Fetched { at: Rev(11), cluster: CLUSTER, records: vec![] },
        Report::Watching { cluster: ClusterId(8) },
    ];
    let (changes, notes) = (client.changes, client.notes.len());
    for report in &late {
        client.report(old, report.clone());
    }
    assert_eq!(client.sync.next_deadline(), waiting);
    client.until_deadline();
    client.open();
    for report in &late {
        client.report(old, report.clone());
    }
    assert_eq!(client.changes, changes);
    assert_eq!(client.notes.len(), notes + 1, "current again, and nothing else");
    // While everything is listed anew.
    client.report(client.watch(), Report::Compacted);
    client.until_deadline();
    let (notes, attempt) = (client.notes.len(), client.order().attempt);
    for report in late {
        client.report(old, report);
    }
    assert_eq!(client.notes.len(), notes);
    client.page(attempt, 20, vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])], false);
    assert_eq!(client.changes, changes);
}

#[test]
fn retries_back_off_with_jitter_and_bounds() {
    let mut client = Client::watching(vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    let mut expected = Duration::from_millis(100);
    for attempt in 0..11 {
        client.fail(FaultKind::Unreachable);
        let wait = client.sync.next_deadline().unwrap().since(client.now);
        assert!(wait <= expected && wait >= expected.mul_f64(0.75), "attempt {attempt}: {wait:?} of {expected:?}");
        expected = (2 * expected).min(seconds(10));
        client.until_deadline();
        assert!(
            matches!(client.order().task, Task::Watch { .. } | Task::List) && std::mem::take(&mut client.elsewhere)
        );
    }
    // What works for long counts as new.
    let attempt = client.watch();
    client.report(attempt, Report::Watching { cluster: CLUSTER });
    client.report(attempt, Report::Progress { at: Rev(10) });
    client.wait_alive(seconds(10));
    client.fail(FaultKind::Unreachable);
    assert!(client.sync.next_deadline().unwrap().since(client.now) <= Duration::from_millis(100));
}
