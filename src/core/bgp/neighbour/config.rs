//! What a session with one gateway is configured to be, and the OPEN that says so.

use crate::bgp::wire::{Capability, GracefulRestart, LongLivedFamily, Open, RestartFamily, SessionType};
use crate::model::{Asn, Family, HoldTime, PerFamily, RouterId};
use std::time::Duration;

/// The timers of RFC 4271 §10 that can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Proposed hold time; the session uses the smaller of both sides'.
    pub hold: HoldTime,
    /// How often a KEEPALIVE is sent at the least, before jitter; never more than a third of the agreed hold time.
    pub keepalive: Duration,
    /// Between two attempts to connect, before jitter; also how long one attempt may take.
    pub connect_retry: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        let hold = HoldTime::new(30).unwrap_or(HoldTime::NEVER);
        Timers { hold, keepalive: Duration::from_secs(10), connect_retry: Duration::from_secs(5) }
    }
}

/// Graceful restart as the restarting side (RFC 4724, RFC 8538, RFC 9494).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GracefulRestartConfig {
    /// How long the gateway keeps our routes while we are away; 0 to 4,095 s.
    pub restart_time: u16,
    /// N: a NOTIFICATION or an expired hold timer, too, leaves the routes where they are (RFC 8538 §2).
    pub notification: bool,
    /// How long it keeps them after that, least preferred (RFC 9494); not advertised where `None`. Up to 2^24 − 1 s.
    pub long_lived_stale_time: Option<u32>,
}

/// A session as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighbourConfig {
    /// Our AS.
    pub local_asn: Asn,
    /// Our identifier.
    pub router_id: RouterId,
    /// The gateway's AS; its OPEN must say the same.
    pub peer_asn: Asn,
    /// Families to offer.
    pub families: PerFamily<bool>,
    /// Only wait for the gateway to connect.
    pub passive: bool,
    /// Timers.
    pub timers: Timers,
    /// None: not advertised.
    pub graceful_restart: Option<GracefulRestartConfig>,
    /// Whether enhanced route refresh (RFC 7313) is offered.
    pub enhanced_refresh: bool,
    /// Whether we take messages of more than 4,096 octets (RFC 8654). We never send any.
    pub extended_messages: bool,
    /// Whether IPv4 routes with an IPv6 next hop are offered (RFC 8950).
    pub extended_next_hop: bool,
}

impl NeighbourConfig {
    /// iBGP or eBGP.
    pub fn session_type(&self) -> SessionType {
        if self.local_asn == self.peer_asn { SessionType::Internal } else { SessionType::External }
    }

    /// Our OPEN. `restarting`: this process took over from one that had sessions (RFC 4724 §3, Restart State bit).
    pub fn open(&self, restarting: bool) -> Open {
        let families: Vec<Family> = self.families.iter().filter(|(_, on)| **on).map(|(family, _)| family).collect();
        let afi_safi = |family: &Family| (family.afi(), family.safi());
        let multi_protocol = families.iter().map(afi_safi).map(|(afi, safi)| Capability::MultiProtocol { afi, safi });
        let mut capabilities: Vec<Capability> = multi_protocol.collect();
        capabilities.push(Capability::RouteRefresh);
        capabilities.push(Capability::FourOctetAs(self.local_asn.get()));
        if self.extended_next_hop && self.families[Family::Ipv4] {
            let (ipv4, ipv6) = (Family::Ipv4, Family::Ipv6);
            capabilities.push(Capability::ExtendedNextHop(vec![(ipv4.afi(), ipv4.safi().into(), ipv6.afi())]));
        }
        if self.extended_messages {
            capabilities.push(Capability::ExtendedMessage);
        }
        if self.enhanced_refresh {
            capabilities.push(Capability::EnhancedRouteRefresh);
        }
        if let Some(restart) = self.graceful_restart {
            // F: the hosts forward, not we, so forwarding is preserved whatever becomes of this process.
            let families_restart = families.iter().map(afi_safi);
            let restart_family = |(afi, safi)| RestartFamily { afi, safi, forwarding: true };
            capabilities.push(Capability::GracefulRestart(GracefulRestart {
                restarting,
                notification: restart.notification,
                restart_time: restart.restart_time,
                families: families_restart.clone().map(restart_family).collect(),
            }));
            if let Some(stale_time) = restart.long_lived_stale_time {
                let long_lived = |(afi, safi)| LongLivedFamily { afi, safi, forwarding: true, stale_time };
                capabilities.push(Capability::LongLivedGracefulRestart(families_restart.map(long_lived).collect()));
            }
        }
        let hold_time = self.timers.hold;
        Open { asn: self.local_asn, hold_time, router_id: self.router_id, capabilities }
    }
}
