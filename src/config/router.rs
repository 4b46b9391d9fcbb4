//! `router`: who we are to the gateways.

use super::check::{Check, Field};
use super::keys;
use fingerpost_core::model::{Asn, RouterId};
use std::net::SocketAddr;
use std::time::Duration;

/// Seconds a gateway keeps our routes while we restart, unless set (RFC 4724 §3: 12 bits).
pub const DEFAULT_RESTART_TIME: u16 = 120;

/// Long enough for a gateway to choose other paths and pass that on.
pub(super) const DEFAULT_DRAIN_TIME: Duration = Duration::from_secs(30);

/// Who we are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Router {
    /// Our AS.
    pub asn: Asn,
    /// Our BGP identifier.
    pub id: RouterId,
    /// Where gateways may connect to us; empty: no listener. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Seconds (1 to 4095) a gateway keeps our routes while we restart, unless the gateway's entry says otherwise.
    pub restart_time: u16,
    /// How many processes announce the same; part of what OPENs say, which cannot change within a session.
    pub replicas: u8,
    /// How long a decommissioning waits after GRACEFUL_SHUTDOWN (RFC 8326).
    pub drain_time: Duration,
}

/// What could be read of it, for the checks that need only a part.
#[derive(Default)]
pub(super) struct Partial {
    pub(super) asn: Option<Asn>,
    pub(super) id: Option<RouterId>,
    pub(super) listen: Option<Vec<SocketAddr>>,
    pub(super) restart_time: Option<u16>,
    pub(super) replicas: Option<u8>,
    pub(super) drain_time: Option<Duration>,
}

impl Partial {
    pub(super) fn whole(self) -> Option<Router> {
        Some(Router {
            asn: self.asn?,
            id: self.id?,
            listen: self.listen?,
            restart_time: self.restart_time?,
            replicas: self.replicas?,
            drain_time: self.drain_time?,
        })
    }
}

pub(super) fn read(field: &Field<'_>, check: &mut Check) -> Partial {
    let Some(table) = field.table(&keys::ROUTER, check) else { return Partial::default() };
    let asn_hint = "give the number of our AS, such as 64512";
    let id_hint = "give an identifier, usually an IPv4 address of this machine";
    Partial {
        asn: table.need("asn", asn_hint, check, Field::parsed),
        id: table.need("id", id_hint, check, Field::parsed),
        listen: table.or("listen", Vec::new(), check, listen),
        restart_time: table
            .or("restart_time", DEFAULT_RESTART_TIME, check, |field, check| field.seconds(1..=4095, check)),
        drain_time: table.or("drain_time", DEFAULT_DRAIN_TIME, check, |field, check| {
            field.duration(Duration::ZERO..=Duration::from_secs(3600), check)
        }),
        replicas: table.or("replicas", 1, check, |field, check| {
            field.integer(1..=16, check).and_then(|replicas| u8::try_from(replicas).ok())
        }),
    }
}

/// Several replicas need an election, and it is of use to several.
pub(super) fn agree(router: &Partial, has_election: bool, check: &mut Check) {
    match (router.replicas, has_election) {
        (Some(replicas), false) if replicas > 1 => {
            let message = "several replicas need an election: without, gateways could not tell whose path to believe";
            check.fault("router.replicas", message, "add election: {etcd: {source: …}}, or write 1");
        }
        (Some(1), true) => {
            let message = "there is an election, and router.replicas says that there is one replica";
            check.warn(
                "router",
                message,
                "write replicas: 2 if there are two: it decides what our OPEN says of restarts",
            );
        }
        _ => {}
    }
}

fn listen(field: &Field<'_>, check: &mut Check) -> Option<Vec<SocketAddr>> {
    let mut seen: Vec<SocketAddr> = Vec::new();
    field.list("ADDRESS:PORT", check, |item, check| {
        let socket = item.socket(check)?;
        if socket.port() != 0 && seen.contains(&socket) {
            check.fault(&item.path, format!("{socket} stands twice"), "remove one of the two");
        }
        seen.push(socket);
        Some(socket)
    })
}
