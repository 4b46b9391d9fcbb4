//! Attribute sets of a view, each stored once and counted.

use crate::bgp::wire::RouteAttributes;
use hashbrown::HashMap;
use std::num::NonZeroU32;

/// An attribute set by number; used again once no entry has it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttrId(NonZeroU32);

impl AttrId {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Default, Debug)]
pub(super) struct Attributes {
    sets: Vec<(RouteAttributes, u32)>,
    numbers: HashMap<RouteAttributes, AttrId>,
    free: Vec<AttrId>,
    /// Interned but perhaps not used by any entry yet.
    fresh: Option<AttrId>,
}

impl Attributes {
    pub(super) fn get(&self, id: AttrId) -> &RouteAttributes {
        &self.sets[id.index()].0
    }

    /// Those that some entry has.
    pub(super) fn in_use(&self) -> impl Iterator<Item = &RouteAttributes> {
        self.sets.iter().filter(|(_, count)| *count > 0).map(|(set, _)| set)
    }

    /// The set's number. Stays valid until the next call, and as long as an entry uses it.
    pub(super) fn intern(&mut self, set: RouteAttributes) -> AttrId {
        if let Some(fresh) = self.fresh.take()
            && self.sets[fresh.index()].1 == 0
        {
            self.drop_set(fresh);
        }
        if let Some(&id) = self.numbers.get(&set) {
            return id;
        }
        let id = match self.free.pop() {
            Some(id) => {
                self.sets[id.index()].0 = set.clone();
                id
            }
            None => {
                self.sets.push((set.clone(), 0));
                let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
                AttrId(NonZeroU32::new(number).unwrap_or(NonZeroU32::MAX))
            }
        };
        self.numbers.insert(set, id);
        self.fresh = Some(id);
        id
    }

    pub(super) fn acquire(&mut self, id: AttrId) {
        self.sets[id.index()].1 += 1;
    }

    pub(super) fn release(&mut self, id: AttrId) {
        self.sets[id.index()].1 -= 1;
        if self.sets[id.index()].1 == 0 && self.fresh != Some(id) {
            self.drop_set(id);
        }
    }

    fn drop_set(&mut self, id: AttrId) {
        self.numbers.remove(&self.sets[id.index()].0);
        self.free.push(id);
    }
}
