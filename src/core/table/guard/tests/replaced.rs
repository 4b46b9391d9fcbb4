//! A store that is another one than before (c36).

use super::*;

#[test]
fn c36_whatever_another_store_says_is_held_without_limits_and_with_them_p3() {
    for config in [GuardConfig::off(), GuardConfig::default()] {
        let mut world = World::new(40);
        world.table.reconfigure(fence(), Priorities::default(), config.clone());
        world.table.suspect(world.now, SOURCE);
        world.delete([0]);
        world.put([1], 2);
        world.put([50], 1);
        assert_eq!((world.settle(), world.settled.held.len()), (0, 3), "one of each kind");
        world.table.trust_all();
        world.delete([2]);
        assert_eq!(world.settle(), 1, "what comes later is a change like any other");
        world.table.reconfigure(fence(), Priorities::default(), config);
        assert_eq!(world.settle(), 0, "that there is no limit frees nothing of it");
        for _ in 0..50 {
            world.wait(HOUR);
            assert_eq!(world.confirm(), 0, "that a wrong store stays is no proof");
        }
        assert_eq!((world.table.approve(|_| true), world.settle()), (3, 3));
    }
}

/// A wave that the store before had begun, and the one that answers now goes on with it.
#[test]
fn c36_what_is_held_when_the_store_is_replaced_is_held_for_that_and_passes_neither_by_time_nor_by_a_limit_p3() {
    let mut world = World::new(100);
    world.delete(0..30);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (0, 30));
    let reasons = |world: &World| {
        let replaced = world.table.holds().filter(|held| held.hold.reason == HoldReason::Replaced).count();
        (replaced, world.table.is_suspect(SOURCE))
    };
    assert_eq!(reasons(&world), (0, false));
    world.wait(HOUR);
    world.confirm();
    assert_eq!(world.routes(), 100, "one list is no proof");
    world.table.suspect(world.now, SOURCE);
    world.table.confirm(world.now, SOURCE);
    world.put([0], 2);
    world.delete([40]);
    assert_eq!(world.settle(), 0, "the second list is of another store, and so is every further change");
    assert_eq!(world.settled.held.len(), 31, "each is told for its new reason, once");
    world.table.trust_all();
    assert_eq!((reasons(&world), world.held(ChangeKind::Move)), ((31, true), 1));
    let mut guard = GuardConfig::default();
    guard.set_limit(ChangeKind::Withdrawal, Some(Limit { percent: 100, at_least: 100 }));
    world.table.reconfigure(fence(), Priorities::default(), guard);
    world.put([1], 2);
    assert_eq!((world.settle(), world.settled.held.len(), world.held(ChangeKind::Move)), (0, 0, 2));
    world.put(0..30, 1);
    world.put([40], 1);
    assert_eq!((world.settle(), reasons(&world)), (0, (0, false)), "it says what is announced");
}

#[test]
fn c36_no_quiet_lets_a_prefix_pass_that_flapped_before_its_store_was_replaced_p3() {
    let mut world = flapping::flapped();
    world.table.suspect(world.now, SOURCE);
    assert_eq!(world.settle(), 0);
    // Nor one that does so now.
    world.delete([0]);
    world.settle();
    world.table.trust_all();
    world.wait(Duration::from_secs(11));
    world.table.on_deadline(world.now);
    assert_eq!((world.settle(), world.owner(0).as_deref()), (0, Some("host-1")));
    assert!(
        world
            .table
            .holds()
            .all(|held| held.hold.reason == HoldReason::Replaced && held.hold.kind == ChangeKind::Withdrawal)
    );
    assert_eq!(world.table.approve(|_| true), 1);
    assert_eq!((world.settle(), world.owner(0)), (1, None));
}

#[test]
fn c36_once_the_store_before_is_back_what_was_held_for_the_other_is_judged_anew_p3() {
    let mut world = World::new(100);
    world.table.suspect(world.now, SOURCE);
    world.delete(0..30);
    assert_eq!((world.settle(), world.table.is_suspect(SOURCE)), (0, true));
    world.table.trust_all();
    assert!(!world.table.take_accepted(SOURCE));
    world.table.deny(|held| held.prefix == prefix(1));
    // The one before has lost three of them itself.
    world.put((0..30).filter(|n| ![0, 1, 2].contains(n)), 1);
    world.table.trust(SOURCE);
    assert_eq!((world.settle(), world.routes()), (2, 98), "the limit has room for them");
    assert_eq!(
        (world.settled.ended.len(), world.held(ChangeKind::Withdrawal)),
        (29, 1),
        "what a person has denied stays"
    );
    world.table.approve(|_| true);
    assert_eq!((world.settle(), world.table.take_accepted(SOURCE)), (1, true));
    assert!(!world.table.take_accepted(SOURCE));
}

/// Of two sources, the first one's claim would be announced once the second one's is gone.
#[test]
fn c36_what_a_replaced_store_no_longer_states_is_not_the_loss_of_the_source_whose_route_it_is_p3() {
    let other = SourceId(1);
    let mut world = World::new(40);
    let at_other = ClaimKey { source: other, ..key(50) };
    for n in 50..70 {
        world.table.upsert(ClaimKey { source: other, ..key(n) }, &claim(n, 1));
    }
    world.settle();
    world.table.arm(other, true);
    world.put([50], 2);
    assert_eq!((world.settle(), world.owner(50).as_deref()), (0, Some("host-1")));
    // Everything is frozen, so that this is not decided before the first one's store is another.
    world.table.remove(at_other, absent());
    world.table.suspect(world.now, SOURCE);
    world.delete([50]);
    for _ in 0..2 {
        assert_eq!((world.settle(), world.owner(50).as_deref()), (0, Some("host-1")));
        let held: Vec<_> = world.table.holds().map(|held| (held.hold.source, held.hold.reason)).collect();
        assert_eq!(held, [(SOURCE, HoldReason::Replaced)]);
        let slot = world.table.slots(Family::Ipv4).find(prefix(50)).unwrap();
        assert_eq!(world.table.keeper(Family::Ipv4, slot), Some(SOURCE), "a restart holds it for the same reason");
        world.table.trust_all();
        world.table.upsert(at_other, &claim(50, 1));
        world.table.remove(at_other, absent());
    }
    world.put([50], 2);
    assert_eq!((world.settle(), world.held(ChangeKind::Move)), (0, 1));
    world.table.trust(SOURCE);
    assert_eq!((world.settle(), world.owner(50).as_deref()), (1, Some("host-2")), "as the store before said");
}
