//! One TCP connection on its way to being a session.

use super::Agreed;
use super::deadlines::Deadlines;
use crate::bgp::wire::Framer;

/// A connection, numbered by the shell; never used again for the same gateway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Who opened it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// We dialled.
    Outgoing,
    /// The gateway dialled.
    Incoming,
}

/// The states of RFC 4271 §8.2.2 that a connection can be in, with what each of them knows.
#[derive(Debug)]
pub(super) enum Phase {
    /// Our OPEN is sent, the gateway's awaited.
    OpenSent,
    /// Both OPENs agree; the gateway's first KEEPALIVE is awaited.
    OpenConfirm(Box<Agreed>),
    /// Both OPENs agree, but a session stands on another connection. Which of the two stays is the gateway's choice, made when
    /// it reads our OPEN here: ours could be the opposite of one that it has made already, and then both would end.
    Contested {
        agreed: Box<Agreed>,
        /// Our KEEPALIVE has gone.
        told: bool,
        /// The gateway's KEEPALIVE has come: it has chosen this connection.
        chosen: bool,
    },
    /// The session.
    Established(Box<Agreed>),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) direction: Direction,
    pub(super) framer: Framer,
    pub(super) phase: Phase,
    pub(super) deadlines: Deadlines,
    /// Accepted while the session stood that stands now: the sign that the gateway has restarted.
    pub(super) after_session: bool,
}

impl Connection {
    pub(super) fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established(_))
    }

    pub(super) fn agreed(&self) -> Option<&Agreed> {
        match &self.phase {
            Phase::OpenSent => None,
            Phase::OpenConfirm(agreed) | Phase::Contested { agreed, .. } | Phase::Established(agreed) => Some(agreed),
        }
    }
}
