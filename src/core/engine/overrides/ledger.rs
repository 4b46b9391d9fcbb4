//! What was withdrawn and may still be told by others, in batches: what was decided at once is confirmed at once.

use crate::model::{Family, PerFamily, Prefix, Time};
use crate::table::Hop;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// So many of a family are remembered at the most: what is withdrawn beyond that, others may go on telling.
const MOST: usize = 65_536;

/// The names of policies.
pub(super) type Policies = Arc<[Box<str>]>;

/// By which policies gateways were told what was withdrawn.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Was {
    /// By this replica.
    pub(super) policies: Policies,
    /// Not by this one, or not by these: others may have, or to gateways that have these by now, as far as they let it through.
    pub(super) by_others: Policies,
}

impl Was {
    /// Whether that is one of them.
    pub(super) fn has(&self, policy: &str) -> bool {
        self.is_told_by(policy) || self.by_others.iter().any(|other| **other == *policy)
    }

    /// Whether this replica has told it by that one.
    pub(super) fn is_told_by(&self, policy: &str) -> bool {
        self.policies.iter().any(|told| **told == *policy)
    }
}

/// What was withdrawn in one settling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Batch {
    /// Up to which revision each source was taken in by then, where that can be compared with what others say.
    pub(super) at: Vec<Option<u64>>,
    /// No source has said so.
    pub(super) ordered: bool,
    /// When.
    pub(super) since: Time,
    /// Since when nobody is behind, as far as all have noticed.
    pub(super) told: Option<Time>,
    /// Since when no gateway that the leader can tell nothing has it of anybody, as far as all have noticed.
    pub(super) past: Option<Time>,
    /// That may yet turn out to be otherwise: standbys announce it where such gateways are.
    pub(super) left: bool,
}

/// A prefix that was withdrawn.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) batch: u64,
    pub(super) was: Was,
    /// The covering route that it is announced like, and where that leads.
    pub(super) over: Option<(Prefix, Hop)>,
}

/// A batch, how many entries it has, and how many of them are announced.
#[derive(Debug)]
struct Counted {
    batch: Batch,
    entries: usize,
    announced: usize,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    entries: PerFamily<BTreeMap<Prefix, Entry>>,
    batches: BTreeMap<u64, Counted>,
    newest: u64,
    announced: PerFamily<usize>,
    left_out: u64,
    /// Nearly all have the same.
    last: Option<Policies>,
}

impl Ledger {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many more there is room for.
    pub(super) fn room(&self, family: Family) -> usize {
        MOST.saturating_sub(self.entries[family].len())
    }

    /// There was no room for one.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn count_announced(&self) -> PerFamily<usize> {
        self.announced
    }

    /// These names, kept once for all that have the same.
    pub(super) fn policies<'a>(&mut self, names: impl Iterator<Item = &'a str> + Clone) -> Policies {
        match &self.last {
            Some(last) if last.iter().map(|name| &**name).eq(names.clone()) => Arc::clone(last),
            _ => Arc::clone(self.last.insert(names.map(Box::from).collect())),
        }
    }

    /// Gateways may have other policies by now: these are in use.
    pub(super) fn renew(&mut self, family: Family, in_use: &Policies) {
        self.entries[family].values_mut().for_each(|entry| entry.was.by_others = Arc::clone(in_use));
    }

    pub(super) fn insert(&mut self, family: Family, batch: Batch, prefixes: Vec<(Prefix, Was)>) {
        if prefixes.is_empty() {
            return;
        }
        self.newest += 1;
        let number = self.newest;
        self.batches.insert(number, Counted { batch, entries: 0, announced: 0 });
        for (prefix, was) in prefixes {
            // What is announced stays so until it is looked at.
            let over = self.remove(family, prefix).and_then(|entry| entry.over);
            let announced = usize::from(over.is_some());
            self.announced[family] += announced;
            self.entries[family].insert(prefix, Entry { batch: number, was, over });
            if let Some(counted) = self.batches.get_mut(&number) {
                counted.entries += 1;
                counted.announced += announced;
            }
        }
    }

    pub(super) fn remove(&mut self, family: Family, prefix: Prefix) -> Option<Entry> {
        let entry = self.entries[family].remove(&prefix)?;
        let announced = usize::from(entry.over.is_some());
        self.announced[family] -= announced;
        if let Some(counted) = self.batches.get_mut(&entry.batch) {
            counted.entries -= 1;
            counted.announced -= announced;
            if counted.entries == 0 {
                self.batches.remove(&entry.batch);
            }
        }
        Some(entry)
    }

    pub(super) fn get(&self, family: Family, prefix: Prefix) -> Option<&Entry> {
        self.entries[family].get(&prefix)
    }

    pub(super) fn batch(&self, entry: &Entry) -> Option<&Batch> {
        self.batches.get(&entry.batch).map(|counted| &counted.batch)
    }

    pub(super) fn set_over(&mut self, family: Family, prefix: Prefix, over: Option<(Prefix, Hop)>) {
        let Some(entry) = self.entries[family].get_mut(&prefix) else { return };
        let before = std::mem::replace(&mut entry.over, over);
        let (now, before) = (usize::from(entry.over.is_some()), usize::from(before.is_some()));
        self.announced[family] = self.announced[family] + now - before;
        if let Some(counted) = self.batches.get_mut(&entry.batch) {
            counted.announced = counted.announced + now - before;
        }
    }

    /// The prefix itself and all that lie in it.
    pub(super) fn within(&self, prefix: Prefix) -> impl Iterator<Item = Prefix> {
        let last = IpNet::new(prefix.net().broadcast(), prefix.net().max_prefix_len());
        let last = last.map_or(prefix, Prefix::truncated);
        self.entries[prefix.family()].range(prefix..=last).map(|(prefix, _)| *prefix)
    }

    pub(super) fn all(&self, family: Family) -> impl Iterator<Item = Prefix> {
        self.entries[family].keys().copied()
    }

    /// Those that are announced like others, behind `after`, in the order of their prefixes.
    pub(super) fn announced_behind(&self, after: Option<Prefix>) -> impl Iterator<Item = (Prefix, &Entry)> {
        let behind = move |family: Family| {
            let entries = &self.entries[family];
            let start = after.filter(|after| after.family() == family).map_or(Unbounded, Excluded);
            entries.range((start, Unbounded))
        };
        let families =
            Family::ALL.into_iter().filter(move |family| after.is_none_or(|after| after.family() <= *family));
        families.flat_map(behind).filter(|(_, entry)| entry.over.is_some()).map(|(prefix, entry)| (*prefix, entry))
    }

    /// The entries of these batches, which are forgotten.
    pub(super) fn take_batches(&mut self, mut wanted: impl FnMut(&mut Batch) -> bool) -> Vec<(Prefix, Entry)> {
        let before = self.batches.len();
        self.batches.retain(|_, counted| !wanted(&mut counted.batch));
        if self.batches.len() == before {
            return Vec::new();
        }
        let batches = &self.batches;
        let mut taken = Vec::new();
        for (family, entries) in self.entries.iter_mut() {
            let over = entries.extract_if(.., |_, entry| !batches.contains_key(&entry.batch));
            let from = taken.len();
            taken.extend(over);
            let ended = taken.iter().skip(from).filter(|(_, entry)| entry.over.is_some()).count();
            self.announced[family] -= ended;
        }
        taken
    }

    /// Each batch may be left where the leader can tell nothing, as far as anybody knows.
    pub(super) fn leave_all(&mut self) {
        self.batches.values_mut().for_each(|counted| (counted.batch.past, counted.batch.left) = (None, true));
    }

    /// Says of each batch anew whether it may be left where the leader can tell nothing. These are of one of which that is otherwise than
    /// before.
    pub(super) fn turn(&mut self, mut is_left: impl FnMut(&mut Batch) -> bool) -> PerFamily<Vec<Prefix>> {
        let mut turned = BTreeSet::new();
        for (number, Counted { batch, .. }) in &mut self.batches {
            let left = is_left(batch);
            if std::mem::replace(&mut batch.left, left) != left {
                turned.insert(*number);
            }
        }
        let of = |family| {
            let entries = self.entries[family].iter().filter(|(_, entry)| turned.contains(&entry.batch));
            entries.map(|(prefix, _)| *prefix).collect()
        };
        if turned.is_empty() { PerFamily::default() } else { PerFamily::from_fn(of) }
    }

    /// Since when the first of what is left is past.
    pub(super) fn first_past(&self) -> Option<Time> {
        let left = self.batches.values().map(|counted| &counted.batch).filter(|batch| batch.left);
        left.filter_map(|batch| batch.past).min()
    }

    /// Since when nobody is behind with what waits longest for that to be noticed.
    pub(super) fn first_told(&self) -> Option<Time> {
        self.batches.values().filter_map(|counted| counted.batch.told).min()
    }

    /// The source follows another store from now on, up to that revision if one is known: there is nothing in it of what was withdrawn.
    pub(super) fn renumber(&mut self, source: usize, at: Option<u64>) {
        for counted in self.batches.values_mut() {
            counted.batch.at.get_mut(source).into_iter().for_each(|known| *known = at);
        }
    }

    /// The earliest revision of the source at which something was withdrawn that is announced; 0, if that was at none.
    pub(super) fn announced_at(&self, source: usize) -> Option<u64> {
        // Revisions of one store do not go back, so that the first batch has the earliest.
        let first = self.batches.values().find(|counted| counted.announced > 0)?;
        Some(first.batch.at.get(source).copied().flatten().unwrap_or_default())
    }
}
