//! Fingerpost itself: the product's binary with a configuration for the lab.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::gateway::{Gateway, Peer};
use super::http::{self, Answer};
use super::namespace::{Namespace, checked};
use super::process::Process;
use super::record::{FLANNEL_PREFIX, NATIVE_PREFIX};
use super::topology::{PODS_V4, PODS_V6};
use super::{Lab, etcd};

const BOUND: Duration = Duration::from_secs(20);

/// Where Fingerpost reads who owns what.
#[derive(Clone, Debug)]
pub enum Source {
    /// etcd, the native schema.
    Native,
    /// etcd, flannel's schema.
    Flannel,
    /// A file.
    File(PathBuf),
    /// etcd, the native schema, as a user with the password in a file.
    NativeAs(&'static str, PathBuf),
}

impl Source {
    fn yaml(&self) -> String {
        let etcd = format!("etcd: {{ endpoints: [\"{}\"] }}", etcd::ENDPOINT);
        match self {
            Self::Native => format!("{{ {etcd}, schema: {{ native: {{ prefix: {NATIVE_PREFIX} }} }} }}"),
            Self::NativeAs(user, path) => {
                let etcd =
                    format!("endpoints: [\"{}\"], user: {user}, password_file: \"{}\"", etcd::ENDPOINT, path.display());
                format!("{{ etcd: {{ {etcd} }}, schema: {{ native: {{ prefix: {NATIVE_PREFIX} }} }} }}")
            }
            Self::Flannel => format!("{{ {etcd}, schema: {{ flannel: {{ prefix: {FLANNEL_PREFIX} }} }} }}"),
            Self::File(path) => format!("{{ file: {{ path: \"{}\" }} }}", path.display()),
        }
    }
}

/// A configuration that peers with every gateway of the lab and announces what `source` says.
#[must_use]
pub fn configuration(lab: &Lab, source: &Source) -> String {
    configuration_of(lab, &[("lab", source)], lab.gateways())
}

/// A configuration with several sources, each with its name, and some of the lab's gateways.
#[must_use]
pub fn configuration_of(lab: &Lab, sources: &[(&str, &Source)], gateways: &[Gateway]) -> String {
    let sources: String = sources.iter().map(|(name, source)| format!("  {name}: {}\n", source.yaml())).collect();
    let peers = peers(lab, gateways);
    let asn = lab.peering().speaker_asn();
    format!(
        "router: {{ asn: {asn}, id: 10.170.0.10 }}\n\
         sources:\n{sources}\
         {}\
         gateways:{peers}\n\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n\
         state_dir: \"{}\"\n\
         http: {{ listen: \"{HTTP}\" }}\n",
        fence(),
        lab.folder().join("state").display(),
    )
}

fn fence() -> String {
    format!(
        "fence:\n  prefixes: [ {{ within: {PODS_V4}, lengths: 20-28 }}, {{ within: \"{PODS_V6}\", lengths: 56-64 }} ]\n  \
         next_hops: [ 10.168.0.0/24, 10.169.0.0/24, \"fd00:10:168::/64\", \"fd00:10:169::/64\" ]\n"
    )
}

fn peers(lab: &Lab, gateways: &[Gateway]) -> String {
    let lines = gateways.iter().map(|gateway| entry(gateway, lab.peering().is_multihop()));
    if gateways.is_empty() { " {}".to_owned() } else { lines.collect() }
}

/// A gateway's line below `gateways`.
pub(crate) fn entry(gateway: &Gateway, multihop: bool) -> String {
    let (name, address, asn) = (gateway.name(), gateway.address(), gateway.asn());
    let hops = if multihop { ", multihop: true" } else { "" };
    format!("\n  {name}: {{ address: \"{address}\", asn: {asn}{hops}, policy: default, families: [ipv4, ipv6] }}")
}

/// What `fingerpost gateway-config` prints for the gateway of this entry, which expects `peer`.
#[track_caller]
pub(crate) fn gateway_config(namespace: &Namespace, name: &str, entry: &str, platform: &str, peer: &Peer) -> String {
    let configuration = format!(
        "router: {{ asn: {}, id: 10.170.0.10 }}\n\
         sources: {{ lab: {{ file: {{ path: hosts.yaml }} }} }}\n\
         {}\
         gateways:{entry}\n\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n",
        peer.asn,
        fence(),
    );
    let path = namespace.context().folder().join(format!("{name}.yaml"));
    std::fs::write(&path, configuration).expect("a configuration can be written into the lab's folder");
    let mut command = std::process::Command::new(binary());
    command.args(["gateway-config", name, "--platform", platform, "--config"]).arg(path);
    checked(command.args(["--speaker", &peer.address.to_string()]))
}

/// Where it serves its pages, inside its namespace.
pub const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9179);

/// Fingerpost in the lab's control namespace.
#[derive(Debug)]
pub struct Fingerpost {
    namespace: Arc<Namespace>,
    configuration: PathBuf,
    process: Option<Process>,
}

impl Fingerpost {
    /// Starts it with [`configuration`].
    #[must_use]
    #[track_caller]
    pub fn start(lab: &Lab, source: &Source) -> Self {
        Self::start_with(lab, &configuration(lab, source))
    }

    /// Starts it with any configuration.
    ///
    /// # Panics
    /// When it is not alive within 20 s.
    #[must_use]
    #[track_caller]
    pub fn start_with(lab: &Lab, configuration: &str) -> Self {
        let path = write(lab, configuration);
        let mut fingerpost = Self { namespace: Arc::clone(lab.control()), configuration: path, process: None };
        fingerpost.resume();
        fingerpost
    }

    /// Starts only its process, for a start that is to fail.
    #[must_use]
    pub fn spawn(lab: &Lab, configuration: &str) -> Process {
        run(lab.control(), &write(lab, configuration))
    }

    /// Starts it again after its end, with the same configuration and state.
    #[track_caller]
    pub fn resume(&mut self) {
        let mut process = run(&self.namespace, &self.configuration);
        let namespace = &self.namespace;
        process.await_ready(BOUND, |_| http::get(namespace, HTTP, "/livez").is_ok_and(|answer| answer.status == 200));
        self.process = Some(process);
    }

    /// Kills it (SIGKILL): the kernel closes its sessions, no NOTIFICATION is sent.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Ends it by SIGTERM.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.stop(Signal::TERM)
    }

    /// Tells it to end for good (SIGUSR2): it drains the gateways first.
    #[track_caller]
    pub fn begin_decommission(&mut self) {
        self.process.as_mut().expect("it runs").signal(Signal::USR2);
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn await_end(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.wait(BOUND)
    }

    /// Replaces the configuration and asks for a reload (SIGHUP).
    pub fn reload(&mut self, configuration: &str) {
        std::fs::write(&self.configuration, configuration).expect("a configuration can be written");
        self.process.as_mut().expect("it runs").signal(Signal::HUP);
    }

    /// What it has logged since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Gets a page.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn get(&self, path: &str) -> std::io::Result<Answer> {
        http::get(&self.namespace, HTTP, path)
    }

    /// What it says of a gateway.
    ///
    /// # Panics
    /// When it does not answer, or knows no such gateway.
    #[must_use]
    #[track_caller]
    pub fn gateway(&self, name: &str) -> Value {
        let answer = self.get("/api/v1/gateways").expect("Fingerpost answers").json();
        let gateways = answer.get("gateways").unwrap_or(&answer);
        let found = gateways.as_array().into_iter().flatten().find(|gateway| gateway["name"] == name);
        found.cloned().unwrap_or_else(|| panic!("no gateway {name} in {answer:#}"))
    }
}

fn write(lab: &Lab, configuration: &str) -> PathBuf {
    let path = lab.folder().join("fingerpost.yaml");
    std::fs::create_dir_all(lab.folder().join("state")).expect("a folder can be made in the lab's folder");
    std::fs::write(&path, configuration).expect("a configuration can be written into the lab's folder");
    path
}

fn run(namespace: &Namespace, configuration: &Path) -> Process {
    let (binary, configuration) = (binary(), configuration.to_string_lossy().into_owned());
    namespace.spawn("fingerpost", &binary.to_string_lossy(), &["run", "--config", &configuration])
}

/// The product's binary: `FINGERPOST_BIN`, or the one beside this test in the target folder.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    let found = std::env::var_os("FINGERPOST_BIN").map_or_else(
        || {
            let test = std::env::current_exe().expect("a test knows where it is");
            test.ancestors().nth(2).unwrap_or(Path::new("/")).join("fingerpost")
        },
        PathBuf::from,
    );
    assert!(found.exists(), "{} does not exist: run make integration, or set FINGERPOST_BIN", found.display());
    found
}
