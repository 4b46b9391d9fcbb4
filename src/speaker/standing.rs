//! A session that the engine knows of.

use crate::engine::EngineHandle;
use fingerpost_core::bgp::neighbour::ConnectionId;
use fingerpost_core::engine::{Input, SessionNumber};
use fingerpost_core::model::GatewayId;

/// Dropping it tells the engine that the session is over, also where a gateway's task ends by a panic.
pub(super) struct Standing {
    pub(super) connection: ConnectionId,
    pub(super) number: SessionNumber,
    pub(super) gateway: GatewayId,
    pub(super) engine: EngineHandle,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.engine.send(Input::SessionDown(self.gateway, self.number), None);
    }
}
