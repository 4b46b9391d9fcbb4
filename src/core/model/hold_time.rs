//! The hold time of a BGP session.

use std::time::Duration;

/// 0 (no keepalives, never expires) or 3 to 65,535 s (RFC 4271 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HoldTime(u16);

/// 1 or 2 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hold time of {0} s is not allowed: 0 or at least 3 s (RFC 4271 §4.2)")]
pub struct InvalidHoldTime(u16);

impl HoldTime {
    /// No keepalives, and the session never expires.
    pub const NEVER: HoldTime = HoldTime(0);

    /// Seconds as they stand in an OPEN.
    pub fn new(seconds: u16) -> Result<Self, InvalidHoldTime> {
        match seconds {
            1 | 2 => Err(InvalidHoldTime(seconds)),
            _ => Ok(HoldTime(seconds)),
        }
    }

    /// Seconds; 0 is never.
    pub fn seconds(self) -> u16 {
        self.0
    }

    /// The span, unless it is never.
    pub fn duration(self) -> Option<Duration> {
        (self.0 != 0).then(|| Duration::from_secs(self.0.into()))
    }
}
