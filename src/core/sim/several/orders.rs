//! A person's orders on their way from replica to replica through the coordination store, as the daemon hands them on: what is
//! asked of the store is lost, late and cut as what the election asks is.

use super::super::script::covers;
use super::super::settings::all_prefixes;
use super::super::world::World;
use super::cluster::{Cluster, Event};
use super::seat::{Seat, identity};
use crate::engine::{Command, TakenOrders};
use crate::model::{Leadership, Prefix, Term, Time};
use crate::orders::{Answer, Book, End, Entry, Exchange, Order, Question, Step, What};
use crate::table::{ChangeKind, Target};
use crate::testing::store::name;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often a replica exchanges orders with the store; and, while somebody waits for the others, for so long how often.
const EVERY: Duration = Duration::from_secs(1);
const WAITING: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_millis(100);
/// So long a replica that knows who leads again may wait for what people have ordered meanwhile.
const ORDERED: Duration = Duration::from_secs(5);
/// How long the store's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A replica's task that exchanges orders, and whether it waits for them.
#[derive(Default)]
pub(super) struct Clerk {
    exchange: Exchange,
    is_busy: bool,
    /// Which question was asked last; what comes for an earlier one comes too late.
    attempt: u64,
    /// How often somebody has wanted an exchange at once, how often by the one that began last, and when that was new.
    asked: u64,
    began: u64,
    since: Time,
    /// How often it was begun: an alarm for an earlier one is none.
    turn: u64,
    /// What the election has said last, and whether that was sure.
    standing: Option<Leadership>,
    was_sure: bool,
    /// It takes no role before an exchange that began after so many had asked.
    waits: Option<u64>,
}

/// What comes to a clerk, or to the store from it.
pub(super) enum Post {
    /// It is time for this exchange.
    Begin(u64),
    /// A question arrives at the store.
    Asked(u64, Question),
    /// The store's answer.
    Answered(u64, Answer),
    /// The store has not answered.
    GivenUp(u64),
    /// It has waited long enough for an exchange after so many had asked.
    Waited(u64),
}

/// The term in which it leads, as its election has said last.
fn leads_in(clerk: &Clerk) -> Option<Term> {
    match clerk.standing {
        Some(Leadership::Leading { term, .. }) => Some(term),
        _ => None,
    }
}

impl Cluster {
    /// A person orders this at one replica. What is withdrawn or restored may be forwarded otherwise.
    pub(super) fn order(&mut self, r: usize, command: &Command) {
        self.say(|| format!("at replica {r}:"));
        if let Command::Withdraw(target) | Command::Restore(target) = command {
            self.unsettle(target);
        }
        self.worlds[r].order(command);
        self.exchange_soon(r);
    }

    /// What stands in the store is what stood there once.
    pub(super) fn lose_orders(&mut self) {
        self.say(|| "the store's orders are what they were once".into());
        self.shelf = self.older_shelf.clone();
    }

    /// Among them stands so much else that no list has all of it; or no longer.
    pub(super) fn crowd_orders(&mut self) {
        self.shelf.most = if self.shelf.most.is_none() { Some(1) } else { None };
        let is_cut = self.shelf.most.is_some();
        self.say(|| format!("the list of orders is cut off: {is_cut}"));
    }

    fn unsettle(&mut self, target: &Target) {
        let hosts = (0..self.worlds[0].shape.hosts).map(name);
        let of_target = |prefix: &Prefix| hosts.clone().any(|host| covers(target, *prefix, &host));
        self.voice.unsettle(&all_prefixes().filter(of_target).collect());
    }

    /// Somebody waits for what an exchange that begins from now on shows: after so many have asked.
    pub(super) fn exchange_soon(&mut self, r: usize) -> u64 {
        let clerk = &mut self.seats[r].clerk;
        clerk.asked += 1;
        let asked = clerk.asked;
        if !clerk.is_busy {
            self.begin(r);
        }
        asked
    }

    fn begin(&mut self, r: usize) {
        let now = self.now;
        let clerk = &mut self.seats[r].clerk;
        if std::mem::replace(&mut clerk.began, clerk.asked) != clerk.asked {
            clerk.since = now;
        }
        (clerk.is_busy, clerk.turn) = (true, clerk.turn + 1);
        let step = clerk.exchange.begin(now);
        self.follow(r, step);
    }

    fn follow(&mut self, r: usize, mut step: Step) {
        loop {
            step = match step {
                Step::Ask(question) => return self.ask(r, &question),
                Step::Take(orders) => {
                    let Some(TakenOrders { carried_out, refused, .. }) = self.worlds[r].take_orders(orders) else {
                        return;
                    };
                    for (order, _) in carried_out {
                        if let What::Withdraw(target) | What::Restore(target) = &order.what {
                            self.unsettle(target);
                        }
                    }
                    self.seats[r].clerk.exchange.taken(refused)
                }
                Step::Compare(comparison) => {
                    let Some(book) = self.worlds[r].book() else { return };
                    self.seats[r].clerk.exchange.compared(comparison.with(book))
                }
                Step::Over(end) => return self.exchanged(r, end == End::Equal),
            };
        }
    }

    fn ask(&mut self, r: usize, question: &Question) {
        let seat = &mut self.seats[r];
        seat.clerk.attempt += 1;
        let (life, attempt) = (seat.life, seat.clerk.attempt);
        self.send(r, |life| Event::Orders(r, life, Post::Asked(attempt, question.clone())));
        self.agenda.put(self.now + PATIENCE, Event::Orders(r, life, Post::GivenUp(attempt)));
    }

    /// Something comes for the replica's clerk, or from it to the store.
    pub(super) fn post(&mut self, r: usize, life: u64, post: Post) {
        let clerk = &mut self.seats[r].clerk;
        match post {
            Post::Begin(turn) if clerk.turn == turn && !clerk.is_busy => self.begin(r),
            Post::Asked(attempt, question) => self.serve(r, life, attempt, question),
            Post::Answered(attempt, answer) if clerk.attempt == attempt && clerk.is_busy => {
                // Nothing that comes for this question any more is for the next one.
                clerk.attempt += 1;
                let step = clerk.exchange.answered(answer);
                self.follow(r, step);
            }
            Post::GivenUp(attempt) if clerk.attempt == attempt && clerk.is_busy => self.exchanged(r, false),
            Post::Waited(asked) if clerk.waits == Some(asked) => self.take_role(r),
            Post::Begin(_) | Post::Answered(..) | Post::GivenUp(_) | Post::Waited(_) => {}
        }
    }

    fn serve(&mut self, r: usize, life: u64, attempt: u64, question: Question) {
        if self.seats[r].is_cut || self.quorum_lost {
            return;
        }
        let answer = self.shelf.serve(&identity(r), self.coordination.presences.keys(), question);
        if let Some(delay) = self.delay(r).filter(|_| !self.is_lost(r)) {
            self.agenda.put(self.now + delay, Event::Orders(r, life, Post::Answered(attempt, answer)));
        }
    }

    /// An exchange is over; `written`: the store and the book are the same.
    fn exchanged(&mut self, r: usize, written: bool) {
        let Some(own) = self.worlds[r].book().map(Book::digest) else { return };
        let now = self.now;
        let clerk = &mut self.seats[r].clerk;
        clerk.is_busy = false;
        let is_done = written && clerk.exchange.takers().present.values().all(|other| *other == Some(own));
        let is_awaited = !is_done && now.since(clerk.since) < WAITING;
        if written && clerk.waits.is_some_and(|asked| clerk.began >= asked) {
            self.take_role(r);
        }
        let seat = &self.seats[r];
        if seat.clerk.began != seat.clerk.asked {
            return self.begin(r);
        }
        let pause = if is_awaited { SOON } else { EVERY };
        self.agenda.put(now + pause, Event::Orders(r, seat.life, Post::Begin(seat.clerk.turn)));
    }

    /// The election says something. Who knows who leads again takes no role before it has read what was ordered meanwhile, unless
    /// that takes too long.
    pub(super) fn hear_election(&mut self, r: usize, said: Option<Leadership>) {
        let is_sure = said.as_ref().is_some_and(|said| !said.is_frozen());
        let clerk = &mut self.seats[r].clerk;
        clerk.standing = said;
        if clerk.waits.is_some() {
            return;
        }
        if std::mem::replace(&mut clerk.was_sure, is_sure) || !is_sure {
            return self.take_role(r);
        }
        let asked = self.exchange_soon(r);
        let seat = &mut self.seats[r];
        seat.clerk.waits = Some(asked);
        self.agenda.put(self.now + ORDERED, Event::Orders(r, seat.life, Post::Waited(asked)));
    }

    fn take_role(&mut self, r: usize) {
        let Seat { clerk, leaves, given_way, .. } = &mut self.seats[r];
        clerk.waits = None;
        clerk.was_sure = clerk.standing.as_ref().is_some_and(|said| !said.is_frozen());
        // The election says a little later that it has given way, and perhaps after another has begun to lead.
        given_way.take_if(|given_way| leads_in(clerk) != Some(*given_way));
        if !*leaves {
            let standing = clerk.standing.clone().filter(|_| given_way.is_none());
            let before = self.worlds[r].role();
            self.worlds[r].follow_election(standing);
            if self.worlds[r].role() != before {
                self.look_at_status(r);
            }
        }
    }

    /// It is about to give the lead back: it says nothing more as the leader.
    pub(super) fn silence_leader(&mut self, r: usize) {
        let Seat { clerk, given_way, .. } = &mut self.seats[r];
        *given_way = leads_in(clerk);
        if given_way.is_some() {
            self.take_role(r);
        }
    }

    /// What is different between the orders of the replicas that run and of the store.
    pub(super) fn unrest_of_orders(&self) -> String {
        let running = self.running();
        if let Some(r) = running.iter().find(|r| self.worlds[**r].judge.frozen.is_some()) {
            return format!("replica {r} is frozen");
        }
        let books = running.iter().filter_map(|r| Some((*r, self.worlds[*r].book()?)));
        let stands = |order: &Order| {
            let there = self.shelf.orders.get(order.register().to_string().as_bytes());
            there.is_some_and(|(_, there)| *there == order.encode())
        };
        for (r, book) in books {
            if !book.entries().all(|entry| stands(&entry.order)) || book.entries().count() != self.shelf.orders.len() {
                return format!("replica {r} has other orders than the store");
            }
        }
        String::new()
    }
}

impl World {
    /// At rest it does what stands in its book.
    pub(super) fn check_orders(&self) {
        let (Some(book), Some(process)) = (self.book(), &self.process) else { return };
        let stands = |what: &What| book.order(&what.register()?).map(|order| order.what == *what);
        let is_frozen = process.engine.frozen().is_some();
        assert_eq!(is_frozen, stands(&What::Freeze) == Some(true), "P3: it is frozen, or is ordered to be");
        let ordered = |entry: &Entry| match &entry.order.what {
            What::Drain(gateway) => Some(Arc::clone(gateway)),
            _ => None,
        };
        let drained: BTreeSet<_> = process.engine.drained().cloned().collect();
        assert_eq!(drained, book.entries().filter_map(ordered).collect(), "P10: what is drained, and ordered to be");
        // What gateways were told was held against these.
        assert_eq!(drained, self.drained, "P10: what is drained, and was ordered to be");
    }

    fn book(&self) -> Option<&Book> {
        self.process.as_ref().and_then(|process| process.engine.book())
    }

    /// What was ordered at other replicas; what it gives a reason for is excused.
    fn take_orders(&mut self, orders: Vec<Order>) -> Option<TakenOrders> {
        let wall = self.part.as_ref()?.wall(self.now);
        let process = self.process.as_mut()?;
        let holds_reload = !process.engine.reload_holds().is_empty();
        let taken = process.engine.take_orders(self.now, wall, orders, &mut process.effects);
        if taken.carried_out.is_empty() {
            self.carry_out();
            return Some(taken);
        }
        if self.disk_works {
            self.orders = process.engine.orders(self.now);
        }
        for (order, _) in &taken.carried_out {
            self.say(|| format!("as ordered at another replica: {}", order.what));
            self.allow(&order.what, holds_reload);
        }
        self.keep_denied();
        self.carry_out();
        Some(taken)
    }

    /// See [`World::order`].
    fn allow(&mut self, what: &What, holds_reload: bool) {
        match what {
            What::Freeze => _ = self.judge.frozen.get_or_insert(self.now),
            What::Unfreeze => {
                self.judge.frozen = None;
                if holds_reload {
                    self.judge.excuse_all(self.now);
                }
            }
            What::Withdraw(target) => {
                self.forced.insert(target.clone());
                self.excuse(target);
            }
            What::Restore(target) => {
                self.forced.remove(target);
                self.excuse(target);
            }
            What::Drain(gateway) => _ = self.drained.insert(Arc::clone(gateway)),
            What::Undrain(gateway) => _ = self.drained.remove(gateway),
            What::Decide(decided) => {
                let is_let_out = |kind| decided.approved || kind == ChangeKind::Addition;
                let changes = decided.changes.iter().filter(|change| is_let_out(change.kind));
                self.judge.excuse(self.now, changes.map(|change| change.prefix));
            }
        }
    }

    /// What a person has let pass may still come.
    pub(super) fn excuse_awaited(&mut self) {
        let book = self.book().into_iter().flat_map(Book::entries).filter(|entry| entry.open);
        let decided = book.filter_map(|entry| match &entry.order.what {
            What::Decide(decided) if decided.approved => Some(decided),
            _ => None,
        });
        let prefixes: Vec<Prefix> = decided.flat_map(|decided| &decided.changes).map(|change| change.prefix).collect();
        self.judge.excuse(self.now, prefixes);
    }
}
