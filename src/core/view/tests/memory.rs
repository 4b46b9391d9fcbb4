//! I6 and I8: what is kept for gateways that do not pull, and that it ends.

use super::HEAVY;
use super::world::World;
use crate::bgp::wire::RouteAttributes;
use crate::model::Family;
use crate::table::SlotId;
use crate::view::{CHUNK_BYTES, Feed, View};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Octets of one prefix at the most, times the prefixes of one run: by so much a chunk may pass its size.
const RUN: usize = 4096 * 17;
/// Positions that are dropped from the log together.
const SEGMENT: u64 = 4096;

#[test]
fn i8_a_stuck_gateway_keeps_no_more_of_the_log_than_it_may_trail() {
    let mut world = World::new(Family::Ipv4);
    (0..8).for_each(|n| world.set(0, n, Some(0)));
    world.open(0, 0, 0, false);
    world.open(0, 0, 0, true);
    world.drain(1);
    let limit = world.views[0].longest_lag();
    let mut longest = 0;
    for _ in 0..200 {
        world.flap(0, 3, 1000);
        world.tidy();
        longest = longest.max(world.views[0].log_len());
    }
    assert!((limit..=limit + 1001 + SEGMENT).contains(&longest), "{longest} of {limit} positions");
    assert_eq!(world.closed_as_slow, 1, "the gateway without brackets is given up, the other starts over");
    world.settle();
}

#[test]
fn i8_ever_new_prefixes_do_not_raise_the_limit_of_a_stuck_gateway() {
    let mut world = World::new(Family::Ipv6);
    world.open(0, 0, 0, false);
    for round in 0..1000u16 {
        for n in 0..50 {
            world.set(0, round * 50 + n, Some(0));
            world.unclaim(round * 50 + n);
        }
        world.tidy();
    }
    assert_eq!(world.closed_as_slow, 1);
    assert!(world.slots.capacity() < 40_000, "{} slots for one prefix at a time", world.slots.capacity());
    world.settle();
}

#[test]
fn i8_a_complete_list_makes_no_gateway_too_slow() {
    let mut view = View::new(Family::Ipv4);
    let routes = 100_000;
    let attr = view.intern(RouteAttributes::via(super::next_hop(Family::Ipv4, 0)));
    (0..routes).for_each(|n| assert!(view.set(SlotId(n), Some(attr))));
    let feed = Feed::new(&mut view, super::encoding(0), super::exclusion(0), false);
    (0..routes).for_each(|n| assert!(view.set(SlotId(n), None)));
    let attr = view.intern(RouteAttributes::via(super::next_hop(Family::Ipv4, 1)));
    (routes..2 * routes).for_each(|n| assert!(view.set(SlotId(n), Some(attr))));
    assert!(feed.lag(&view) <= view.longest_lag(), "every route withdrawn, as many others announced");
}

#[test]
fn i8_cached_chunks_are_bounded_and_gone_when_nobody_needs_them() {
    let mut world = World::new(Family::Ipv4);
    world.open(0, 0, 0, true);
    world.open(0, 1, 0, true);
    world.open(0, 0, 0, true); // stuck
    for round in 0..40u8 {
        (0..48).for_each(|n| world.set(0, n, Some(HEAVY + (n as u8 + round) % 64)));
        world.drain(0);
        world.drain(1);
        world.tidy();
        assert!(world.views[0].cached_octets() <= 64 * (CHUNK_BYTES + RUN));
    }
    assert!(world.views[0].cached_octets() > 0);
    world.drain(2);
    world.tidy();
    assert_eq!(world.views[0].cached_octets(), 0);
    world.settle();
}

#[test]
fn i8_a_small_chunk_holds_a_small_buffer() {
    let mut world = World::new(Family::Ipv4);
    (0..100).for_each(|n| world.set(0, n, Some(0)));
    world.open(0, 0, 0, true);
    let chunk = world.pull(0).unwrap();
    world.drain(0);
    world.tidy(); // nobody else holds it
    let bytes = Arc::try_unwrap(chunk).unwrap().bytes;
    let held = bytes.len();
    assert!(bytes.try_into_mut().unwrap().capacity() <= 2 * held);
}

#[test]
fn i8_a_chunk_ends_soon_after_its_size() {
    let mut world = World::new(Family::Ipv6);
    (0..3000).for_each(|n| world.set(0, n, Some((n % 3) as u8)));
    (0..200).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    world.open(0, 0, 0, true);
    while let Some(chunk) = world.pull(0) {
        assert!(chunk.bytes.len() <= CHUNK_BYTES + RUN);
    }
    world.settle();
}

#[test]
fn i8_gateways_that_move_together_share_their_dump() {
    let mut world = World::new(Family::Ipv4);
    (0..48).for_each(|n| world.set(n as usize % 2, n, Some(HEAVY + n as u8)));
    (0..2).for_each(|_| world.open(0, 0, 0, false));
    (0..2).for_each(|n| world.drain(n));
    (0..2).for_each(|n| world.move_to(n, 1, Some(0)));
    while let Some(first) = world.pull(0) {
        assert!(Arc::ptr_eq(&first, &world.pull(1).unwrap()));
    }
    world.settle();
}

#[test]
fn a_shared_order_is_left_when_another_prefix_came_to_the_view_that_is_left() {
    let mut world = World::new(Family::Ipv4);
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    (0..2).for_each(|_| world.open(1, 0, 0, false));
    (0..2).for_each(|n| world.drain(n));
    world.move_to(0, 0, Some(0)); // makes the order
    world.set(1, 50, Some(0));
    world.drain(1);
    world.move_to(1, 0, Some(0)); // has to withdraw prefix 50
    world.settle();
}

#[test]
fn a_shared_order_is_left_when_the_log_went_on() {
    let mut world = World::new(Family::Ipv4);
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    (0..2).for_each(|_| world.open(1, 0, 0, false));
    (0..2).for_each(|n| world.drain(n));
    world.move_to(0, 0, Some(0)); // makes the order
    world.flap(0, 3, 3);
    world.flap(0, 5, 6000);
    while world.pull_tail(0).is_some() {}
    world.tidy(); // the last change of prefix 3 is out of the log
    world.move_to(1, 0, Some(0));
    world.settle();
}

#[test]
fn the_log_is_kept_back_to_where_the_next_dump_may_begin() {
    let mut world = World::new(Family::Ipv4);
    (0..20).for_each(|n| world.set(0, n, Some(0)));
    world.flap(0, 0, 4000);
    world.open(0, 0, 0, true); // makes an order, a little before the end of a segment
    world.drain(0);
    (1..20).for_each(|n| world.set(0, n, Some(1)));
    world.flap(0, 0, 200);
    world.drain(0);
    world.tidy();
    assert!(world.views[0].head().0 > SEGMENT);
    world.open(0, 1, 0, true); // begins from the same order
    world.settle();
}

#[test]
fn a_gateway_that_moves_to_a_busier_view_does_not_trail() {
    let mut world = World::new(Family::Ipv4);
    world.set(0, 0, Some(0));
    world.flap(0, 0, 40_000);
    world.flap(0, 0, 40_000);
    world.open(1, 0, 0, false);
    world.drain(0);
    world.move_to(0, 0, Some(0));
    world.tidy();
    assert_eq!(world.closed_as_slow, 0);
    world.settle();
}

#[test]
fn i8_attribute_sets_out_of_use_make_room() {
    let mut view = View::new(Family::Ipv4);
    let mut numbers = BTreeSet::new();
    for med in 0..1000 {
        let set = RouteAttributes { med: Some(med), ..RouteAttributes::via(super::next_hop(Family::Ipv4, 0)) };
        let id = view.intern(set);
        numbers.insert(id);
        if med % 3 > 0 {
            view.set(SlotId(med % 2), Some(id)); // the third is interned and never used
        }
    }
    assert!(numbers.len() <= 4, "{} numbers for two routes", numbers.len());
}

#[test]
fn i6_a_slot_waits_for_the_slowest_gateway_of_every_view() {
    let mut world = World::new(Family::Ipv4);
    (0..2).for_each(|view| world.set(view, 0, Some(0)));
    world.open(0, 0, 0, true);
    world.open(1, 1, 0, false);
    (0..2).for_each(|n| world.drain(n));
    let slot = world.slots.find(super::prefix(Family::Ipv4, 0)).unwrap();
    assert!(!world.views[0].has_passed(slot, world.views[0].head()), "it is exported");
    world.unclaim(0);
    world.tidy();
    assert_eq!(world.freed, 0, "neither gateway knows");
    world.drain(0);
    world.tidy();
    assert_eq!(world.freed, 0, "the gateway of the other view does not know");
    world.drain(1);
    world.tidy();
    assert_eq!(world.freed, 1);
}

#[test]
fn i6_no_slot_is_freed_while_a_moved_gateway_may_still_hold_its_prefix() {
    let mut world = World::new(Family::Ipv4);
    world.set(0, 0, Some(0)); // view 1 never exports it
    world.open(0, 0, 0, false);
    world.drain(0);
    world.move_to(0, 1, Some(0));
    world.unclaim(0);
    world.tidy();
    assert_eq!(world.freed, 0, "the dump has yet to withdraw it");
    world.drain(0);
    world.tidy();
    assert_eq!(world.freed, 1);
    world.settle();
}
