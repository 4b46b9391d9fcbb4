//! A lab from its parts: [`Lab::builder`] makes it, dropping it takes everything away.
//!
//! Building, observing and steering panic with the reason when they fail: a lab that cannot be built or looked at has
//! failed its test. When a test panics, the lab prints what the gateways say and the last lines of every log.

pub mod capture;
pub mod cleanup;
pub mod clock;
pub mod daemon;
pub mod etcd;
pub mod fingerpost;
pub mod gateway;
pub mod host;
pub mod http;
pub mod link;
pub mod monitor;
pub mod namespace;
pub mod ping;
pub mod process;
pub mod record;
pub mod replica;
pub mod rib;
pub mod route;
pub mod session;
pub mod skip;
pub mod stage;
pub mod stream;
pub mod topology;
pub mod vrrp;
pub mod wait;

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use cleanup::Context;
use gateway::{Daemon, Gateway};
use host::Host;
use link::Switch;
use namespace::Namespace;
use replica::Replicas;
use route::PodRoutes;
use session::Session;
use topology::{GATEWAY_ASN, HOSTS, SPEAKER_ASN, Vlan};

/// The station of Fingerpost in its VLAN.
const SPEAKER_STATION: u8 = 10;
/// The station of the router before Fingerpost, on both sides.
const ROUTER_STATION: u8 = 254;
/// Lines of each log that a failing test prints.
const LOG_LINES: usize = 60;

/// How gateways and Fingerpost peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peering {
    /// One AS.
    Ibgp,
    /// Two ASes, one hop.
    Ebgp,
    /// Two ASes, a router between.
    EbgpMultihop,
    /// Two ASes, one hop, the session itself over IPv6.
    EbgpOverV6,
}

impl Peering {
    /// Fingerpost's AS.
    #[must_use]
    pub const fn speaker_asn(self) -> u32 {
        match self {
            Self::Ibgp => GATEWAY_ASN,
            Self::Ebgp | Self::EbgpMultihop | Self::EbgpOverV6 => SPEAKER_ASN,
        }
    }

    /// True when a router lies between.
    #[must_use]
    pub const fn is_multihop(self) -> bool {
        matches!(self, Self::EbgpMultihop)
    }

    const fn speaker_vlan(self) -> Vlan {
        if self.is_multihop() { Vlan::Behind171 } else { Vlan::Control170 }
    }

    /// A plain session of this kind, with both families.
    #[must_use]
    pub fn session(self) -> Session {
        Session {
            speaker: self.speaker_address(),
            others: Vec::new(),
            speaker_asn: self.speaker_asn(),
            multihop: self.is_multihop(),
            ipv4: true,
            ipv6: true,
            listens: false,
            range: None,
            listen_range: None,
            password: None,
            ttl_security: false,
            extended_next_hop: false,
            beside: String::new(),
            keys: String::new(),
        }
    }

    /// Fingerpost's address on its sessions.
    #[must_use]
    pub fn speaker_address(self) -> IpAddr {
        match self {
            Self::EbgpOverV6 => self.speaker_vlan().v6(SPEAKER_STATION).into(),
            Self::Ibgp | Self::Ebgp | Self::EbgpMultihop => self.speaker_vlan().v4(SPEAKER_STATION).into(),
        }
    }
}

/// What a lab shall have.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    peering: Peering,
    gateways: Vec<(Daemon, Session)>,
    hosts: bool,
    mesh: bool,
    replicas: usize,
}

impl Builder {
    /// Adds a gateway: the first is `gw1`, the default gateway of every host.
    pub fn gateway(self, daemon: Daemon) -> Self {
        let session = self.peering.session();
        self.gateway_with(daemon, session)
    }

    /// Adds a gateway that expects `asn` of Fingerpost, whatever Fingerpost is.
    pub fn gateway_expecting(self, daemon: Daemon, asn: u32) -> Self {
        let session = Session { speaker_asn: asn, ..self.peering.session() };
        self.gateway_with(daemon, session)
    }

    /// Adds a gateway that peers as `session` says.
    pub fn gateway_with(mut self, daemon: Daemon, session: Session) -> Self {
        self.gateways.push((daemon, session));
        self
    }

    /// Leaves out the hosts and their pods, for a scenario that is about the session and what the gateway learns.
    pub fn without_hosts(mut self) -> Self {
        self.hosts = false;
        self
    }

    /// Makes it so many replicas, each on a machine of its own, and three more machines for an etcd, in a VLAN that the gateways
    /// are not in: so each replica can be cut from the gateways, from etcd, or from both.
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// Gives every host a link to where speakers and etcd are, and lets the gateways peer with the hosts instead of replicas.
    pub fn mesh(mut self) -> Self {
        self.mesh = true;
        self
    }

    /// Builds it and starts the gateways' daemons.
    ///
    /// # Panics
    /// When a part of it cannot be made.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> Lab {
        let Self { peering, mut gateways, hosts, mesh, replicas } = self;
        let context = Arc::new(Context::new());
        let mut switch = Switch::new(&context);
        let control = Namespace::new(&context, "control");
        switch.plug(&control, "control", peering.speaker_vlan(), SPEAKER_STATION);
        let control = Arc::new(control);
        let replicas = (replicas > 1).then(|| Replicas::new(&context, &mut switch, &control, replicas));
        let places = if hosts { HOSTS.as_slice() } else { &[] };
        let hosts: Vec<Host> = places.iter().map(|place| Host::new(&context, &mut switch, *place)).collect();
        for (_, session) in &mut gateways {
            session.others = replicas.as_ref().map(Replicas::others).unwrap_or_default();
            if let (true, [first, others @ ..]) = (mesh, hosts.as_slice()) {
                (session.speaker, session.others) = (first.control(), others.iter().map(Host::control).collect());
            }
        }
        if mesh {
            hosts.iter().for_each(|host| host.join(&mut switch));
        }
        let router = peering.is_multihop().then(|| router(&context, &mut switch, &control));
        let gateways = (1..).zip(gateways);
        let gateways: Vec<Gateway> = gateways
            .map(|(station, (daemon, session))| Gateway::new(&context, &mut switch, station, daemon, session))
            .collect();
        // From here on a panic prints the logs.
        let mut lab = Lab { peering, gateways, hosts, switch, router, control, replicas, context };
        for gateway in &mut lab.gateways {
            if lab.router.is_some() {
                gateway.namespace().ip_batch(&format!(
                    "route add 10.171.0.0/24 via {}\nroute add fd00:10:171::/64 via {}\n",
                    Vlan::Control170.v4(ROUTER_STATION),
                    Vlan::Control170.v6(ROUTER_STATION)
                ));
            }
            gateway.start();
        }
        lab
    }
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    peering: Peering,
    gateways: Vec<Gateway>,
    hosts: Vec<Host>,
    switch: Switch,
    router: Option<Namespace>,
    control: Arc<Namespace>,
    replicas: Option<Replicas>,
    context: Arc<Context>,
}

impl Lab {
    /// Begins to describe a lab.
    pub fn builder(peering: Peering) -> Builder {
        Builder { peering, gateways: Vec::new(), hosts: true, mesh: false, replicas: 1 }
    }

    /// How its gateways peer with Fingerpost.
    #[must_use]
    pub fn peering(&self) -> Peering {
        self.peering
    }

    /// Its gateways, `gw1` first.
    #[must_use]
    pub fn gateways(&self) -> &[Gateway] {
        &self.gateways
    }

    /// Its gateways, to start one.
    pub fn gateways_mut(&mut self) -> &mut [Gateway] {
        &mut self.gateways
    }

    /// Its four hosts: a1 and a2 in the first VLAN, b1 and b2 in the second.
    ///
    /// # Panics
    /// When there is no host of that name.
    #[must_use]
    #[track_caller]
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.unwrap_or_else(|| panic!("there is no host {name}"))
    }

    /// All hosts.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The switch, for captures.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The lab's folder: configurations, logs, sockets and data. It goes with the lab.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.context.folder()
    }

    /// The names of its namespaces.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        self.context.namespaces()
    }

    /// The ids of its processes.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.context.processes()
    }

    /// The namespace of Fingerpost and etcd.
    #[must_use]
    pub fn control(&self) -> &Arc<Namespace> {
        &self.control
    }

    /// The machines of its replicas and of their etcd.
    ///
    /// # Panics
    /// When it has one replica.
    #[must_use]
    #[track_caller]
    pub fn replicas(&self) -> &Replicas {
        self.replicas.as_ref().expect("it has several replicas")
    }

    /// One more machine in the gateways' and speakers' VLAN; it forwards.
    #[must_use]
    pub fn machine(&mut self, noun: &str, station: u8) -> Namespace {
        let machine = Namespace::new(&self.context, noun);
        machine.forward();
        self.switch.plug(&machine, noun, Vlan::Control170, station);
        machine
    }

    /// Loses every frame from and to a replica on one side, or lets them pass again. No link goes down.
    #[track_caller]
    pub fn pass(&self, replica: usize, side: replica::Side, pass: bool) {
        self.switch.pass(self.replicas().noun(replica), side.vlan(), pass);
    }

    /// The same of a host, in a lab whose hosts speak BGP themselves. Its pods talk by another link.
    #[track_caller]
    pub fn pass_host(&self, host: &Host, side: replica::Side, pass: bool) {
        self.switch.pass(host.noun(), side.vlan(), pass);
    }

    /// Loses every frame from and to Fingerpost, silently: no link goes down, no connection is reset.
    pub fn cut_speaker(&self) {
        self.switch.pass("control", self.peering.speaker_vlan(), false);
    }

    /// Ends what [`Lab::cut_speaker`] began.
    pub fn mend_speaker(&self) {
        self.switch.pass("control", self.peering.speaker_vlan(), true);
    }

    /// The routes of a gateway that knows every host's own subnets.
    #[must_use]
    pub fn home_routes(&self) -> PodRoutes {
        routes(self.hosts.iter().flat_map(|host| host.routes_of(host.subnet())))
    }

    /// Prints the last lines of every log.
    pub(crate) fn print_logs(&self) {
        self.context.print_logs(LOG_LINES);
    }

    fn print_state(&self) {
        for gateway in &self.gateways {
            eprintln!("--- {} ({:?})\n{}", gateway.name(), gateway.daemon(), gateway.diagnosis());
            eprintln!("kernel: {:#?}", gateway.routes());
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic here would abort before anything is cleaned up.
            drop(catch_unwind(AssertUnwindSafe(|| self.print_state())));
            self.print_logs();
        }
    }
}

/// A table from pairs of prefix and next hop.
#[must_use]
pub fn routes(pairs: impl IntoIterator<Item = (String, IpAddr)>) -> PodRoutes {
    let mut table = PodRoutes::new();
    for (prefix, via) in pairs {
        table.entry(prefix).or_default().insert(via);
    }
    table
}

/// The router between Fingerpost and the gateways' VLAN.
fn router(context: &Arc<Context>, switch: &mut Switch, control: &Namespace) -> Namespace {
    let router = Namespace::new(context, "router");
    router.forward();
    switch.plug(&router, "router", Vlan::Control170, ROUTER_STATION);
    switch.plug(&router, "router", Vlan::Behind171, ROUTER_STATION);
    control.ip_batch(&format!(
        "route add default via {}\nroute add ::/0 via {}\n",
        Vlan::Behind171.v4(ROUTER_STATION),
        Vlan::Behind171.v6(ROUTER_STATION)
    ));
    router
}
