//! What a replica asks of the coordination store to have the orders there that it has, and the other way round: the sequence of
//! `src/daemon/election/orders.rs`, one question after the other.
//!
//! ```text
//!  begin ─► List ─► Read, for what is new ─► Take ─► Remove, for what is spent ─► Compare ─► Write, for what lacks ─┐
//!            ▲                                                                                 │                    ▼
//!            └─────────────────── somebody else has written that in between ◄──────────────────┘   Remove ─► Confirm
//! ```

use crate::orders::{Book, Number, Order, Refused, Register};
use crate::replicas::Digest;
use crate::source::Rev;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Records that are read at once.
const AT_ONCE: usize = 8;
/// So many times more, if somebody else writes in between.
const AGAIN: usize = 3;

/// One replica's side of it.
#[derive(Default)]
pub(super) struct Exchange {
    /// What stands in the store, by the ends of the keys.
    known: BTreeMap<Vec<u8>, (Rev, Order)>,
    /// How often that has changed.
    changes: u64,
    /// What was read and not handed out yet, and what was not taken.
    unseen: Vec<Order>,
    refused: Vec<Register>,
    /// What was taken out of the store: once.
    gone: BTreeSet<(Register, Number)>,
    /// What this replica's receipt says there.
    said: Option<Digest>,
    /// What the book's changes and `changes` were when both had the same.
    equal: Option<(u64, u64)>,
    doing: Doing,
}

/// What is left of the exchange that is going on.
#[derive(Default)]
struct Doing {
    again: usize,
    read: VecDeque<Vec<u8>>,
    /// The book was compared.
    own: Option<(u64, Digest)>,
    remove: VecDeque<Register>,
    write: VecDeque<Order>,
}

/// What is to be done next.
pub(super) enum Step {
    Ask(Question),
    /// To be taken by the engine.
    Take(Vec<Order>),
    /// The book is to be looked at.
    Compare,
    /// It is over; whether all that stands in the book stands in the store.
    Over(bool),
}

#[derive(Clone)]
pub(super) enum Question {
    /// Which records there are, and what this replica's receipt says.
    List,
    Read(Vec<Vec<u8>>),
    /// Unless the record is another by now than the one of this revision (0: there is none).
    Write(Order, Rev),
    Remove(Register, Rev),
    Confirm(Digest),
}

pub(super) enum Answer {
    Listed(BTreeMap<Vec<u8>, Rev>, Option<Digest>),
    Records(Vec<(Vec<u8>, Rev, Order)>),
    /// When; none if something else stands there.
    Written(Option<Rev>),
    /// Whether it is.
    Removed(bool),
    Confirmed,
}

impl Exchange {
    /// A new one; of one that is going on nothing more is to come.
    pub(super) fn begin(&mut self) -> Step {
        self.doing = Doing::default();
        Step::Ask(Question::List)
    }

    /// The store has answered what was asked last.
    pub(super) fn answered(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Listed(there, said) => {
                self.said = said;
                let before = self.known.len();
                self.known.retain(|name, _| there.contains_key(name));
                self.changes += u64::from(self.known.len() != before);
                let is_new = |(name, revision): &(&Vec<u8>, &Rev)| {
                    self.known.get(*name).is_none_or(|(known, _)| known != *revision)
                };
                self.doing.read = there.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
                self.read_next()
            }
            Answer::Records(records) => {
                for (name, revision, order) in records {
                    self.unseen.push(order.clone());
                    self.know(name, revision, order);
                }
                self.read_next()
            }
            Answer::Written(Some(revision)) => {
                if let Some(order) = self.doing.write.pop_front() {
                    self.know(order.register().to_string().into_bytes(), revision, order);
                }
                self.go_on()
            }
            Answer::Written(None) if self.doing.again < AGAIN => {
                self.doing = Doing { again: self.doing.again + 1, ..Doing::default() };
                Step::Ask(Question::List)
            }
            Answer::Written(None) => Step::Over(false),
            Answer::Removed(is) => {
                if let Some(register) = self.doing.remove.pop_front().filter(|_| is)
                    && let Some((_, order)) = self.known.remove(register.to_string().as_bytes())
                {
                    self.gone.insert((register, order.number));
                    self.changes += 1;
                }
                self.go_on()
            }
            Answer::Confirmed => {
                self.said = self.doing.own.map(|(_, digest)| digest);
                self.end()
            }
        }
    }

    fn know(&mut self, name: Vec<u8>, revision: Rev, order: Order) {
        self.known.insert(name, (revision, order));
        self.changes += 1;
    }

    fn read_next(&mut self) -> Step {
        let some = self.doing.read.len().min(AT_ONCE);
        if some > 0 {
            return Step::Ask(Question::Read(self.doing.read.drain(..some).collect()));
        }
        let mut orders = std::mem::take(&mut self.unseen);
        let known = |register: &Register| Some(self.known.get(register.to_string().as_bytes())?.1.clone());
        orders.extend(self.refused.iter().filter_map(known));
        Step::Take(orders)
    }

    /// The engine has taken what was handed out, but for these; and those may be taken out of the store.
    pub(super) fn taken(&mut self, refused: Vec<(Register, Refused)>, spent: Vec<Register>) -> Step {
        self.refused = refused.into_iter().map(|(register, _)| register).collect();
        self.doing.remove = spent.into();
        self.go_on()
    }

    /// What the book lacks, and what of the store it needs no more.
    pub(super) fn compared(&mut self, book: &Book) -> Step {
        self.doing.own = Some((book.changes(), book.digest()));
        if self.equal != Some((book.changes(), self.changes)) {
            let numbers: BTreeMap<Register, Number> =
                self.known.values().map(|(_, order)| (order.register(), order.number)).collect();
            let lacks = |order: &&Order| numbers.get(&order.register()).is_none_or(|there| *there < order.number);
            self.doing.write = book.entries().map(|entry| &entry.order).filter(lacks).cloned().collect();
            let spent = numbers.iter().filter(|(register, number)| book.is_spent(register, **number));
            self.doing.remove = spent.map(|(register, _)| register.clone()).collect();
        }
        self.go_on()
    }

    fn go_on(&mut self) -> Step {
        if let Some(order) = self.doing.write.front() {
            let known = self.known.get(order.register().to_string().as_bytes());
            let revision = known.map_or(Rev::default(), |(revision, _)| *revision);
            return Step::Ask(Question::Write(order.clone(), revision));
        }
        while let Some(register) = self.doing.remove.front() {
            let known = self.known.get(register.to_string().as_bytes());
            let stays = |(_, order): &&(Rev, Order)| !self.gone.contains(&(register.clone(), order.number));
            if let Some((revision, _)) = known.filter(stays) {
                return Step::Ask(Question::Remove(register.clone(), *revision));
            }
            self.doing.remove.pop_front();
        }
        match self.doing.own {
            None => Step::Compare,
            Some((_, digest)) if self.said != Some(digest) => Step::Ask(Question::Confirm(digest)),
            Some(_) => self.end(),
        }
    }

    fn end(&mut self) -> Step {
        self.equal = self.doing.own.map(|(book, _)| (book, self.changes));
        Step::Over(true)
    }
}
