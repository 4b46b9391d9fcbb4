//! Many seeds of the world (`world`): its judge looks after every event.

use super::world::{FINE, TTL, Weather, World, millis};
use crate::model::{Leadership, Term};
use proptest::prelude::*;
use std::time::Duration;

/// Within this of everybody being well again, somebody leads: what is left of a lease and of a yield, two rounds, an identity's last
/// owner, and the longest wait of one that has begun to lead again and again.
const SOON: Duration = Duration::from_secs(90);

/// One leads in the same term from now on, and the others know it.
fn is_settled(world: &mut World, nodes: usize) -> Term {
    // Deliveries that are still late from before.
    world.run(SOON + Duration::from_secs(15));
    let leaders = world.leaders();
    let [(leader, term)] = leaders[..] else { panic!("leaders: {leaders:?}") };
    for _ in 0..20 {
        world.run(TTL / 4);
        assert_eq!(world.leaders(), [(leader, term)], "it changed without need");
        for node in (0..nodes).filter(|node| *node != leader) {
            let role = world.role(node);
            assert!(matches!(role, Some(Leadership::Standby { term: known, .. }) if known == term), "{role:?}");
        }
    }
    term
}

fn stormy(wipes: bool) -> Weather {
    Weather { lost: 5, late: millis(500), mishaps: Some(Duration::from_secs(6)), wipes }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn c43_c46_one_voice_in_terms_that_never_go_back_p7(seed: u64, nodes in 2..4usize) {
        let mut world = World::new(seed, nodes, stormy(false));
        world.run(Duration::from_secs(600));
        world.clear_up();
        let term = is_settled(&mut world, nodes);
        prop_assert!(world.led.keys().all(|led| *led <= term));
        prop_assert!(!world.led.is_empty());
    }

    #[test]
    fn c36_a_store_that_loses_everything_does_not_lose_the_terms(seed: u64, nodes in 2..4usize) {
        let mut world = World::new(seed, nodes, stormy(true));
        world.run(Duration::from_secs(600));
        world.clear_up();
        let term = is_settled(&mut world, nodes);
        prop_assert!(world.led.keys().all(|led| *led <= term), "{term} after {:?}", world.led);
    }
}

#[test]
fn c41_another_leads_within_a_leases_time_and_two_seconds_of_the_leaders_death() {
    for seed in 0..50 {
        let mut world = World::new(seed, 3, FINE);
        world.run(Duration::from_secs(10));
        let [(leader, term)] = world.leaders()[..] else { panic!("{:?}", world.leaders()) };
        world.kill(leader, Duration::from_secs(3600));
        world.run(TTL + Duration::from_secs(2));
        let [(other, newer)] = world.leaders()[..] else { panic!("{:?}", world.leaders()) };
        assert!(other != leader && newer == term.next().unwrap());
    }
}

#[test]
fn c41_who_yields_or_leaves_is_followed_at_once() {
    for (seed, input) in (0..50).zip([crate::election::Input::Yield, crate::election::Input::Leave].into_iter().cycle())
    {
        let mut world = World::new(seed, 2, FINE);
        world.run(Duration::from_secs(10));
        let [(leader, _)] = world.leaders()[..] else { panic!("{:?}", world.leaders()) };
        world.feed(leader, input);
        world.run(millis(500));
        assert!(matches!(world.leaders()[..], [(other, _)] if other != leader), "{:?}", world.leaders());
    }
}

#[test]
fn c63_a_store_is_asked_a_bounded_number_of_times_whatever_happens() {
    for seed in 0..10 {
        let (mut world, span) = (World::new(seed, 3, FINE), 600);
        world.run(Duration::from_secs(span));
        // Two questions a round, a round in a fifth of a lease's time less its jitter.
        assert!(world.requests < 3 * span * 2, "{}", world.requests);
        let mut world = World::new(seed, 3, stormy(false));
        world.run(Duration::from_secs(span));
        assert!(world.requests < 3 * span * 6, "{}", world.requests);
    }
}
