//! Fingerpost itself: the product's binary with a configuration for the lab.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::clock::Clock;
use super::etcd::Etcd;
use super::gateway::Gateway;
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
            Self::File(path) => format!("{{ file: {{ path: \"{}\", poll: 200ms }} }}", path.display()),
        }
    }
}

/// Most labs change much of little at once, which the guard would hold.
pub const UNGUARDED: &str = "guard: { withdrawals: off, moves: off, additions: off }";

/// A configuration that peers with every gateway of the lab and announces what `source` says.
#[must_use]
pub fn configuration(lab: &Lab, source: &Source) -> String {
    configuration_of(lab, &[("lab", source)], lab.gateways())
}

/// A configuration with several sources, each with its name, and some of the lab's gateways.
#[must_use]
pub fn configuration_of(lab: &Lab, sources: &[(&str, &Source)], gateways: &[Gateway]) -> String {
    let sources: String = sources.iter().map(|(name, source)| format!("  {name}: {}\n", source.yaml())).collect();
    let peers: String = gateways.iter().map(entry).collect();
    let listens = gateways.iter().any(|gateway| gateway.peering().listens);
    format!(
        "router: {}\n\
         sources:\n{sources}\
         {}\
         gateways:{}\n\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n\
         {}\n\
         state_dir: \"{}\"\n\
         http: {{ listen: \"{HTTP}\" }}\n",
        router(lab.peering().speaker_asn(), lab.peering().speaker_address(), listens),
        fence(),
        if gateways.is_empty() { " {}" } else { &peers },
        UNGUARDED,
        lab.folder().join("state").display(),
    )
}

/// The key at which replicas elect their leader.
pub const LEADER: &str = "/fingerpost/leader";

/// The configuration of one of several replicas: the native schema, in the etcd that they also elect their leader in. `more` is
/// put at its end.
#[must_use]
pub fn replica_configuration(lab: &Lab, etcd: &Etcd, replica: usize, more: &str) -> String {
    let machines = lab.replicas();
    let (asn, id, count) = (lab.peering().speaker_asn(), machines.address(replica), machines.count());
    let endpoints = etcd.endpoints().iter().map(|url| format!("\"{url}\"")).collect::<Vec<_>>().join(", ");
    let peers: String = lab.gateways().iter().map(entry).collect();
    let folder = replica_folder(lab, replica);
    format!(
        "router: {{ asn: {asn}, id: {id}, replicas: {count} }}\n\
         admin: {{ listen: \"unix:{}\" }}\n\
         sources: {{ prod: {{ etcd: {{ endpoints: [{endpoints}] }}, schema: {{ native: {{ prefix: {NATIVE_PREFIX} }} }} }} }}\n\
         election: {{ etcd: {{ source: prod, key: {LEADER} }} }}\n\
         {}\
         gateways:{peers}\n\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n\
         {UNGUARDED}\n\
         state_dir: \"{}\"\n\
         http: {{ listen: \"{HTTP}\" }}\n\
         {more}",
        folder.join("admin.sock").display(),
        fence(),
        folder.join("state").display(),
    )
}

fn replica_folder(lab: &Lab, replica: usize) -> PathBuf {
    lab.folder().join(format!("replica{}", replica + 1))
}

fn router(asn: u32, address: IpAddr, listens: bool) -> String {
    let listen = if listens { format!(", listen: [\"{}\"]", SocketAddr::new(address, 179)) } else { String::new() };
    format!("{{ asn: {asn}, id: 10.170.0.10, drain_time: 3s{listen} }}")
}

fn fence() -> String {
    format!(
        "fence:\n  prefixes: [ {{ within: {PODS_V4}, lengths: 20-32 }}, {{ within: \"{PODS_V6}\", lengths: 56-64 }} ]\n  \
         next_hops: [ 10.168.0.0/24, 10.169.0.0/24, 10.170.0.0/24, \
         \"fd00:10:168::/64\", \"fd00:10:169::/64\", \"fd00:10:170::/64\" ]\n"
    )
}

/// A gateway's line below `gateways`.
fn entry(gateway: &Gateway) -> String {
    let (name, address, asn, session) = (gateway.name(), gateway.address(), gateway.asn(), gateway.peering());
    let place = session
        .listen_range
        .map_or_else(|| format!("address: \"{address}\""), |range| format!("listen_range: \"{range}\""));
    let mut keys = vec![format!("{place}, asn: {asn}, policy: default")];
    let families = [(session.ipv4, "ipv4"), (session.ipv6, "ipv6")].into_iter().filter(|(negotiated, _)| *negotiated);
    let families: Vec<&str> = families.map(|(_, family)| family).collect();
    keys.push(format!("families: [{}]", families.join(", ")));
    if session.multihop {
        keys.push("multihop: true".to_owned());
    }
    if let Some(password) = session.password {
        let path = gateway.namespace().context().folder().join(format!("{name}.key"));
        std::fs::write(&path, password).expect("a file can be written into the lab's folder");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        keys.push(format!("password_file: \"{}\"", path.display()));
    }
    if session.ttl_security {
        keys.push("ttl_security: true".to_owned());
    }
    if session.extended_next_hop {
        keys.push("extended_next_hop: true".to_owned());
    }
    if !session.keys.is_empty() {
        keys.push(session.keys.clone());
    }
    format!("\n  {name}: {{ {} }}", keys.join(", "))
}

/// What `fingerpost gateway-config` prints for a gateway, with what a person would put in.
#[track_caller]
pub(crate) fn gateway_config(gateway: &Gateway, platform: &str) -> String {
    let session = gateway.peering();
    let configuration = format!(
        "router: {}\n\
         sources: {{ lab: {{ file: {{ path: hosts.yaml }}, ipv4_via_ipv6: {} }} }}\n\
         {}\
         gateways:{}\n\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n",
        router(session.speaker_asn, session.speaker, session.listens),
        session.extended_next_hop,
        fence(),
        entry(gateway),
    );
    let name = gateway.name();
    let path = gateway.namespace().context().folder().join(format!("{name}.yaml"));
    std::fs::write(&path, configuration).expect("a configuration can be written into the lab's folder");
    let mut command = std::process::Command::new(binary());
    command.args(["gateway-config", name, "--platform", platform, "--config"]).arg(path);
    for neighbour in session.neighbours() {
        command.args(["--speaker", &neighbour]);
    }
    let text = checked(&mut command);
    text.replace("REPLACE-ME-KEY", session.password.unwrap_or_default())
        .replace("REPLACE-ME-ROUTER-ID", &gateway.router_id().to_string())
}

/// Where it serves its pages, inside its namespace.
pub const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9179);

/// Fingerpost on a machine of the lab.
#[derive(Debug)]
pub struct Fingerpost {
    name: String,
    namespace: Arc<Namespace>,
    configuration: PathBuf,
    binary: PathBuf,
    clock: Option<Clock>,
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
        let (name, namespace, path) =
            ("fingerpost".to_owned(), Arc::clone(lab.control()), write(lab.folder(), configuration));
        Self { name, namespace, configuration: path, binary: binary(), clock: None, process: None }.started()
    }

    /// Starts one of several replicas with a configuration of its own: 0 is the first. Where it `has_clock`, that can be set.
    ///
    /// # Panics
    /// When it is not alive within 20 s.
    #[must_use]
    #[track_caller]
    pub fn start_replica(lab: &Lab, replica: usize, configuration: &str, has_clock: bool) -> Self {
        let (name, folder) = (format!("fingerpost{}", replica + 1), replica_folder(lab, replica));
        let (namespace, path) = (Arc::clone(lab.replicas().namespace(replica)), write(&folder, configuration));
        let clock = has_clock.then(|| Clock::new(&folder));
        Self { name, namespace, configuration: path, binary: binary(), clock, process: None }.started()
    }

    /// Lets it be another version from its next start on.
    pub fn become_version(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    #[track_caller]
    fn started(mut self) -> Self {
        self.resume();
        self
    }

    /// Sets its wall clock so many seconds ahead of what is right.
    ///
    /// # Panics
    /// When it has none of its own.
    #[track_caller]
    pub fn set_clock(&self, ahead: i64) {
        let (clock, process) = self.clock.as_ref().zip(self.process.as_ref()).expect("it runs with a clock of its own");
        clock.set(&self.namespace, process, ahead);
    }

    /// Starts only its process, for a start that is to fail.
    #[must_use]
    pub fn spawn(lab: &Lab, configuration: &str) -> Process {
        run(lab.control(), "fingerpost", &binary(), &write(lab.folder(), configuration), None)
    }

    /// Starts it again after its end, with the same configuration and state.
    #[track_caller]
    pub fn resume(&mut self) {
        let mut process = run(&self.namespace, &self.name, &self.binary, &self.configuration, self.clock.as_ref());
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

    /// Stops its work (SIGSTOP): its connections stay, and nobody answers.
    pub fn pause(&mut self) {
        self.process.as_mut().expect("it runs").signal(Signal::STOP);
    }

    /// Lets it work on after [`Fingerpost::pause`].
    pub fn unpause(&mut self) {
        self.process.as_mut().expect("it runs").signal(Signal::CONT);
    }

    /// What it has logged since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// What a command for the running process prints, such as `["approve", "--all"]`; the configuration needs `admin`.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new(binary());
        command.args(arguments).arg("--config").arg(&self.configuration).env_remove("FINGERPOST_ADMIN");
        checked(&mut command)
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

fn write(folder: &Path, configuration: &str) -> PathBuf {
    let path = folder.join("fingerpost.yaml");
    std::fs::create_dir_all(folder.join("state")).expect("a folder can be made in the lab's folder");
    std::fs::write(&path, configuration).expect("a configuration can be written into the lab's folder");
    path
}

fn run(namespace: &Namespace, name: &str, binary: &Path, configuration: &Path, clock: Option<&Clock>) -> Process {
    let (binary, configuration) = (binary.to_string_lossy().into_owned(), configuration.to_string_lossy().into_owned());
    let mut command = clock.map_or_else(|| namespace.command(&binary), |clock| clock.command(namespace, &binary));
    command.args(["run", "--config", &configuration]);
    Process::spawn(namespace.context(), name, command)
}

/// The binary of an older version: `FINGERPOST_OLD_BIN`.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn older_binary() -> PathBuf {
    let found = std::env::var_os("FINGERPOST_OLD_BIN").map(PathBuf::from).filter(|path| path.exists());
    found.expect("FINGERPOST_OLD_BIN names a binary; make mixed builds it")
}

/// Which commit a binary says that it was built of.
///
/// # Panics
/// When it does not say that.
#[must_use]
#[track_caller]
pub fn commit_of(binary: &Path) -> String {
    let text = checked(std::process::Command::new(binary).arg("version"));
    let commit = text.lines().find_map(|line| line.strip_prefix("commit")).map(|commit| commit.trim().to_owned());
    commit.unwrap_or_else(|| panic!("no commit in {text}"))
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
