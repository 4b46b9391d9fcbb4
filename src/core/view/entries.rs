//! The view: what each slot is, and the log of what changed.

use super::attributes::Attributes;
use super::chunk::Cache;
use super::log::SegLog;
use super::{AttrId, Seq};
use crate::bgp::wire::RouteAttributes;
use crate::model::Family;
use crate::table::{SlotId, Slots};
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Copy, Default, Debug)]
struct Entry {
    attr: Option<AttrId>,
    seq: Seq,
}

/// An order in which to walk all entries; shared by all dumps that begin about the same time.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: u64,
    /// The log's head when it was made. What changed since travels by the tail, not by the dump.
    pub(super) at: Seq,
    /// By attributes, so that equal ones share messages.
    pub(super) slots: Vec<SlotId>,
    /// So many come first because they have changed lately.
    pub(super) newest: usize,
}

/// Of a view at one moment, and of another view then.
#[derive(Debug)]
struct Difference {
    other: (usize, Seq),
    order: Arc<Order>,
}

/// What one policy exports of one family.
#[derive(Debug)]
pub struct View {
    family: Family,
    entries: Vec<Entry>,
    pub(super) log: SegLog,
    attributes: Attributes,
    live: usize,
    /// The most routes it has exported at one time.
    most: usize,
    order: Option<Arc<Order>>,
    /// An order that walks what is absent too, and how often the slots had changed when it was made.
    order_with_absent: Option<(u64, Arc<Order>)>,
    /// An order that walks what another view has otherwise.
    difference: Option<Difference>,
    /// An order that begins with what has changed since a position.
    newest_first: Option<(Seq, Arc<Order>)>,
    orders_made: u64,
    pub(super) cache: Cache,
}

impl View {
    /// A view that exports nothing yet.
    pub fn new(family: Family) -> Self {
        View {
            family,
            entries: Vec::new(),
            log: SegLog::new(),
            attributes: Attributes::default(),
            live: 0,
            most: 0,
            order: None,
            order_with_absent: None,
            difference: None,
            newest_first: None,
            orders_made: 0,
            cache: Cache::default(),
        }
    }

    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// How many routes it exports.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether it exports nothing.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The position that the next change will get: a feed whose tail is here is caught up.
    pub fn head(&self) -> Seq {
        self.log.head()
    }

    /// The number of an attribute set, for [`View::set`]; valid until the next call unless an entry uses it.
    pub fn intern(&mut self, attributes: RouteAttributes) -> AttrId {
        self.attributes.intern(attributes)
    }

    /// An attribute set in use.
    pub fn attributes(&self, id: AttrId) -> &RouteAttributes {
        self.attributes.get(id)
    }

    /// Whether some route has such a next hop.
    pub(super) fn has_next_hop(&self, wanted: impl Fn(IpAddr) -> bool) -> bool {
        self.attributes.in_use().any(|set| wanted(set.next_hop))
    }

    /// What the view exports for the slot.
    pub fn get(&self, slot: SlotId) -> Option<AttrId> {
        self.entries.get(slot.index()).and_then(|entry| entry.attr)
    }

    /// Every slot that exports something.
    pub(super) fn live(&self) -> impl Iterator<Item = (SlotId, AttrId)> {
        let all = self.entries.iter().enumerate();
        all.filter_map(|(n, entry)| entry.attr.map(|attr| (SlotId(n as u32), attr)))
    }

    /// The position of the slot's last change.
    pub fn changed_at(&self, slot: SlotId) -> Seq {
        self.entries.get(slot.index()).map_or(Seq(0), |entry| entry.seq)
    }

    /// Whether a gateway that was told everything before `tail` knows that the slot exports nothing (I6).
    pub fn has_passed(&self, slot: SlotId, tail: Seq) -> bool {
        self.get(slot).is_none() && self.changed_at(slot) < tail
    }

    /// The slot's number is about to be given back. An order from before its last change is not used again: a feed that
    /// began there would be told of that change, with whatever prefix the number stands for by then.
    pub fn forget(&mut self, slot: SlotId) {
        let changed = self.changed_at(slot);
        self.order = self.order.take().filter(|order| order.at > changed);
    }

    /// Sets what the slot exports; the same as before changes nothing and is logged nowhere (I3).
    pub fn set(&mut self, slot: SlotId, attr: Option<AttrId>) -> bool {
        if slot.index() >= self.entries.len() {
            self.entries.resize(slot.index() + 1, Entry::default());
        }
        let before = self.entries[slot.index()].attr;
        if before == attr {
            return false;
        }
        if let Some(id) = attr {
            self.attributes.acquire(id);
            self.live += 1;
        }
        if let Some(id) = before {
            self.attributes.release(id);
            self.live -= 1;
        }
        self.most = self.most.max(self.live);
        let seq = self.log.push(slot);
        self.entries[slot.index()] = Entry { attr, seq };
        true
    }

    /// How far a feed may trail, in positions of the log, before it is given up as too slow: above what one complete list
    /// can cause (all routes withdrawn, as many others announced), at least 65,536. Slots do not count: those that wait
    /// for this very feed to be freed would raise its limit for ever.
    pub fn longest_lag(&self) -> u64 {
        (2 * self.most as u64).max(65_536)
    }

    /// How many positions the log holds.
    pub fn log_len(&self) -> u64 {
        self.head().0 - self.log.start().0
    }

    /// The slot at a position and what it exports, if that position is its last change.
    pub(super) fn logged(&self, position: u64) -> Option<(SlotId, Option<AttrId>)> {
        let slot = self.log.at(position)?;
        let entry = self.entries.get(slot.index())?;
        (entry.seq.0 == position).then_some((slot, entry.attr))
    }

    /// An order for a dump that begins now; a recent one is used again.
    pub(super) fn order(&mut self) -> Arc<Order> {
        if let Some(order) = self.order.as_ref().filter(|order| self.is_recent(order)) {
            return Arc::clone(order);
        }
        let order = Arc::new(self.new_order());
        self.order = Some(Arc::clone(&order));
        order
    }

    /// An order that also walks, last, every slot that was ever announced and that this view does not export: for a gateway that may hold
    /// routes of another view. Gateways that move at the same time share it.
    pub(super) fn order_with_absent(&mut self, slots: &Slots) -> Arc<Order> {
        if let Some((changes, order)) = &self.order_with_absent
            && (*changes, order.at) == (slots.changes(), self.head())
        {
            return Arc::clone(order);
        }
        let mut order = self.new_order();
        let all = (0..slots.capacity() as u32).map(SlotId);
        let in_use = all.filter(|&slot| slots.find(slots.prefix(slot)) == Some(slot));
        order.slots.extend(in_use.filter(|&slot| slots.was_announced(slot) && self.get(slot).is_none()));
        let order = Arc::new(order);
        self.order_with_absent = Some((slots.changes(), Arc::clone(&order)));
        order
    }

    /// An order of the slots that the view with number `n` exports with other attributes than this one, or that only one of
    /// the two exports: for a gateway that holds exactly what that view is. Gateways that move at the same time share it.
    pub(super) fn order_of_difference(&mut self, n: usize, other: &View) -> Arc<Order> {
        let known = (n, other.head());
        if let Some(Difference { other, order }) = &self.difference
            && (*other, order.at) == (known, self.head())
        {
            return Arc::clone(order);
        }
        let mut last = None;
        let mut differs = |slot| {
            let (before, now) = (other.get(slot), self.get(slot));
            if let Some((pair, answer)) = last
                && pair == (before, now)
            {
                return answer;
            }
            let answer = before.map(|id| other.attributes(id)) != now.map(|id| self.attributes(id));
            last = Some(((before, now), answer));
            answer
        };
        let all = (0..self.entries.len().max(other.entries.len()) as u32).map(SlotId);
        let mut slots: Vec<SlotId> = all.filter(|&slot| differs(slot)).collect();
        slots.sort_unstable_by_key(|&slot| (self.get(slot).is_none(), self.get(slot), slot));
        self.orders_made += 1;
        let order = Arc::new(Order { id: self.orders_made, at: self.head(), slots, newest: 0 });
        self.difference = Some(Difference { other: known, order: Arc::clone(&order) });
        order
    }

    /// An order that begins with what has changed since that position. Gateways that begin at the same time share it.
    pub(super) fn order_newest_first(&mut self, since: Seq) -> Arc<Order> {
        if let Some((known, order)) = &self.newest_first
            && (*known, order.at) == (since, self.head())
        {
            return Arc::clone(order);
        }
        let mut order = self.new_order();
        // Stable: each of the two parts stays in the order of its attributes.
        order.slots.sort_by_key(|&slot| self.changed_at(slot) < since);
        order.newest = order.slots.partition_point(|&slot| self.changed_at(slot) >= since);
        let order = Arc::new(order);
        self.newest_first = Some((since, Arc::clone(&order)));
        order
    }

    fn new_order(&mut self) -> Order {
        self.orders_made += 1;
        let mut live: Vec<(AttrId, SlotId)> = self.live().map(|(slot, attr)| (attr, slot)).collect();
        live.sort_unstable();
        let slots = live.into_iter().map(|(_, slot)| slot).collect();
        Order { id: self.orders_made, at: self.head(), slots, newest: 0 }
    }

    /// Drops what no feed needs any more: `passed` is the smallest tail of all feeds of this view, `dumping` whether
    /// one of them is in a dump.
    pub fn trim(&mut self, passed: Seq, dumping: bool) {
        if passed == self.head() && !dumping {
            self.cache.clear();
        }
        if !dumping {
            self.order_with_absent = None;
            self.difference = None;
            self.newest_first = None;
        }
        self.order = self.order.take().filter(|order| self.is_recent(order));
        let needed = self.order.as_ref().map_or(passed, |order| passed.min(order.at));
        self.log.trim(needed);
    }

    /// Whether a dump may begin from this order: what changed since must still be in the log, and be little.
    fn is_recent(&self, order: &Order) -> bool {
        order.at >= self.log.start() && self.head().0 - order.at.0 <= (self.entries.len() as u64 / 4).max(1024)
    }
}
