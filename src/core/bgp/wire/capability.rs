//! Capabilities (RFC 5492): what each side says in its OPEN that it can do.

use super::reader::Reader;
use super::restart::{GracefulRestart, LongLivedFamily};
use bytes::Bytes;

/// One capability. Those we do not know are kept as they came, to be shown and otherwise ignored (RFC 5492 §3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Capability {
    /// 1: routes of this family (RFC 4760 §8).
    MultiProtocol {
        /// Address family identifier.
        afi: u16,
        /// Subsequent address family identifier.
        safi: u8,
    },
    /// 2: ROUTE-REFRESH (RFC 2918 §2).
    RouteRefresh,
    /// 5: for each (AFI, SAFI, AFI of the next hop): such a next hop is understood (RFC 8950 §4).
    ExtendedNextHop(Vec<(u16, u16, u16)>),
    /// 6: messages of up to 65,535 octets (RFC 8654 §3).
    ExtendedMessage,
    /// 64: graceful restart (RFC 4724 §3).
    GracefulRestart(GracefulRestart),
    /// 65: AS numbers of four octets, and the sender's own (RFC 6793 §3).
    FourOctetAs(u32),
    /// 70: brackets around a refresh (RFC 7313 §3.1).
    EnhancedRouteRefresh,
    /// 71: stale routes kept for long (RFC 9494 §3.1); means nothing without 64.
    LongLivedGracefulRestart(Vec<LongLivedFamily>),
    /// Any other.
    Unknown {
        /// Its code.
        code: u8,
        /// Its value, not interpreted.
        value: Bytes,
    },
}

/// The most triples that the one octet of length leaves room for.
const MAX_NEXT_HOPS: usize = 255 / 6;

impl Capability {
    /// The capability code (IANA "Capability Codes").
    pub fn code(&self) -> u8 {
        match self {
            Capability::MultiProtocol { .. } => 1,
            Capability::RouteRefresh => 2,
            Capability::ExtendedNextHop(_) => 5,
            Capability::ExtendedMessage => 6,
            Capability::GracefulRestart(_) => 64,
            Capability::FourOctetAs(_) => 65,
            Capability::EnhancedRouteRefresh => 70,
            Capability::LongLivedGracefulRestart(_) => 71,
            Capability::Unknown { code, .. } => *code,
        }
    }

    /// A name that stays the same, for JSON and messages; also for some that we do not interpret.
    pub fn name(&self) -> &'static str {
        match self.code() {
            1 => "multi-protocol",
            2 => "route-refresh",
            3 => "outbound-route-filter",
            5 => "extended-next-hop",
            6 => "extended-message",
            9 => "role",
            64 => "graceful-restart",
            65 => "four-octet-as",
            69 => "add-path",
            70 => "enhanced-route-refresh",
            71 => "long-lived-graceful-restart",
            73 => "fqdn",
            75 => "software-version",
            _ => "unknown",
        }
    }

    /// Appends code, length and value. Of what does not fit into 255 octets, the rest is left out.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.code(), 0]);
        let start = out.len();
        match self {
            Capability::MultiProtocol { afi, safi } => {
                out.extend_from_slice(&afi.to_be_bytes());
                out.extend_from_slice(&[0, *safi]); // RFC 4760 §8: the octet between is reserved
            }
            Capability::RouteRefresh | Capability::ExtendedMessage | Capability::EnhancedRouteRefresh => {}
            Capability::ExtendedNextHop(triples) => {
                for (afi, safi, next_hop_afi) in triples.iter().take(MAX_NEXT_HOPS) {
                    for field in [afi, safi, next_hop_afi] {
                        out.extend_from_slice(&field.to_be_bytes());
                    }
                }
            }
            Capability::GracefulRestart(value) => value.encode(out),
            Capability::FourOctetAs(asn) => out.extend_from_slice(&asn.to_be_bytes()),
            Capability::LongLivedGracefulRestart(families) => LongLivedFamily::encode_all(families, out),
            Capability::Unknown { value, .. } => out.extend_from_slice(value.get(..255).unwrap_or(value)),
        }
        let length = out.len() - start;
        if let Some(place) = out.get_mut(start - 1) {
            *place = u8::try_from(length).unwrap_or(u8::MAX);
        }
    }

    /// Reads one value. `None` if a capability we know has a length it cannot have (RFC 4271 §6.2: 2/0).
    pub(super) fn decode(code: u8, value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let capability = match code {
            1 => {
                let (afi, _reserved, safi) = (reader.u16()?, reader.u8()?, reader.u8()?);
                Capability::MultiProtocol { afi, safi }
            }
            2 => Capability::RouteRefresh,
            5 => {
                let mut triples = Vec::with_capacity(value.len() / 6);
                while !reader.is_empty() {
                    triples.push((reader.u16()?, reader.u16()?, reader.u16()?));
                }
                Capability::ExtendedNextHop(triples)
            }
            6 => Capability::ExtendedMessage,
            64 => return GracefulRestart::decode(value).map(Capability::GracefulRestart),
            65 => Capability::FourOctetAs(reader.u32()?),
            70 => Capability::EnhancedRouteRefresh,
            71 => return LongLivedFamily::decode_all(value).map(Capability::LongLivedGracefulRestart),
            _ => return Some(Capability::Unknown { code, value: Bytes::copy_from_slice(value) }),
        };
        reader.is_empty().then_some(capability)
    }
}
