//! A TCP connection between the process and a gateway: octets in order, late, and no more on their way than the window holds.

use super::process::Sent;
use crate::bgp::neighbour::ConnectionId;
use std::collections::VecDeque;

pub(super) struct Wire {
    pub(super) gateway: usize,
    /// The number of the process at our end.
    pub(super) process: usize,
    pub(super) ours: ConnectionId,
    pub(super) theirs: ConnectionId,
    /// Octets that were sent to the gateway and that it has not read.
    pub(super) unread: usize,
    /// What has come to a gateway that does not read.
    pub(super) inbox: VecDeque<Option<Sent>>,
    /// Nothing comes through any more, and nobody is told.
    pub(super) is_silent: bool,
    pub(super) open_here: bool,
    pub(super) open_there: bool,
}

impl Wire {
    pub(super) fn new(gateway: usize, process: usize, ours: ConnectionId, theirs: ConnectionId) -> Self {
        Wire {
            gateway,
            process,
            ours,
            theirs,
            unread: 0,
            inbox: VecDeque::new(),
            is_silent: false,
            open_here: true,
            open_there: true,
        }
    }
}
