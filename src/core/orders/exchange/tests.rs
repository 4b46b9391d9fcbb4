use super::*;
use crate::model::{Instance, Replica};
use crate::orders::{Book, Decided, Giver, SeenChange};
use crate::table::{ChangeKind, Target};
use crate::testing::shelf::Shelf;

const WALL: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;

fn target(n: u32) -> Target {
    Target::Prefix(format!("10.{}.{}.0/24", n / 256, n % 256).parse().unwrap())
}

fn order(at: u64, what: What) -> Order {
    let giver = Giver { replica: "10.0.3.9".into(), uid: None };
    Order { number: Number { at, by: Instance(9) }, giver, what }
}

fn decision() -> What {
    let kind = ChangeKind::Withdrawal;
    let change = SeenChange { kind, prefix: "10.244.200.0/24".parse().unwrap(), from: None, to: None };
    let (source, cluster, revision) = ("prod".into(), ClusterId(7), Rev(1));
    What::Decide(Arc::new(Decided { approved: true, source, cluster, revision, changes: vec![change] }))
}

fn key(what: &What) -> Vec<u8> {
    name(&order(WALL, what.clone()).register())
}

/// Another replica has written this.
fn put(store: &mut Shelf, order: &Order) -> Rev {
    store.put(&name(&order.register()), order.encode())
}

fn stands(store: &Shelf, order: &Order) -> bool {
    store.orders.get(&name(&order.register())).is_some_and(|(_, value)| *value == order.encode())
}

/// A replica's book, its side of the exchange, and what that has asked and handed out last.
struct Peer {
    me: Replica,
    book: Book,
    exchange: Exchange,
    now: Time,
    asked: Vec<Question>,
    offered: Vec<Order>,
}

impl Peer {
    fn new(n: u8) -> Self {
        let me = Replica { identity: format!("10.0.3.{n}").into(), instance: Instance(n.into()) };
        let (book, exchange, now) = (Book::default(), Exchange::default(), Time::ZERO);
        Peer { me, book, exchange, now, asked: Vec::new(), offered: Vec::new() }
    }

    /// A person orders this here.
    fn give(&mut self, what: What) -> Order {
        let register = what.register();
        let number = self.book.give(WALL, &self.me, None, what);
        self.book.order(&register.unwrap_or(Register::Decided(number))).unwrap().clone()
    }

    fn meet(&mut self, store: &mut Shelf) -> End {
        self.meet_while(store, |_, _| {})
    }

    /// The same, and before each question something happens.
    fn meet_while(&mut self, store: &mut Shelf, mut happens: impl FnMut(&mut Shelf, &Question)) -> End {
        (self.asked, self.offered) = (Vec::new(), Vec::new());
        let mut step = self.exchange.begin(self.now);
        loop {
            step = match step {
                Step::Ask(question) => {
                    self.asked.push(question.clone());
                    happens(store, &question);
                    let present = [Arc::from("10.0.3.1"), Arc::from("10.0.3.2")];
                    self.exchange.answered(store.serve(&self.me.identity, &present, question))
                }
                Step::Take(orders) => {
                    self.offered.extend(orders.iter().cloned());
                    let refused = self.take(orders);
                    self.exchange.taken(refused)
                }
                Step::Compare(comparison) => self.exchange.compared(comparison.with(&self.book)),
                Step::Over(end) => return end,
            };
        }
    }

    fn take(&mut self, mut orders: Vec<Order>) -> Vec<(Register, Refused)> {
        orders.sort_by_key(|order| order.number);
        let take = |order: &Order| match self.book.take(WALL, order) {
            Err(why @ (Refused::Ahead | Refused::Full)) => Some((order.register(), why)),
            Ok(()) | Err(_) => None,
        };
        orders.iter().filter_map(take).collect()
    }

    fn asked(&self, is_it: fn(&Question) -> bool) -> usize {
        self.asked.iter().filter(|question| is_it(question)).count()
    }

    fn lists(&self) -> usize {
        self.asked(|question| matches!(question, Question::List))
    }

    fn removals(&self) -> usize {
        self.asked(|question| matches!(question, Question::Remove(..)))
    }

    fn knows(&self, order: &Order) -> bool {
        self.book.order(&order.register()) == Some(order)
    }
}

#[test]
fn what_either_has_both_have_and_then_nothing_but_the_list_is_asked_for_p3() {
    let (mut store, mut first, mut second) = (Shelf::default(), Peer::new(1), Peer::new(2));
    let orders = [first.give(What::Freeze), first.give(decision()), second.give(What::Withdraw(target(7)))];
    for peer in [&mut first, &mut second] {
        assert_eq!(peer.meet(&mut store), End::Equal);
    }
    assert_eq!(first.meet(&mut store), End::Equal);
    for peer in [&first, &second] {
        assert!(orders.iter().all(|order| peer.knows(order) && stands(&store, order)));
    }
    let digest = first.book.digest();
    for (peer, other) in [(&mut first, "10.0.3.2"), (&mut second, "10.0.3.1")] {
        assert_eq!(peer.meet(&mut store), End::Equal);
        assert_eq!(peer.asked, [Question::List]);
        assert_eq!(peer.exchange.takers().present, BTreeMap::from([(other.into(), Some(digest))]), "they have said so");
    }
    // A wiped store gets all of it back.
    store.orders.clear();
    assert_eq!(second.meet(&mut store), End::Equal);
    assert!(orders.iter().all(|order| stands(&store, order)));
}

#[test]
fn what_somebody_writes_in_between_is_taken_first_and_that_goes_on_for_so_long() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    let own = peer.give(What::Withdraw(target(7)));
    let earlier = |n: u64| order(WALL - 100 + n, What::Withdraw(target(7)));
    let mut writes = 0;
    let end = peer.meet_while(&mut store, |store, question| {
        if matches!(question, Question::Write(..)) && writes < 2 {
            writes += 1;
            put(store, &earlier(writes));
        }
    });
    assert_eq!((end, peer.lists()), (End::Equal, 3));
    assert!(stands(&store, &own));
    store.orders.clear();
    let end = peer.meet_while(&mut store, |store, question| {
        if matches!(question, Question::Write(..)) {
            writes += 1;
            put(store, &earlier(writes));
        }
    });
    assert_eq!((end, peer.lists()), (End::Overtaken, 1 + AGAIN));
    assert_eq!(peer.meet(&mut store), End::Equal, "the next one begins anew");
    assert!(stands(&store, &own));
    // What is given meanwhile is later, and stays.
    store.orders.clear();
    let later = order(WALL + 100, What::Restore(target(7)));
    peer.meet_while(&mut store, |store, question| {
        if matches!(question, Question::Write(..)) {
            put(store, &later);
        }
    });
    assert!(stands(&store, &later) && peer.knows(&later));
}

#[test]
fn while_there_is_more_to_read_a_freeze_passes_and_nothing_else_p3() {
    let withdrawals: Vec<Order> = (0..1700).map(|n| order(WALL + u64::from(n), What::Withdraw(target(n)))).collect();
    let mut store = Shelf::default();
    withdrawals.iter().for_each(|order| _ = put(&mut store, order));
    let mut first = Peer::new(1);
    let (freeze, restore) = (first.give(What::Freeze), first.give(What::Restore(target(2000))));
    assert_eq!(first.meet(&mut store), End::Unread);
    assert_eq!((first.lists(), &first.offered[..]), (1 + AGAIN, &[][..]));
    assert!(stands(&store, &freeze) && !stands(&store, &restore));
    let mut second = Peer::new(2);
    assert_eq!(second.meet(&mut store), End::Unread);
    assert_eq!(second.offered, [freeze], "it waits behind nothing");
    for peer in [&mut first, &mut second] {
        assert_eq!(peer.meet(&mut store), End::Equal, "what was read need not be read again");
        assert!(withdrawals.iter().all(|order| peer.knows(order)));
    }
    assert!(stands(&store, &restore));
}

#[test]
fn a_list_that_is_cut_off_says_nothing_of_what_it_lacks_but_for_a_freeze_p3() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    (0..5).for_each(|n| _ = put(&mut store, &order(WALL + n, What::Withdraw(target(n as u32)))));
    let freeze = peer.give(What::Freeze);
    assert_eq!(peer.meet(&mut store), End::Equal);
    store.most = Some(3);
    let withdrawal = peer.give(What::Withdraw(target(100)));
    let why = End::Beyond("more than 3 records".into());
    assert_eq!((peer.meet(&mut store), peer.lists()), (why.clone(), 1), "it would not come to more");
    assert!(!stands(&store, &withdrawal));
    assert_eq!(peer.exchange.orders().count(), 6, "they may be there");
    store.orders.remove(&key(&What::Freeze));
    assert_eq!(peer.meet(&mut store), why);
    assert!(stands(&store, &freeze), "that it is not there is known");
    store.most = None;
    assert_eq!(peer.meet(&mut store), End::Equal);
    assert!(stands(&store, &withdrawal));
}

/// A replica that knows of as many withdrawals as there can be.
fn full() -> Peer {
    let mut peer = Peer::new(1);
    (0..4000).for_each(|n| assert_eq!(peer.book.take(WALL, &order(WALL, What::Withdraw(target(n)))), Ok(())));
    peer
}

#[test]
fn what_is_refused_for_want_of_room_is_offered_again_p3() {
    let (mut store, mut peer) = (Shelf::default(), full());
    let refused = order(WALL - 1, What::Withdraw(target(9000)));
    put(&mut store, &refused);
    for _ in 0..2 {
        assert_eq!(peer.meet(&mut store), End::Equal);
        assert_eq!(peer.offered, std::slice::from_ref(&refused));
        assert!(peer.exchange.refused().eq([(&refused.register(), Refused::Full)]) && !peer.knows(&refused));
    }
    // What is not read may have taken it back.
    peer.give(What::Restore(target(7)));
    store.most = Some(3);
    peer.meet(&mut store);
    assert_eq!((&peer.offered[..], peer.exchange.refused().count()), (&[][..], 1));
    store.most = None;
    assert_eq!(peer.meet(&mut store), End::Equal);
    assert!(peer.knows(&refused) && peer.exchange.refused().next().is_none());
}

/// Where an end of a withdrawal as old as that would be of no consequence any more.
#[test]
fn a_withdrawal_that_waits_for_room_is_not_taken_out_of_the_store_p3() {
    let (mut store, mut peer) = (Shelf::default(), full());
    let refused = order(WALL - 1, What::Withdraw(target(9000)));
    put(&mut store, &refused);
    let restore = |n: u32| order(WALL + u64::from(n), What::Restore(target(n)));
    (4000..8000).for_each(|n| assert_eq!(peer.book.take(WALL, &restore(n)), Ok(())));
    assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 0));
    assert!(stands(&store, &refused) && peer.exchange.refused().eq([(&refused.register(), Refused::Full)]));
}

#[test]
fn what_is_no_order_is_said_and_what_a_newer_version_may_have_ordered_is_left_p3() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    let newer = Bytes::from(r#"{"fingerpost_order":2}"#);
    let own = [What::Freeze, What::Withdraw(target(7))].map(|what| peer.give(what));
    store.put(&key(&own[0].what), newer.clone());
    store.put(&key(&own[1].what), "hunter2".into());
    store.put(b"elsewhere", own[0].encode());
    assert_eq!(peer.meet(&mut store), End::Equal);
    assert_eq!(store.orders[&key(&own[0].what)].1, newer);
    assert!(stands(&store, &own[1]));
    let unreadable: Vec<_> = peer.exchange.unreadable().collect();
    assert_eq!(unreadable, [(&b"elsewhere"[..], Unreadable::Misplaced), (&b"freeze"[..], Unreadable::Unknown)]);
    assert_eq!((peer.meet(&mut store), &peer.asked[..]), (End::Equal, &[Question::List][..]));
}

#[test]
fn what_is_spent_is_taken_out_once_and_whoever_writes_it_back_has_the_last_word() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    peer.give(What::Freeze);
    let spent = order(WALL - 8 * DAY, decision());
    put(&mut store, &spent);
    assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 1));
    assert!(!stands(&store, &spent) && peer.exchange.returned().next().is_none());
    put(&mut store, &spent);
    for _ in 0..3 {
        peer.now = peer.now + REMEMBERED - Duration::from_secs(1);
        assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 0));
        assert!(stands(&store, &spent) && peer.exchange.returned().eq([&spent.register()]));
    }
    // Nobody knows it any more for long enough.
    store.orders.remove(&name(&spent.register()));
    peer.meet(&mut store);
    peer.now = peer.now + REMEMBERED;
    put(&mut store, &spent);
    assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 1));
}

#[test]
fn somebody_who_writes_what_is_to_be_taken_out_keeps_it() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    peer.give(What::Freeze);
    let spent = order(WALL - 8 * DAY, decision());
    put(&mut store, &spent);
    let end = peer.meet_while(&mut store, |store, question| {
        if matches!(question, Question::Remove(..)) {
            put(store, &spent);
        }
    });
    assert_eq!((end, peer.removals()), (End::Equal, 1));
    assert!(stands(&store, &spent) && peer.exchange.returned().next().is_none(), "it is not gone");
    assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 1));
    assert!(!stands(&store, &spent));
}

/// The same number is given to another record there.
#[test]
fn a_record_of_a_store_that_was_put_back_is_not_taken_for_the_known_one_p3() {
    for another in [false, true] {
        let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
        let (before, after) = (order(WALL, What::Withdraw(target(7))), order(WALL + 1, What::Restore(target(7))));
        let spent = order(WALL - 8 * DAY, decision());
        put(&mut store, &spent);
        let backup = store.clone();
        let revision = put(&mut store, &before);
        for _ in 0..3 {
            assert_eq!(peer.meet(&mut store), End::Equal);
        }
        assert!(peer.knows(&before) && !stands(&store, &spent));
        store = backup;
        assert_eq!(put(&mut store, &after), revision);
        if another {
            store.cluster = ClusterId(7);
            // By then it counts further than the one before did.
            (0..9).for_each(|n| _ = put(&mut store, &order(WALL + n, What::Withdraw(target(100)))));
        }
        assert_eq!((peer.meet(&mut store), peer.removals()), (End::Equal, 1), "nobody has meant that it is back");
        assert!(peer.knows(&after) && stands(&store, &after), "of another store: {another}");
    }
}

#[test]
fn what_was_read_before_the_store_fell_silent_is_not_lost() {
    let (mut store, mut peer) = (Shelf::default(), Peer::new(1));
    let orders: Vec<Order> = (0..9).map(|n| order(WALL + n, What::Withdraw(target(n as u32)))).collect();
    orders.iter().for_each(|order| _ = put(&mut store, order));
    let Step::Ask(list) = peer.exchange.begin(Time::ZERO) else { unreachable!() };
    let Step::Ask(read) = peer.exchange.answered(store.serve(&peer.me.identity, [], list)) else { unreachable!() };
    assert!(matches!(&read, Question::Read(names) if names.len() == AT_ONCE), "{read:?}");
    let next = peer.exchange.answered(store.serve(&peer.me.identity, [], read));
    assert!(matches!(next, Step::Ask(Question::Read(ref names)) if names.len() == 1), "{next:?}");
    assert_eq!(peer.meet(&mut store), End::Equal);
    assert_eq!(peer.asked(|question| matches!(question, Question::Read(_))), 1, "one was left");
    assert!(orders.iter().all(|order| peer.knows(order)));
}
