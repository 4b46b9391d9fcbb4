//! What the book has that the store lacks, and the other way round: made where the book is.

use super::{Known, Standing, name};
use crate::orders::{Book, Number, Order, Register, Unreadable};
use crate::replicas::Digest;
use std::sync::Arc;

/// What stands in the store, to be compared with the book.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    pub(super) known: Arc<Known>,
    /// That is all of it.
    pub(super) whole: bool,
    /// It has what the book had after so many changes.
    pub(super) equal: Option<u64>,
}

/// What has come of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// [`Book::changes`].
    pub(super) changes: u64,
    /// [`Book::digest`].
    pub(super) digest: Digest,
    /// To be written into the store.
    pub(super) lacking: Vec<Order>,
    /// To be taken out of it.
    pub(super) spent: Vec<(Register, Number)>,
}

impl Comparison {
    /// Made with this book.
    pub fn with(&self, book: &Book) -> Compared {
        let (mut lacking, mut spent) = (Vec::new(), Vec::new());
        if self.equal != Some(book.changes()) {
            let orders = book.entries().map(|entry| &entry.order);
            lacking = orders.filter(|order| self.lacks(order)).cloned().collect();
            let there = self.known.values().filter_map(|standing| standing.order.as_ref().ok());
            spent = there.filter(|order| book.is_spent(order)).map(|order| (order.register(), order.number)).collect();
        }
        Compared { changes: book.changes(), digest: book.digest(), lacking, spent }
    }

    /// Whether it is to be written there. While not all is known a freeze or its end is, and nothing else. What a newer version has
    /// written is left.
    fn lacks(&self, order: &Order) -> bool {
        let register = order.register();
        let is_earlier = |standing: &Standing| match &standing.order {
            Ok(there) => there.number < order.number,
            Err(why) => *why != Unreadable::Unknown,
        };
        (self.whole || register == Register::Freeze) && self.known.get(&name(&register)).is_none_or(is_earlier)
    }
}
