//! Chunks that are encoded once, and those that cannot be shared.

use super::world::World;
use super::{HEAVY, attributes, prefix};
use crate::model::Family;
use crate::view::{Chunk, Stamp};
use proptest::prelude::*;
use std::sync::Arc;

/// Everything peer `n` is handed until it is at rest.
fn chunks(world: &mut World, n: usize) -> Vec<Arc<Chunk>> {
    std::iter::from_fn(|| world.pull(n)).collect()
}

/// Of two sequences of chunks of the same view: which are one and the same, place by place.
fn shared(a: &[Arc<Chunk>], b: &[Arc<Chunk>]) -> Vec<bool> {
    assert_eq!(a.len(), b.len(), "in step");
    a.iter().zip(b).map(|(a, b)| Arc::ptr_eq(a, b)).collect()
}

fn filled() -> World {
    let mut world = World::new(Family::Ipv4);
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8 / 16 * 4)));
    world.set(0, 48, Some(2)); // attributes are numbered as they come: this one is walked last
    world
}

#[test]
fn i4_gateways_with_equal_encodings_are_handed_the_same_chunks() {
    let mut world = filled();
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    for _ in 0..3 {
        world.open(0, 0, 0, true);
    }
    let all: Vec<_> = (0..3).map(|n| chunks(&mut world, n)).collect();
    assert!(all[0].len() > 2, "several slices and a marker");
    let slices = all[0].len() - 1;
    assert!(shared(&all[0][..slices], &all[1][..slices]).into_iter().all(|same| same));
    world.set(0, 7, Some(0));
    let tails: Vec<_> = (0..3).map(|n| chunks(&mut world, n)).collect();
    assert_eq!(shared(&tails[0], &tails[2]), [true]);
    world.settle();
}

#[test]
fn i4_other_encodings_are_not_handed_these_chunks() {
    let mut world = filled();
    (0..5).for_each(|encoding| world.open(0, encoding, 0, true));
    let all: Vec<_> = (0..5).map(|n| chunks(&mut world, n)).collect();
    for (n, one) in all.iter().enumerate() {
        assert!(all[..n].iter().flatten().all(|other| !one.iter().any(|chunk| Arc::ptr_eq(chunk, other))));
    }
    world.settle();
}

/// RFC 8654 §4, RFC 8950 §4: what cannot be said to a gateway is not announced; it is withdrawn only where it changes.
#[test]
fn c14_a_dump_says_nothing_of_what_cannot_be_said_in_the_encoding() {
    let mut world = World::new(Family::Ipv4);
    (0..48).for_each(|n| world.set(0, n, Some(HEAVY + n as u8)));
    world.open(0, 4, 0, true);
    assert_eq!(chunks(&mut world, 0).len(), 1, "End-of-RIB alone");
    world.set(0, 7, Some(0));
    world.set(0, 8, Some(0));
    chunks(&mut world, 0);
    world.set(0, 7, Some(HEAVY));
    world.settle();
}

#[test]
fn i4_an_exclusion_that_touches_nothing_shares_everything() {
    let mut world = filled();
    world.open(0, 0, 0, true);
    world.open(0, 0, 3, true);
    let (a, b) = (chunks(&mut world, 0), chunks(&mut world, 1));
    let slices = a.len() - 1;
    assert!(shared(&a[..slices], &b[..slices]).into_iter().all(|same| same));
}

#[test]
fn i4_chunks_after_a_private_one_are_shared_again() {
    let mut world = World::new(Family::Ipv4);
    // Host 0 first, in the order's first chunk; hosts 1 after it.
    (0..8).for_each(|n| world.set(0, n, Some(HEAVY + 4 * n as u8)));
    (8..48).for_each(|n| world.set(0, n, Some(HEAVY + 4 * n as u8 + 1)));
    world.open(0, 0, 0, true);
    world.open(0, 0, 1, true);
    let (all, without_host_0) = (chunks(&mut world, 0), chunks(&mut world, 1));
    let slices = all.len() - 1;
    let same = shared(&all[..slices], &without_host_0[..slices]);
    assert_eq!((same[0], same[1..].iter().all(|same| *same)), (false, true), "{same:?}");
    world.settle();
}

#[test]
fn i7_a_chunk_of_the_stamp_before_is_not_handed_out() {
    let mut world = filled();
    world.set_stamp(Stamp::Leader { term: 7 });
    world.open(0, 0, 0, true);
    world.open(0, 1, 0, true);
    world.drain(0); // its chunks are kept for peers that come after it
    world.set(0, 0, Some(1));
    world.drain(0);
    world.open(0, 0, 0, true);
    world.set_stamp(Stamp::Standby { ordinal: 1 });
    (0..3).for_each(|n| world.drain(n)); // every chunk's stamp is checked
    world.settle();
}

#[test]
fn an_outdated_chunk_is_not_handed_out() {
    let mut world = filled();
    world.open(0, 0, 0, true);
    world.open(0, 0, 0, true);
    world.drain(0);
    world.set(0, 0, Some(1)); // in the first slice
    world.unclaim(20); // in another
    world.drain(1); // every chunk's contents are checked
    world.set(0, 1, Some(0));
    world.set(0, 2, Some(0));
    world.drain(0);
    world.set(0, 2, Some(1));
    world.drain(1);
    world.settle();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// I4: after any changes, a gateway with exclusions holds what one without holds, but for the excluded routes.
    #[test]
    fn i4_shared_and_private_encoding_end_in_the_same_state(
        sets in proptest::collection::vec((0..60u16, proptest::option::of(0..60u8), 0..4usize), 0..150),
        excluded in 1..4usize,
        encoding in 0..5usize,
    ) {
        let mut world = World::new(Family::Ipv4);
        world.open(0, encoding, 0, true);
        world.open(0, encoding, excluded, true);
        let mut truth = std::collections::BTreeMap::new();
        for (n, attr, pull) in sets {
            world.set(0, n, attr);
            truth.insert(prefix(Family::Ipv4, n), attr);
            if pull < 2 {
                world.pull(pull);
            }
        }
        world.settle();
        let exclusion = super::exclusion(excluded);
        let mut all = world.peers[0].gateway.routes();
        all.retain(|prefix, _| {
            let attr = truth[prefix].unwrap();
            !exclusion.excludes(attributes(Family::Ipv4, attr).next_hop)
        });
        prop_assert_eq!(world.peers[1].gateway.routes(), all);
    }
}
