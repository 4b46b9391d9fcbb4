//! What people do instead: a routing daemon beside each other one, fed by a script on an etcd watch. The script and the daemons'
//! configurations here are all there is to it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::lab::Lab;
use crate::lab::etcd::Etcd;
use crate::lab::gateway::{Daemon, Gateway};
use crate::lab::host::Host;
use crate::lab::namespace::Namespace;
use crate::lab::process::Process;
use crate::lab::record::{self, NATIVE_PREFIX};
use crate::lab::wait;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/follow.py");
const BOUND: Duration = Duration::from_secs(20);

/// Who announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The product.
    Fingerpost,
    /// GoBGP, Debian's or a current one, whose paths the script adds and deletes.
    Gobgp(Daemon),
    /// BIRD, whose static routes the script writes.
    Bird,
    /// The same on each host, for what that host owns; all of them peer with each other, too.
    Mesh,
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerpost => f.write_str("Fingerpost"),
            Self::Gobgp(daemon) => write!(f, "GoBGP {}", daemon.version()),
            Self::Bird => write!(f, "BIRD {}", Daemon::Bird.version()),
            Self::Mesh => write!(f, "BIRD {}, one a host", Daemon::Bird.version()),
        }
    }
}

/// A routing daemon and its script, on a replica's machine or on a host.
#[derive(Debug)]
pub(super) struct Rival {
    speaker: Speaker,
    namespace: Arc<Namespace>,
    folder: PathBuf,
    configuration: String,
    endpoints: String,
    /// The keys that it announces.
    prefix: String,
    /// The daemon, then the script.
    processes: Vec<Process>,
}

impl Rival {
    /// One of several replicas.
    #[track_caller]
    pub(super) fn start(lab: &Lab, etcd: &Etcd, replica: usize, speaker: Speaker) -> Self {
        let (machines, gateway, folder) = (lab.replicas(), &lab.gateways()[0], folder(lab, replica));
        let (asn, address) = (lab.peering().speaker_asn(), machines.address(replica));
        let configuration = match speaker {
            Speaker::Bird => bird(asn, address, gateway, &folder.to_string_lossy()),
            Speaker::Gobgp(_) | Speaker::Fingerpost | Speaker::Mesh => gobgp(asn, address, gateway),
        };
        let (namespace, prefix) = (machines.namespace(replica), format!("{NATIVE_PREFIX}/hosts/"));
        Self::run(speaker, namespace, folder, configuration, etcd, prefix)
    }

    /// The one on a host: 0 is the first.
    #[track_caller]
    pub(super) fn start_on_host(lab: &Lab, etcd: &Etcd, place: usize) -> Self {
        let (host, folder) = (&lab.hosts()[place], folder(lab, place));
        let others = lab.hosts().iter().filter(|other| other.name() != host.name()).map(Host::control);
        let others: Vec<IpAddr> = others.collect();
        let asn = lab.peering().speaker_asn();
        let configuration = mesh(asn, host.control(), &lab.gateways()[0], &others, &folder.to_string_lossy());
        // A host's own record: no other key begins with its name.
        Self::run(Speaker::Mesh, host.namespace(), folder, configuration, etcd, record::native_key(host))
    }

    #[track_caller]
    fn run(
        speaker: Speaker,
        namespace: &Arc<Namespace>,
        folder: PathBuf,
        configuration: String,
        etcd: &Etcd,
        prefix: String,
    ) -> Self {
        let (namespace, endpoints) = (Arc::clone(namespace), etcd.endpoints().join(","));
        let mut rival = Self { speaker, namespace, folder, configuration, endpoints, prefix, processes: Vec::new() };
        rival.resume();
        rival
    }

    /// Starts the daemon, BIRD with the routes that it had, and the script.
    #[track_caller]
    pub(super) fn resume(&mut self) {
        let path = |file: &str| self.folder.join(file).to_string_lossy().into_owned();
        let file = path("conf");
        std::fs::write(&file, &self.configuration).expect("a file can be written into the lab's folder");
        let (daemon, words) = match self.speaker {
            Speaker::Bird | Speaker::Mesh => {
                for family in ["routes4.conf", "routes6.conf"] {
                    // What the script wrote before is there again at once: the End-of-RIB comes after it.
                    let file = std::fs::OpenOptions::new().create(true).append(true).open(path(family));
                    drop(file.expect("a file can be written into the lab's folder"));
                }
                // -R: it takes up where it was (graceful restart), as in Calico. The other kind has another one beside it.
                let recover: &[&str] = if self.speaker == Speaker::Mesh { &["-R"] } else { &[] };
                let ctl = path("ctl");
                let arguments = [&["-d", "-c", &file, "-s", &ctl], recover].concat();
                let daemon = self.namespace.spawn("rival", "bird", &arguments);
                (daemon, vec!["bird".to_owned(), path("ctl"), path("")])
            }
            Speaker::Gobgp(_) | Speaker::Fingerpost => {
                let (program, client) = (self.program("gobgpd"), self.program("gobgp"));
                let arguments = ["-f", &file, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
                (self.namespace.spawn("rival", &program, &arguments), vec!["gobgp".to_owned(), client])
            }
        };
        let asked: Vec<&str> = match self.speaker {
            Speaker::Bird | Speaker::Mesh => vec!["birdc", "-s", &words[1], "show", "status"],
            Speaker::Gobgp(_) | Speaker::Fingerpost => vec![&words[1], "global"],
        };
        wait::until_true("the daemon to answer", BOUND, || {
            let output = self.namespace.command(asked[0]).args(&asked[1..]).output();
            output.is_ok_and(|output| output.status.success())
        });
        let words = words.iter().map(String::as_str);
        let arguments: Vec<&str> = [SCRIPT, &self.endpoints, &self.prefix].into_iter().chain(words).collect();
        let script = self.namespace.spawn("rival-script", "python3", &arguments);
        self.processes = vec![daemon, script];
    }

    fn program(&self, name: &str) -> String {
        let daemon = match self.speaker {
            Speaker::Gobgp(daemon) => daemon,
            Speaker::Bird | Speaker::Mesh | Speaker::Fingerpost => Daemon::Gobgp3,
        };
        daemon.path().with_file_name(name).to_string_lossy().into_owned()
    }

    /// Kills both (SIGKILL).
    pub(super) fn kill(&mut self) {
        self.processes.iter_mut().for_each(|process| process.signal_all(Signal::KILL));
        self.processes.clear();
    }

    /// Ends the daemon by SIGTERM, and the script.
    #[track_caller]
    pub(super) fn terminate(&mut self) {
        self.processes[0].stop(Signal::TERM);
        self.kill();
    }

    /// Stops both, or lets them go on.
    pub(super) fn pause(&mut self, signal: Signal) {
        self.processes.iter_mut().for_each(|process| process.signal_all(signal));
    }
}

fn folder(lab: &Lab, place: usize) -> PathBuf {
    let folder = lab.folder().join(format!("rival{}", place + 1));
    std::fs::create_dir(&folder).expect("a folder can be made in the lab's folder");
    folder
}

fn gobgp(asn: u32, address: IpAddr, gateway: &Gateway) -> String {
    let families = ["ipv4-unicast", "ipv6-unicast"].map(|family| {
        format!(
            "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n      afi-safi-name = \"{family}\"\n    \
             [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n    \
             [neighbors.afi-safis.long-lived-graceful-restart.config]\n      enabled = true\n      restart-time = 600\n"
        )
    });
    format!(
        "[global.config]\n  as = {asn}\n  router-id = \"{address}\"\n  port = -1\n\
         [[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"{}\"\n    peer-as = {}\n  \
         [neighbors.timers.config]\n    hold-time = 30\n    keepalive-interval = 10\n    connect-retry = 5\n  \
         [neighbors.graceful-restart.config]\n    enabled = true\n    restart-time = 1\n    long-lived-enabled = true\n{}",
        gateway.address(),
        gateway.asn(),
        families.concat(),
    )
}

fn bird(asn: u32, address: IpAddr, gateway: &Gateway, folder: &str) -> String {
    let (peer, peer_asn) = (gateway.address(), gateway.asn());
    format!(
        "log stderr all;\nrouter id {address};\nprotocol device {{ }}\n\
         protocol static {{\n  ipv4;\ninclude \"{folder}/routes4.conf\";\n}}\n\
         protocol static {{\n  ipv6;\ninclude \"{folder}/routes6.conf\";\n}}\n\
         protocol bgp edge {{\n  local {address} as {asn};\n  neighbor {peer} as {peer_asn};\n  direct;\n  \
         hold time 30; keepalive time 10; connect retry time 5; error wait time 1, 2;\n  graceful restart on; graceful restart time 0;\n  \
         long lived graceful restart on; long lived stale time 600;\n  \
         ipv4 {{ import none; export where source = RTS_STATIC; next hop keep; }};\n  \
         ipv6 {{ import none; export where source = RTS_STATIC; next hop keep; }};\n}}\n"
    )
}

/// Each host tells the others and the gateway what it owns, and its kernel what the others own. Graceful restart as BIRD has it by
/// itself: nobody else announces a host's subnets, so nothing better is hidden by what is stale.
fn mesh(asn: u32, address: IpAddr, gateway: &Gateway, others: &[IpAddr], folder: &str) -> String {
    let (edge, edge_asn) = (gateway.address(), gateway.asn());
    let families = |import: &str| {
        ["ipv4", "ipv6"].map(|family| {
            format!("  {family} {{ import {import}; export where source = RTS_STATIC; next hop keep; gateway recursive; }};\n")
        })
    };
    let session = |name: &str, peer: IpAddr, peer_asn: u32, import: &str| {
        format!(
            "protocol bgp {name} {{\n  local {address} as {asn};\n  neighbor {peer} as {peer_asn};\n  direct;\n  \
             hold time 30; keepalive time 10; connect retry time 5; error wait time 1, 2;\n  graceful restart on;\n{}}}\n",
            families(import).concat()
        )
    };
    let meshed = (1..).zip(others).map(|(number, other)| session(&format!("mesh{number}"), *other, asn, "all"));
    let kernels = ["ipv4", "ipv6"].map(|family| {
        format!("protocol kernel {{\n  learn;\n  {family} {{ import all; export where source = RTS_BGP; }};\n}}\n")
    });
    format!(
        "log stderr all;\nrouter id {address};\nprotocol device {{ }}\n\
         protocol direct {{\n  ipv4;\n  ipv6;\n  interface \"vlan*\";\n}}\n{}\
         protocol static {{\n  ipv4;\ninclude \"{folder}/routes4.conf\";\n}}\n\
         protocol static {{\n  ipv6;\ninclude \"{folder}/routes6.conf\";\n}}\n{}{}",
        kernels.concat(),
        session("edge", edge, edge_asn, "none"),
        meshed.collect::<String>(),
    )
}
