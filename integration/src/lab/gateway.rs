//! A gateway: a router in every VLAN, run by a real routing daemon. Where that daemon forwards, its kernel forwards the
//! pods' packets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::cleanup::Context;
use super::daemon::Node;
use super::link::Switch;
use super::monitor::RouteMonitor;
use super::namespace::Namespace;
use super::process::Process;
use super::rib::{self, Choices, Rib};
use super::route::{self, PodRoutes};
use super::session::Session;
use super::topology::{GATEWAY_ASN, Vlan};
use super::{fingerpost, wait};

pub use super::daemon::Daemon;

/// How long a change may take from the source to a gateway's table, with a session that has to come up first.
pub const BOUND: Duration = Duration::from_secs(30);

const MIRROR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/gobgp/mirror.py");

/// A gateway of the lab.
#[derive(Debug)]
pub struct Gateway {
    name: String,
    daemon: Daemon,
    station: u8,
    session: Session,
    namespace: Namespace,
    processes: Vec<Process>,
    /// What its daemon prefers is put into its kernel by a helper.
    mirrored: bool,
}

impl Gateway {
    pub(crate) fn new(
        context: &Arc<Context>,
        switch: &mut Switch,
        station: u8,
        daemon: Daemon,
        session: Session,
    ) -> Self {
        let name = format!("gw{station}");
        let namespace = Namespace::new(context, &name);
        namespace.forward();
        for vlan in [Vlan::Hosts168, Vlan::Hosts169, Vlan::Control170] {
            switch.plug(&namespace, &name, vlan, station);
        }
        Self { name, daemon, station, session, namespace, processes: Vec::new(), mirrored: false }
    }

    /// Starts the routing daemon, with an empty table.
    ///
    /// # Panics
    /// When it runs already, or does not come up.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.processes.is_empty(), "{} runs already", self.name);
        let configuration = format!("{}\n{}", self.configuration(), self.session.beside);
        self.processes = self.daemon.program().start(&self.node(), &configuration);
    }

    /// Lets a helper (`integration/gobgp/mirror.py`) put into its kernel what GoBGP prefers, so that it forwards.
    ///
    /// # Panics
    /// When it runs another daemon.
    pub fn mirror(&mut self) {
        assert!(
            matches!(self.daemon, Daemon::Gobgp3 | Daemon::Gobgp4),
            "{} forwards by itself, or not at all",
            self.daemon
        );
        let client = self.daemon.path().with_file_name("gobgp").to_string_lossy().into_owned();
        let process = self.namespace.spawn(&format!("{}-mirror", self.name), "python3", &[MIRROR, &client]);
        self.processes.insert(0, process);
        self.mirrored = true;
    }

    /// Kills the routing daemon. What its kernel has stays there.
    pub fn kill(&mut self) {
        self.processes.clear();
    }

    /// Ends all of it: its routing daemon, and its links. Nobody else is told.
    pub fn die(&mut self) {
        self.kill();
        for vlan in [Vlan::Hosts168, Vlan::Hosts169, Vlan::Control170] {
            self.namespace.ip(&format!("link set {} down", vlan.bridge()));
        }
    }

    /// Takes every pod subnet out of its kernel, as a reboot of its machine does.
    pub fn forget_routes(&self) {
        let routes = self.routes();
        let lines = routes.keys().map(|prefix| format!("route del {prefix}\n"));
        self.namespace.ip_batch(&lines.collect::<String>());
    }

    /// Changes how it peers from its next start on. Fingerpost's side is its own.
    pub fn peer_otherwise(&mut self, change: impl FnOnce(&mut Session)) {
        change(&mut self.session);
    }

    /// Stops the routing daemon's work (SIGSTOP): its connections stay, and nobody answers.
    pub fn pause(&mut self) {
        self.processes.iter_mut().for_each(|process| process.signal_all(Signal::STOP));
    }

    /// Lets it work on after [`Gateway::pause`].
    pub fn unpause(&mut self) {
        self.processes.iter_mut().for_each(|process| process.signal_all(Signal::CONT));
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

    /// How it peers with Fingerpost.
    #[must_use]
    pub fn peering(&self) -> &Session {
        &self.session
    }

    /// Its AS.
    #[must_use]
    pub fn asn(&self) -> u32 {
        GATEWAY_ASN
    }

    /// Its address in the VLAN of Fingerpost, of the family over which the session runs.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        match self.session.speaker {
            IpAddr::V4(_) => Vlan::Control170.v4(self.station).into(),
            IpAddr::V6(_) => Vlan::Control170.v6(self.station).into(),
        }
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The pod subnets in its kernel's table, or in its daemon's where that has none in the kernel.
    #[must_use]
    pub fn routes(&self) -> PodRoutes {
        if self.daemon.forwards() || self.mirrored {
            route::pod_routes(&self.namespace)
        } else {
            rib::next_hops(&self.rib())
        }
    }

    /// The pod subnets that its daemon learned from Fingerpost.
    #[must_use]
    pub fn rib(&self) -> Rib {
        self.daemon.program().rib(&self.node())
    }

    /// Which of its paths its daemon prefers: BIRD and FRR are asked.
    #[must_use]
    pub fn choices(&self) -> Choices {
        self.daemon.program().choices(&self.node())
    }

    /// How many routes its daemon accepted from Fingerpost.
    #[must_use]
    pub fn count(&self) -> usize {
        self.daemon.program().count(&self.node())
    }

    /// Waits until its table (see [`Gateway::routes`]) holds exactly `expected`, not less and not more.
    ///
    /// # Panics
    /// When it does not within 30 s.
    #[track_caller]
    pub fn await_routes(&self, expected: &PodRoutes) {
        let what = format!("{} to have exactly {expected:#?} in its table", self.name);
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
        self.daemon.program().session(&self.node())
    }

    /// Waits until it has a session with Fingerpost.
    ///
    /// # Panics
    /// When it has none within 30 s.
    #[track_caller]
    pub fn await_session(&self) -> String {
        wait::until(&format!("{} to have a session", self.name), BOUND, || self.session().ok_or("none"))
    }

    /// Lets it ask Fingerpost for all routes again.
    pub fn refresh(&self) {
        self.daemon.program().refresh(&self.node());
    }

    /// Resets its session with Fingerpost, as an operator does. False where its daemon has no such command here.
    #[must_use]
    pub fn reset(&self) -> bool {
        self.daemon.program().reset(&self.node())
    }

    /// How many changes of routes its daemon has taken in from Fingerpost, where it counts them.
    #[must_use]
    pub fn route_changes(&self) -> Option<u64> {
        self.daemon.program().route_changes(&self.node())
    }

    /// How many UPDATEs its daemon has received from Fingerpost, where it counts them.
    #[must_use]
    pub fn updates(&self) -> Option<u64> {
        self.daemon.program().updates(&self.node())
    }

    /// What its daemon says of its sessions and of what it learned, for a test that fails.
    #[must_use]
    pub fn diagnosis(&self) -> String {
        self.daemon.program().diagnosis(&self.node())
    }

    /// What its daemon has written since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        self.processes.iter().map(Process::log).collect()
    }

    /// What its daemon is told to be: where `fingerpost gateway-config` knows the daemon, the text of that.
    #[must_use]
    pub fn configuration(&self) -> String {
        let program = self.daemon.program();
        program
            .platform()
            .map_or_else(|| program.configuration(&self.node()), |platform| fingerpost::gateway_config(self, platform))
    }

    fn node(&self) -> Node<'_> {
        Node {
            namespace: &self.namespace,
            name: &self.name,
            asn: self.asn(),
            router_id: self.router_id(),
            address: self.address(),
            session: &self.session,
        }
    }

    pub(super) fn router_id(&self) -> Ipv4Addr {
        Vlan::Hosts168.v4(self.station)
    }
}
