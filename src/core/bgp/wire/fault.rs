//! What can be wrong with a path attribute, in words and as the NOTIFICATION it would be (RFC 4271 §6.3).

use super::attributes::attribute_name;
use super::notification::Notification;
use bytes::Bytes;
use std::fmt;

/// An attribute that could not be used as it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct AttributeError {
    /// The attribute's type code.
    pub attribute: u8,
    /// What is wrong with it.
    pub fault: Fault,
    /// The attribute as received, for the Data of a NOTIFICATION; empty if it is missing or cut off.
    pub octets: Bytes,
}

/// What is wrong with an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The attribute list ends inside it (RFC 7606 §4).
    CutOff,
    /// Optional or Transitive contradict the type (RFC 7606 §3 c).
    Flags(u8),
    /// A length that the type does not allow (RFC 7606 §7).
    Length(usize),
    /// ORIGIN is none of 0, 1, 2 (RFC 7606 §7.1).
    Origin(u8),
    /// The next hop cannot be a host's address (RFC 4271 §6.3).
    NextHop,
    /// AS_PATH or AS4_PATH says something impossible or forbidden.
    AsPath(&'static str),
    /// AS_PATH or AS4_PATH has an AS_SET or AS_CONFED_SET (RFC 9774 §3).
    AsSet,
    /// AS 0 in AGGREGATOR or AS4_AGGREGATOR (RFC 7607 §2).
    AsZero,
    /// A mandatory attribute is not there (RFC 7606 §3 d).
    Missing,
    /// It came a second time (RFC 7606 §3 g).
    Repeated,
    /// An attribute of iBGP came from an external neighbour (RFC 7606 §7.5, §7.9, §7.10).
    FromExternal,
    /// AS4_PATH or AS4_AGGREGATOR from a speaker of four-octet numbers (RFC 6793 §6).
    FromFourOctetSpeaker,
    /// A family that was not agreed on (RFC 4760 §8).
    NotNegotiated,
}

impl AttributeError {
    /// The NOTIFICATION that RFC 4271 §6.3 has for it, where the session must end.
    pub fn notification(&self) -> Notification {
        let subcode = match self.fault {
            Fault::CutOff => return Notification::MALFORMED_ATTRIBUTE_LIST,
            Fault::Missing => return Notification::new(3, 3, vec![self.attribute]),
            Fault::Repeated => return Notification::MALFORMED_ATTRIBUTE_LIST,
            Fault::AsPath(_) | Fault::AsSet => return Notification::new(3, 11, Bytes::new()),
            Fault::Flags(_) => 4,
            Fault::Length(_) => 5,
            Fault::Origin(_) => 6,
            Fault::NextHop => 8,
            Fault::AsZero | Fault::FromExternal | Fault::FromFourOctetSpeaker | Fault::NotNegotiated => 9,
        };
        Notification::new(3, subcode, self.octets.clone())
    }
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match attribute_name(self.attribute) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "attribute {}", self.attribute)?,
        }
        match self.fault {
            Fault::CutOff => f.write_str(" is cut off"),
            Fault::Flags(flags) => write!(f, " has the wrong flags 0x{flags:02x}"),
            Fault::Length(length) => write!(f, " has the wrong length {length}"),
            Fault::Origin(value) => write!(f, " has the undefined value {value}"),
            Fault::NextHop => f.write_str(" is no host's address"),
            Fault::AsPath(what) => write!(f, " has {what}"),
            Fault::AsSet => f.write_str(" has an AS_SET or AS_CONFED_SET"),
            Fault::AsZero => f.write_str(" has AS 0"),
            Fault::Missing => f.write_str(" is missing"),
            Fault::Repeated => f.write_str(" is there more than once"),
            Fault::FromExternal => f.write_str(" came from an external neighbour"),
            Fault::FromFourOctetSpeaker => f.write_str(" came from a speaker of four-octet AS numbers"),
            Fault::NotNegotiated => f.write_str(" has a family that was not negotiated"),
        }
    }
}
