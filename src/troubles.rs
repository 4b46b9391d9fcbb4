//! What is wrong with this replica's part among the others: the election, the status records and the orders, for whoever shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// A word for it: one of [`fingerpost_core::election::TROUBLES`], [`STATUS`], [`ORDERS`] or [`PLACEMENT`].
    pub kind: &'static str,
    /// What, where, and what to do.
    pub message: String,
}

/// The word for records of the replicas that cannot be read or written.
pub const STATUS: &str = "status";

/// The word for orders that do not reach the other replicas, or theirs that cannot be taken.
pub const ORDERS: &str = "orders";

/// The word for a gateway that all replicas reach by another one.
pub const PLACEMENT: &str = "placement";

/// See the module; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    election: Option<Wrong>,
    status: Option<Wrong>,
    orders: Option<Wrong>,
    placement: Option<Wrong>,
}

impl Troubles {
    fn those(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is wrong with the election, or nothing.
    pub fn of_election(&self, wrong: Option<Wrong>) {
        self.those().election = wrong;
    }

    /// From now on this is wrong with the records, or nothing. What was before.
    pub fn of_status(&self, wrong: Option<Wrong>) -> Option<Wrong> {
        std::mem::replace(&mut self.those().status, wrong)
    }

    /// From now on this is wrong with the orders, or nothing. What was before.
    pub fn of_orders(&self, wrong: Option<Wrong>) -> Option<Wrong> {
        std::mem::replace(&mut self.those().orders, wrong)
    }

    /// From now on this is wrong with where the replicas are, or nothing.
    pub fn of_placement(&self, wrong: Option<Wrong>) {
        self.those().placement = wrong;
    }

    /// All that is wrong now.
    pub fn all(&self) -> Vec<Wrong> {
        let those = self.those();
        [&those.election, &those.status, &those.orders, &those.placement].into_iter().flatten().cloned().collect()
    }
}
