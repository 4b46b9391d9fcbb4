//! Any history, all invariants.

use super::world::World;
use super::{HEAVY, LIGHT};
use crate::model::Family;
use crate::view::Stamp;
use proptest::option;
use proptest::prelude::*;

/// Prefixes in a history: few, so that steps meet.
const PREFIXES: u16 = 6;
/// How many gateways there are at the most.
const PEERS: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Set {
        view: usize,
        prefix: u16,
        attr: Option<u8>,
    },
    /// A new list: every prefix of the view, with attributes that fill several chunks.
    Fill {
        view: usize,
        first: u8,
    },
    Flap {
        view: usize,
        prefix: u16,
        times: u16,
    },
    Unclaim {
        prefix: u16,
    },
    Open {
        view: usize,
        encoding: usize,
        exclusion: usize,
        enhanced: bool,
        cap: Option<usize>,
    },
    Cap(usize, Option<usize>),
    Reopen(usize),
    Close(usize),
    Refresh(usize),
    Resynchronise(usize),
    Move {
        peer: usize,
        view: usize,
        exclusion: Option<usize>,
    },
    PullTail(usize),
    PullDump(usize),
    Drain(usize),
    Tidy,
    Stamp(Stamp),
    Verified(bool),
}

/// How many prefixes [`Step::Fill`] sets, each with a heavy attribute set of its own.
const MANY: u16 = 48;

fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let (view, peer) = (0..2usize, 0..PEERS);
    let attr = prop_oneof![1 => Just(None), 3 => (0..LIGHT).prop_map(Some)];
    // Some below the prefixes that meet, some below a full list only.
    let cap = prop_oneof![2 => Just(None), 1 => (0..8usize).prop_map(Some), 1 => (8..50usize).prop_map(Some)];
    let stamp = prop_oneof![
        Just(Stamp::Unstamped),
        (1..4u32).prop_map(|term| Stamp::Leader { term }),
        (0..2u32).prop_map(|ordinal| Stamp::Standby { ordinal }),
    ];
    let step = prop_oneof![
        30 => (view.clone(), 0..PREFIXES, attr).prop_map(|(view, prefix, attr)| Step::Set { view, prefix, attr }),
        1 => (view.clone(), 0..3u8).prop_map(|(view, first)| Step::Fill { view, first }),
        1 => (view.clone(), 0..PREFIXES, 1..3000u16)
            .prop_map(|(view, prefix, times)| Step::Flap { view, prefix, times }),
        6 => (0..PREFIXES).prop_map(|prefix| Step::Unclaim { prefix }),
        4 => (view.clone(), 0..5usize, 0..4usize, any::<bool>(), cap.clone()).prop_map(
            |(view, encoding, exclusion, enhanced, cap)| Step::Open { view, encoding, exclusion, enhanced, cap },
        ),
        1 => (peer.clone(), cap).prop_map(|(peer, cap)| Step::Cap(peer, cap)),
        2 => peer.clone().prop_map(Step::Reopen),
        1 => peer.clone().prop_map(Step::Close),
        3 => peer.clone().prop_map(Step::Refresh),
        2 => peer.clone().prop_map(Step::Resynchronise),
        2 => (peer.clone(), view, option::of(0..4usize)).prop_map(|(peer, view, exclusion)| Step::Move { peer, view, exclusion }),
        15 => peer.clone().prop_map(Step::PullTail),
        15 => peer.clone().prop_map(Step::PullDump),
        4 => peer.prop_map(Step::Drain),
        8 => Just(Step::Tidy),
        2 => stamp.prop_map(Step::Stamp),
        2 => any::<bool>().prop_map(Step::Verified),
    ];
    proptest::collection::vec(step, 0..length)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn run(world: &mut World, steps: Vec<Step>) {
    for step in steps {
        match step {
            Step::Set { view, prefix, attr } => world.set(view, prefix, attr),
            Step::Fill { view, first } => {
                (0..MANY).for_each(|n| world.set(view, n, Some(HEAVY + first + n as u8)));
            }
            Step::Flap { view, prefix, times } => world.flap(view, prefix, times),
            Step::Unclaim { prefix } => world.unclaim(prefix),
            Step::Open { view, encoding, exclusion, enhanced, cap } => {
                if world.peers.len() < PEERS {
                    world.open_capped(view, encoding, exclusion, enhanced, cap);
                }
            }
            Step::Cap(n, cap) => world.change_cap(n, cap),
            Step::Reopen(n) => world.reopen(n),
            Step::Close(n) => world.close(n),
            Step::Refresh(n) => world.refresh(n),
            Step::Resynchronise(n) => world.resynchronise(n),
            Step::Move { peer, view, exclusion } => world.move_to(peer, view, exclusion),
            Step::PullTail(n) => drop(world.pull_tail(n)),
            Step::PullDump(n) => drop(world.pull_dump(n)),
            Step::Drain(n) => world.drain(n),
            Step::Tidy => world.tidy(),
            Step::Stamp(stamp) => world.set_stamp(stamp),
            Step::Verified(verified) => world.verified = verified,
        }
    }
    world.settle();
}

proptest! {
    #[test]
    fn i1_to_i7_p4_hold_through_any_history(family in family(), steps in steps(120)) {
        run(&mut World::new(family), steps);
    }
}
