//! Gateways by number.

/// A gateway for as long as it is configured; numbers are not used again while the process lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GatewayId(pub u32);
