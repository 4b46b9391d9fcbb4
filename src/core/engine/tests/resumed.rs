//! A person's orders over a restart (P3, c50–c52).

use super::super::{Command, EventKind, Holds, Orders, Settings, Wanted};
use super::guarded::{CLUSTER, PATIENCE, SOURCE, World, prefix, settings};
use crate::model::{Family, HostName};
use crate::source::sync::Snapshot;
use crate::source::{ClusterId, Report, Rev};
use crate::table::{ChangeKind, Denied, GuardConfig, Standing, Target};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn host(n: u8) -> Target {
    Target::Host(HostName::new(&format!("host-{n:03}")).unwrap())
}

/// A process that remembers this and has these orders.
fn resumed(snapshot: Option<Snapshot>, orders: Orders) -> World {
    let mut world = World::new(snapshot);
    world.engine.resume(world.now, orders);
    world
}

/// The process after this one.
fn restart(world: &World) -> World {
    resumed(world.snapshot(), world.engine.orders(world.now))
}

/// Who owns each prefix, by next hop.
fn told(world: &World) -> Vec<Option<String>> {
    (0..40).map(|n| world.next_hop(n)).collect()
}

/// What a list says: hosts, and the net of their addresses.
type Said = (BTreeSet<u8>, u8);

fn lists() -> impl Strategy<Value = Vec<Said>> {
    proptest::collection::vec((proptest::collection::btree_set(0..40u8, 0..40), 0..2u8), 0..4)
}

/// What was denied is not let pass by limits that are whole again.
#[test]
fn c51_a_denial_binds_the_next_process_whatever_its_limits_have_left_p3() {
    let mut world = World::new(None);
    world.list(0..40);
    world.list(0..33);
    world.list(0..30);
    assert_eq!((world.routes(), world.held()), (33, 3), "seven of eight are spent");
    assert_eq!(world.command(&Command::Deny(Holds::All)), 3);
    let mut next = restart(&world);
    next.revision = world.revision;
    next.wait(HOUR);
    next.list(0..30);
    assert_eq!((next.routes(), next.held()), (33, 3));
    for _ in 0..5 {
        next.wait(HOUR);
        next.list(0..30);
    }
    assert_eq!((next.routes(), next.held()), (33, 3), "nor by time");
    assert_eq!(next.command(&Command::Approve(Holds::All)), 3);
}

/// What a freeze had kept is announced by now, and no limit had anything to do with it.
#[test]
fn c50_what_passes_at_the_end_of_a_freeze_is_to_be_written_down_p3() {
    let (sources, guard) = (World::sources(), GuardConfig::off());
    let mut world = World::with(None, Settings { sources, guard, ..settings() });
    world.list(0..20);
    world.command(&Command::Freeze);
    world.list_at(0..20, 1);
    let changes = |world: &World| world.engine.remembers(SOURCE).map(|remembers| remembers.changes);
    let before = changes(&world);
    world.command(&Command::Unfreeze);
    assert_eq!(world.next_hop(7).as_deref(), Some("10.168.1.7"));
    assert_ne!(changes(&world), before);
    let mut next = restart(&world);
    next.fail();
    next.wait(PATIENCE);
    assert_eq!(next.next_hop(7).as_deref(), Some("10.168.1.7"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever was said and ordered before and since: the next process announces the same, and nothing else before it is
    /// unfrozen, with the store up or down. What is ordered to be withdrawn is carried out by the restart at the latest.
    #[test]
    fn c50_a_frozen_process_announces_after_a_restart_what_it_announced_before_p3(
        before in lists(), since in lists(), after in lists(), forced in proptest::option::of(0..40u8),
    ) {
        let mut world = World::new(None);
        world.list(0..20);
        before.iter().for_each(|(hosts, net)| world.list_at(hosts.clone(), *net));
        forced.into_iter().for_each(|n| { world.command(&Command::Withdraw(host(n))); });
        world.command(&Command::Freeze);
        let announced = told(&world);
        since.iter().for_each(|(hosts, net)| world.list_at(hosts.clone(), *net));
        prop_assert_eq!(told(&world), announced.clone());
        let mut down = restart(&world);
        down.fail();
        down.wait(PATIENCE);
        prop_assert_eq!(told(&down), announced.clone());
        let mut up = restart(&world);
        for (hosts, net) in since.iter().chain(&after).chain([&(BTreeSet::from([3]), 1)]) {
            up.list_at(hosts.clone(), *net);
            prop_assert_eq!(told(&up), announced.clone());
            prop_assert!(!up.engine.is_verified(Family::Ipv4), "P4");
        }
        let again = restart(&up);
        prop_assert_eq!(again.engine.frozen(), Some(again.now));
        up.command(&Command::Unfreeze);
        prop_assert!(up.engine.is_verified(Family::Ipv4));
        up.command(&Command::Approve(Holds::All));
        let left = usize::from(forced != Some(3));
        prop_assert_eq!((up.routes(), up.held()), (left, 0));
    }
}

#[test]
fn a_freeze_goes_on_where_nothing_is_known_of_what_was_announced_p3() {
    let orders = Orders { frozen: Some(HOUR), ..Orders::default() };
    let mut world = resumed(None, orders);
    assert_eq!((world.engine.frozen(), world.engine.frozen_before()), (Some(world.now), HOUR));
    world.list(0..19);
    assert_eq!(world.routes(), 19, "gateways drop what they are not told again");
    world.list(0..3);
    assert_eq!((world.routes(), world.engine.is_verified(Family::Ipv4)), (19, false));
    let later = restart(&world).engine.frozen_before();
    assert!(later >= HOUR && later < HOUR + Duration::from_secs(1), "{later:?}");
    assert_eq!(world.command(&Command::Unfreeze), 1);
    assert_eq!((world.routes(), world.held()), (19, 16));
}

#[test]
fn a_freeze_that_no_person_ordered_says_why_in_every_process_until_a_person_ends_it_p3_p8() {
    let because = || Some("the orders cannot be read".to_owned());
    let orders = Orders { frozen: Some(Duration::ZERO), frozen_because: because(), ..Orders::default() };
    let world = resumed(None, orders);
    assert_ne!(world.engine.order_changes(), World::new(None).engine.order_changes(), "it is to be written");
    let mut next = restart(&world);
    assert_eq!(next.engine.frozen_because(), Some("the orders cannot be read"));
    let told = next.engine.events(0, 1, &Wanted { kinds: vec![EventKind::Order], ..Wanted::default() }).events;
    assert_eq!(told[0].text, "freeze (by no person: the orders cannot be read)");
    next.command(&Command::Unfreeze);
    next.command(&Command::Freeze);
    assert_eq!((next.engine.frozen().is_some(), next.engine.frozen_because()), (true, None));
}

#[test]
fn a_freeze_before_anything_was_read_announces_nothing() {
    let mut world = World::new(None);
    world.command(&Command::Freeze);
    world.list(0..19);
    assert_eq!((world.routes(), world.snapshot()), (0, None));
    world.command(&Command::Unfreeze);
    assert_eq!(world.routes(), 19);
}

#[test]
fn c52_what_is_withdrawn_by_order_is_not_announced_by_the_next_process_for_a_moment() {
    let mut before = World::new(None);
    before.list(0..19);
    before.command(&Command::Withdraw(host(3)));
    before.command(&Command::Withdraw(Target::Prefix(prefix(4))));
    let is_gone = |world: &World| {
        assert_eq!((world.next_hop(3), world.next_hop(4)), (None, None));
        assert!(world.next_hop(5).is_some() && world.engine.forced().count() == 2);
    };
    let mut down = restart(&before);
    down.wait(PATIENCE);
    is_gone(&down);
    let mut up = restart(&before);
    up.list(0..20);
    is_gone(&up);
    assert_eq!(up.engine.route(prefix(3)).unwrap().claims[0].standing, Standing::Forced);
    let changes = up.engine.order_changes();
    assert_eq!(up.command(&Command::Restore(host(3))), 1);
    assert_ne!(up.engine.order_changes(), changes);
    assert!(up.next_hop(3).is_some());
}

#[test]
fn c51_a_denial_is_remembered_until_the_store_says_something_else_p3() {
    let mut before = World::new(None);
    before.list(0..19);
    before.list(0..11);
    assert_eq!(before.held(), 8);
    assert_eq!(before.command(&Command::Deny(Holds::Prefix(prefix(15)))), 1);
    let denied = [Denied { source: SOURCE, kind: ChangeKind::Withdrawal, prefix: Some(prefix(15)) }];
    assert_eq!(before.engine.orders(before.now).denied, denied);
    let mut after = restart(&before);
    assert_eq!(after.engine.orders(after.now).denied, denied, "not judged anew yet");
    for _ in 0..4 {
        after.list(0..11);
        after.wait(HOUR);
    }
    assert_eq!((after.routes(), after.held()), (12, 1), "the others are proven");
    assert!(after.next_hop(15).is_some() && after.engine.hold_rows(None, 1)[0].denied);
    let mut mended = restart(&before);
    mended.list(0..19);
    assert_eq!(mended.engine.orders(mended.now), Orders::default(), "nothing of it is held any more");
}

/// Three of eight changes that are held, approved while nothing may change.
fn approved_while_frozen() -> World {
    let mut world = World::new(None);
    world.list(0..19);
    world.list(0..11);
    world.command(&Command::Freeze);
    let changes = world.engine.order_changes();
    for n in 15..18 {
        assert_eq!(world.command(&Command::Approve(Holds::Prefix(prefix(n)))), 1);
    }
    assert_ne!(world.engine.order_changes(), changes, "it is to be written");
    assert_eq!((world.routes(), world.held(), world.engine.orders(world.now).approved.len()), (19, 8, 3));
    world
}

#[test]
fn c51_what_was_approved_while_frozen_passes_at_its_end_after_any_number_of_restarts_p3() {
    let before = approved_while_frozen();
    // The one between has nothing to write before its store answers: what is on disk is from the first.
    let between = restart(&before);
    let mut after = resumed(before.snapshot(), between.engine.orders(between.now));
    let told = after.engine.events(0, 100, &Wanted::default()).events;
    let approves =
        told.iter().filter(|event| event.text == "approve prefix 10.244.15.0/24 (ordered before this process began)");
    assert_eq!(approves.count(), 1, "{told:?}");
    after.revision = before.revision;
    after.list(0..11);
    assert_eq!((after.routes(), after.engine.orders(after.now).approved.len()), (19, 3));
    after.command(&Command::Unfreeze);
    assert_eq!((after.routes(), after.held(), after.next_hop(15)), (16, 5, None));
    assert_eq!(after.engine.orders(after.now), Orders::default(), "it is carried out");
    let passed = after.engine.newest_events(None, 1, &Wanted { prefix: Some(prefix(15)), ..Wanted::default() }).events;
    assert_eq!((passed[0].kind, passed[0].text.as_str()), (EventKind::Withdrawn, "a person approved it"));
}

#[test]
fn c51_only_the_change_that_was_approved_passes_after_a_restart_p3() {
    let before = approved_while_frozen();
    let mut mended = restart(&before);
    mended.revision = before.revision;
    mended.list(0..19);
    mended.command(&Command::Unfreeze);
    mended.list(0..11);
    assert_eq!((mended.routes(), mended.held()), (19, 8), "it was as before meanwhile: another wave");
    let mut moved = restart(&before);
    moved.revision = before.revision;
    moved.list_at(0..19, 7);
    moved.command(&Command::Unfreeze);
    assert_eq!((moved.next_hop(15).as_deref(), moved.held()), (Some("10.168.0.15"), 19), "a move was not approved");
    let mut denied = restart(&before);
    denied.revision = before.revision;
    denied.list(0..11);
    assert_eq!(denied.command(&Command::Deny(Holds::All)), 3);
    denied.command(&Command::Unfreeze);
    assert_eq!((denied.routes(), denied.held()), (19, 8));
}

#[test]
fn more_denials_than_can_be_listed_are_of_all_that_the_source_does_p3() {
    let mut table = crate::table::Table::default();
    let all = Denied { source: SOURCE, kind: ChangeKind::Withdrawal, prefix: None };
    table.recall([all], []);
    assert_eq!(table.denied(), [all]);
    let mut before = World::new(None);
    before.list(0..19);
    let mut after = resumed(before.snapshot(), Orders { denied: vec![all], ..Orders::default() });
    after.list(0..11);
    assert_eq!((after.held(), after.engine.hold_rows(None, 9).iter().filter(|row| row.denied).count()), (8, 8));
}

#[test]
fn a_store_that_is_another_one_changes_nothing_while_frozen_p3() {
    let mut before = World::new(None);
    before.list(0..19);
    before.command(&Command::Freeze);
    let mut after = restart(&before);
    let other = ClusterId(CLUSTER.0 + 1);
    after.report(Report::Page { at: Rev(1000), cluster: other, records: Vec::new(), more: false });
    assert_eq!(after.routes(), 19);
}
