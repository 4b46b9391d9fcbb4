//! The most routes that one gateway is told: below its own limit, above which it would end the session with all its routes.
//!
//! ```text
//!  a route of the view ──► told already, or room? ──► told
//!                               └── no ──► waiting ──► (a told one is withdrawn: the lowest prefix first) ──► told
//! ```
//!
//! Nothing told is ever withdrawn for the cap's sake. A chunk without a waiting route stays shared with all other feeds; a feed
//! without a cap has nothing of this.

use super::chunk::From;
use super::{AttrId, Exclusion, Seq, View};
use crate::bgp::wire::Packer;
use crate::model::Prefix;
use crate::table::{SlotId, Slots};
use std::collections::BTreeMap;
use std::ops::Range;

/// See the module.
#[derive(Debug)]
pub(super) struct Cap {
    limit: usize,
    told: SlotSet,
    /// Told once and gone, but withdrawn only by the end of the bracket to come: they still take room.
    swept: usize,
    /// What would be told if there were room. Slots stay theirs: a slot is freed only after this feed has passed its end.
    waiting: BTreeMap<Prefix, SlotId>,
}

/// What a feed may be told at all, whatever the cap.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'a> {
    pub(super) exclusion: &'a Exclusion,
    pub(super) packer: &'a Packer,
}

impl Allowed<'_> {
    pub(super) fn allows(self, view: &View, id: AttrId) -> bool {
        let attributes = view.attributes(id);
        !self.exclusion.excludes(attributes.next_hop) && self.packer.can_announce(attributes)
    }
}

/// Remembers its last answer: neighbours in an order or a log mostly share their attributes.
struct Judge<'a> {
    view: &'a View,
    allowed: Allowed<'a>,
    last: Option<(AttrId, bool)>,
}

impl Judge<'_> {
    fn allows(&mut self, attr: Option<AttrId>) -> bool {
        let Some(id) = attr else { return false };
        if let Some((last, answer)) = self.last
            && last == id
        {
            return answer;
        }
        let answer = self.allowed.allows(self.view, id);
        self.last = Some((id, answer));
        answer
    }
}

impl Cap {
    /// The cap of a new session. What the view has too much waits from the start, the highest prefixes, so that a session that
    /// returns is told the same.
    pub(super) fn new(limit: usize, view: &View, slots: &Slots, allowed: Allowed<'_>) -> Self {
        let mut cap = Cap { limit, told: SlotSet::default(), swept: 0, waiting: BTreeMap::new() };
        if view.len() > limit {
            let mut judge = Judge { view, allowed, last: None };
            let live = view.live().filter(|(_, attr)| judge.allows(Some(*attr)));
            let mut all: Vec<(Prefix, SlotId)> = live.map(|(slot, _)| (slots.prefix(slot), slot)).collect();
            if all.len() > limit {
                all.sort_unstable();
                cap.waiting = all.split_off(limit).into_iter().collect();
            }
        }
        cap
    }

    /// The cap of a session that had none. Nobody counted so far: all that the gateway may hold counts, until its feed has caught
    /// up, when that is exactly what it holds.
    pub(super) fn on_standing(limit: usize, view: &View, tail: Seq, left: &[SlotId], allowed: Allowed<'_>) -> Self {
        let mut cap = Cap { limit, told: SlotSet::default(), swept: 0, waiting: BTreeMap::new() };
        let mut judge = Judge { view, allowed, last: None };
        for (slot, attr) in view.live() {
            if judge.allows(Some(attr)) {
                cap.told.insert(slot);
            }
        }
        let logged = (tail.0..view.head().0).filter_map(|position| view.log.at(position));
        logged.chain(left.iter().copied()).for_each(|slot| cap.told.insert(slot));
        cap
    }

    /// Another limit. A lower one takes nothing back.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// How many routes wait for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.told.len() + self.swept)
    }

    /// Whether a waiting route could be told now.
    pub(super) fn can_fill(&self) -> bool {
        self.room() > 0 && !self.waiting.is_empty()
    }

    /// Whether the route is one that waits.
    pub(super) fn withholds(&self, prefix: Prefix) -> bool {
        !self.waiting.is_empty() && self.waiting.contains_key(&prefix)
    }

    /// Decides every route between `from` and `next`, which are handed out now. True if none of them has to wait.
    pub(super) fn admit(&mut self, view: &View, slots: &Slots, from: &From, next: u64, allowed: Allowed<'_>) -> bool {
        let mut judge = Judge { view, allowed, last: None };
        let mut all = true;
        match from {
            From::Tail(from) => {
                for (slot, attr) in (from.0..next).filter_map(|position| view.logged(position)) {
                    all &= self.decide(slot, judge.allows(attr), slots);
                }
            }
            From::Dump { order, next: first, withdraw_absent } => {
                let walked = usize::try_from(next).ok().and_then(|next| order.slots.get(*first..next));
                for &slot in walked.unwrap_or_default() {
                    let attr = view.get(slot);
                    let live = judge.allows(attr);
                    // Such a dump withdraws nothing: the tail does, which may still be behind.
                    if view.changed_at(slot) < order.at && (live || *withdraw_absent) {
                        all &= self.decide(slot, live, slots);
                    }
                }
            }
        }
        all
    }

    /// False: it waits.
    fn decide(&mut self, slot: SlotId, live: bool, slots: &Slots) -> bool {
        let prefix = slots.prefix(slot);
        if !live {
            self.told.remove(slot);
            self.waiting.remove(&prefix);
            return true;
        }
        if self.told.contains(slot) {
            return true;
        }
        if self.room() == 0 || self.waiting.contains_key(&prefix) {
            self.waiting.insert(prefix, slot);
            return false;
        }
        self.told.insert(slot);
        true
    }

    /// The waiting routes that there is room for, the lowest prefixes first, at most so many. All of them are live.
    pub(super) fn next_waiting(&self, most: usize) -> Vec<SlotId> {
        self.waiting.values().take(self.room().min(most)).copied().collect()
    }

    /// These waiting routes are handed out.
    pub(super) fn fill(&mut self, slots: &Slots, filled: &[SlotId]) {
        for &slot in filled {
            self.waiting.remove(&slots.prefix(slot));
            self.told.insert(slot);
        }
    }

    /// The feed starts over and skips this part of the log, and what is left of a dump that would have withdrawn: what is gone
    /// is taken from the gateway only by the end of the bracket, and its slot may be another prefix's before.
    pub(super) fn skip(&mut self, view: &View, slots: &Slots, log: Range<Seq>, left: &[SlotId], allowed: Allowed<'_>) {
        let mut judge = Judge { view, allowed, last: None };
        let logged = (log.start.0..log.end.0).filter_map(|position| view.log.at(position));
        for slot in logged.chain(left.iter().copied()) {
            if !judge.allows(view.get(slot)) {
                self.swept += usize::from(self.told.remove(slot));
                self.waiting.remove(&slots.prefix(slot));
            }
        }
    }

    /// The end of a bracket is handed out.
    pub(super) fn sweep(&mut self) {
        self.swept = 0;
    }

    /// In another view: what waits there is found out anew.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }
}

/// A bit for each slot, and how many are set.
#[derive(Default, Debug)]
struct SlotSet {
    words: Vec<u64>,
    len: usize,
}

impl SlotSet {
    fn len(&self) -> usize {
        self.len
    }

    fn contains(&self, slot: SlotId) -> bool {
        let (word, bit) = place(slot);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    fn insert(&mut self, slot: SlotId) {
        let (place, bit) = place(slot);
        if place >= self.words.len() {
            self.words.resize(place + 1, 0);
        }
        if let Some(word) = self.words.get_mut(place) {
            self.len += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Whether it was there.
    fn remove(&mut self, slot: SlotId) -> bool {
        let (place, bit) = place(slot);
        let Some(word) = self.words.get_mut(place).filter(|word| **word & bit != 0) else { return false };
        *word &= !bit;
        self.len -= 1;
        true
    }
}

fn place(slot: SlotId) -> (usize, u64) {
    (slot.index() / 64, 1 << (slot.index() % 64))
}
