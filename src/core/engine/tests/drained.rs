//! Gateways that a person drains (c12): what they are told is compared in [`super::histories`].

use super::super::{Command, Orders};
use super::guarded::World;
use super::reloaded::told;
use super::shared::{WALL, restart, take, tell, two};
use crate::model::Instance;
use crate::orders::{Giver, Number, Order, What};
use crate::policy::Policy;

/// Its gateway is in the configuration now, drained or not.
fn configure(world: &mut World, drain: bool) {
    let mut settings = told("all", &[("all", Policy::accept_all())]);
    settings.gateways[0].drain = drain;
    world.engine.reconfigure(world.now, settings, &mut world.effects);
}

fn is_drained(world: &World) -> bool {
    world.engine.gateway_rows()[0].drain
}

fn drain() -> Command {
    Command::Drain("core".into())
}

fn undrain() -> Command {
    Command::Undrain("core".into())
}

#[test]
fn c12_an_order_to_drain_a_gateway_reaches_every_replica_and_outlives_restarts() {
    let (mut first, mut second) = two(3);
    configure(&mut first, false);
    configure(&mut second, false);
    assert_eq!((first.command(&drain()), first.command(&drain())), (1, 0), "once");
    assert!(is_drained(&first) && !is_drained(&second));
    assert_eq!(tell(&first, &mut second).carried_out.len(), 1);
    assert!(is_drained(&second));
    let mut next = restart(&second, 2);
    configure(&mut next, false);
    assert!(is_drained(&next), "also where it was not configured when that was known");
    assert_eq!(tell(&first, &mut next).carried_out, []);
    let before = next.engine.order_changes();
    assert_eq!((next.command(&undrain()), next.command(&undrain())), (1, 0));
    assert_ne!(next.engine.order_changes(), before, "that is to be written down");
    tell(&next, &mut first);
    assert!(!is_drained(&next) && !is_drained(&first));
    assert_eq!(first.engine.book().unwrap().digest(), next.engine.book().unwrap().digest());
}

#[test]
fn c12_the_configuration_drains_a_gateway_whatever_was_ordered_and_a_freeze_hinders_neither() {
    let mut world = World::new(None);
    world.list(0..3);
    configure(&mut world, false);
    world.command(&Command::Freeze);
    assert_eq!(world.command(&drain()), 1);
    assert!(is_drained(&world));
    configure(&mut world, true);
    world.command(&undrain());
    assert!(is_drained(&world));
    configure(&mut world, false);
    assert!(!is_drained(&world));
}

/// What was ordered before then may have been a later drain.
#[test]
fn c12_what_cannot_be_known_is_not_taken_back_by_what_is_older() {
    let (mut world, _) = two(3);
    configure(&mut world, false);
    let orders = Orders { drained: vec!["core".into()], unknown_before: WALL + 60_000, ..Orders::default() };
    world.engine.resume(world.now, orders);
    let order = |at: u64| {
        let giver = Giver { replica: "10.0.3.9".into(), uid: None };
        Order { number: Number { at: WALL + at, by: Instance(9) }, giver, what: What::Undrain("core".into()) }
    };
    take(&mut world, vec![order(59_999)]);
    assert!(is_drained(&world));
    take(&mut world, vec![order(60_001)]);
    assert!(!is_drained(&world));
}
