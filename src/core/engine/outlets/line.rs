//! Gateways in a row.

use crate::model::GatewayId;
use hashbrown::HashSet;
use std::collections::VecDeque;

/// Who is to be looked at, in turn; nobody stands in it twice.
#[derive(Default, Debug)]
pub(super) struct Line {
    row: VecDeque<GatewayId>,
    members: HashSet<GatewayId>,
}

impl Line {
    /// Puts it at the end, unless it stands in the row already.
    pub(super) fn push(&mut self, gateway: GatewayId) {
        if self.members.insert(gateway) {
            self.row.push_back(gateway);
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<GatewayId> {
        let first = self.row.pop_front()?;
        self.members.remove(&first);
        Some(first)
    }

    /// How many stand in it.
    pub(super) fn len(&self) -> usize {
        self.row.len()
    }
}
