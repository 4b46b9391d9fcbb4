//! A gateway: a router in every VLAN, run by a real BIRD or FRR, whose kernel forwards the pods' packets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::cleanup::Context;
use super::link::Switch;
use super::monitor::RouteMonitor;
use super::namespace::Namespace;
use super::process::Process;
use super::route::{self, PodRoutes};
use super::topology::{GATEWAY_ASN, Vlan};
use super::{bird, fingerpost, frr, wait};

/// How long a change may take from the source to a gateway's kernel, with a session that has to come up first.
const BOUND: Duration = Duration::from_secs(30);

/// Which routing daemon a gateway runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Daemon {
    /// BIRD 2.
    Bird,
    /// FRR: zebra, staticd and bgpd.
    Frr,
}

/// What a gateway's daemon is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Fingerpost's address.
    pub(crate) address: IpAddr,
    /// The AS that the gateway expects of Fingerpost.
    pub(crate) asn: u32,
    /// True when routers lie between.
    pub(crate) multihop: bool,
}

/// A gateway of the lab.
#[derive(Debug)]
pub struct Gateway {
    name: String,
    daemon: Daemon,
    station: u8,
    peer: Peer,
    namespace: Namespace,
    processes: Vec<Process>,
}

impl Gateway {
    pub(crate) fn new(context: &Arc<Context>, switch: &mut Switch, station: u8, daemon: Daemon, peer: Peer) -> Self {
        let name = format!("gw{station}");
        let namespace = Namespace::new(context, &name);
        namespace.forward();
        for vlan in [Vlan::Hosts168, Vlan::Hosts169, Vlan::Control170] {
            switch.plug(&namespace, &name, vlan, station);
        }
        Self { name, daemon, station, peer, namespace, processes: Vec::new() }
    }

    /// Starts the routing daemon, with an empty table.
    ///
    /// # Panics
    /// When it runs already, or does not come up.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.processes.is_empty(), "{} runs already", self.name);
        let configuration = self.configuration();
        self.processes = match self.daemon {
            Daemon::Bird => bird::start(&self.namespace, &self.name, &configuration),
            Daemon::Frr => frr::start(&self.namespace, &self.name, &configuration),
        };
    }

    /// Its name, here and in Fingerpost's configuration: `gw1`, `gw2`, ….
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which routing daemon it runs.
    #[must_use]
    pub fn daemon(&self) -> Daemon {
        self.daemon
    }

    /// Its AS.
    #[must_use]
    pub fn asn(&self) -> u32 {
        GATEWAY_ASN
    }

    /// Its address in the VLAN of Fingerpost, of the family over which the session runs.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        match self.peer.address {
            IpAddr::V4(_) => Vlan::Control170.v4(self.station).into(),
            IpAddr::V6(_) => Vlan::Control170.v6(self.station).into(),
        }
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The pod subnets in its kernel's table.
    #[must_use]
    pub fn routes(&self) -> PodRoutes {
        route::pod_routes(&self.namespace)
    }

    /// Waits until its kernel's table holds exactly `expected`, not less and not more.
    ///
    /// # Panics
    /// When it does not within 30 s.
    #[track_caller]
    pub fn await_routes(&self, expected: &PodRoutes) {
        let what = format!("{} to have exactly {expected:#?} in its kernel", self.name);
        wait::until(&what, BOUND, || {
            let seen = self.routes();
            if seen == *expected { Ok(()) } else { Err(seen) }
        });
    }

    /// Begins to watch the changes of its kernel's table.
    #[must_use]
    pub fn watch_routes(&self) -> RouteMonitor<'_> {
        RouteMonitor::start(&self.namespace)
    }

    /// Something that stays the same exactly as long as its session with Fingerpost does; `None` while there is none.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        match self.daemon {
            Daemon::Bird => bird::session(&self.namespace, &self.name),
            Daemon::Frr => frr::session(&self.namespace, &self.name),
        }
    }

    /// Waits until it has a session with Fingerpost.
    ///
    /// # Panics
    /// When it has none within 30 s.
    #[track_caller]
    pub fn await_session(&self) -> String {
        wait::until(&format!("{} to have a session", self.name), BOUND, || self.session().ok_or("none"))
    }

    /// What its daemon says of its sessions and of what it learned, for a test that fails.
    #[must_use]
    pub fn diagnosis(&self) -> String {
        match self.daemon {
            Daemon::Bird => bird::diagnosis(&self.namespace, &self.name),
            Daemon::Frr => frr::diagnosis(&self.namespace, &self.name),
        }
    }

    /// What the product tells its daemon to be: the text of `fingerpost gateway-config`.
    #[must_use]
    pub fn configuration(&self) -> String {
        let entry = fingerpost::entry(self, self.peer.multihop);
        let platform = match self.daemon {
            Daemon::Bird => "bird",
            Daemon::Frr => "frr",
        };
        fingerpost::gateway_config(&self.namespace, &self.name, &entry, platform, &self.peer)
    }
}
