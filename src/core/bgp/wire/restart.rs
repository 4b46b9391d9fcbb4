//! The values of the two capabilities by which routes outlive a session: graceful restart (RFC 4724, RFC 8538) and
//! its long-lived form (RFC 9494).

use super::reader::Reader;

/// Graceful restart (RFC 4724 §3).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct GracefulRestart {
    /// R, "Restart State": the speaker has restarted (RFC 4724 §3).
    pub restarting: bool,
    /// N: a NOTIFICATION or an expired hold timer keeps the routes too (RFC 8538 §2).
    pub notification: bool,
    /// Seconds until the session is back, 0 to 4095.
    pub restart_time: u16,
    /// The families whose routes are to be kept.
    pub families: Vec<RestartFamily>,
}

/// One family in [`GracefulRestart`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RestartFamily {
    /// Address family identifier.
    pub afi: u16,
    /// Subsequent address family identifier.
    pub safi: u8,
    /// F, "Forwarding State": forwarding went on during the restart (RFC 4724 §3).
    pub forwarding: bool,
}

/// One family in long-lived graceful restart (RFC 9494 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LongLivedFamily {
    /// Address family identifier.
    pub afi: u16,
    /// Subsequent address family identifier.
    pub safi: u8,
    /// F: forwarding went on during the restart.
    pub forwarding: bool,
    /// Seconds for which stale routes are kept after the restart time, 0 to 16,777,215.
    pub stale_time: u32,
}

/// The most families that the one octet of a capability's length leaves room for.
const MAX_RESTART_FAMILIES: usize = (255 - 2) / 4;
const MAX_LONG_LIVED_FAMILIES: usize = 255 / 7;

const RESTART_STATE: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0FFF;
const FORWARDING: u8 = 0x80;

impl GracefulRestart {
    /// The longest restart time, in seconds (twelve bits).
    pub const MAX_RESTART_TIME: u16 = RESTART_TIME;

    /// What it says of one family.
    pub fn family(&self, afi: u16, safi: u8) -> Option<&RestartFamily> {
        self.families.iter().find(|family| (family.afi, family.safi) == (afi, safi))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = self.restart_time.min(RESTART_TIME);
        flags |= if self.restarting { RESTART_STATE } else { 0 };
        flags |= if self.notification { NOTIFICATION } else { 0 };
        out.extend_from_slice(&flags.to_be_bytes());
        for family in self.families.iter().take(MAX_RESTART_FAMILIES) {
            out.extend_from_slice(&family.afi.to_be_bytes());
            out.extend_from_slice(&[family.safi, if family.forwarding { FORWARDING } else { 0 }]);
        }
    }

    /// `None` if it is cut off (TESTS.md B6). Reserved bits are ignored (RFC 4724 §3).
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let flags = reader.u16()?;
        let mut families = Vec::with_capacity(reader.rest().len() / 4);
        while !reader.is_empty() {
            let (afi, safi, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
            families.push(RestartFamily { afi, safi, forwarding: flags & FORWARDING != 0 });
        }
        Some(GracefulRestart {
            restarting: flags & RESTART_STATE != 0,
            notification: flags & NOTIFICATION != 0,
            restart_time: flags & RESTART_TIME,
            families,
        })
    }
}

impl LongLivedFamily {
    /// The longest stale time, in seconds (twenty-four bits).
    pub const MAX_STALE_TIME: u32 = 0x00FF_FFFF;

    pub(super) fn encode_all(families: &[LongLivedFamily], out: &mut Vec<u8>) {
        for family in families.iter().take(MAX_LONG_LIVED_FAMILIES) {
            out.extend_from_slice(&family.afi.to_be_bytes());
            out.extend_from_slice(&[family.safi, if family.forwarding { FORWARDING } else { 0 }]);
            let [_, time @ ..] = family.stale_time.min(Self::MAX_STALE_TIME).to_be_bytes();
            out.extend_from_slice(&time);
        }
    }

    /// `None` if it is cut off (TESTS.md B6).
    pub(super) fn decode_all(value: &[u8]) -> Option<Vec<Self>> {
        let mut reader = Reader::new(value);
        let mut families = Vec::with_capacity(value.len() / 7);
        while !reader.is_empty() {
            let (afi, safi, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let [high, middle, low] = reader.array()?;
            let stale_time = u32::from_be_bytes([0, high, middle, low]);
            families.push(LongLivedFamily { afi, safi, forwarding: flags & FORWARDING != 0, stale_time });
        }
        Some(families)
    }
}
