use super::*;
use crate::model::{HostName, Replica};
use crate::table::ChangeKind;
use proptest::prelude::*;
use std::time::Duration;

const WALL: u64 = 1_800_000_000_000;

fn me(instance: u128) -> Replica {
    Replica { identity: "10.0.3.1".into(), instance: Instance(instance) }
}

fn target(n: u32) -> Target {
    Target::Prefix(format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap())
}

fn decided(changes: usize) -> What {
    let change = |n: usize| SeenChange {
        kind: ChangeKind::Move,
        prefix: format!("fd00:ffff:ffff:{n:x}::/64").parse().unwrap(),
        from: Some("fd00:ffff:ffff:ffff:ffff:ffff:ffff:fffe".parse().unwrap()),
        to: Some("fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap()),
    };
    let (source, changes) = ("prod".into(), (0..changes).map(change).collect());
    let (cluster, revision) = (ClusterId(u64::MAX), Rev(u64::MAX));
    What::Decide(Arc::new(Decided { approved: true, source, cluster, revision, changes }))
}

fn order(at: u64, what: What) -> Order {
    let (number, giver) = (Number { at, by: Instance(1) }, Giver { replica: "10.0.3.1".into(), uid: Some(0) });
    Order { number, giver, what }
}

#[test]
fn an_order_is_read_as_it_was_written_and_fits() {
    let host = Target::Host(HostName::new("node/a-\u{e4}").unwrap());
    let whats = [
        What::Freeze,
        What::Unfreeze,
        What::Withdraw(target(7)),
        What::Restore(host),
        What::Drain("core-a.1_B".into()),
        What::Undrain("a".repeat(63).into()),
        decided(Decided::MOST),
        decided(0),
    ];
    for what in whats {
        let order = order(7, what);
        let (key, record) = (order.register().to_string(), order.encode());
        assert!(record.len() <= Order::LARGEST, "{}", record.len());
        assert_eq!(Order::decode(key.as_bytes(), &record), Ok(order));
        assert_eq!(Order::decode(b"elsewhere", &record), Err(Unreadable::Misplaced));
    }
}

#[test]
fn what_a_newer_version_may_have_ordered_is_not_guessed_p3() {
    let text = String::from_utf8(order(7, What::Withdraw(target(7))).encode().to_vec()).unwrap();
    let read = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        Order::decode_any(text.replacen(from, to, 1).as_bytes())
    };
    assert_eq!(read(r#""fingerpost_order":1"#, r#""fingerpost_order":2"#), Err(Unreadable::Unknown));
    assert_eq!(read(r#"{"withdrawn""#, r#"{"melted""#), Err(Unreadable::Unknown));
    assert_eq!(read(r#""by_order":true"#, r#""by_order":true,"half":1"#), Err(Unreadable::Malformed));
    assert_eq!(read(r#""by_order":true"#, r#""by_order":1"#), Err(Unreadable::Malformed));
    let drain = String::from_utf8(order(7, What::Drain("core".into())).encode().to_vec()).unwrap();
    for no_name in ["", "a b", "a/b", r"a\n", "\u{e4}", &"a".repeat(64)] {
        let text = drain.replacen("core", no_name, 1);
        assert_eq!(Order::decode_any(text.as_bytes()), Err(Unreadable::Malformed), "{text}");
    }
    assert_eq!(read(r#""at":7"#, r#""at":18446744073709551615"#), Err(Unreadable::Malformed));
    let mut large = text.clone().into_bytes();
    large.resize(Order::LARGEST + 1, b' ');
    assert_eq!(Order::decode_any(&large), Err(Unreadable::TooLarge(large.len())));
    for nonsense in ["", "hunter2", "{}", "[]"] {
        assert_eq!(Order::decode_any(nonsense.as_bytes()), Err(Unreadable::Malformed));
    }
    assert_eq!(Receipt::decode(b"{}"), None);
    let receipt = Receipt { orders: Book::default().digest() };
    assert_eq!(Receipt::decode(&receipt.encode()), Some(receipt));
}

#[test]
fn no_order_of_another_replica_forges_a_line_of_the_audit() {
    let What::Decide(seen) = decided(1) else { unreachable!() };
    let of = |source: &str| What::Decide(Arc::new(Decided { source: source.into(), ..(*seen).clone() }));
    let forged = of("prod\" uid=0 order=\"unfreeze\u{202e}");
    assert_eq!(
        forged.to_string(),
        r#"approve 1 held changes of source "prod\" uid=0 order=\"unfreeze\u{202e}""#,
        "its end is where the quote is"
    );
    assert_eq!(Order::decode_any(&order(7, forged.clone()).encode()), Ok(order(7, forged)));
    let lines = of("prod\n2026-11-26 INFO audit: done");
    assert_eq!(Order::decode_any(&order(7, lines.clone()).encode()), Err(Unreadable::Malformed));
    assert!(!lines.to_string().contains('\n'));
    let mut by_nobody = order(7, What::Freeze);
    by_nobody.giver.replica = "10.0.3.1\n".into();
    assert_eq!(Order::decode_any(&by_nobody.encode()), Err(Unreadable::Malformed));
}

#[test]
fn an_order_is_later_than_all_that_was_known_whatever_the_clock_says_p3() {
    let mut book = Book::default();
    assert_eq!(book.take(WALL, &order(WALL + 3_600_000, What::Freeze)), Ok(()));
    let number = book.give(WALL, &me(2), None, What::Unfreeze);
    assert_eq!(number.at, WALL + 3_600_001, "that one's clock is an hour ahead");
    assert_eq!(book.order(&Register::Freeze).map(|order| order.what.clone()), Some(What::Unfreeze));
    assert_eq!(book.take(WALL, &order(WALL, What::Freeze)), Err(Refused::Known));
}

/// Every later one would have to be later still.
#[test]
fn an_order_of_a_moment_that_cannot_be_is_refused_and_spoils_no_later_one_p3() {
    let latest = order(super::record::LATEST, What::Freeze);
    assert_eq!(Order::decode_any(&latest.encode()), Ok(latest.clone()));
    let mut book = Book::default();
    let day = 86_400_000;
    for order in [latest, order(WALL + 367 * day, What::Freeze)] {
        assert_eq!(book.take(WALL, &order), Err(Refused::Ahead));
        assert_eq!(book.take(0, &order), Err(Refused::Ahead), "also by a clock that was never set");
    }
    assert!(Refused::Ahead.to_string().contains("Set it"));
    assert_eq!(book.give(WALL, &me(1), None, What::Unfreeze).at, WALL);
    assert_eq!(book.take(WALL, &order(WALL + 364 * day, What::Freeze)), Ok(()));
    assert_eq!(Book::default().take(0, &order(1_780_000_000_000, decided(1))), Ok(()), "but nothing else is");
    // What such a clock has ordered can be read again, whatever it said.
    let number = book.give(u64::MAX, &me(1), None, What::Unfreeze);
    let given = book.order(&Register::Freeze).unwrap().clone();
    assert_eq!((number, Order::decode_any(&given.encode())), (given.number, Ok(given.clone())));
}

#[test]
fn a_book_stays_small_and_never_forgets_what_is_withdrawn() {
    let mut book = Book::default();
    for n in 0..1200 {
        book.give(WALL + u64::from(n), &me(1), None, What::Withdraw(target(n)));
        book.give(WALL + u64::from(n), &me(1), None, decided(1));
    }
    let count = |book: &Book, is_it: fn(&What) -> bool| book.entries().filter(|entry| is_it(&entry.order.what)).count();
    let counts = |book: &Book| {
        let decisions = count(book, |what| matches!(what, What::Decide(_)));
        let restored = count(book, |what| matches!(what, What::Restore(_)));
        (count(book, |what| matches!(what, What::Withdraw(_))), restored, decisions)
    };
    assert_eq!((counts(&book), book.displaced()), ((1200, 0, 1000), 200));
    for n in 0..4200 {
        book.give(WALL + 5000, &me(1), None, What::Restore(target(n)));
    }
    assert_eq!(counts(&book), (0, 4000, 1000));
    assert_eq!(book.take(WALL, &order(WALL + 5199, What::Withdraw(target(7)))), Err(Refused::Ended));
    // What is out of date goes once something that much later is known, and is then taken out of the store.
    let late = WALL + u64::try_from(LIFE.as_millis()).unwrap() + 3_600_000 * 2;
    let old = order(WALL, decided(1));
    assert!(!book.is_spent(&order(WALL + 10_000, decided(1))) && book.is_spent(&old));
    assert_eq!(book.take(late, &old), Err(Refused::Outlived));
    book.give(late, &me(1), None, What::Freeze);
    assert_eq!((counts(&book), book.displaced()), ((0, 4000, 0), 200), "a week old");
    for n in 0..4000 {
        assert_eq!(book.take(late, &order(late + u64::from(n), What::Withdraw(target(n)))), Ok(()));
    }
    assert_eq!(book.take(late, &order(late, What::Withdraw(target(4000)))), Err(Refused::Full));
    assert!(Duration::from_millis(book.latest()) > Duration::from_millis(late));
}

/// Of more than are remembered one by one only the latest moment is.
#[test]
fn the_end_of_a_withdrawal_is_never_too_late_where_that_is_known_p3() {
    let (withdraw, restore) = (order(WALL, What::Withdraw(target(7))), order(WALL + 1, What::Restore(target(7))));
    for knows in [true, false] {
        let mut book = Book::default();
        if knows {
            assert_eq!(book.take(WALL, &withdraw), Ok(()));
        }
        (100..4100).for_each(|n| assert_eq!(book.take(WALL, &order(WALL + 2, What::Restore(target(n)))), Ok(())));
        assert_eq!(book.take(WALL, &restore), Ok(()));
        assert_eq!(book.order(&withdraw.register()), None, "it is the oldest of too many");
        assert!(book.is_spent(&restore));
        assert_eq!(book.take(WALL, &withdraw), Err(Refused::Ended), "known: {knows}");
    }
}

#[test]
fn what_is_withdrawn_once_more_needs_no_room() {
    let mut book = Book::default();
    let withdraw = |at: u64, n: u32| order(at, What::Withdraw(target(n)));
    (0..4000).for_each(|n| assert_eq!(book.take(WALL, &withdraw(WALL, n)), Ok(())));
    assert_eq!(book.take(WALL, &withdraw(WALL + 1, 4000)), Err(Refused::Full));
    assert_eq!(book.take(WALL, &withdraw(WALL + 1, 7)), Ok(()));
}

fn any_order() -> impl Strategy<Value = Order> {
    (0..50u64, 0..3u128, 0..8u8).prop_map(|(at, by, what)| {
        let what = match what {
            0 => What::Freeze,
            1 => What::Unfreeze,
            2 | 3 => What::Withdraw(target(u32::from(what))),
            4 => What::Restore(target(2)),
            5 => What::Drain("core".into()),
            6 => What::Undrain("core".into()),
            _ => What::Restore(target(3)),
        };
        Order {
            number: Number { at: WALL + at * 3 + u64::from(what_place(&what)), by: Instance(by) },
            ..order(0, what)
        }
    })
}

/// No process gives two orders of one number.
fn what_place(what: &What) -> u8 {
    match what {
        What::Freeze | What::Withdraw(_) | What::Drain(_) => 0,
        What::Unfreeze | What::Restore(_) | What::Undrain(_) => 1,
        What::Decide(_) => 2,
    }
}

proptest! {
    #[test]
    fn in_whatever_sequence_orders_come_the_book_is_the_same_p3(
        (orders, mixed) in proptest::collection::vec(any_order(), 0..30)
            .prop_flat_map(|orders| (Just(orders.clone()), Just(orders).prop_shuffle())),
    ) {
        let book = |orders: &[Order]| {
            let mut book = Book::default();
            for order in orders {
                let _ = book.take(WALL, order);
            }
            book
        };
        let (one, other) = (book(&orders), book(&mixed));
        prop_assert_eq!(one.digest(), other.digest());
        prop_assert!(one.entries().eq(other.entries()));
    }

    #[test]
    fn no_octets_are_too_much_for_it(mut octets in proptest::collection::vec(any::<u8>(), 0..64), at in 0..300usize) {
        let _ = Order::decode_any(&octets);
        let _ = Receipt::decode(&octets);
        let mut written = order(7, decided(2)).encode().to_vec();
        let at = at.min(written.len());
        written.splice(at..at, octets.drain(..));
        let _ = Order::decode_any(&written);
    }
}

/// Whoever can write into the store could fill every replica's memory.
#[test]
fn orders_about_more_gateways_than_there_ever_are_are_refused() {
    let mut book = Book::default();
    for n in 0..4000 {
        assert_eq!(book.take(WALL, &order(WALL, What::Drain(format!("gw-{n}").into()))), Ok(()));
    }
    let first = What::Undrain("gw-0".into());
    assert_eq!(book.take(WALL, &order(WALL + 1, first)), Ok(()), "one that is known can be ended");
    assert_eq!(book.take(WALL, &order(WALL, What::Drain("core".into()))), Err(Refused::Crowded));
    assert_eq!(book.take(WALL, &order(WALL, What::Freeze)), Ok(()));
}
