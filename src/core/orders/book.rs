//! What a replica knows of all orders.

use super::record::LATEST;
use super::{Giver, LIFE, Number, Order, Register, What, millis};
use crate::model::{Instance, Replica};
use crate::replicas::Digest;
use std::collections::BTreeMap;
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

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    entries: BTreeMap<Register, Entry>,
    /// The greatest moment of any number that was ever known.
    latest: u64,
    /// What was withdrawn by order up to this moment, and is not known, was taken back.
    ended: u64,
    /// Decisions that had to go for later ones, before they were a week old.
    displaced: u64,
    /// How often it has changed.
    changes: u64,
    /// How many are open.
    open: usize,
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
        if !book.entries.is_empty() {
            book.changed();
        }
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
            if needs_room && self.count(|what| matches!(what, What::Withdraw(_))) >= WITHDRAWN {
                return Err(Refused::Full);
            }
        } else if let (Register::Drained(_), None) = (&register, self.number(&register)) {
            if self.count(|what| matches!(what, What::Drain(_) | What::Undrain(_))) >= DRAINED {
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
        self.changed();
    }

    fn insert(&mut self, entry: Entry) {
        self.latest = self.latest.max(entry.order.number.at);
        self.entries.insert(entry.order.register(), entry);
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.open = self.entries.values().filter(|entry| entry.open).count();
    }

    fn count(&self, is_it: fn(&What) -> bool) -> usize {
        self.entries.values().filter(|entry| is_it(&entry.order.what)).count()
    }

    /// Drops what is of no consequence any more anywhere, by what is known and by no clock: so replicas whose clocks differ drop the
    /// same. What comes too late by this one's clock is not waited for any more.
    pub fn forget(&mut self, wall: u64) {
        let decision = self.oldest_kept(DECISIONS, |what| matches!(what, What::Decide(_)));
        let restored = self.oldest_kept(RESTORED, |what| matches!(what, What::Restore(_)));
        let (before, latest) = (self.entries.len(), self.latest);
        let (ended, displaced) = (&mut self.ended, &mut self.displaced);
        self.entries.retain(|_, Entry { order, .. }| match order.what {
            What::Decide(_) if is_a_week_before(order.number, latest) => false,
            What::Decide(_) => {
                *displaced += u64::from(order.number < decision);
                order.number >= decision
            }
            What::Restore(_) => {
                let stays = order.number >= restored;
                *ended = (*ended).max(if stays { 0 } else { order.number.at });
                stays
            }
            What::Freeze | What::Unfreeze | What::Withdraw(_) | What::Drain(_) | What::Undrain(_) => true,
        });
        let mut is_other = self.entries.len() != before;
        for entry in self.entries.values_mut().filter(|entry| entry.open && !is_in_time(wall, &entry.order)) {
            entry.open = false;
            is_other = true;
        }
        if is_other {
            self.changed();
        }
    }

    /// With so many at the most: the first number of them.
    fn oldest_kept(&self, most: usize, is_it: fn(&What) -> bool) -> Number {
        let alike = self.entries.values().filter(|entry| is_it(&entry.order.what));
        let mut numbers: Vec<Number> = alike.map(|entry| entry.order.number).collect();
        if numbers.len() > most {
            numbers.sort_unstable();
        } else {
            numbers.clear();
        }
        let first = numbers.len().saturating_sub(most);
        numbers.get(first).copied().unwrap_or(Number { at: 0, by: Instance(0) })
    }

    /// Whether it is of no consequence any more. All replicas say the same, once they know the same.
    fn is_past(&self, register: &Register, number: Number) -> bool {
        let (most, is_it): (usize, fn(&What) -> bool) = match register {
            Register::Decided(_) => (DECISIONS, |what| matches!(what, What::Decide(_))),
            Register::Withdrawn(_) => (RESTORED, |what| matches!(what, What::Restore(_))),
            Register::Freeze | Register::Drained(_) => return false,
        };
        let alike = self.entries.values().filter(|entry| is_it(&entry.order.what));
        let are_enough = || alike.filter(|entry| entry.order.number > number).count() >= most;
        matches!(register, Register::Decided(_)) && is_a_week_before(number, self.latest) || are_enough()
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
        if let Some(entry) = self.entries.get_mut(&Register::Decided(number)).filter(|entry| entry.open) {
            entry.open = false;
            self.changed();
        }
    }

    /// Whether changes may still come that this decision is about.
    pub fn is_open(&self, number: Number) -> bool {
        self.entries.get(&Register::Decided(number)).is_some_and(|entry| entry.open)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open
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
    match &order.what {
        What::Decide(decided) => order.number.at.saturating_add(millis(decided.life())) >= wall,
        What::Freeze | What::Unfreeze | What::Withdraw(_) | What::Restore(_) | What::Drain(_) | What::Undrain(_) => {
            true
        }
    }
}
