//! Prefixes that change again and again (c58).

use super::*;

/// Host 1 and host 2 in turn, until the move is held as flapping.
pub(super) fn flapped() -> World {
    let mut world = World::new(30);
    for turn in 0..5 {
        world.put([0], if turn % 2 == 0 { 2 } else { 1 });
        world.settle();
        world.wait(Duration::from_millis(100));
    }
    assert_eq!((world.owner(0).as_deref(), world.held(ChangeKind::Move)), (Some("host-1"), 1));
    world
}

#[test]
fn c58_a_prefix_that_moved_too_often_and_is_then_deleted_goes_once_it_is_quiet() {
    let mut world = flapped();
    world.delete([0]);
    world.settle();
    world.wait(Duration::from_secs(11));
    world.table.on_deadline(world.now);
    assert_eq!((world.settle(), world.owner(0)), (1, None));
    assert_eq!(world.held(ChangeKind::Move), 0);
}

#[test]
fn c58_a_prefix_that_went_too_often_and_is_then_another_hosts_moves_once_it_is_quiet() {
    let mut world = World::new(30);
    for turn in 0..9 {
        if turn % 2 == 0 {
            world.delete([0])
        } else {
            world.put([0], 1)
        }
        world.settle();
        world.wait(Duration::from_millis(100));
    }
    assert_eq!((world.owner(0).as_deref(), world.held(ChangeKind::Withdrawal)), (Some("host-1"), 1));
    world.put([0], 2);
    world.settle();
    world.wait(Duration::from_secs(11));
    world.table.on_deadline(world.now);
    assert_eq!((world.settle(), world.owner(0).as_deref()), (1, Some("host-2")));
}

#[test]
fn c58_approval_lets_a_flapping_prefix_pass_whatever_kind_of_change_it_has_become() {
    let mut world = flapped();
    world.delete([0]);
    world.settle();
    assert_eq!(world.table.approve(|_| true), 1);
    assert_eq!((world.settle(), world.owner(0)), (1, None));
}

#[test]
fn c58_a_flapping_prefix_keeps_its_owner_until_it_is_quiet_and_the_others_are_not_held_for_it() {
    let mut world = World::new(30);
    let mut changes = 0;
    for turn in 0..600 {
        if turn % 2 == 0 {
            world.delete([0])
        } else {
            world.put([0], 1)
        }
        changes += world.settle();
        world.wait(Duration::from_millis(100));
        while world.table.next_deadline().is_some_and(|due| due <= world.now) {
            world.table.on_deadline(world.now);
            changes += world.settle();
        }
    }
    assert_eq!(changes, 8, "four times away and back in a minute, then it stays");
    assert_eq!(world.owner(0).as_deref(), Some("host-1"));
    world.delete([2, 4, 6, 8]);
    assert_eq!(world.settle(), 4, "it has spent nothing of the source's limit");
    world.delete([0]);
    assert_eq!((world.settle(), world.held(ChangeKind::Withdrawal)), (0, 1));
    world.wait(Duration::from_secs(11));
    world.table.on_deadline(world.now);
    assert_eq!((world.settle(), world.owner(0)), (1, None), "it was quiet");
    assert_eq!(world.table.next_deadline(), None);
}

#[test]
fn where_a_limit_is_turned_off_nothing_counts_as_flapping() {
    let mut world = flapped();
    let mut guard = GuardConfig::default();
    guard.set_limit(ChangeKind::Move, None);
    world.table.reconfigure(fence(), Priorities::default(), guard);
    assert_eq!((world.settle(), world.held(ChangeKind::Move)), (1, 0), "what was held for it passes");
    for turn in 0..20 {
        world.put([0], if turn % 2 == 0 { 1 } else { 3 });
        assert_eq!(world.settle(), 1, "turn {turn}");
    }
}
