//! So many of a sort are told as they come, the others of the same time are counted: a list may bring a hundred thousand records with
//! one and the same defect, and a record may change all the time.

use crate::model::Time;
use std::time::Duration;

#[derive(Debug)]
struct Lot<K> {
    sort: K,
    ends: Time,
    told: usize,
    left_out: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lots<K> {
    /// How many are told.
    first: usize,
    /// From the first that is told to the number of the others.
    pause: Duration,
    lots: Vec<Lot<K>>,
}

impl<K: Copy + PartialEq> Lots<K> {
    pub(super) fn new(first: usize, pause: Duration) -> Self {
        Lots { first, pause, lots: Vec::new() }
    }

    /// Whether one more of the sort is told; else it is counted.
    pub(super) fn admit(&mut self, now: Time, sort: K) -> bool {
        let place = self.lots.iter().position(|lot| lot.sort == sort).unwrap_or_else(|| {
            self.lots.push(Lot { sort, ends: now + self.pause, told: 0, left_out: 0 });
            self.lots.len() - 1
        });
        let Some(lot) = self.lots.get_mut(place) else { return false };
        let admitted = lot.told < self.first;
        lot.told += usize::from(admitted);
        lot.left_out += usize::from(!admitted);
        admitted
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.lots.iter().filter(|lot| lot.left_out > 0).map(|lot| lot.ends).min()
    }

    /// Begins anew where it is time, and says of which sorts how many were left out.
    pub(super) fn end(&mut self, now: Time) -> impl Iterator<Item = (K, usize)> {
        let ended = self.lots.extract_if(.., move |lot| lot.ends <= now);
        ended.filter(|lot| lot.left_out > 0).map(|lot| (lot.sort, lot.left_out))
    }
}
