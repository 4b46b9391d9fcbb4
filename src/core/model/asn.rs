//! Autonomous system numbers (RFC 6793: four octets; RFC 7607: never 0).

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// An autonomous system number, 1 to 4,294,967,295.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Asn(NonZeroU32);

/// Zero, or text that is no number (RFC 7607 §2: AS 0 must not be used).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an AS number: write a whole number from 1 to 4294967295")]
pub struct InvalidAsn(String);

impl Asn {
    /// AS_TRANS (RFC 6793 §9): stands in two octets for a number that needs four.
    pub const TRANS: u16 = 23456;

    /// The number, unless it is 0.
    pub fn new(number: u32) -> Result<Self, InvalidAsn> {
        NonZeroU32::new(number).map(Asn).ok_or_else(|| InvalidAsn(number.to_string()))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The number in two octets, or AS_TRANS where it does not fit.
    pub fn two_octets(self) -> u16 {
        u16::try_from(self.get()).unwrap_or(Self::TRANS)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = InvalidAsn;
    fn from_str(text: &str) -> Result<Self, InvalidAsn> {
        text.parse().ok().map(Asn).ok_or_else(|| InvalidAsn(text.into()))
    }
}
