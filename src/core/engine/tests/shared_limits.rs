//! What is left of orders that all replicas have in common as they grow old or many, and where clocks differ (P3).

use super::super::shared::Meant;
use super::super::{Command, Holds};
use super::guarded::{CLUSTER, World, prefix};
use super::shared::{WALL, meet, orders, restart, share, take, take_at, tell, two};
use crate::model::Instance;
use crate::orders::{Decided, Exchange, Giver, Number, Order, Question, What};
use crate::source::{ClusterId, Rev};
use crate::table::{ChangeKind, SeenChange, Target};
use crate::testing::shelf::Shelf;
use std::sync::Arc;

/// How many orders are written into the store or taken out of it, while both exchange theirs five times.
fn exchange(peers: &mut [(World, Exchange); 2], store: &mut Shelf, walls: [u64; 2]) -> usize {
    let mut changes = 0;
    for _ in 0..5 {
        for ((world, exchange), wall) in peers.iter_mut().zip(walls) {
            let asked = meet(world, exchange, store, wall);
            let is_change = |asked: &&Question| matches!(asked, Question::Write(..) | Question::Remove(..));
            changes += asked.iter().filter(is_change).count();
        }
    }
    changes
}

/// Or two replicas would put a decision into the store and take it out for ever.
#[test]
fn replicas_whose_clocks_differ_by_hours_come_to_rest_with_the_same_orders_p3() {
    let (first, second) = two(20);
    let mut peers = [(first, Exchange::default()), (second, Exchange::default())];
    peers[0].0.list(0..5);
    peers[0].0.command(&Command::Approve(Holds::All));
    let (hour, week) = (3_600_000, 7 * 86_400_000);
    let mut store = Shelf::default();
    for (clock, wanted) in [(WALL, 1), (WALL + week - hour, 0), (WALL + week + hour * 9, 0), (WALL + week * 9, 0)] {
        let changes = exchange(&mut peers, &mut store, [clock, clock + hour * 5]);
        let digests = peers.each_ref().map(|(world, _)| world.engine.book().unwrap().digest());
        assert_eq!((changes, digests[0]), (wanted, digests[1]), "at {}", clock - WALL);
    }
    let second = &mut peers[1].0;
    assert_eq!(second.engine.book().unwrap().open(), 0, "nobody waits for what is a week old");
    second.list(0..5);
    assert_eq!(second.held(), 15);
    // With the next order it goes, everywhere at once.
    peers[0].0.command(&Command::Freeze);
    let changes = exchange(&mut peers, &mut store, [WALL + week * 9, WALL + week * 9 + hour * 5]);
    assert!(store.orders.keys().eq([b"freeze"]), "{:?}", store.orders);
    assert_eq!(changes, 2, "written, and the spent one taken out");
}

/// What it has read before says nothing of when it will read that: two readings of a file have no number in common.
#[test]
fn a_decision_about_a_file_is_good_for_ten_minutes_from_when_it_was_ordered_p3() {
    let of_a_file = |number| {
        let mut world = World::new(None);
        world.cluster = ClusterId(0);
        share(&mut world, number);
        world.list(0..20);
        world
    };
    let (mut first, mut second) = (of_a_file(1), of_a_file(2));
    first.list(0..5);
    first.command(&Command::Approve(Holds::All));
    let ordered = orders(&first);
    let minutes = |minutes: u64| WALL + minutes * 60_000;
    // Without a disk it hears of it like of a new one.
    let mut late = of_a_file(3);
    assert_eq!(take_at(&mut late, minutes(11), ordered.clone()).carried_out, []);
    late.list(0..5);
    assert_eq!((late.routes(), late.held()), (20, 15), "it may be of last week");
    take_at(&mut second, minutes(9), ordered);
    assert_eq!(second.engine.book().unwrap().open(), 1);
    let mut next = restart(&second, 2);
    next.cluster = ClusterId(0);
    second.list(0..5);
    assert_eq!((second.routes(), second.held()), (5, 0));
    take_at(&mut next, minutes(11), Vec::new());
    next.list(0..5);
    assert_eq!((next.routes(), next.held()), (20, 15), "a restart begins no other ten minutes");
}

#[test]
fn a_withdrawal_that_was_taken_back_does_not_come_back_with_who_was_away_p3() {
    let (mut first, mut second) = two(20);
    let target = Target::Prefix(prefix(7));
    second.command(&Command::Withdraw(target.clone()));
    tell(&second, &mut first);
    first.command(&Command::Restore(target.clone()));
    // More than are remembered one by one.
    let restored = |n: u64| {
        let target = Target::Prefix(format!("10.{}.{}.0/24", n / 250, n % 250).parse().unwrap());
        let giver = Giver { replica: "10.0.3.9".into(), uid: None };
        Order { number: Number { at: WALL + 10 + n, by: Instance(9) }, giver, what: What::Restore(target) }
    };
    take(&mut first, (0..4000).map(restored).collect());
    let register = What::Restore(target.clone()).register().unwrap();
    assert_eq!((first.routes(), first.engine.book().unwrap().order(&register)), (20, None));
    let mut next = restart(&first, 1);
    next.list(0..20);
    assert_eq!(second.routes(), 19, "it was away");
    for world in [&mut first, &mut next] {
        let taken = tell(&second, world);
        assert_eq!((taken.carried_out.len(), taken.ended.len(), world.routes()), (0, 1, 20));
        assert_eq!(tell(&second, world).ended, [], "said once");
    }
    tell(&next, &mut second);
    assert_eq!(second.routes(), 20, "it is told");
    assert_eq!(second.engine.book().unwrap().digest(), next.engine.book().unwrap().digest());
    // What is withdrawn from now on is.
    second.command(&Command::Withdraw(target));
    tell(&second, &mut next);
    assert_eq!((second.routes(), next.routes()), (19, 19));
}

/// A person who approves one prefix after the other, and one who approves more than is ever handed on.
#[test]
fn of_decisions_that_are_not_handed_on_a_replica_knows_p3() {
    let (mut first, _) = two(20);
    first.list(0..5);
    let decided = || {
        let change = SeenChange { kind: ChangeKind::Withdrawal, prefix: prefix(7), from: None, to: None };
        let (source, changes) = ("prod".into(), vec![change; 3]);
        let decided = Decided { approved: true, source, cluster: CLUSTER, revision: Rev(1), changes };
        What::Decide(Arc::new(decided))
    };
    let others = |n: u64| {
        let giver = Giver { replica: "10.0.3.9".into(), uid: None };
        Order { number: Number { at: WALL + n, by: Instance(9) }, giver, what: decided() }
    };
    take(&mut first, (0..999).map(others).collect());
    for displaced in [0, 1, 2] {
        first.command(&Command::Approve(Holds::Prefix(prefix(7 + displaced))));
        let unheard = first.engine.unheard();
        assert_eq!((unheard.changes, unheard.displaced), (0, u64::from(displaced)));
    }
    assert_eq!(orders(&first).len(), 1000);
    let meant = Meant { what: (0..1002).map(|_| decided()).collect(), untold: 5 };
    first.engine.tell_all(first.now, None, meant);
    assert_eq!(first.engine.unheard().changes, 3 * 2 + 5, "the first two of them, and what could not be told");
}
