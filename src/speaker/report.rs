//! How a gateway is, for whoever asks.

use super::net::Target;
use fingerpost_core::bgp::neighbour::{State, Status};
use fingerpost_core::model::{GatewayId, Time};

/// How a gateway is.
pub(super) struct Told {
    pub(super) status: Status,
    pub(super) hint: Option<String>,
}

/// When a gateway's status was asked for, and what it was.
#[derive(Clone, Debug)]
pub struct GatewayReport {
    /// The gateway.
    pub id: GatewayId,
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// Its session; None if its task does not answer.
    pub status: Option<Status>,
    /// What may be wrong where the status cannot say it.
    pub hint: Option<String>,
    /// The name of the range that it came from.
    pub range: Option<String>,
    /// When this was.
    pub at: Time,
}

impl GatewayReport {
    /// Whether it has a session; not, if its task does not answer.
    pub fn is_established(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.state == State::Established)
    }
}
