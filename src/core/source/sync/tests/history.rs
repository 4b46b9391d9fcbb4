//! A store wiped or put back behind the same address and cluster ID.

use super::store::{Store, Telling, Transport};
use super::*;
use proptest::prelude::*;

/// Two records, known up to revision 20.
fn known() -> Client {
    let mut client = Client::watching(vec![
        record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]),
        record(4, "a2", "10.168.0.12", &["10.244.2.0/24"]),
    ]);
    client.events(vec![delete(20, "a3")]);
    client.recalls = false;
    client
}

/// The watch breaks; what is asked then, and its attempt.
fn broken(client: &mut Client) -> (Attempt, Option<Rev>) {
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    asked(client)
}

fn asked(client: &mut Client) -> (Attempt, Option<Rev>) {
    let Order { attempt, task: Task::Recall { key, at }, .. } = client.order() else { panic!("no recall") };
    assert_eq!(key, self::key("a2"), "the record written last");
    (attempt, at)
}

fn recalled(client: &mut Client, attempt: Attempt, at: u64, found: Option<(u64, u64)>) {
    let found = found.map(|(modified, created)| Revisions { modified: Rev(modified), created: Rev(created) });
    client.report(attempt, Report::Recalled { at: Rev(at), cluster: CLUSTER, found });
}

fn assert_replaced(client: &Client) {
    let seen = client.sync.seen();
    assert!(matches!(seen, Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. }), "{seen:?}");
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]);
    assert!(client.removed.is_empty() && client.orders.is_empty());
}

#[test]
fn c36_a_record_as_it_was_lets_the_watch_go_on() {
    let mut client = known();
    let (attempt, at) = broken(&mut client);
    assert_eq!(at, None, "as it is now");
    recalled(&mut client, attempt, 30, Some((4, 4)));
    assert_eq!(client.order().task, Task::Watch { from: Rev(20) });
}

#[test]
fn c36_a_record_deleted_meanwhile_is_found_where_the_watch_was_left() {
    for now in [None, Some((25, 4)), Some((26, 26))] {
        let mut client = known();
        let (attempt, _) = broken(&mut client);
        recalled(&mut client, attempt, 30, now);
        let (attempt, at) = asked(&mut client);
        assert_eq!(at, Some(Rev(20)));
        recalled(&mut client, attempt, 30, Some((4, 4)));
        client.open();
        client.events(vec![delete(25, "a1"), delete(25, "a2")]);
        client.assert_table(&[]);
    }
}

#[test]
fn c36_a_deletion_that_the_watch_lost_does_not_make_it_another_store() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 30, None);
    let (attempt, _) = asked(&mut client);
    recalled(&mut client, attempt, 30, None);
    let (attempt, at) = asked(&mut client);
    assert_eq!(at, Some(Rev(4)), "what a revision held never changes");
    recalled(&mut client, attempt, 30, Some((4, 4)));
    assert!(matches!(client.order().task, Task::Watch { .. }));
}

#[test]
fn c36_a_wiped_store_is_known_by_its_revision_or_its_history_p2() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 1, None);
    assert_replaced(&client);

    // Its revision has passed ours already.
    let mut client = known();
    let (mut attempt, _) = broken(&mut client);
    for _ in 0..2 {
        recalled(&mut client, attempt, 22, None);
        (attempt, _) = asked(&mut client);
    }
    recalled(&mut client, attempt, 22, None);
    assert_replaced(&client);

    // And a2 was written anew.
    for found in [(2, 2), (4, 2), (2, 1)] {
        let mut client = known();
        let (attempt, _) = broken(&mut client);
        recalled(&mut client, attempt, 22, Some(found));
        assert_replaced(&client);
    }
}

#[test]
fn c36_another_store_stays_one_however_far_it_goes_p2() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 1, None);
    for at in [19, 20, 21, 1_000_000] {
        client.until_deadline();
        let (attempt, _) = asked(&mut client);
        recalled(&mut client, attempt, at, None);
        if at >= 20 {
            let (attempt, at_revision) = asked(&mut client);
            assert_eq!(at_revision, Some(Rev(4)), "where it was left is not known any more");
            client.report(attempt, Report::Compacted);
        }
        assert_replaced(&client);
    }
    // The right one is back: everything is compared with it.
    client.until_deadline();
    let (attempt, _) = asked(&mut client);
    recalled(&mut client, attempt, 1_000_000, Some((4, 4)));
    client.list(1_000_000, vec![record(4, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    client.assert_table(&[("10.244.2.0/24", "10.168.0.12")]);
    assert!(client.sync.seen().is_current());
}

/// By itself, but what differs is suspect: that the guard holds it is shown by its own tests.
#[test]
fn c36_a_store_that_stays_another_is_compared_and_whatever_differs_is_suspect_p2_p3() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    let other = ClusterId(8);
    client.report(attempt, Report::Recalled { at: Rev(3), cluster: other, found: None });
    assert_replaced(&client);
    let begin = client.now;
    let attempt = loop {
        client.until_deadline();
        let Order { attempt, task, elsewhere } = client.order();
        assert!(elsewhere, "each time at another endpoint");
        match task {
            Task::Recall { .. } => client.report(attempt, Report::Recalled { at: Rev(3), cluster: other, found: None }),
            task => {
                assert_eq!(task, Task::List);
                break attempt;
            }
        }
        assert_replaced(&client);
    };
    assert!(client.now.since(begin) >= client.sync.config.timing.replaced);
    let records = vec![record(2, "a1", "10.168.0.99", &["10.244.1.0/24"])];
    client.report(attempt, Report::Page { at: Rev(3), cluster: other, records, more: false });
    assert!(client.suspect);
    client.assert_table(&[("10.244.1.0/24", "10.168.0.99")]);
    assert!(client.sync.seen().is_current());
    assert!(client.notes.contains(&Note::TakenForAnother { cluster: other, at: Rev(3) }));
    // From now on it is the one that is known, and the one before is another.
    client.orders.clear();
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.report(attempt, Report::Recalled { at: Rev(30), cluster: CLUSTER, found: None });
    assert!(matches!(client.sync.seen(), Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. }));
}

/// Another store was followed, with these records; the time that its answers take is gone by.
fn followed(cluster: ClusterId, at: u64, records: Vec<Record>) -> Client {
    let mut client = known();
    client.fail(FaultKind::Unreachable);
    while !client.suspect {
        if client.orders.is_empty() {
            client.until_deadline();
        }
        let Order { attempt, task, .. } = client.order();
        let report = match task {
            Task::List => Report::Page { at: Rev(at), cluster, records: records.clone(), more: false },
            _ => Report::Recalled { at: Rev(at), cluster, found: None },
        };
        client.report(attempt, report);
    }
    client.orders.clear();
    client.fail(FaultKind::Unreachable);
    client
}

const BOTH: [(&str, &str); 2] = [("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")];

fn both() -> Vec<Record> {
    vec![record(3, "a1", "10.168.0.11", &["10.244.1.0/24"]), record(4, "a2", "10.168.0.12", &["10.244.2.0/24"])]
}

/// The store that was known is asked at this revision and has its last record so; whether it was taken back at once.
fn comes_back(client: &mut Client, at: u64, found: Option<(u64, u64)>) -> bool {
    client.until_deadline();
    while let Some(Order { attempt, task, .. }) = client.orders.pop() {
        match task {
            Task::Recall { key, .. } if key == self::key("a2") => recalled(client, attempt, at, found),
            Task::Recall { .. } => recalled(client, attempt, at, None),
            Task::List => client.page(attempt, at, both(), false),
            Task::Watch { .. } => break,
            task => panic!("{task:?}"),
        }
    }
    client.is_back
}

#[test]
fn c36_the_store_that_was_known_is_taken_back_at_once_also_after_another_was_followed_p3() {
    // Another cluster, and a backup under the same cluster ID; what they have is newer or older.
    for (cluster, modified) in [(ClusterId(8), 2), (ClusterId(8), 25), (CLUSTER, 2)] {
        let mut client = followed(cluster, modified, vec![record(modified, "a1", "10.168.0.99", &["10.244.1.0/24"])]);
        client.assert_table(&[("10.244.1.0/24", "10.168.0.99")]);
        client.suspect = false;
        let begin = client.now;
        assert!(comes_back(&mut client, 30, Some((4, 4))), "{cluster:?}");
        assert!(!client.suspect && client.now.since(begin) < seconds(30));
        client.assert_table(&BOTH);
        assert!(
            client.sync.seen().is_current() && client.notes.contains(&Note::Back { cluster: CLUSTER, at: Rev(30) })
        );
        // And the other one is another, as before.
        client.orders.clear();
        client.fail(FaultKind::Unreachable);
        client.until_deadline();
        let attempt = client.order().attempt;
        client.report(attempt, Report::Recalled { at: Rev(40), cluster: ClusterId(8), found: None });
        assert!(matches!(client.sync.seen(), Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. }));
        assert!(client.orders.is_empty(), "nothing is left to be taken back");
    }
}

#[test]
fn c36_what_has_not_the_last_record_of_the_store_before_or_is_behind_it_is_not_taken_back_p3() {
    let other = || followed(ClusterId(8), 3, vec![record(2, "a1", "10.168.0.99", &["10.244.1.0/24"])]);
    for (at, found) in [(19, Some((4, 4))), (30, None), (30, Some((4, 2)))] {
        let mut client = other();
        assert!(!comes_back(&mut client, at, found), "{at}, {found:?}");
        client.assert_table(&[("10.244.1.0/24", "10.168.0.99")]);
    }
    let mut client = other();
    client.sync.forget_left();
    assert!(!comes_back(&mut client, 30, Some((4, 4))), "the other one is the one that is known by now");
}

/// One record is as it was and another is older, again and again: that, too, comes to an end.
#[test]
fn c36_a_store_that_is_partly_the_known_one_is_compared_as_another_in_the_end_p3() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 1, None);
    let begin = client.now;
    while !client.suspect {
        if client.orders.is_empty() {
            client.until_deadline();
        }
        let Order { attempt, task, .. } = client.order();
        match task {
            Task::Recall { .. } => recalled(&mut client, attempt, 30, Some((4, 4))),
            task => {
                assert_eq!(task, Task::List);
                client.page(attempt, 30, vec![record(2, "a1", "10.168.0.99", &["10.244.1.0/24"])], false);
            }
        }
        assert!(client.now.since(begin) < seconds(120));
    }
    client.assert_table(&[("10.244.1.0/24", "10.168.0.99")]);
}

#[test]
fn c36_the_known_store_that_comes_back_in_time_is_followed_as_before() {
    let mut client = known();
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 1, None);
    client.until_deadline();
    let (attempt, _) = asked(&mut client);
    recalled(&mut client, attempt, 30, Some((4, 4)));
    client.list(30, vec![record(4, "a2", "10.168.0.12", &["10.244.2.0/24"])]);
    assert!(!client.suspect && client.sync.seen().is_current());
    // Another minute begins with the next fault.
    client.open();
    client.wait_alive(seconds(59));
    let (attempt, _) = broken(&mut client);
    recalled(&mut client, attempt, 1, None);
    client.until_deadline();
    assert!(matches!(client.order().task, Task::Recall { .. }));
}

#[test]
fn c36_where_all_is_compacted_away_a_list_must_hold_a_known_record_p2() {
    for (list, believed) in [
        (vec![], false),
        (vec![record(25, "a1", "10.168.0.99", &["10.244.9.0/24"])], false),
        (vec![Record { created: Rev(3), ..record(25, "a1", "10.168.0.99", &["10.244.9.0/24"]) }], true),
    ] {
        let mut client = known();
        let (attempt, _) = broken(&mut client);
        recalled(&mut client, attempt, 30, None);
        for _ in 0..2 {
            let (attempt, _) = asked(&mut client);
            client.report(attempt, Report::Compacted);
        }
        let Order { attempt, task: Task::List, .. } = client.order() else { panic!("not a list") };
        client.page(attempt, 30, vec![record(26, "b1", "10.168.0.21", &["10.244.21.0/24"])], true);
        client.page(attempt, 30, list, false);
        if believed {
            client.assert_table(&[("10.244.9.0/24", "10.168.0.99"), ("10.244.21.0/24", "10.168.0.21")]);
        } else {
            assert_replaced(&client);
        }
    }
}

#[test]
fn c36_a_comparison_that_finds_nothing_known_asks_what_store_it_is_p2() {
    let mut client = known();
    let attempt = client.until_reconcile();
    client.report(attempt, Report::KeysPage { at: Rev(30), cluster: CLUSTER, keys: vec![], more: false });
    assert_replaced(&client);
    // It is the same: the watch had lost the deletions of all.
    client.until_deadline();
    let (attempt, _) = asked(&mut client);
    recalled(&mut client, attempt, 30, None);
    let (attempt, _) = asked(&mut client);
    recalled(&mut client, attempt, 30, Some((4, 4)));
    client.list(30, vec![]);
    client.assert_table(&[]);
}

#[test]
fn c36_a_recall_that_stays_away_or_fails_is_tried_elsewhere() {
    let mut client = known();
    broken(&mut client);
    client.wait(seconds(30));
    assert!(matches!(client.sync.seen(), Seen::Lost { why: Fault { kind: FaultKind::Stuck, .. }, .. }));
    client.until_deadline();
    assert!(matches!(client.orders[..], [Order { elsewhere: true, task: Task::Recall { at: None, .. }, .. }]));
    client.orders.clear();
    client.fail(FaultKind::Denied);
    client.until_deadline();
    let (attempt, _) = asked(&mut client);
    client.report(attempt, Report::Recalled { at: Rev(30), cluster: ClusterId(8), found: None });
    assert_replaced(&client);
}

#[test]
fn c36_a_progress_below_the_position_makes_nothing_current() {
    let mut client = known();
    client.recalls = true;
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.report(attempt, Report::Watching { cluster: CLUSTER });
    client.report(attempt, Report::Progress { at: Rev(19) });
    assert!(!client.sync.seen().is_current(), "this member lags");
    client.report(attempt, Report::Progress { at: Rev(20) });
    assert!(client.sync.seen().is_current());
}

proptest! {
    /// Wiped, on past the known revision or not, written anew or not, compacted or not.
    #[test]
    fn c36_whatever_becomes_of_a_wiped_store_no_claim_goes_p2(
        unrelated in 0..40u8,
        steps in proptest::collection::vec((0..6u8, any::<bool>(), any::<bool>(), 0..400_000u64), 0..40),
    ) {
        let mut client = Client::watching((1..6u64).map(|host| {
            record(host + 1, &format!("h{host}"), "10.168.0.11", &[&format!("10.244.{host}.0/24")])
        }).collect());
        client.recalls = false;
        let claims = client.table();
        let mut store = Store::new();
        (0..unrelated).for_each(|_| store.write(&BTreeMap::new()));
        let mut transport = Transport::default();
        client.fail(FaultKind::Unreachable);
        for (host, write, compact, millis) in steps {
            // Records of the same names, but never at the revisions they had.
            let value = Some(Some(super::store::Good { ipv4: Some(7), ipv6: None, subnets: vec![9] }));
            let record = (write && store.revision() > 6).then_some((host, value));
            store.write(&record.into_iter().collect());
            if compact {
                store.compact(store.revision());
            }
            let end = client.now + Duration::from_millis(millis);
            while client.sync.next_deadline().is_some_and(|due| due <= end) {
                client.until_deadline();
                client.orders.drain(..).for_each(|order| transport.order(order));
                while let Some((attempt, report)) = transport.serve_main(&store, 3, Telling::Faithfully) {
                    client.report(attempt, report);
                    client.orders.drain(..).for_each(|order| transport.order(order));
                }
            }
            client.now = end;
            // From then on it is the guard that keeps the routes.
            if client.suspect {
                return Ok(());
            }
            prop_assert!(!client.sync.seen().is_current());
            prop_assert_eq!(&client.table(), &claims);
        }
    }
}
