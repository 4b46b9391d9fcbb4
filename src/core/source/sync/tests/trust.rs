//! Another store, or one that went back: nothing it says is believed.

use super::*;

fn lost_as_replaced(client: &Client) {
    let seen = client.sync.seen();
    assert!(matches!(seen, Seen::Lost { why: Fault { kind: FaultKind::Replaced, .. }, .. }), "{seen:?}");
    client.assert_table(&[("10.244.1.0/24", "10.168.0.11")]);
    assert!(client.removed.is_empty());
}

fn one() -> Client {
    Client::watching(vec![record(5, "a1", "10.168.0.11", &["10.244.1.0/24"])])
}

/// Back to a list; its attempt.
fn listing(client: &mut Client) -> Attempt {
    client.until_deadline();
    let Order { attempt, task: Task::List, .. } = client.order() else { panic!("not a list") };
    attempt
}

#[test]
fn c36_a_list_of_another_cluster_is_not_believed_p2() {
    let mut client = one();
    client.report(client.watch(), Report::Compacted);
    let attempt = listing(&mut client);
    let page = |records| Report::Page { at: Rev(99), cluster: ClusterId(8), records, more: false };
    client.report(attempt, page(vec![]));
    lost_as_replaced(&client);
    // The endpoints are put right.
    client.until_deadline();
    client.list(99, vec![record(5, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    assert!(client.sync.seen().is_current());
}

#[test]
fn c36_a_watch_or_a_reconcile_of_another_cluster_is_not_believed_p2() {
    let mut client = one();
    client.fail(FaultKind::Unreachable);
    client.until_deadline();
    let attempt = client.order().attempt;
    client.report(attempt, Report::Watching { cluster: ClusterId(8) });
    lost_as_replaced(&client);
    client.report(attempt, Report::Events(vec![delete(11, "a1")]));
    lost_as_replaced(&client);

    let mut client = one();
    let attempt = client.until_reconcile();
    client.report(attempt, Report::KeysPage { at: Rev(99), cluster: ClusterId(8), keys: vec![], more: false });
    lost_as_replaced(&client);
}

#[test]
fn c36_a_list_at_a_lower_revision_is_not_believed_p2() {
    let mut client = one();
    client.events(vec![put(50, "a2", "10.168.0.12", &["10.244.2.0/24"]), delete(51, "a2")]);
    client.removed.clear();
    client.report(client.watch(), Report::Compacted);
    let attempt = listing(&mut client);
    client.page(attempt, 50, vec![], false);
    lost_as_replaced(&client);
    // Again and again, and it never helps.
    for at in 45..50 {
        let attempt = listing(&mut client);
        client.page(attempt, at, vec![], false);
        lost_as_replaced(&client);
    }
}

#[test]
fn c36_a_list_of_keys_at_a_lower_revision_is_not_believed_p2() {
    let mut client = one();
    let attempt = client.until_reconcile();
    client.report(attempt, Report::KeysPage { at: Rev(9), cluster: CLUSTER, keys: vec![], more: false });
    lost_as_replaced(&client);
    listing(&mut client);
}

/// A reconcile that has found a2, which the watch did not tell, and asks for it; the attempt of that.
fn fetching(client: &mut Client) -> Attempt {
    let attempt = client.until_reconcile();
    let keys = vec![listed("a1", 5), listed("a2", 20)];
    client.report(attempt, Report::KeysPage { at: Rev(30), cluster: CLUSTER, keys, more: false });
    let Order { attempt, task: Task::Fetch(_), .. } = client.order() else { panic!("not a fetch") };
    attempt
}

#[test]
fn c36_a_fetch_from_another_cluster_or_a_lower_revision_is_not_believed_p2() {
    for (at, cluster) in [(30, ClusterId(8)), (29, CLUSTER)] {
        let mut client = one();
        let attempt = fetching(&mut client);
        let records = vec![record(20, "a2", "10.168.0.12", &["10.244.2.0/24"])];
        client.report(attempt, Report::Fetched { at: Rev(at), cluster, records });
        lost_as_replaced(&client);
    }
    let mut client = one();
    let attempt = fetching(&mut client);
    let records = vec![record(20, "a2", "10.168.0.12", &["10.244.2.0/24"])];
    client.report(attempt, Report::Fetched { at: Rev(30), cluster: CLUSTER, records });
    assert_eq!(client.claims.len(), 2);
}

#[test]
fn c36_an_older_record_shows_that_the_store_went_back_p2() {
    // Its revision has passed ours again since.
    let mut client = one();
    client.report(client.watch(), Report::Compacted);
    let attempt = listing(&mut client);
    client.page(attempt, 99, vec![record(4, "a1", "10.168.0.99", &["10.244.9.0/24"])], false);
    lost_as_replaced(&client);

    let mut client = one();
    let attempt = client.until_reconcile();
    let keys = vec![listed("a1", 4)];
    client.report(attempt, Report::KeysPage { at: Rev(99), cluster: CLUSTER, keys, more: false });
    lost_as_replaced(&client);
}

#[test]
fn c36_a_progress_below_the_position_asks_the_store_soon() {
    let mut client = one();
    client.events(vec![put(50, "a1", "10.168.0.11", &["10.244.1.0/24"])]);
    client.wait_alive(seconds(10));
    client.report(client.watch(), Report::Progress { at: Rev(20) });
    let told = client.now;
    let attempt = client.until_reconcile();
    assert!(client.now.since(told) <= seconds(1));
    client.report(attempt, Report::KeysPage { at: Rev(20), cluster: CLUSTER, keys: vec![], more: false });
    lost_as_replaced(&client);
}
