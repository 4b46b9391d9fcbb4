//! A walk over everything that one gateway is to be told, and how far it has come.

use super::entries::Order;
use crate::table::SlotId;
use std::sync::Arc;

/// What ends a dump on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Marker {
    /// End-of-RIB (RFC 4724 §2): held back until the table is verified (promise P4).
    EndOfRib,
    /// End of a bracketed refresh (RFC 7313).
    EndOfRefresh,
    /// Nothing (RFC 2918).
    None,
}

#[derive(Debug)]
pub(super) struct Dump {
    pub(super) order: Arc<Order>,
    pub(super) next: usize,
    pub(super) end: Marker,
    /// A Begin-of-Route-Refresh is still to be sent.
    pub(super) begin: bool,
    pub(super) withdraw_absent: bool,
    /// It says nothing new, only another stamp: from this place on there is time.
    pub(super) unhurried: Option<usize>,
}

/// What a dump after a move has not come by yet: an earlier view may have told it, and it may still be there.
pub(super) fn left_to_withdraw(dump: Option<&Dump>) -> &[SlotId] {
    let moving = dump.filter(|dump| dump.withdraw_absent);
    moving.and_then(|dump| dump.order.slots.get(dump.next..)).unwrap_or_default()
}
