//! Why a session is ended on purpose (RFC 4486, RFC 8538, RFC 9384).

/// The subcode of a Cease NOTIFICATION.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CeaseSubcode {
    /// 6/1: the peer sent more prefixes than allowed.
    MaximumPrefixes,
    /// 6/2: an operator stopped the session; may carry a shutdown communication (RFC 9003).
    AdministrativeShutdown,
    /// 6/3: the neighbour was removed from the configuration.
    PeerDeconfigured,
    /// 6/4: an operator restarts the session; may carry a shutdown communication (RFC 9003).
    AdministrativeReset,
    /// 6/5: the connection was refused after the TCP handshake.
    ConnectionRejected,
    /// 6/6: a change of configuration needs a new session.
    OtherConfigurationChange,
    /// 6/7: the other of two connections stays (RFC 4271 §6.8).
    ConnectionCollision,
    /// 6/8: memory or the like ran out.
    OutOfResources,
    /// 6/9: end without graceful restart; wraps the real reason (RFC 8538 §3.1).
    HardReset,
    /// 6/10: BFD says the peer is gone (RFC 9384).
    BfdDown,
}

impl CeaseSubcode {
    /// The number on the wire.
    pub fn code(self) -> u8 {
        match self {
            CeaseSubcode::MaximumPrefixes => 1,
            CeaseSubcode::AdministrativeShutdown => 2,
            CeaseSubcode::PeerDeconfigured => 3,
            CeaseSubcode::AdministrativeReset => 4,
            CeaseSubcode::ConnectionRejected => 5,
            CeaseSubcode::OtherConfigurationChange => 6,
            CeaseSubcode::ConnectionCollision => 7,
            CeaseSubcode::OutOfResources => 8,
            CeaseSubcode::HardReset => 9,
            CeaseSubcode::BfdDown => 10,
        }
    }
}
