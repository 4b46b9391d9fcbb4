//! What a replica knows of all orders.

#[cfg(test)]
mod tests;

use super::record::LATEST;
use super::{Giver, LIFE, Number, Order, Register, What, millis};
use crate::model::Replica;
use crate::replicas::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Decisions about held changes that are kept at the most: with more the oldest go.
const DECISIONS: usize = 1000;
/// Withdrawals that were taken back, and are remembered as that: no fewer than there can be withdrawals, so that all that one replica
/// brings back can be taken back at once.
const RESTORED: usize = WITHDRAWN;
/// Withdrawals by order at the most.
const WITHDRAWN: usize = 4000;
/// Gateways that were ever drained by order, at the most.
const DRAINED: usize = 4000;

/// So far ahead of this replica's clock no order is taken: all that come after it would have to be later still, for as long.
const AHEAD: Duration = Duration::from_secs(366 * 24 * 3600);
/// The beginning of 2026: a clock that says an earlier moment says nothing.
const FIRST: u64 = 1_767_225_600_000;

/// An order, and what is left of it here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The order.
    pub order: Order,
    /// Of a decision: whether changes may still come that it is about. Everything else is carried out at once.
    pub open: bool,
}

/// Of which there are only so many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Withdrawn,
    Restored,
    /// Or were once.
    Drained,
    Decided,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    entries: BTreeMap<Register, Entry>,
    /// The same by kind, the earliest first: each order that comes is counted against all.
    kinds: BTreeMap<Kind, BTreeSet<(Number, Register)>>,
    /// Those that are open, by their last moment.
    open: BTreeSet<(u64, Number)>,
    /// The greatest moment of any number that was ever known.
    latest: u64,
    /// What was withdrawn by order up to this moment, and is not known, was taken back.
    ended: u64,
    /// Decisions that had to go for later ones, before they were a week old.
    displaced: u64,
    /// How often it has changed.
    changes: u64,
}

/// Why an order of another replica is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The same, or a later one about the same, is known.
    #[error("it is known")]
    Known,
    /// It is of no consequence any more, or not here: if it is known from now on, others may still go by it.
    #[error("it is older than a week, or there are enough later ones")]
    Outlived,
    /// It is of a moment that cannot be.
    #[error(
        "its moment is more than a year ahead of this replica's clock: a clock is wrong, here or where it was given. Set it; if it is \
         that one, end that replica, delete its state_dir/orders and this record, start it, and give the order again"
    )]
    Ahead,
    /// A withdrawal that this replica does not know any more, so long ago was it taken back.
    #[error("{RESTORED} later withdrawals were taken back since: this one counts as taken back, too")]
    Ended,
    /// There is no room.
    #[error("there are {WITHDRAWN} withdrawals by order already: take some back first (fingerpost restore)")]
    Full,
    /// Nor for that, and there never were so many gateways.
    #[error(
        "orders to drain {DRAINED} other gateways are known: delete those that nobody has given, also in state_dir/orders"
    )]
    Crowded,
}

impl Book {
    /// What an earlier process has written down; see [`Book::latest`] and [`Book::ended`].
    pub fn recalled(entries: impl IntoIterator<Item = Entry>, latest: u64, ended: u64) -> Self {
        let mut book = Book { latest, ended, ..Book::default() };
        entries.into_iter().for_each(|entry| book.insert(entry));
        book.drop_past();
        book.changes = u64::from(!book.entries.is_empty());
        book
    }

    /// Takes down what a person orders here; `wall` is milliseconds since 1970. It has been carried out.
    pub fn give(&mut self, wall: u64, me: &Replica, uid: Option<u32>, what: What) -> Number {
        let at = wall.max(self.latest.saturating_add(1)).min(LATEST);
        let number = Number { at, by: me.instance };
        let giver = Giver { replica: Arc::clone(&me.identity), uid };
        self.put(Entry { order: Order { number, giver, what }, open: false });
        self.forget(wall);
        number
    }

    /// Takes an order of another replica; if that succeeds, it is to be carried out.
    ///
    /// # Errors
    /// If it is not to be carried out.
    pub fn take(&mut self, wall: u64, order: &Order) -> Result<(), Refused> {
        let register = order.register();
        if self.number(&register).is_some_and(|known| known >= order.number) {
            return Err(Refused::Known);
        }
        if order.number.at > wall.max(FIRST).saturating_add(millis(AHEAD)) {
            return Err(Refused::Ahead);
        }
        if let What::Withdraw(_) = order.what {
            if order.number.at <= self.ended && !self.entries.contains_key(&register) {
                return Err(Refused::Ended);
            }
            let needs_room = !self.order(&register).is_some_and(|known| matches!(known.what, What::Withdraw(_)));
            if needs_room && self.count(Kind::Withdrawn) >= WITHDRAWN {
                return Err(Refused::Full);
            }
        } else if let (Register::Drained(_), None) = (&register, self.number(&register)) {
            if self.count(Kind::Drained) >= DRAINED {
                return Err(Refused::Crowded);
            }
        } else if matches!(order.what, What::Decide(_)) && self.is_past(&register, order.number) {
            return Err(Refused::Outlived);
        }
        let in_time = is_in_time(wall, order);
        self.put(Entry { order: order.clone(), open: in_time && matches!(order.what, What::Decide(_)) });
        self.forget(wall);
        if in_time { Ok(()) } else { Err(Refused::Outlived) }
    }

    fn put(&mut self, entry: Entry) {
        self.insert(entry);
        self.changes += 1;
    }

    fn insert(&mut self, entry: Entry) {
        let register = entry.order.register();
        self.remove(&register);
        let number = entry.order.number;
        self.latest = self.latest.max(number.at);
        self.open.extend(last_moment(&entry.order).filter(|_| entry.open).map(|end| (end, number)));
        if let Some(kind) = kind(&entry.order.what) {
            self.kinds.entry(kind).or_default().insert((number, register.clone()));
        }
        self.entries.insert(register, entry);
    }

    fn remove(&mut self, register: &Register) {
        let Some(Entry { order, .. }) = self.entries.remove(register) else { return };
        let alike = kind(&order.what).and_then(|kind| self.kinds.get_mut(&kind));
        alike.map(|alike| alike.remove(&(order.number, register.clone())));
        last_moment(&order).map(|end| self.open.remove(&(end, order.number)));
    }

    fn count(&self, kind: Kind) -> usize {
        self.kinds.get(&kind).map_or(0, BTreeSet::len)
    }

    fn earliest(&self, kind: Kind) -> Option<&(Number, Register)> {
        self.kinds.get(&kind)?.first()
    }

    /// Drops what is of no consequence any more anywhere, by what is known and by no clock: so replicas whose clocks differ drop the
    /// same. What comes too late by this one's clock is not waited for any more.
    pub fn forget(&mut self, wall: u64) {
        let before = (self.entries.len(), self.open.len());
        self.drop_past();
        let ended = self.open.iter().take_while(|(end, _)| *end < wall).map(|(_, number)| *number);
        for number in ended.collect::<Vec<_>>() {
            self.close_one(number);
        }
        self.changes += u64::from((self.entries.len(), self.open.len()) != before);
    }

    fn drop_past(&mut self) {
        loop {
            let is_a_week_ago = |number| is_a_week_before(number, self.latest);
            let (number, register) = match (self.earliest(Kind::Decided), self.earliest(Kind::Restored)) {
                (Some(past), _) if is_a_week_ago(past.0) || self.count(Kind::Decided) > DECISIONS => past.clone(),
                (_, Some(past)) if self.count(Kind::Restored) > RESTORED => past.clone(),
                _ => return,
            };
            match register {
                Register::Decided(_) => self.displaced += u64::from(!is_a_week_ago(number)),
                _ => self.ended = self.ended.max(number.at),
            }
            self.remove(&register);
        }
    }

    /// Nothing that this decision is about comes any more. False if that was known.
    fn close_one(&mut self, number: Number) -> bool {
        let entry = self.entries.get_mut(&Register::Decided(number)).filter(|entry| entry.open);
        let Some(entry) = entry else { return false };
        entry.open = false;
        last_moment(&entry.order).is_some_and(|end| self.open.remove(&(end, number)))
    }

    /// Whether it is of no consequence any more. All replicas say the same, once they know the same.
    fn is_past(&self, register: &Register, number: Number) -> bool {
        let (most, kind) = match register {
            Register::Decided(_) => (DECISIONS, Kind::Decided),
            Register::Withdrawn(_) => (RESTORED, Kind::Restored),
            Register::Freeze | Register::Drained(_) => return false,
        };
        let is_earlier = |(first, of): &(Number, Register)| (number, register) < (*first, of);
        let are_enough = self.count(kind) >= most && self.earliest(kind).is_some_and(is_earlier);
        kind == Kind::Decided && is_a_week_before(number, self.latest) || are_enough
    }

    /// Whether it may be taken out of the store. A withdrawal that is not known may be waiting for room: it is never spent, but taken
    /// back.
    pub fn is_spent(&self, order: &Order) -> bool {
        let register = order.register();
        let waits = matches!(order.what, What::Withdraw(_));
        !waits && self.number(&register).is_none() && self.is_past(&register, order.number)
    }

    /// Which order stands about this.
    pub fn number(&self, register: &Register) -> Option<Number> {
        self.entries.get(register).map(|entry| entry.order.number)
    }

    /// The order that stands about this.
    pub fn order(&self, register: &Register) -> Option<&Order> {
        self.entries.get(register).map(|entry| &entry.order)
    }

    /// All that stand.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Nothing that this one is about comes any more.
    pub fn close(&mut self, number: Number) {
        self.changes += u64::from(self.close_one(number));
    }

    /// Whether changes may still come that this decision is about.
    pub fn is_open(&self, number: Number) -> bool {
        self.entries.get(&Register::Decided(number)).is_some_and(|entry| entry.open)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// The greatest moment of any number that was ever known.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// What was withdrawn by order up to this moment (milliseconds since 1970), and is not known, was taken back: so many were since
    /// that this is all that is remembered of it.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// How many decisions that are less than a week old are not handed on any more, for want of room, since the process began.
    pub fn displaced(&self) -> u64 {
        self.displaced
    }

    /// Another number than before: there is something else in it.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The same for all who have the same orders.
    pub fn digest(&self) -> Digest {
        let of = |(register, entry): (&Register, &Entry)| {
            let Number { at, by } = entry.order.number;
            Digest::of(&format!("{register} {at} {by}")).0
        };
        Digest(self.entries.iter().map(of).fold(0, u64::wrapping_add))
    }
}

/// Whether so much later ones are known that nobody waits for it any more.
fn is_a_week_before(number: Number, latest: u64) -> bool {
    number.at.saturating_add(millis(LIFE)) < latest
}

/// Whether it may still be carried out where it comes by this clock.
fn is_in_time(wall: u64, order: &Order) -> bool {
    last_moment(order).is_none_or(|end| end >= wall)
}

/// Until when it may be carried out; everything but a decision may for ever.
fn last_moment(order: &Order) -> Option<u64> {
    match &order.what {
        What::Decide(decided) => Some(order.number.at.saturating_add(millis(decided.life()))),
        What::Freeze | What::Unfreeze | What::Withdraw(_) | What::Restore(_) | What::Drain(_) | What::Undrain(_) => {
            None
        }
    }
}

fn kind(what: &What) -> Option<Kind> {
    match what {
        What::Freeze | What::Unfreeze => None,
        What::Withdraw(_) => Some(Kind::Withdrawn),
        What::Restore(_) => Some(Kind::Restored),
        What::Drain(_) | What::Undrain(_) => Some(Kind::Drained),
        What::Decide(_) => Some(Kind::Decided),
    }
}
