//! A wrong store behind the endpoint, followed after its minute, and the right one again (c36).

use super::lab::Lab;
use super::settings::{addresses, prefix};
use crate::source::{ClusterId, FaultKind};
use crate::table::HoldReason;
use crate::testing::store::{Host, Store};
use std::time::Duration;

fn host(number: u8, subnets: &[u8]) -> Host {
    Host { addresses: addresses(number), subnets: subnets.iter().map(|n| prefix(*n)).collect() }
}

/// Behind the first source's endpoint is this store from now on, for so long.
fn answers(lab: &mut Lab, store: Store, span: Duration) {
    lab.stores[0] = store;
    assert!(lab.fail(0, FaultKind::Unreachable));
    lab.wait_served(span);
}

#[test]
fn c36_a_wrong_store_that_was_followed_leaves_nothing_behind_once_the_right_one_is_back_p3() {
    let mut lab = Lab::new();
    lab.put(0, 1, host(1, &[0, 1, 2]));
    lab.put(1, 2, host(2, &[3, 4]));
    lab.settle();
    let mut right = lab.stores[0].clone();
    let mut wrong = Store::default();
    wrong.cluster = ClusterId(99);
    (0..9).for_each(|_| wrong.put(1, Some(host(3, &[0]))));
    answers(&mut lab, wrong, Duration::from_secs(90));
    let holds = lab.engine.hold_rows(None, 9);
    assert!(holds.len() == 3 && holds.iter().all(|hold| hold.reason == HoldReason::Replaced), "{holds:?}");
    right.put(3, Some(host(3, &[5])));
    right.put(1, Some(host(1, &[0, 1])));
    answers(&mut lab, right, Duration::from_secs(5));
    assert!(lab.engine.hold_rows(None, 9).is_empty(), "{:?}", lab.engine.hold_rows(None, 9));
    assert!(!lab.engine.remembers(crate::model::SourceId(0)).unwrap().suspect);
    lab.settle();
    lab.check_at_rest();
    assert_eq!(lab.peers[2].gateway.routes().len(), 5, "one of the right store's went, and one came");
}
