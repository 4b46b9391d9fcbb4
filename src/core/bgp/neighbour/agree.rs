//! Negotiation: two OPENs in, one agreement or one refusal out.

use super::NeighbourConfig;
use crate::bgp::wire::{Capability, Encoding, MAX_EXTENDED_LEN, MAX_LEN, Notification, Open, SessionType};
use crate::model::{Asn, Family, HoldTime, PerFamily, RouterId};
use std::time::Duration;

/// RFC 4271 §4.4: KEEPALIVEs are not sent more often than once a second.
const KEEPALIVE_AT_LEAST: Duration = Duration::from_secs(1);

/// What both sides agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The gateway's OPEN.
    pub peer: Open,
    /// iBGP or eBGP.
    pub session: SessionType,
    /// The smaller of both hold times (RFC 4271 §4.2).
    pub hold_time: HoldTime,
    /// How often a KEEPALIVE is due, before jitter; none with a hold time of 0.
    pub keepalive: Option<Duration>,
    /// For each family that both offered: how UPDATEs are written.
    pub families: PerFamily<Option<Encoding>>,
    /// Both know BoRR and EoRR.
    pub enhanced_refresh: bool,
    /// Both take messages of more than 4,096 octets (RFC 8654).
    pub extended_messages: bool,
    /// Both set the N bit: a NOTIFICATION leaves the routes where they are, unless it is a Hard Reset (RFC 8538 §2).
    pub notification_keeps_routes: bool,
}

/// Why a gateway's OPEN is refused: what to tell it, and what to tell people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disagreement {
    /// For the gateway.
    pub notification: Notification,
    /// For people: what differs and where to mend it.
    pub why: String,
}

impl Agreed {
    /// Compares the gateway's OPEN with the configuration.
    pub fn new(config: &NeighbourConfig, peer: Open) -> Result<Agreed, Disagreement> {
        if peer.asn != config.peer_asn {
            let notification = Notification::BAD_PEER_AS;
            let why = format!(
                "the gateway says it is AS {}, but it is configured as AS {}: correct its asn here, or the gateway",
                peer.asn, config.peer_asn
            );
            return Err(Disagreement { notification, why });
        }
        let session = config.session_type();
        // RFC 6286 §2.2: the same identifier is an error within one AS only.
        if session == SessionType::Internal && peer.router_id == config.router_id {
            let id = peer.router_id;
            let notification = Notification::BAD_BGP_IDENTIFIER;
            let why = format!("the gateway has our own identifier {id}: give router.id another value, or the gateway");
            return Err(Disagreement { notification, why });
        }
        let offered: Vec<Family> = peer.families().collect();
        let four_octet_as = peer.has_four_octet_as();
        let encoding =
            Encoding { session, local_asn: config.local_asn, four_octet_as, ipv4_via_ipv6: false, max_len: MAX_LEN };
        let both = |family| config.families[family] && offered.contains(&family);
        // RFC 8950 §4: such a next hop is sent only where the gateway advertised the capability for this very family.
        let via_ipv6 = |family| config.extended_next_hop && family == Family::Ipv4 && peer.extended_next_hop(family);
        let encoding_of = |family| Encoding { ipv4_via_ipv6: via_ipv6(family), ..encoding };
        let families = PerFamily::from_fn(|family| both(family).then(|| encoding_of(family)));
        if families.iter().all(|(_, agreed)| agreed.is_none()) {
            return Err(no_common_family(config, &offered));
        }
        let hold_time = config.timers.hold.min(peer.hold_time);
        let keepalive = |hold: Duration| config.timers.keepalive.min(hold / 3).max(KEEPALIVE_AT_LEAST);
        let keepalive = hold_time.duration().map(keepalive);
        let enhanced_refresh = config.enhanced_refresh && peer.has_enhanced_refresh();
        let extended_messages = config.extended_messages && peer.has_extended_message();
        let ours = config.graceful_restart.is_some_and(|restart| restart.notification);
        let notification_keeps_routes = ours && peer.graceful_restart().is_some_and(|peer| peer.notification);
        Ok(Agreed {
            peer,
            session,
            hold_time,
            keepalive,
            families,
            enhanced_refresh,
            extended_messages,
            notification_keeps_routes,
        })
    }

    /// The longest message that the gateway may send, but for OPEN and KEEPALIVE.
    pub fn max_received(&self) -> usize {
        if self.extended_messages { MAX_EXTENDED_LEN } else { MAX_LEN }
    }

    /// The gateway's AS.
    pub fn peer_asn(&self) -> Asn {
        self.peer.asn
    }

    /// The gateway's identifier.
    pub fn peer_id(&self) -> RouterId {
        self.peer.router_id
    }

    /// Whether the gateway said that it keeps our routes while we restart.
    pub fn peer_keeps_routes(&self) -> bool {
        self.peer.graceful_restart().is_some()
    }
}

/// RFC 5492 §5: 2/7 with the capability that we cannot do without.
fn no_common_family(config: &NeighbourConfig, offered: &[Family]) -> Disagreement {
    let wanted: Vec<Family> = Family::ALL.into_iter().filter(|&family| config.families[family]).collect();
    let first = wanted.first().copied().unwrap_or(Family::Ipv4);
    let required = Capability::MultiProtocol { afi: first.afi(), safi: first.safi() };
    let names = |families: &[Family]| families.iter().map(|family| family.name()).collect::<Vec<_>>().join(", ");
    let why = format!(
        "no address family in common: we offer {}, the gateway {}: activate one on both sides",
        names(&wanted),
        if offered.is_empty() { "none that we speak".to_owned() } else { names(offered) }
    );
    Disagreement { notification: Notification::unsupported_capability(&required), why }
}
