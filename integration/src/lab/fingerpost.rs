//! Fingerpost itself: the product's binary with a configuration for the lab.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::http::{self, Answer};
use super::namespace::Namespace;
use super::process::Process;
use super::record::{FLANNEL_PREFIX, NATIVE_PREFIX};
use super::topology::{PODS_V4, PODS_V6};
use super::{Lab, etcd, wait};

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
}

impl Source {
    fn yaml(&self) -> String {
        let etcd = format!("etcd: {{ endpoints: [\"{}\"] }}", etcd::ENDPOINT);
        match self {
            Self::Native => format!("{{ {etcd}, schema: {{ native: {{ prefix: {NATIVE_PREFIX} }} }} }}"),
            Self::Flannel => format!("{{ {etcd}, schema: {{ flannel: {{ prefix: {FLANNEL_PREFIX} }} }} }}"),
            Self::File(path) => format!("{{ file: {{ path: \"{}\" }} }}", path.display()),
        }
    }
}

/// A configuration that peers with every gateway of the lab and announces what `source` says.
#[must_use]
pub fn configuration(lab: &Lab, source: &Source) -> String {
    let asn = lab.peering().speaker_asn();
    let mut gateways = String::new();
    for gateway in lab.gateways() {
        writeln!(
            gateways,
            "  {}: {{ address: \"{}\", asn: {}, platform: {}, policy: default, families: [ipv4, ipv6], multihop: {} }}",
            gateway.name(),
            gateway.address(),
            gateway.asn(),
            gateway.daemon().platform(),
            lab.peering().is_multihop(),
        )
        .expect("a string can be written to");
    }
    format!(
        "router: {{ asn: {asn}, id: 10.170.0.10 }}\n\
         sources:\n  lab: {}\n\
         fence:\n  prefixes: [ {{ within: {PODS_V4}, lengths: 20-28 }}, {{ within: \"{PODS_V6}\", lengths: 56-64 }} ]\n  \
         next_hops: [ 10.168.0.0/24, 10.169.0.0/24, \"fd00:10:168::/64\", \"fd00:10:169::/64\" ]\n\
         gateways:\n{gateways}\
         policies: {{ default: [ {{ match: {{}}, then: accept }} ] }}\n\
         state_dir: \"{}\"\n\
         http: {{ listen: \"{HTTP}\" }}\n",
        source.yaml(),
        lab.folder().join("state").display(),
    )
}

const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9179);

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
        let path = lab.folder().join("fingerpost.yaml");
        std::fs::create_dir_all(lab.folder().join("state")).expect("a folder can be made in the lab's folder");
        std::fs::write(&path, configuration).expect("a configuration can be written into the lab's folder");
        let mut fingerpost = Self { namespace: Arc::clone(lab.control()), configuration: path, process: None };
        fingerpost.resume();
        fingerpost
    }

    /// Starts it again after its end, with the same configuration and state.
    #[track_caller]
    pub fn resume(&mut self) {
        let path = self.configuration.to_string_lossy().into_owned();
        let binary = binary();
        let program = binary.to_string_lossy();
        let mut process = self.namespace.spawn("fingerpost", &program, &["run", "--config", &path]);
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

    /// Waits until its session with a gateway is established.
    ///
    /// # Panics
    /// When it is not within 20 s.
    #[track_caller]
    pub fn await_established(&self, name: &str) {
        wait::until(&format!("the session with {name}"), BOUND, || {
            let gateway = self.gateway(name);
            let state = gateway["state"].as_str().unwrap_or_default();
            if state.eq_ignore_ascii_case("established") { Ok(()) } else { Err(gateway) }
        });
    }
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
