//! What a person orders at one replica, at the others (P3).

use super::super::{Command, Holds, Orders, Settings, TakenOrders};
use super::guarded::{CLUSTER, World, prefix, settings};
use crate::model::{Instance, Replica};
use crate::orders::{Decided, End, Exchange, Giver, Number, Order, Question, Step, What};
use crate::source::{ClusterId, Rev};
use crate::table::{ChangeKind, SeenChange, Target};
use crate::testing::shelf::Shelf;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

pub(super) const WALL: u64 = 1_800_000_000_000;

pub(super) fn share(world: &mut World, number: u8) {
    let me = Replica { identity: format!("10.0.3.{number}").into(), instance: Instance(number.into()) };
    world.engine.share_orders(world.now, WALL, me);
}

/// Two replicas that have read the same.
pub(super) fn two(hosts: u8) -> (World, World) {
    let mut both = [1, 2].map(|number| {
        let mut world = World::new(None);
        share(&mut world, number);
        world.list(0..hosts);
        world
    });
    let [first, second] = std::mem::replace(&mut both, [World::new(None), World::new(None)]);
    (first, second)
}

pub(super) fn orders(world: &World) -> Vec<Order> {
    world.engine.book().unwrap().entries().map(|entry| entry.order.clone()).collect()
}

/// The other takes what this one has.
pub(super) fn tell(from: &World, to: &mut World) -> TakenOrders {
    take(to, orders(from))
}

pub(super) fn take(world: &mut World, orders: Vec<Order>) -> TakenOrders {
    take_at(world, wall(world), orders)
}

fn wall(world: &World) -> u64 {
    WALL + u64::try_from(world.now.since(crate::model::Time::ZERO).as_millis()).unwrap()
}

/// By this clock.
pub(super) fn take_at(world: &mut World, wall: u64, orders: Vec<Order>) -> TakenOrders {
    let taken = world.engine.take_orders(world.now, wall, orders, &mut world.effects);
    world.wait(Duration::ZERO);
    taken
}

/// Exchanges orders with the store, by this clock; gives what was asked of that.
pub(super) fn meet(world: &mut World, exchange: &mut Exchange, store: &mut Shelf, wall: u64) -> Vec<Question> {
    let me = Arc::from("10.0.3.1");
    let (mut step, mut asked) = (exchange.begin(world.now), Vec::new());
    loop {
        step = match step {
            Step::Ask(question) => {
                asked.push(question.clone());
                exchange.answered(store.serve(&me, [], question))
            }
            Step::Take(orders) => exchange.taken(take_at(world, wall, orders).refused),
            Step::Compare(comparison) => exchange.compared(comparison.with(world.engine.book().unwrap())),
            Step::Over(end) => {
                assert_eq!(end, End::Equal);
                return asked;
            }
        };
    }
}

/// The process after this one, with what this one has on its disk.
pub(super) fn restart(world: &World, number: u8) -> World {
    let mut next = World::new(world.snapshot());
    next.engine.resume(next.now, world.engine.orders(world.now));
    share(&mut next, number);
    next.revision = world.revision;
    next
}

#[test]
fn an_approval_is_carried_out_once_by_those_who_hold_the_same_p3() {
    let (mut first, mut second) = two(20);
    first.list(0..5);
    second.list(0..5);
    assert_eq!((first.held(), second.held()), (15, 15));
    first.command(&Command::Approve(Holds::Prefix(prefix(7))));
    assert_eq!(tell(&first, &mut second).carried_out.len(), 1);
    assert_eq!((second.routes(), second.held()), (19, 14));
    assert_eq!(tell(&first, &mut second).carried_out, [], "once");
    assert_eq!(second.engine.book().unwrap().open(), 0, "and nothing more comes of it");
    first.command(&Command::Approve(Holds::All));
    tell(&first, &mut second);
    assert_eq!((first.routes(), second.routes(), second.held()), (5, 5, 0));
    assert_eq!(first.engine.book().unwrap().digest(), second.engine.book().unwrap().digest());
}

#[test]
fn an_approval_lets_nothing_else_pass_than_a_person_saw_p3() {
    let (mut first, mut second) = two(20);
    first.list(0..5);
    // Here the same hosts have got other addresses instead.
    second.list_at(0..20, 1);
    assert_eq!((first.held(), second.held()), (15, 20));
    first.command(&Command::Approve(Holds::All));
    tell(&first, &mut second);
    assert_eq!((second.routes(), second.held()), (20, 20), "another change of the same prefixes");
    // There they move on from where nobody saw them.
    let mut third = World::new(None);
    share(&mut third, 3);
    third.list_at(0..20, 1);
    third.list(0..5);
    third.wait(Duration::ZERO);
    let held = third.held();
    tell(&first, &mut third);
    assert_eq!((third.routes(), third.held()), (20, held), "gone from another next hop is another change");
}

#[test]
fn an_approval_waits_for_a_replica_that_lags_and_no_longer_p3() {
    let (mut first, mut second) = two(20);
    first.list(0..5);
    first.command(&Command::Approve(Holds::All));
    tell(&first, &mut second);
    assert_eq!((second.routes(), second.engine.book().unwrap().open()), (20, 1), "it has not read that yet");
    let mut next = restart(&second, 2);
    for world in [&mut second, &mut next] {
        world.revision = first.revision - 1;
        world.list(0..5);
        assert_eq!((world.routes(), world.held(), world.engine.book().unwrap().open()), (5, 0, 0));
        // What comes from now on is another matter.
        world.list(0..20);
        world.command(&Command::Approve(Holds::All));
        world.list(0..5);
        assert_eq!((world.routes(), world.held()), (20, 15));
    }
    // Who has read as much as the first had, and does not hold it, has nothing to wait for.
    let (_, mut third) = two(20);
    third.revision = first.revision;
    third.list(0..20);
    tell(&first, &mut third);
    assert_eq!(third.engine.book().unwrap().open(), 0);
    third.list(0..5);
    assert_eq!(third.held(), 15);
}

/// Such a list is not believed, and what it takes away from a snapshot is held all the same.
#[test]
fn what_a_person_decides_about_a_list_that_was_empty_at_first_the_others_hear_p3() {
    let (first, second) = two(20);
    let after_a_restart = |world: &World, number| {
        let mut sources = World::sources();
        sources[0].sync.allow_empty = false;
        let mut next = World::with(world.snapshot(), Settings { sources, ..settings() });
        share(&mut next, number);
        next.revision = world.revision;
        next.list([]);
        assert_eq!((next.routes(), next.held(), next.engine.has_read_all()), (20, 20, false));
        next
    };
    let (mut first, mut second) = (after_a_restart(&first, 3), after_a_restart(&second, 4));
    first.command(&Command::Deny(Holds::Prefix(prefix(7))));
    first.command(&Command::Approve(Holds::Prefix(prefix(8))));
    assert_eq!(first.engine.unheard().changes, 0);
    assert_eq!(tell(&first, &mut second).carried_out.len(), 2);
    assert_eq!((second.routes(), second.held()), (19, 19));
    assert_eq!(second.engine.hold_rows(None, 20).iter().filter(|row| row.denied).count(), 1);
}

#[test]
fn what_was_said_of_one_store_says_nothing_of_another_p3() {
    let (mut first, mut second) = two(20);
    second.list(0..5);
    let change = |n| SeenChange {
        kind: ChangeKind::Withdrawal,
        prefix: prefix(n),
        from: Some(format!("10.168.0.{n}").parse().unwrap()),
        to: None,
    };
    let of = |cluster, at| {
        let decided = Decided {
            approved: true,
            source: "prod".into(),
            cluster,
            revision: Rev(1000),
            changes: (0..20).map(change).collect(),
        };
        let giver = Giver { replica: "10.0.3.9".into(), uid: None };
        Order { number: Number { at: WALL + at, by: Instance(9) }, giver, what: What::Decide(Arc::new(decided)) }
    };
    take(&mut second, vec![of(ClusterId(CLUSTER.0 + 1), 1)]);
    assert_eq!((second.routes(), second.held()), (20, 15));
    take(&mut first, vec![of(ClusterId(CLUSTER.0 + 1), 1)]);
    first.list(0..5);
    assert_eq!((first.routes(), first.held()), (20, 15));
    take(&mut second, vec![of(CLUSTER, 2)]);
    assert_eq!((second.routes(), second.held()), (5, 0));
}

#[test]
fn a_denial_binds_the_others_and_a_later_word_ends_it_p3() {
    let (mut first, mut second) = two(40);
    first.list(0..30);
    assert_eq!(first.command(&Command::Deny(Holds::All)), 10);
    tell(&first, &mut second);
    second.list(0..30);
    for _ in 0..5 {
        second.wait(Duration::from_secs(3600));
        second.list(0..30);
    }
    assert_eq!((second.routes(), second.held()), (40, 10), "proven, but denied");
    second.command(&Command::Approve(Holds::All));
    tell(&second, &mut first);
    assert_eq!((first.routes(), second.routes()), (30, 30));
    // The earlier word comes late to one who has heard the later.
    let (_, mut third) = two(40);
    third.list(0..30);
    tell(&second, &mut third);
    assert_eq!(third.routes(), 30);
}

#[test]
fn approved_in_a_freeze_it_passes_at_every_replica_once_that_ends_p3() {
    let (mut first, mut second) = two(20);
    first.list(0..5);
    second.list(0..5);
    first.command(&Command::Freeze);
    first.command(&Command::Approve(Holds::All));
    tell(&first, &mut second);
    assert_eq!((first.routes(), second.routes()), (20, 20));
    let mut next = restart(&second, 2);
    assert!(next.engine.frozen().is_some());
    second.command(&Command::Unfreeze);
    tell(&second, &mut first);
    assert_eq!((first.routes(), second.routes()), (5, 5));
    tell(&second, &mut next);
    next.list(0..5);
    assert_eq!((next.routes(), next.held()), (5, 0));
}

/// Who was away hears all of it at once.
#[test]
fn what_was_denied_or_frozen_later_does_not_slip_by_in_between_p3() {
    let (mut first, mut second) = two(20);
    first.list(0..5);
    second.list(0..5);
    for command in [Command::Freeze, Command::Approve(Holds::All), Command::Deny(Holds::All), Command::Unfreeze] {
        first.command(&command);
    }
    tell(&first, &mut second);
    assert_eq!((first.routes(), second.routes(), second.held()), (20, 20, 15), "approved, then denied");

    let (mut first, mut second) = two(20);
    let target = Target::Prefix(prefix(7));
    for command in [Command::Freeze, Command::Withdraw(target), Command::Freeze] {
        first.command(&command);
    }
    tell(&first, &mut second);
    assert!(second.engine.frozen().is_some());
    assert_eq!((first.routes(), second.routes()), (20, 20), "withdrawn once the freeze ends");
    second.command(&Command::Unfreeze);
    assert_eq!(second.routes(), 19);
}

#[test]
fn a_freeze_for_the_want_of_a_disk_is_not_lifted_by_what_was_ordered_before_it_p3() {
    let (mut first, _) = two(20);
    first.command(&Command::Freeze);
    first.command(&Command::Unfreeze);
    let mut second = World::new(None);
    let because = Some("its disk is broken".to_owned());
    let frozen = Some(Duration::ZERO);
    let unknown = Orders { frozen, frozen_because: because, unknown_before: WALL + 60_000, ..Orders::default() };
    second.engine.resume(second.now, unknown);
    share(&mut second, 2);
    tell(&first, &mut second);
    assert!(second.engine.frozen().is_some());
    first.wait(Duration::from_secs(120));
    take(&mut first, Vec::new());
    first.command(&Command::Unfreeze);
    tell(&first, &mut second);
    assert!(second.engine.frozen().is_none(), "a person who gives it now means this one, too");
}

#[test]
fn a_withdrawal_whose_order_cannot_be_read_is_not_lifted_by_what_was_ordered_before_p3() {
    let (mut first, mut second) = two(20);
    let target = Target::Prefix(prefix(7));
    first.command(&Command::Withdraw(target.clone()));
    first.command(&Command::Restore(target.clone()));
    let forced = vec![target.clone()];
    second.engine.resume(second.now, Orders { forced, unknown_before: WALL + 60_000, ..Orders::default() });
    second.list(0..20);
    tell(&first, &mut second);
    assert_eq!(second.routes(), 19);
    first.command(&Command::Withdraw(target.clone()));
    first.wait(Duration::from_secs(120));
    take(&mut first, Vec::new());
    first.command(&Command::Restore(target));
    tell(&first, &mut second);
    assert_eq!(second.routes(), 20, "a person who gives it now means this one, too");
}

#[test]
fn without_others_nothing_is_taken_down() {
    let mut world = World::new(None);
    world.list(0..20);
    world.command(&Command::Freeze);
    assert!(world.engine.book().is_none() && world.engine.orders(world.now).shared.is_empty());
}

#[derive(Clone, Debug)]
enum Event {
    Order(usize, u8),
    Exchange(usize),
    Cut(usize, bool),
    Wipe,
    Restart(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..3usize, 0..10u8).prop_map(|(replica, what)| Event::Order(replica, what)),
        4 => (0..3usize).prop_map(Event::Exchange),
        1 => (0..3usize, any::<bool>()).prop_map(|(replica, cut)| Event::Cut(replica, cut)),
        1 => Just(Event::Wipe),
        1 => (0..3usize).prop_map(Event::Restart),
    ];
    proptest::collection::vec(event, 0..40)
}

fn command(what: u8) -> Command {
    let target = |n| Target::Prefix(prefix(n));
    match what {
        0 => Command::Freeze,
        1 => Command::Unfreeze,
        2 | 3 => Command::Withdraw(target(what % 2)),
        4 | 5 => Command::Restore(target(what % 2)),
        6 => Command::Approve(Holds::Prefix(prefix(7))),
        7 => Command::Drain("core".into()),
        8 => Command::Undrain("core".into()),
        _ => Command::Deny(Holds::All),
    }
}

/// What stands at a replica, less for how long.
fn standing(world: &World) -> (bool, Vec<Target>, Vec<Arc<str>>) {
    let (forced, drained) = (world.engine.forced().cloned().collect(), world.engine.drained().cloned().collect());
    (world.engine.frozen().is_some(), forced, drained)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes in between, and whoever is cut off: once all hear of each other the same stands everywhere, and nothing but an order
    /// has lifted anything.
    #[test]
    fn replicas_that_hear_of_each_other_have_the_same_orders_p3(events in events()) {
        let mut replicas: Vec<World> = (1..=3).map(|number| {
            let mut world = World::new(None);
            share(&mut world, number);
            world.list(0..20);
            world.list(0..5);
            world
        }).collect();
        let (mut cut, mut store) = ([false; 3], Shelf::default());
        let mut exchanges = [0; 3].map(|_| Exchange::default());
        let exchange = |world: &mut World, exchange: &mut Exchange, store: &mut Shelf| {
            let wall = wall(world);
            meet(world, exchange, store, wall);
        };
        for event in events {
            match event {
                Event::Order(replica, what) => {
                    replicas[replica].command(&command(what));
                    replicas[replica].wait(Duration::from_millis(1));
                }
                Event::Exchange(replica) if cut[replica] => {}
                Event::Exchange(replica) => {
                    let before = standing(&replicas[replica]);
                    let is_silent = store.orders.is_empty();
                    exchange(&mut replicas[replica], &mut exchanges[replica], &mut store);
                    prop_assert!(!is_silent || standing(&replicas[replica]) == before, "an empty store says nothing");
                }
                Event::Cut(replica, is_cut) => cut[replica] = is_cut,
                Event::Wipe => store.orders.clear(),
                Event::Restart(replica) => {
                    exchanges[replica] = Exchange::default();
                    let number = u8::try_from(replica + 1).unwrap();
                    replicas[replica] = restart(&replicas[replica], number);
                    let revision = replicas[replica].revision;
                    replicas[replica].revision = revision - 1;
                    replicas[replica].list(0..5);
                }
            }
        }
        for replica in [0, 1, 2, 0, 1] {
            exchange(&mut replicas[replica], &mut exchanges[replica], &mut store);
        }
        let digests: Vec<_> = replicas.iter().map(|world| world.engine.book().unwrap().digest()).collect();
        prop_assert!(digests.iter().all(|digest| *digest == digests[0]), "{:?}", digests);
        let stand: Vec<_> = replicas.iter().map(standing).collect();
        prop_assert!(stand.iter().all(|one| *one == stand[0]), "{:?}", stand);
    }
}

#[test]
fn p3_of_two_orders_about_the_same_that_come_together_only_the_later_is_obeyed() {
    let (mut first, mut second) = two(3);
    first.command(&Command::Freeze);
    tell(&first, &mut second);
    first.wait(Duration::from_millis(10));
    first.command(&Command::Unfreeze);
    let mut together = orders(&first);
    first.wait(Duration::from_millis(10));
    first.command(&Command::Freeze);
    together.extend(orders(&first));
    let taken = take(&mut second, together);
    assert!(second.engine.frozen().is_some(), "{taken:?}");
    let carried_out: Vec<&What> = taken.carried_out.iter().map(|(order, _)| &order.what).collect();
    assert_eq!(carried_out, [&What::Freeze]);
}
