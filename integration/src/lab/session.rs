//! How a gateway and Fingerpost peer: what both of them are configured with.

use std::net::IpAddr;

/// A session's parameters. A plain one comes from [`Peering::session`](super::Peering::session); a scenario changes what
/// it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Fingerpost's address.
    pub speaker: IpAddr,
    /// Those of its other replicas.
    pub others: Vec<IpAddr>,
    /// The AS that the gateway expects of Fingerpost.
    pub speaker_asn: u32,
    /// True when routers lie between.
    pub multihop: bool,
    /// Whether IPv4 routes are negotiated.
    pub ipv4: bool,
    /// Whether IPv6 routes are negotiated.
    pub ipv6: bool,
    /// Fingerpost listens, so the gateway may connect.
    pub listens: bool,
    /// The gateway takes whoever connects from this prefix, instead of the one address: dynamic neighbours.
    pub range: Option<&'static str>,
    /// Fingerpost does not know the gateway: it takes whoever connects from this prefix (`listen_range`).
    pub listen_range: Option<&'static str>,
    /// The key of TCP MD5 (RFC 2385).
    pub password: Option<&'static str>,
    /// Drop what has come over a router, and send so that the other side can do the same (GTSM, RFC 5082).
    pub ttl_security: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// What else the gateway's operator has configured, in its daemon's own language, after ours.
    pub beside: String,
    /// More keys of the gateway's entry in Fingerpost's configuration, as YAML writes them between braces.
    pub keys: String,
}

impl Session {
    /// Who may peer, as the gateway sees it: an address, or a prefix.
    pub(crate) fn neighbour(&self) -> String {
        self.range.map_or_else(|| self.speaker.to_string(), str::to_owned)
    }

    /// The same with all replicas.
    pub(crate) fn neighbours(&self) -> Vec<String> {
        let others = self.others.iter().map(IpAddr::to_string);
        std::iter::once(self.neighbour()).chain(others).collect()
    }
}
