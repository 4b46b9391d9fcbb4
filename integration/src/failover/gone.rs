//! What others still have once nobody tells them anything any more.
//!
//! ```text
//!  replicas 1, 2 ──► gateway ──► core, which knows nothing of long-lived graceful restart        both are killed
//!  replicas 1, 2 ──► gateway 1 ──► gateway 2        gateway 1, through which both peer with gateway 2, dies
//! ```

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::lab::gateway::Daemon;
use crate::lab::namespace::Namespace;
use crate::lab::route::{self, PodRoutes};
use crate::lab::stage::Team;
use crate::lab::topology::{GATEWAY_ASN, Vlan};
use crate::lab::{Lab, Peering, wait};

/// How long routes are kept where they are kept, in seconds.
pub const KEPT: u64 = 15;
/// The hold time where nobody closes a connection, in seconds.
pub const HOLD: u64 = 6;
const CORE_STATION: u8 = 200;
const CORE_ASN: u32 = 64520;
const PERIOD: Duration = Duration::from_millis(50);
const BOUND: Duration = Duration::from_secs(60);

/// What a gateway was told of restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A restart time of 0 and a long-lived stale time (RFC 9494): the default with several replicas.
    LongLived,
    /// A restart time only (RFC 4724).
    Plain,
    /// Nothing.
    None,
}

impl Mode {
    fn keys(self) -> String {
        match self {
            Self::LongLived => format!("graceful_restart: {{ restart_time: 0s, long_lived: {KEPT}s }}"),
            Self::Plain => format!("graceful_restart: {{ restart_time: {KEPT}s, long_lived: false }}"),
            Self::None => "graceful_restart: false".to_owned(),
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::LongLived => format!("restart time 0, long-lived {KEPT} s (the default's kind, which has 600 s)"),
            Self::Plain => format!("restart time {KEPT} s, not long-lived"),
            Self::None => "none".to_owned(),
        }
    }
}

/// How long the first of all routes was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// By the gateway.
    pub gateway: Duration,
    /// By the core behind it.
    pub core: Duration,
}

/// Something to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loneliness {
    /// See [`both_killed`].
    BothKilled(Mode),
    /// See [`reached_by_a_gateway_that_dies`].
    Cut,
}

impl Loneliness {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::BothKilled(Mode::LongLived), Self::BothKilled(Mode::Plain), Self::BothKilled(Mode::None), Self::Cut];

    /// Measures it: how long the gateway, and where there is one the core, kept all routes.
    #[must_use]
    #[track_caller]
    pub fn measure(&self, daemon: Daemon) -> (Duration, Option<Duration>) {
        match self {
            Self::BothKilled(mode) => {
                let Kept { gateway, core } = both_killed(*mode, daemon);
                (gateway, Some(core))
            }
            Self::Cut => (reached_by_a_gateway_that_dies(daemon), None),
        }
    }

    /// A row of the page.
    #[must_use]
    pub fn line(&self, daemon: Daemon, found: Option<&(Duration, Option<Duration>)>) -> String {
        let (what, mode) = match self {
            Self::BothKilled(mode) => ("SIGKILL of both replicas".to_owned(), mode.title()),
            Self::Cut => {
                let what = format!("the gateway dies by which both replicas reach this one, hold time {HOLD} s");
                (what, Mode::LongLived.title())
            }
        };
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let (here, core) = match found {
            Some((here, core)) => (seconds(*here), core.map_or("–".to_owned(), seconds)),
            None => ("not measured".to_owned(), String::new()),
        };
        format!("| {what} | {mode} | {} | {here} | {core} |", daemon.name())
    }
}

/// Kills both replicas of a gateway that runs `daemon` and has a core behind it: how long each of the two keeps all routes.
///
/// # Panics
/// When the lab cannot be built, or routes are kept for a minute.
#[must_use]
#[track_caller]
pub fn both_killed(mode: Mode, daemon: Daemon) -> Kept {
    let mut session = Peering::Ebgp.session();
    session.keys = format!("platform: {daemon}, {}", mode.keys());
    session.beside = beside(daemon);
    let mut lab = Lab::builder(Peering::Ebgp).gateway_with(daemon, session).replicas(2).build();
    let core = lab.machine("core", CORE_STATION);
    let file = lab.folder().join("core.conf");
    std::fs::write(&file, core_configuration(lab.gateways()[0].address()))
        .expect("a file can be written into the lab's folder");
    let (file, socket) = (file.to_string_lossy().into_owned(), lab.folder().join("core.ctl"));
    let _core = core.spawn("core", "bird", &["-d", "-c", &file, "-s", &socket.to_string_lossy()]);
    let mut team = Team::native_in(lab);
    let home = team.lab.home_routes();
    wait::until("the core to have all routes", BOUND, || {
        let seen = prefixes(&route::pod_routes(&core));
        if seen == prefixes(&home) { Ok(()) } else { Err(seen) }
    });
    let begin = Instant::now();
    for replica in &mut team.replicas {
        replica.kill();
    }
    let gateway = team.lab.gateways()[0].namespace();
    let [gateway, core] = until_lost([gateway, &core], &home, begin);
    Kept { gateway, core }
}

/// Ends the gateway through which both replicas peer with another one that runs `daemon`: how long that one keeps all routes.
///
/// # Panics
/// When the lab cannot be built, or routes are kept for a minute.
#[must_use]
#[track_caller]
pub fn reached_by_a_gateway_that_dies(daemon: Daemon) -> Duration {
    let mut session = Peering::Ebgp.session();
    let timers = format!("timers: {{ hold: {HOLD}s, keepalive: 2s }}");
    session.keys = format!("platform: {daemon}, {timers}, {}", Mode::LongLived.keys());
    let builder = Lab::builder(Peering::Ebgp).gateway_with(Daemon::Bird, session.clone());
    session.multihop = true;
    let lab = builder.gateway_with(daemon, session).replicas(2).build();
    let [first, second] = lab.gateways() else { panic!("two gateways were asked for") };
    let (address, vlan) = (second.address(), Vlan::Control170);
    let [here, there] = [1, 2].map(|station| Vlan::Hosts168.v4(station));
    second.namespace().ip_batch(&format!(
        "link set {0} down\naddr flush dev {0}\naddr add {address}/32 dev lo\nroute add {1} via {here}\n",
        vlan.bridge(),
        "10.170.0.0/24",
    ));
    first.namespace().ip(&format!("route add {address}/32 via {there}"));
    for place in 0..lab.replicas().count() {
        lab.replicas().namespace(place).ip(&format!("route add {address}/32 via {}", first.address()));
    }
    let mut team = Team::native_in(lab);
    await_warning(&team);
    let home = team.lab.home_routes();
    let begin = Instant::now();
    team.lab.gateways_mut()[0].die();
    let [kept] = until_lost([team.lab.gateways()[1].namespace()], &home, begin);
    kept
}

/// Every replica has found that all of them reach one gateway by the other.
#[track_caller]
fn await_warning(team: &Team) {
    let [first, second] = team.lab.gateways() else { panic!("two gateways were asked for") };
    let way = format!("{} by {} ({})", second.name(), first.name(), first.address());
    for replica in &team.replicas {
        wait::until(&format!("the warning that all reach {way}"), BOUND, || {
            let log = replica.log();
            if log.lines().any(|line| line.contains("WARN") && line.contains(&way)) { Ok(()) } else { Err(log) }
        });
    }
}

/// How long each kernel has all of `home`, since `begin`.
#[track_caller]
fn until_lost<const N: usize>(places: [&Namespace; N], home: &PodRoutes, begin: Instant) -> [Duration; N] {
    let mut lost = [None; N];
    while lost.iter().any(Option::is_none) {
        assert!(begin.elapsed() < BOUND, "routes are kept for {BOUND:?}: {lost:?}");
        for (lost, place) in lost.iter_mut().zip(places).filter(|(lost, _)| lost.is_none()) {
            let now = route::pod_routes(place);
            if home.keys().any(|prefix| !now.contains_key(prefix)) {
                *lost = Some(begin.elapsed());
            }
        }
        std::thread::sleep(PERIOD);
    }
    lost.map(Option::unwrap_or_default)
}

fn prefixes(routes: &PodRoutes) -> Vec<String> {
    routes.keys().cloned().collect()
}

fn core_address() -> IpAddr {
    Vlan::Control170.v4(CORE_STATION).into()
}

/// The session to the core, which hears nothing of what is stale for long: it does not offer RFC 9494.
fn beside(daemon: Daemon) -> String {
    let core = core_address();
    match daemon {
        Daemon::Frr => {
            let family = |family: &str| {
                format!(
                    " address-family {family} unicast\n  neighbor {core} activate\n  neighbor {core} next-hop-self\n  \
                     neighbor {core} route-map CORE out\n exit-address-family\n"
                )
            };
            format!(
                "route-map CORE permit 10\nexit\nrouter bgp {GATEWAY_ASN}\n neighbor {core} remote-as {CORE_ASN}\n \
                 neighbor {core} timers connect 1\n{}{}exit\n",
                family("ipv4"),
                family("ipv6")
            )
        }
        _ => {
            let family = |family: &str| {
                format!("  {family} {{ import none; export where source = RTS_BGP; next hop self; }};\n")
            };
            format!(
                "protocol bgp core {{\n  local as {GATEWAY_ASN};\n  neighbor {core} as {CORE_ASN};\n  direct;\n  connect retry time 1;\n{}{}}}\n",
                family("ipv4"),
                family("ipv6")
            )
        }
    }
}

fn core_configuration(gateway: IpAddr) -> String {
    let core = core_address();
    let kernel = |family: &str| format!("protocol kernel {{\n  {family} {{ export where source = RTS_BGP; }};\n}}\n");
    format!(
        "log stderr all;\nrouter id {core};\nprotocol device {{ }}\n{}{}protocol bgp edge {{\n  local {core} as {CORE_ASN};\n  \
         neighbor {gateway} as {GATEWAY_ASN};\n  direct;\n  connect retry time 1;\n  long lived graceful restart off;\n  \
         ipv4 {{ import all; export none; }};\n  ipv6 {{ import all; export none; }};\n}}\n",
        kernel("ipv4"),
        kernel("ipv6")
    )
}
