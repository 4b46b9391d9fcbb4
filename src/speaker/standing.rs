//! A session that the engine knows of.

use crate::engine::EngineHandle;
use fingerpost_core::bgp::neighbour::ConnectionId;
use fingerpost_core::engine::{Input, REPORT, Refusal, SessionNumber};
use fingerpost_core::model::GatewayId;
use fingerpost_core::view::Stamp;

/// Dropping it tells the engine that the session is over, also where a gateway's task ends by a panic.
pub(super) struct Standing {
    pub(super) connection: ConnectionId,
    pub(super) number: SessionNumber,
    gateway: GatewayId,
    engine: EngineHandle,
    /// Octets that went into the socket and that the engine was not told of.
    unreported: usize,
    /// Octets that went into the socket or were refused.
    done: u64,
}

impl Standing {
    pub(super) fn new(
        connection: ConnectionId,
        number: SessionNumber,
        gateway: GatewayId,
        engine: EngineHandle,
    ) -> Self {
        Standing { connection, number, gateway, engine, unreported: 0, done: 0 }
    }

    /// So many octets of chunks went into the socket. The engine is not woken by every small change that everybody is told.
    pub(super) fn written(&mut self, octets: usize) {
        self.take(octets);
        if self.unreported >= REPORT {
            self.report();
        }
    }

    fn take(&mut self, octets: usize) {
        self.unreported += octets;
        self.done += octets as u64;
    }

    fn report(&mut self) {
        let octets = std::mem::take(&mut self.unreported);
        self.engine.send(Input::Written(self.gateway, self.number, octets), None);
    }

    /// What has this stamp may not be said any more, and so many octets are under way no longer.
    pub(super) fn refused(&mut self, stamp: Stamp, octets: usize) {
        let refusal = Refusal { stamp, after: self.done };
        self.dropped(octets);
        self.engine.send(Input::Refused(self.gateway, self.number, refusal), None);
    }

    /// Nor are these, which were handed out before the engine knew of it.
    pub(super) fn dropped(&mut self, octets: usize) {
        self.take(octets);
        self.report();
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.engine.send(Input::SessionDown(self.gateway, self.number), None);
    }
}
