//! One line in the log for each order: who, what, and how much it concerned.

use super::listener::Peer;
use crate::telemetry::AUDIT;
use std::fmt::Display;

/// Says that an order was carried out. `of`: what it was about; `count`: how many holds or routes.
pub(super) fn say(peer: Peer, order: &'static str, of: impl Display, count: usize) {
    // Both are there on Linux; a process in another namespace has the number 0.
    let (uid, pid) = (peer.uid.map_or(-1, i64::from), peer.pid.unwrap_or(-1));
    tracing::info!(target: AUDIT, uid, pid, order, %of, count, "done");
}

/// Says that one was refused.
pub(super) fn refused(peer: Peer, order: &'static str, why: &tonic::Status) {
    let (uid, pid) = (peer.uid.map_or(-1, i64::from), peer.pid.unwrap_or(-1));
    tracing::info!(target: AUDIT, uid, pid, order, "refused: {}", why.message());
}
