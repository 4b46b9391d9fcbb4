//! ROUTE-REFRESH (RFC 2918) and its brackets (enhanced route refresh, RFC 7313).

use super::message::{HEADER_LEN, MessageKind, message};
use super::notification::Notification;
use super::reader::Reader;
use crate::model::Family;
use bytes::Bytes;

/// What the octet between AFI and SAFI says (RFC 7313 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefreshSubtype {
    /// 0: send everything again.
    Request,
    /// 1, BoRR: what follows is everything.
    Begin,
    /// 2, EoRR: that was everything.
    End,
    /// Another, to be ignored (RFC 7313 §5).
    Other(u8),
}

/// A ROUTE-REFRESH message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RouteRefresh {
    /// Address family identifier, not necessarily one we speak.
    pub afi: u16,
    /// Subsequent address family identifier.
    pub safi: u8,
    /// Request or bracket.
    pub subtype: RefreshSubtype,
}

impl RefreshSubtype {
    /// The number on the wire.
    pub fn code(self) -> u8 {
        match self {
            RefreshSubtype::Request => 0,
            RefreshSubtype::Begin => 1,
            RefreshSubtype::End => 2,
            RefreshSubtype::Other(code) => code,
        }
    }

    /// The subtype with this number.
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => RefreshSubtype::Request,
            1 => RefreshSubtype::Begin,
            2 => RefreshSubtype::End,
            other => RefreshSubtype::Other(other),
        }
    }
}

impl RouteRefresh {
    /// For a family we speak.
    pub fn new(family: Family, subtype: RefreshSubtype) -> Self {
        RouteRefresh { afi: family.afi(), safi: family.safi(), subtype }
    }

    /// The family, if we speak it; otherwise the message is ignored (RFC 2918 §4).
    pub fn family(self) -> Option<Family> {
        Family::from_afi_safi(self.afi, self.safi)
    }

    /// The complete message.
    pub fn encode(self) -> Bytes {
        let [high, low] = self.afi.to_be_bytes();
        message(MessageKind::RouteRefresh, &[high, low, self.subtype.code(), self.safi])
    }

    /// Reads what follows the header.
    ///
    /// The error is the NOTIFICATION to send: a BoRR or EoRR whose body is not four octets long is 7/1 with the
    /// complete message as Data (RFC 7313 §5), another with fewer than four 1/2. A request with a longer body carries
    /// outbound route filters (RFC 5291), a capability we never announce: the request counts, the filters do not.
    pub fn decode(body: &[u8]) -> Result<Self, Notification> {
        let subtype = body.get(2).copied().map(RefreshSubtype::from_code);
        if matches!(subtype, Some(RefreshSubtype::Begin | RefreshSubtype::End)) && body.len() != 4 {
            return Err(Notification::new(7, 1, message(MessageKind::RouteRefresh, body)));
        }
        let mut reader = Reader::new(body);
        match (reader.u16(), reader.u8(), reader.u8()) {
            (Some(afi), Some(subtype), Some(safi)) => {
                Ok(RouteRefresh { afi, safi, subtype: RefreshSubtype::from_code(subtype) })
            }
            _ => Err(Notification::bad_message_length(u16::try_from(HEADER_LEN + body.len()).unwrap_or(u16::MAX))),
        }
    }
}
