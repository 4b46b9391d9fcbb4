//! Dumps, their markers and what happens in the middle of them: the cases that histories once failed at, and the plain ones.

use super::world::World;
use super::{HEAVY, prefix};
use crate::model::{Family, PerFamily};
use crate::testing::{Gateway, Heard};
use crate::view::Stamp;

/// A view of 48 routes that fill several chunks.
fn filled(family: Family) -> World {
    let mut world = World::new(family);
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    world
}

#[test]
fn i2_changes_in_the_middle_of_a_dump_precede_its_marker() {
    for family in Family::ALL {
        let mut world = filled(family);
        world.open(0, 0, 0, true);
        assert!(world.pull_dump(0).is_some(), "the first slice");
        world.set(0, 0, Some(1)); // in the dump already
        world.set(0, 47, Some(2)); // not yet
        world.set(0, 48, Some(0)); // new
        world.unclaim(1);
        world.unclaim(46);
        while world.pull_dump(0).is_some() {} // the marker is checked as it comes
        assert!(world.peers[0].gateway.is_synchronised(world.family));
        world.settle();
    }
}

#[test]
fn i1_a_change_that_comes_ahead_of_borr_survives_eorr() {
    let mut world = filled(Family::Ipv4);
    world.open(0, 0, 0, true);
    world.drain(0);
    world.refresh(0);
    world.set(0, 3, Some(1));
    assert!(world.pull_tail(0).is_some(), "changes go first, but the bracket goes before them");
    assert!(world.peers[0].gateway.is_refreshing(world.family));
    world.drain(0);
    assert!(world.peers[0].gateway.keeps(prefix(Family::Ipv4, 3)));
    world.settle();
}

#[test]
fn i1_a_move_after_starting_over_takes_away_what_was_freed_meanwhile() {
    for enhanced in [true, false] {
        let mut world = filled(Family::Ipv4);
        world.open(0, 0, 0, enhanced);
        world.drain(0);
        world.flap(0, 5, 2000); // more than an order is used again after
        world.unclaim(3);
        world.resynchronise(0); // its brackets would take prefix 3 away
        world.tidy();
        assert_eq!(world.freed, usize::from(enhanced));
        world.move_to(0, 1, Some(0));
        world.drain(0);
        assert!(!world.peers[0].gateway.keeps(prefix(Family::Ipv4, 3)));
        world.settle();
    }
}

/// What another policy makes of a route in the same way is not said again.
#[test]
fn i3_a_gateway_that_moves_to_another_view_is_told_the_difference_alone() {
    for (family, exclusion) in [(Family::Ipv4, 0), (Family::Ipv6, 1)] {
        let mut world = World::new(family);
        for n in 0..40 {
            world.set(0, n, Some((n % 3) as u8));
            world.set(1, n, Some((n % 3) as u8));
        }
        world.set(0, 40, Some(1)); // only in the view that is left
        world.set(1, 41, Some(1)); // only in the other one
        world.set(1, 7, Some(5)); // in both, in another way
        world.open(0, 0, exclusion, true);
        world.drain(0);
        world.move_to(0, 1, None);
        let mut said = Vec::new();
        while let Some(chunk) = world.pull(0) {
            said.push(chunk.ends.len());
        }
        assert_eq!(said.iter().sum::<usize>(), 3, "one withdrawal, two kinds of announcements");
        world.settle();
        // Not caught up with a change of the view that is left: that one is not known to the gateway.
        world.set(1, 3, Some(6));
        world.move_to(0, 0, None);
        world.drain(0);
        world.settle();
    }
}

#[test]
fn a_bracket_that_is_open_when_a_gateway_moves_is_closed() {
    let mut world = filled(Family::Ipv4);
    world.open(0, 0, 0, true);
    world.drain(0);
    world.refresh(0);
    assert!(world.pull(0).is_some(), "BoRR");
    world.move_to(0, 0, Some(1));
    world.drain(0);
    assert!(!world.peers[0].gateway.is_refreshing(world.family));
}

#[test]
fn i6_an_order_from_before_a_freed_slot_changed_is_not_used_again() {
    let mut world = World::new(Family::Ipv4);
    world.set(0, 4, Some(0));
    world.set(0, 5, Some(0));
    world.open(0, 0, 0, true); // makes the order
    world.drain(0);
    world.unclaim(5);
    world.unclaim(4);
    world.drain(0);
    world.tidy();
    assert_eq!(world.freed, 2);
    world.set(0, 4, Some(0)); // one of them returns, and not where it was
    world.drain(0);
    world.refresh(0);
    world.reopen(0);
    world.settle(); // nothing was withdrawn that lives
}

#[test]
fn a_second_refresh_without_brackets_is_answered_without_further_input() {
    let mut world = World::new(Family::Ipv4);
    world.set(0, 0, Some(0));
    world.open(0, 0, 0, false);
    world.drain(0);
    world.set_stamp(Stamp::Leader { term: 1 });
    world.set(0, 1, Some(0));
    world.set_stamp(Stamp::Leader { term: 2 });
    world.settle();
}

#[test]
fn a_refresh_before_end_of_rib_is_answered_in_brackets_after_it() {
    let mut world = filled(Family::Ipv6);
    world.open(0, 0, 0, true);
    assert!(world.pull(0).is_some());
    world.refresh(0);
    world.drain(0); // the gateway refuses a BoRR before End-of-RIB
    world.settle();
}

#[test]
fn a_gateway_that_waits_for_end_of_rib_hears_of_a_new_stamp_p7() {
    let mut world = filled(Family::Ipv4);
    world.verified = false;
    world.open(0, 0, 0, true);
    world.drain(0);
    world.set_stamp(Stamp::Leader { term: 3 });
    world.drain(0);
    assert_eq!(world.peers[0].gateway.routes(), world.expected(0));
    assert!(world.pull(0).is_none(), "once");
    world.settle();
}

#[test]
fn p4_end_of_rib_waits_until_the_table_is_verified_and_then_comes_by_itself() {
    let mut world = filled(Family::Ipv4);
    world.verified = false;
    world.open(0, 0, 0, true);
    world.open(0, 1, 1, false);
    for n in [0, 1] {
        world.drain(n);
        assert_eq!(world.peers[n].gateway.routes(), world.expected(n), "the routes do not wait");
        assert!(!world.peers[n].gateway.is_synchronised(world.family));
    }
    world.verified = true;
    for n in [0, 1] {
        let chunk = world.pull(n).unwrap();
        let mut gateway = Gateway::new(PerFamily { ipv4: true, ipv6: false }, &world.peers[n].encoding);
        assert_eq!(gateway.hear(&chunk), [Heard::EndOfRib(Family::Ipv4)]);
    }
    world.settle();
}

#[test]
fn a_refresh_ends_also_while_the_table_is_not_verified_any_more() {
    for enhanced in [true, false] {
        let mut world = filled(Family::Ipv4);
        world.open(0, 0, 0, enhanced);
        world.drain(0);
        world.verified = false;
        world.refresh(0);
        world.drain(0);
        let peer = &world.peers[0];
        assert!(!peer.gateway.is_refreshing(world.family) && !peer.feed.as_ref().unwrap().is_dumping());
    }
}

#[test]
fn an_empty_view_is_an_end_of_rib_and_nothing_else() {
    for family in Family::ALL {
        let mut world = World::new(family);
        world.open(0, 1, 2, true);
        let chunk = world.pull(0).unwrap();
        assert_eq!(chunk.bytes.len(), if family == Family::Ipv4 { 23 } else { 29 });
        assert!(world.pull(0).is_none());
        world.settle();
    }
}
