//! A neighbour as seen from outside.

use super::{Agreed, Direction, End};
use crate::bgp::wire::{MessageKind, Notification};
use crate::model::Time;

/// The state names of RFC 4271 §8.2.2, of the connection that is furthest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Stopped.
    Idle,
    /// Dialling.
    Connect,
    /// Waiting: for the gateway to dial, or to dial again.
    Active,
    /// OPEN sent.
    OpenSent,
    /// OPENs agree.
    OpenConfirm,
    /// The session is up.
    Established,
}

impl State {
    /// The name, as the RFC writes it.
    pub fn name(self) -> &'static str {
        match self {
            State::Idle => "Idle",
            State::Connect => "Connect",
            State::Active => "Active",
            State::OpenSent => "OpenSent",
            State::OpenConfirm => "OpenConfirm",
            State::Established => "Established",
        }
    }
}

/// Messages by kind since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// OPEN.
    pub open: u64,
    /// UPDATE.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl Counters {
    pub(super) fn count(&mut self, kind: MessageKind, messages: u64) {
        let counter = match kind {
            MessageKind::Open => &mut self.open,
            MessageKind::Update => &mut self.update,
            MessageKind::Notification => &mut self.notification,
            MessageKind::Keepalive => &mut self.keepalive,
            MessageKind::RouteRefresh => &mut self.route_refresh,
        };
        *counter += messages;
    }

    /// Each kind's name and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("open", self.open),
            ("update", self.update),
            ("notification", self.notification),
            ("keepalive", self.keepalive),
            ("route_refresh", self.route_refresh),
        ]
        .into_iter()
    }
}

/// What was wrong with UPDATEs and did not end the session (RFC 7606 §8), since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UpdateErrors {
    /// UPDATEs whose prefixes all counted as withdrawn.
    pub treat_as_withdraw: u64,
    /// Attributes that were left out.
    pub attribute_discard: u64,
}

impl UpdateErrors {
    /// Each kind's name and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("treat_as_withdraw", self.treat_as_withdraw), ("attribute_discard", self.attribute_discard)].into_iter()
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when a session is up, or down.
    pub since: Time,
    /// What the session agreed on.
    pub agreed: Option<Agreed>,
    /// Who opened the session's connection.
    pub direction: Option<Direction>,
    /// How many sessions there were.
    pub established: u64,
    /// Received.
    pub received: Counters,
    /// Sent.
    pub sent: Counters,
    /// Errors in what was received.
    pub update_errors: UpdateErrors,
    /// The last NOTIFICATION received, and when.
    pub last_received: Option<(Time, Notification)>,
    /// The last NOTIFICATION sent, and when.
    pub last_sent: Option<(Time, Notification)>,
    /// How the last connection or session ended, and when.
    pub last_end: Option<(Time, End)>,
}
