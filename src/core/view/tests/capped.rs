//! Caps: case 57. That they hold through any history is in `histories`.

use super::world::World;
use super::{HEAVY, prefix};
use crate::model::{Family, Prefix};
use crate::view::Seq;
use std::sync::Arc;

const FAMILY: Family = Family::Ipv4;

fn world(routes: u16) -> World {
    let mut world = World::new(FAMILY);
    (0..routes).for_each(|n| world.set(0, n, Some((n % 3) as u8)));
    world
}

fn held(world: &World, n: usize) -> Vec<Prefix> {
    world.peers[n].gateway.routes().into_keys().collect()
}

fn prefixes(numbers: impl IntoIterator<Item = u16>) -> Vec<Prefix> {
    numbers.into_iter().map(|n| prefix(FAMILY, n)).collect()
}

fn withheld(world: &World, n: usize) -> usize {
    world.peers[n].feed.as_ref().unwrap().withheld()
}

#[test]
fn c57_the_lowest_prefixes_are_told_and_freed_places_are_filled_from_below() {
    let mut world = world(10);
    world.open_capped(0, 0, 0, false, Some(6));
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes(0..6));
    assert_eq!(withheld(&world, 0), 4);
    world.set(0, 2, None);
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes([0, 1, 3, 4, 5, 6]), "the lowest that waited");
    // What waits and goes is not told, and what is told may change while others wait.
    world.set(0, 7, None);
    world.set(0, 0, Some(5));
    world.set(0, 1, None);
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes([0, 3, 4, 5, 6, 8]));
    assert_eq!(withheld(&world, 0), 1);
    world.settle();
}

#[test]
fn c57_a_session_that_returns_is_told_the_same() {
    let mut world = world(10);
    world.open_capped(0, 0, 0, false, Some(6));
    world.drain(0);
    let before = held(&world, 0);
    world.reopen(0);
    world.drain(0);
    assert_eq!(held(&world, 0), before);
}

#[test]
fn c57_a_lower_cap_takes_nothing_back_and_a_higher_one_lets_more_through() {
    let mut world = world(10);
    world.open_capped(0, 0, 0, false, Some(6));
    world.drain(0);
    world.change_cap(0, Some(3));
    assert!(world.pull(0).is_none(), "nothing is withdrawn");
    assert_eq!(held(&world, 0).len(), 6);
    world.set(0, 0, None);
    world.set(0, 20, Some(1));
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes(1..6), "still above it: nothing new");
    world.change_cap(0, Some(7));
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes(1..8));
    world.change_cap(0, None);
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes((1..10).chain([20])));
    assert_eq!(withheld(&world, 0), 0);
    world.settle();
}

#[test]
fn c57_a_cap_that_comes_to_a_standing_session_stops_what_is_new() {
    let mut world = world(10);
    world.open(0, 0, 0, false);
    world.drain(0);
    let feed = world.peers[0].feed.as_mut().unwrap();
    feed.change_cap(&world.views[0], Some(8));
    world.peers[0].cap = Some(10);
    world.set(0, 30, Some(1));
    world.drain(0);
    assert_eq!((held(&world, 0), withheld(&world, 0)), (prefixes(0..10), 1));
    (0..3).for_each(|n| world.set(0, n, None));
    world.drain(0);
    assert_eq!(held(&world, 0), prefixes((3..10).chain([30])), "below it again");
}

/// The property test of `histories` found it, once in some ten thousand histories.
#[test]
fn c57_a_move_that_a_new_start_overtakes_gives_the_place_of_what_it_swept() {
    let mut world = world(1);
    world.open_capped(0, 0, 0, true, Some(1));
    world.drain(0);
    world.set(1, 7, Some(0));
    world.move_to(0, 1, None);
    world.resynchronise(0);
    world.drain(0);
    assert_eq!((held(&world, 0), withheld(&world, 0)), (prefixes([7]), 0));
    world.settle();
}

#[test]
fn only_chunks_with_a_waiting_route_are_encoded_privately() {
    let mut world = World::new(FAMILY);
    world.open(0, 0, 0, false);
    world.open_capped(0, 0, 0, false, Some(33));
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    let (mut shared, mut private) = (0, 0);
    loop {
        let chunks = (world.pull_tail(0), world.pull_tail(1));
        let (Some(one), Some(other)) = chunks else { break };
        if Arc::ptr_eq(&one, &other) { shared += 1 } else { private += 1 }
    }
    assert!(shared > 0 && private == 1, "{shared} shared, {private} private");
    assert!(world.peers[1].feed.as_ref().unwrap().tail() > Seq(0));
    assert_eq!(withheld(&world, 1), 3);
}
