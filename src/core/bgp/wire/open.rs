//! OPEN (RFC 4271 §4.2): who the speaker is, and its capabilities (RFC 5492).

use super::capability::Capability;
use super::message::{HEADER_LEN, MAX_LEN, MessageKind, message};
use super::notification::Notification;
use super::reader::Reader;
use super::restart::{GracefulRestart, LongLivedFamily};
use crate::model::{Asn, Family, HoldTime, RouterId};
use bytes::Bytes;

/// The only version there is.
const VERSION: u8 = 4;
/// The optional parameter that holds capabilities (RFC 5492 §4).
const CAPABILITIES: u8 = 2;
/// As the first parameter's type: the extended form follows (RFC 9072 §2).
const EXTENDED: u8 = 255;
/// How many octets of capabilities a message has room for in the extended form.
const MAX_CAPABILITIES: usize = MAX_LEN - HEADER_LEN - 10 - 3 - 3;

/// An OPEN whose every field is possible; whether it is acceptable is for the session to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// The speaker's AS: from the four-octet capability where there is one, else from the field of two octets.
    pub asn: Asn,
    /// What the speaker proposes; the session uses the smaller (RFC 4271 §4.2).
    pub hold_time: HoldTime,
    /// The BGP identifier.
    pub router_id: RouterId,
    /// In the order of the message, those of all parameters together.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// The complete message: one parameter with all capabilities, in the form of RFC 9072 only where 255 octets do not
    /// hold it. Capabilities beyond 4096 octets are left out: an OPEN is never extended (RFC 8654 §4).
    pub fn encode(&self) -> Bytes {
        let mut capabilities = Vec::with_capacity(128);
        for capability in &self.capabilities {
            let before = capabilities.len();
            capability.encode(&mut capabilities);
            if capabilities.len() > MAX_CAPABILITIES {
                capabilities.truncate(before);
                break;
            }
        }
        let mut body = Vec::with_capacity(16 + capabilities.len());
        body.push(VERSION);
        body.extend_from_slice(&self.asn.two_octets().to_be_bytes());
        body.extend_from_slice(&self.hold_time.seconds().to_be_bytes());
        body.extend_from_slice(&self.router_id.get().to_be_bytes());
        match (u8::try_from(capabilities.len()), u8::try_from(capabilities.len() + 2)) {
            (Ok(0), _) => body.push(0),
            (Ok(value), Ok(parameters)) => body.extend_from_slice(&[parameters, CAPABILITIES, value]),
            _ => {
                // RFC 9072 §2: both old fields are 255, then lengths of two octets.
                let [high, low] = u16::try_from(capabilities.len()).unwrap_or(u16::MAX).to_be_bytes();
                let [all_high, all_low] = u16::try_from(capabilities.len() + 3).unwrap_or(u16::MAX).to_be_bytes();
                body.extend_from_slice(&[255, EXTENDED, all_high, all_low, CAPABILITIES, high, low]);
            }
        }
        body.extend_from_slice(&capabilities);
        message(MessageKind::Open, &body)
    }

    /// Reads what follows the header. The error is the NOTIFICATION to send (RFC 4271 §6.2): 2/1 version, 2/2 AS 0
    /// (RFC 7607 §2), 2/3 identifier 0 (RFC 6286 §2.2), 2/4 a parameter other than capabilities, 2/6 a hold time of
    /// 1 or 2 s, 2/0 whatever is cut off or too long.
    pub fn decode(body: &[u8]) -> Result<Self, Notification> {
        let mut reader = Reader::new(body);
        let version = reader.u8().ok_or(Notification::OPEN_MALFORMED)?;
        if version != VERSION {
            return Err(Notification::unsupported_version());
        }
        let (Some(asn), Some(hold_time), Some(id), Some(length)) =
            (reader.u16(), reader.u16(), reader.u32(), reader.u8())
        else {
            return Err(Notification::OPEN_MALFORMED);
        };
        let mut asn = Asn::new(asn.into()).map_err(|_| Notification::BAD_PEER_AS)?;
        let hold_time = HoldTime::new(hold_time).map_err(|_| Notification::UNACCEPTABLE_HOLD_TIME)?;
        let router_id = RouterId::new(id).map_err(|_| Notification::BAD_BGP_IDENTIFIER)?;
        let capabilities = parameters(length, reader)?;
        if let Some(number) = four_octet_as(&capabilities) {
            asn = Asn::new(number).map_err(|_| Notification::BAD_PEER_AS)?;
        }
        Ok(Open { asn, hold_time, router_id, capabilities })
    }

    /// For people: what [`Open::decode`] found in this body, and what to change at the gateway.
    pub fn why_refused(body: &[u8], refused: &Notification) -> String {
        let mut reader = Reader::new(body);
        let (version, _, hold_time) = (reader.u8(), reader.u16(), reader.u16());
        let shown = |field: Option<u16>| field.map_or_else(|| "?".into(), |value| value.to_string());
        match (refused.code, refused.subcode) {
            (2, 1) => format!(
                "the gateway speaks BGP version {}: this speaker knows version 4 only (RFC 4271): set the gateway to it",
                shown(version.map(u16::from))
            ),
            (2, 2) => "the gateway says it is AS 0, which nobody is (RFC 7607): give the gateway its AS".into(),
            (2, 3) => "the gateway's identifier is 0.0.0.0, which is not valid (RFC 6286 §2.1): set its router ID".into(),
            (2, 4) => "the gateway's OPEN has an optional parameter that is no capability, and of which RFC 5492 knows none: \
                       turn off what asks for it at the gateway"
                .into(),
            (2, 6) => format!(
                "the gateway proposes a hold time of {} s, which RFC 4271 §4.2 forbids: set it to 0 or at least 3 s there",
                shown(hold_time)
            ),
            _ => "the gateway's OPEN is malformed: its lengths do not agree, or a capability is cut short: update its software, \
                  or turn off capabilities there one by one"
                .into(),
        }
    }

    /// The families the speaker wants, those we know, each once. Without any multi-protocol capability it is IPv4
    /// (RFC 4760 §8: such a speaker knows nothing else).
    pub fn families(&self) -> impl Iterator<Item = Family> + '_ {
        let plain = !self.capabilities.iter().any(|capability| matches!(capability, Capability::MultiProtocol { .. }));
        Family::ALL.into_iter().filter(move |family| {
            let wanted = Capability::MultiProtocol { afi: family.afi(), safi: family.safi() };
            self.capabilities.contains(&wanted) || (plain && *family == Family::Ipv4)
        })
    }

    /// Graceful restart; of several the last counts (RFC 4724 §3).
    pub fn graceful_restart(&self) -> Option<&GracefulRestart> {
        self.capabilities.iter().rev().find_map(|capability| match capability {
            Capability::GracefulRestart(value) => Some(value),
            _ => None,
        })
    }

    /// Long-lived graceful restart; of several the last counts, and none without graceful restart (RFC 9494 §4.1).
    pub fn long_lived(&self) -> Option<&[LongLivedFamily]> {
        self.graceful_restart()?;
        self.capabilities.iter().rev().find_map(|capability| match capability {
            Capability::LongLivedGracefulRestart(families) => Some(families.as_slice()),
            _ => None,
        })
    }

    /// ROUTE-REFRESH is understood (RFC 2918 §2).
    pub fn has_route_refresh(&self) -> bool {
        self.capabilities.contains(&Capability::RouteRefresh)
    }

    /// BoRR and EoRR are understood (RFC 7313 §3.1).
    pub fn has_enhanced_refresh(&self) -> bool {
        self.capabilities.contains(&Capability::EnhancedRouteRefresh)
    }

    /// Messages of up to 65,535 octets are understood (RFC 8654 §3).
    pub fn has_extended_message(&self) -> bool {
        self.capabilities.contains(&Capability::ExtendedMessage)
    }

    /// AS numbers in AS_PATH have four octets (RFC 6793 §3).
    pub fn has_four_octet_as(&self) -> bool {
        four_octet_as(&self.capabilities).is_some()
    }

    /// Routes of this family may have a next hop of the other one (RFC 8950 §4).
    pub fn extended_next_hop(&self, family: Family) -> bool {
        let other = match family {
            Family::Ipv4 => Family::Ipv6,
            Family::Ipv6 => Family::Ipv4,
        };
        let wanted = (family.afi(), u16::from(family.safi()), other.afi());
        self.capabilities.iter().any(|capability| match capability {
            Capability::ExtendedNextHop(triples) => triples.contains(&wanted),
            _ => false,
        })
    }
}

fn four_octet_as(capabilities: &[Capability]) -> Option<u32> {
    capabilities.iter().rev().find_map(|capability| match capability {
        Capability::FourOctetAs(asn) => Some(*asn),
        _ => None,
    })
}

/// All capabilities of all parameters. `length` is the field before them, `reader` stands behind it.
fn parameters(length: u8, mut reader: Reader<'_>) -> Result<Vec<Capability>, Notification> {
    // RFC 9072 §2: the type 255 in the first parameter's place says so; the old length is then ignored, but never 0.
    let extended = length != 0 && reader.rest().first() == Some(&EXTENDED);
    let length = if extended {
        reader.u8();
        reader.u16().map(usize::from)
    } else {
        Some(usize::from(length))
    };
    if length != Some(reader.rest().len()) {
        return Err(Notification::OPEN_MALFORMED);
    }
    let mut capabilities = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8();
        let length = if extended { reader.u16().map(usize::from) } else { reader.u8().map(usize::from) };
        let value = length.and_then(|length| reader.take(length)).ok_or(Notification::OPEN_MALFORMED)?;
        if kind != Some(CAPABILITIES) {
            return Err(Notification::UNSUPPORTED_PARAMETER);
        }
        let mut value = Reader::new(value);
        while !value.is_empty() {
            let capability = one_capability(&mut value).ok_or(Notification::OPEN_MALFORMED)?;
            capabilities.push(capability);
        }
    }
    Ok(capabilities)
}

fn one_capability(reader: &mut Reader<'_>) -> Option<Capability> {
    let (code, length) = (reader.u8()?, reader.u8()?);
    Capability::decode(code, reader.take(length.into())?)
}
