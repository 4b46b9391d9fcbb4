//! BGP identifiers.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A BGP identifier: any four octets but zero (RFC 6286 §2.1), written like an IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterId(u32);

/// 0.0.0.0, or text that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a BGP identifier: write it like an IPv4 address other than 0.0.0.0 (RFC 6286)")]
pub struct InvalidRouterId(String);

impl RouterId {
    /// The identifier in host order, unless it is 0.
    pub fn new(id: u32) -> Result<Self, InvalidRouterId> {
        if id == 0 { Err(InvalidRouterId("0.0.0.0".into())) } else { Ok(RouterId(id)) }
    }

    /// In host order, as identifiers are compared (RFC 4271 §6.8).
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from(self.0).fmt(f)
    }
}

impl FromStr for RouterId {
    type Err = InvalidRouterId;
    fn from_str(text: &str) -> Result<Self, InvalidRouterId> {
        let address: Ipv4Addr = text.parse().map_err(|_| InvalidRouterId(text.into()))?;
        RouterId::new(address.into())
    }
}
