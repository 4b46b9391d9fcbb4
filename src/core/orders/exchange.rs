//! How what a replica knows of orders and what stands in the store come to be the same: what it asks of the store, one question after
//! the other, and what of it the engine takes. The daemon asks etcd (`src/daemon/election/orders.rs`), the simulation a store of its
//! own (`src/core/sim/several/orders.rs`).
//!
//! ```text
//!  begin ─► List ─► Read, for what is new ─► Take ─► Compare ─► Write, for what lacks ─► Remove, for what is spent ─► Confirm ─► Over
//!            ▲                                                    │                                                    │
//!            └── somebody else has written that in between ◄──────┴──────────────── or there is more to read ◄─────────┘
//! ```

mod compare;
#[cfg(test)]
mod tests;

pub use compare::{Compared, Comparison};

use super::{Number, Order, Refused, Register, Unreadable, What};
use crate::model::Time;
use crate::replicas::Digest;
use crate::source::{ClusterId, Rev};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// So many times more, if somebody else writes in between, or there is more to read.
const AGAIN: usize = 3;
/// Records that are read at once: together they stay below what etcd takes for one answer.
const AT_ONCE: usize = 8;
/// So many times one after the other: then what is there of a freeze is looked at again.
const FETCHES: usize = 50;
/// What was taken out of the store, and is written back by nobody for so long, nobody there knows.
const REMEMBERED: Duration = Duration::from_secs(60);

/// One replica's side of it. If the store does not answer, the next one begins; what is known stays as it is.
#[derive(Default)]
pub struct Exchange {
    known: Arc<Known>,
    /// How often that has changed.
    changes: u64,
    /// The store of which that is known, and up to which revision.
    at: Option<(ClusterId, Rev)>,
    /// What was read and not handed out yet: of each record the last that it said.
    unseen: BTreeMap<Register, Order>,
    /// What is not taken.
    refused: BTreeMap<Register, Refused>,
    /// What was taken out of the store as spent, and when that was or it was seen to be back.
    gone: BTreeMap<(Register, Number), Time>,
    /// What this replica's receipt says there.
    said: Option<Digest>,
    takers: Takers,
    /// Why not all that stands there can be known.
    beyond: Option<String>,
    /// What the book's changes and `changes` were when both had the same.
    equal: Option<(u64, u64)>,
    doing: Doing,
}

/// What stands in the store, by what its key has behind `KEY/orders/`.
type Known = BTreeMap<Vec<u8>, Standing>;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Standing {
    revision: Rev,
    order: Result<Order, Unreadable>,
}

/// The other replicas.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Takers {
    /// Those that are there, and which orders they have.
    pub present: BTreeMap<Arc<str>, Option<Digest>>,
    /// Those that have gone.
    pub away: BTreeSet<Arc<str>>,
}

/// What is left of the exchange that is going on.
#[derive(Default)]
struct Doing {
    since: Time,
    again: usize,
    read: VecDeque<Vec<u8>>,
    fetches: usize,
    /// All that stands there has been read.
    whole: bool,
    /// What the book was when it was compared.
    own: Option<(u64, Digest)>,
    write: VecDeque<Order>,
    remove: VecDeque<(Register, Number)>,
}

/// What is to be done next.
#[derive(PartialEq, Eq, Debug)]
pub enum Step {
    /// The store is to be asked: [`Exchange::answered`].
    Ask(Question),
    /// To be taken by the engine: [`Exchange::taken`]. While there is more to read a freeze, and nothing else: what lifts one, or lets
    /// something pass, may have been taken back by what is not read yet.
    Take(Vec<Order>),
    /// To be made with the book: [`Exchange::compared`].
    Compare(Comparison),
    /// That was it.
    Over(End),
}

/// What became of an exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// What stands in the book stands in the store, and the other way round.
    Equal,
    /// Somebody else wrote in between, again and again.
    Overtaken,
    /// There is more to read.
    Unread,
    /// Not all of it can be known, and why.
    Beyond(String),
}

/// What the store is asked. Records by what their keys have behind `KEY/orders/`; revisions as those of the last change of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// What is there, at one revision: [`Answer::Listed`].
    List,
    /// These records, as far as they are there: [`Answer::Read`].
    Read(Vec<Vec<u8>>),
    /// This record, unless it has another revision by now (0: unless it is there): [`Answer::Written`].
    Write(Vec<u8>, Bytes, Rev),
    /// That it is no longer there, unless it has another revision by now: [`Answer::Removed`].
    Remove(Vec<u8>, Rev),
    /// The own receipt: [`Answer::Confirmed`].
    Confirm(Digest),
}

/// What it says to that.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What is there.
    Listed(Listing),
    /// These are.
    Read(Vec<Record>),
    /// With which revision; none if something else stands there.
    Written(Option<Rev>),
    /// Whether it is no longer there by this.
    Removed(bool),
    /// It is written.
    Confirmed,
}

/// A record as it stands there.
#[derive(Clone, Debug)]
pub struct Record {
    /// What its key has behind `KEY/orders/`.
    pub name: Vec<u8>,
    /// Its last change.
    pub revision: Rev,
    /// What it says.
    pub value: Bytes,
}

/// What is there at one revision.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which store says so …
    pub cluster: ClusterId,
    /// … at which revision of its own.
    pub at: Rev,
    /// What stands about a freeze: it waits behind nothing.
    pub freeze: Option<Record>,
    /// Which records there are.
    pub names: BTreeMap<Vec<u8>, Rev>,
    /// And more that are not listed.
    pub more: bool,
    /// Why not all that is there can be known, if so.
    pub beyond: Option<String>,
    /// What the own receipt says.
    pub said: Option<Digest>,
    /// The other replicas.
    pub takers: Takers,
}

/// What the key of an order about this has behind `KEY/orders/`.
fn name(register: &Register) -> Vec<u8> {
    register.to_string().into_bytes()
}

impl Exchange {
    /// A new one; of one that is going on nothing more is to come.
    pub fn begin(&mut self, now: Time) -> Step {
        let known = &self.known;
        self.gone.retain(|(register, number), at| {
            if is_there(known, register, *number) {
                *at = now;
            }
            now.since(*at) < REMEMBERED
        });
        self.doing = Doing { since: now, ..Doing::default() };
        Step::Ask(Question::List)
    }

    /// The store has answered what was asked last.
    pub fn answered(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Listed(listing) => self.listed(listing),
            Answer::Read(records) => {
                records.into_iter().for_each(|record| self.read(record));
                self.read_next()
            }
            Answer::Written(Some(revision)) => {
                if let Some(order) = self.doing.write.pop_front() {
                    self.know(name(&order.register()), Standing { revision, order: Ok(order) });
                }
                self.go_on()
            }
            Answer::Written(None) => self.again(End::Overtaken),
            Answer::Removed(is) => {
                if let Some((register, number)) = self.doing.remove.pop_front().filter(|_| is) {
                    Arc::make_mut(&mut self.known).remove(&name(&register));
                    self.changes += 1;
                    self.gone.insert((register, number), self.doing.since);
                }
                self.go_on()
            }
            Answer::Confirmed => {
                self.said = self.doing.own.map(|(_, digest)| digest);
                self.end()
            }
        }
    }

    fn listed(&mut self, listing: Listing) -> Step {
        let Listing { cluster, at, freeze, names, more, beyond, said, takers } = listing;
        let known = Arc::make_mut(&mut self.known);
        if self.at.is_some_and(|before| before.0 != cluster || before.1 > at) {
            // It is another store, or was put back: a record may be another one with the same revision, and what was taken out is back
            // and nobody has meant that.
            known.values_mut().for_each(|standing| standing.revision = Rev::default());
            self.gone.clear();
        }
        let before = known.len();
        let of_freeze = name(&Register::Freeze);
        let freezes = freeze.is_some();
        // What was not listed may be there nevertheless.
        known.retain(|name, _| if *name == of_freeze { freezes } else { more || names.contains_key(name) });
        self.changes += u64::from(known.len() != before);
        (self.at, self.beyond, self.said, self.takers) = (Some((cluster, at)), beyond, said, takers);
        freeze.into_iter().for_each(|record| self.read(record));
        let is_new = |(name, revision): &(&Vec<u8>, &Rev)| {
            self.known.get(*name).is_none_or(|standing| standing.revision != **revision)
        };
        // Of decisions the latest first.
        self.doing.read = names.iter().rev().filter(is_new).map(|(name, _)| name.clone()).collect();
        self.read_next()
    }

    fn read(&mut self, Record { name, revision, value }: Record) {
        let standing = Standing { revision, order: Order::decode(&name, &value) };
        if self.known.get(&name) != Some(&standing) {
            self.unseen.extend(standing.order.iter().map(|order| (order.register(), order.clone())));
            self.know(name, standing);
        }
    }

    fn know(&mut self, name: Vec<u8>, standing: Standing) {
        Arc::make_mut(&mut self.known).insert(name, standing);
        self.changes += 1;
    }

    fn read_next(&mut self) -> Step {
        let some = self.doing.read.len().min(AT_ONCE);
        if some > 0 && self.doing.fetches < FETCHES {
            self.doing.fetches += 1;
            return Step::Ask(Question::Read(self.doing.read.drain(..some).collect()));
        }
        let whole = self.beyond.is_none() && self.doing.read.is_empty();
        self.doing.whole = whole;
        let is_due = |_: &Register, order: &mut Order| whole || order.what == What::Freeze;
        let mut orders: Vec<Order> = self.unseen.extract_if(.., is_due).map(|(_, order)| order).collect();
        // There may be room now.
        orders.extend(self.refused.keys().filter(|_| whole).filter_map(|register| self.order(register)).cloned());
        Step::Take(orders)
    }

    /// The engine has taken what was handed out, but for these.
    pub fn taken(&mut self, refused: Vec<(Register, Refused)>) -> Step {
        if self.doing.whole {
            // All were offered again.
            self.refused.clear();
        }
        self.refused.extend(refused);
        let equal = self.equal.filter(|(_, changes)| *changes == self.changes).map(|(book, _)| book);
        Step::Compare(Comparison { known: Arc::clone(&self.known), whole: self.doing.whole, equal })
    }

    /// What the book lacks in the store, and what of the store nobody needs any more.
    pub fn compared(&mut self, Compared { changes, digest, lacking, spent }: Compared) -> Step {
        self.doing.own = Some((changes, digest));
        self.doing.write = lacking.into();
        // Each once: whoever writes it back knows something else, and has the last word.
        self.doing.remove = spent.into_iter().filter(|one| !self.gone.contains_key(one)).collect();
        self.go_on()
    }

    fn go_on(&mut self) -> Step {
        let revision = |name: &Vec<u8>| self.known.get(name).map_or(Rev::default(), |standing| standing.revision);
        if let Some(order) = self.doing.write.front() {
            let name = name(&order.register());
            let revision = revision(&name);
            return Step::Ask(Question::Write(name, order.encode(), revision));
        }
        if let Some((register, _)) = self.doing.remove.front() {
            let name = name(register);
            let revision = revision(&name);
            return Step::Ask(Question::Remove(name, revision));
        }
        match self.doing.own {
            Some((_, digest)) if self.said != Some(digest) => Step::Ask(Question::Confirm(digest)),
            _ => self.end(),
        }
    }

    fn end(&mut self) -> Step {
        let Doing { whole, own, .. } = self.doing;
        self.equal = own.filter(|_| whole).map(|(book, _)| (book, self.changes));
        if whole { self.over(End::Equal) } else { self.again(End::Unread) }
    }

    fn again(&mut self, end: End) -> Step {
        let Doing { since, again, .. } = self.doing;
        if again == AGAIN || self.beyond.is_some() && end == End::Unread {
            return self.over(end);
        }
        self.doing = Doing { since, again: again + 1, ..Doing::default() };
        Step::Ask(Question::List)
    }

    fn over(&self, end: End) -> Step {
        Step::Over(self.beyond.clone().map_or(end, End::Beyond))
    }

    /// The order that stands there about this.
    fn order(&self, register: &Register) -> Option<&Order> {
        self.known.get(&name(register))?.order.as_ref().ok()
    }

    /// The other replicas, as the last answer has shown.
    pub fn takers(&self) -> &Takers {
        &self.takers
    }

    /// What is known to stand there.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.known.values().filter_map(|standing| standing.order.as_ref().ok())
    }

    /// What stands there that is no order, by what its key has behind `KEY/orders/`.
    pub fn unreadable(&self) -> impl Iterator<Item = (&[u8], Unreadable)> {
        self.known.iter().filter_map(|(name, standing)| Some((&name[..], *standing.order.as_ref().err()?)))
    }

    /// What stands there and is not taken.
    pub fn refused(&self) -> impl Iterator<Item = (&Register, Refused)> {
        self.refused.iter().map(|(register, why)| (register, *why))
    }

    /// What was taken out as spent, and is there again.
    pub fn returned(&self) -> impl Iterator<Item = &Register> {
        let is_back = |(register, number): &&(Register, Number)| is_there(&self.known, register, *number);
        self.gone.keys().filter(is_back).map(|(register, _)| register)
    }
}

fn is_there(known: &Known, register: &Register, number: Number) -> bool {
    let standing = known.get(&name(register));
    standing.is_some_and(|standing| standing.order.as_ref().is_ok_and(|order| order.number == number))
}
