//! What is wrong with this replica's part among the others: the election and the status records, for whoever shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// A word for it: one of [`fingerpost_core::election::TROUBLES`], or [`STATUS`].
    pub kind: &'static str,
    /// What, where, and what to do.
    pub message: String,
}

/// The word for records of the replicas that cannot be read or written.
pub const STATUS: &str = "status";

/// See the module; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<Both>>);

#[derive(Debug, Default)]
struct Both {
    election: Option<Wrong>,
    status: Option<Wrong>,
}

impl Troubles {
    fn both(&self) -> MutexGuard<'_, Both> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is wrong with the election, or nothing.
    pub fn of_election(&self, wrong: Option<Wrong>) {
        self.both().election = wrong;
    }

    /// From now on this is wrong with the records, or nothing. What was before.
    pub fn of_status(&self, wrong: Option<Wrong>) -> Option<Wrong> {
        std::mem::replace(&mut self.both().status, wrong)
    }

    /// All that is wrong now.
    pub fn all(&self) -> Vec<Wrong> {
        let both = self.both();
        [&both.election, &both.status].into_iter().flatten().cloned().collect()
    }
}
