//! What people do instead: a routing daemon beside each other one, fed by a script on an etcd watch. The script and the daemons'
//! configurations in `setup` are all there is to it.

mod page;
mod rows;
mod setup;
mod summary;

pub use page::render;
pub use rows::{Row, rivals};

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::{Case, Fault};
use crate::lab::Lab;
use crate::lab::clock::Clock;
use crate::lab::etcd::Etcd;
use crate::lab::gateway::Daemon;
use crate::lab::host::Host;
use crate::lab::namespace::Namespace;
use crate::lab::process::Process;
use crate::lab::record::{self, NATIVE_PREFIX};
use crate::lab::wait;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rivals/follow.py");
/// What the daemons that take their routes from files read.
const FILES: [&str; 2] = ["routes4.conf", "routes6.conf"];
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
    endpoints: String,
    /// The keys that it announces.
    prefix: String,
    /// The daemon's, where it has one of its own.
    clock: Option<Clock>,
    /// Whether it was, once.
    started: bool,
    /// The daemon, then the script.
    processes: Vec<Process>,
}

impl Rival {
    /// One of several speakers, 0 is the first; of a mesh the one on a host.
    #[track_caller]
    pub(super) fn start(lab: &Lab, etcd: &Etcd, place: usize, case: &Case) -> Self {
        let (asn, gateway, hold) = (lab.peering().speaker_asn(), &lab.gateways()[0], case.hold);
        let folder = lab.folder().join(format!("rival{}", place + 1));
        let files = folder.to_string_lossy();
        let (namespace, configuration, prefix) = if case.speaker == Speaker::Mesh {
            let host = &lab.hosts()[place];
            let others: Vec<&Host> = lab.hosts().iter().filter(|other| other.name() != host.name()).collect();
            let text = setup::mesh(host, &others, asn, gateway, hold, &files);
            // A host's own record: no other key begins with its name.
            (host.namespace(), text, record::native_key(host))
        } else {
            let (machines, address) = (lab.replicas(), lab.replicas().address(place));
            let text = match case.speaker {
                Speaker::Bird => setup::bird(asn, address, gateway, hold, &files),
                _ => setup::gobgp(asn, address, gateway, hold),
            };
            (machines.namespace(place), text, format!("{NATIVE_PREFIX}/hosts/"))
        };
        std::fs::create_dir(&folder).expect("a folder can be made in the lab's folder");
        let write = |file: &str, text: &str| {
            std::fs::write(folder.join(file), text).expect("a file can be written into the lab's folder");
        };
        write("conf", &configuration);
        FILES.iter().for_each(|file| write(file, ""));
        let clock = (case.fault == Fault::Clock).then(|| Clock::new(&folder));
        let (namespace, endpoints) = (Arc::clone(namespace), etcd.endpoints().join(","));
        let mut rival = Self {
            speaker: case.speaker,
            namespace,
            folder,
            endpoints,
            prefix,
            clock,
            started: false,
            processes: Vec::new(),
        };
        rival.resume();
        rival
    }

    /// Starts the daemon and the script, as the daemon's makers say that it is started again: it takes up where it was (graceful
    /// restart). BIRD has the routes that the script wrote before at once, and its End-of-RIB comes after them.
    #[track_caller]
    pub(super) fn resume(&mut self) {
        let (file, socket, folder) = (self.path("conf"), self.path("ctl"), self.path(""));
        let client = self.program("gobgp");
        let (daemon, script) = match self.speaker {
            Speaker::Bird | Speaker::Mesh => {
                let clock = self.clock.as_ref().map(|clock| clock.command(&self.namespace, "bird"));
                let mut command = clock.unwrap_or_else(|| self.namespace.command("bird"));
                command.args(["-d", "-R", "-c", &file, "-s", &socket]);
                let daemon = Process::spawn(self.namespace.context(), "rival", command);
                (daemon, vec!["bird", &socket, &folder])
            }
            Speaker::Gobgp(_) | Speaker::Fingerpost => {
                let arguments = ["-f", &file, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
                let again: &[&str] = if self.started { &["-r"] } else { &[] };
                let daemon = self.namespace.spawn("rival", &self.program("gobgpd"), &[&arguments, again].concat());
                (daemon, vec!["gobgp", &client])
            }
        };
        self.started = true;
        let asked: &[&str] = if self.is_bird() { &["show", "status"] } else { &["global"] };
        wait::until_true("the daemon to answer", BOUND, || self.ask(asked).is_some());
        let arguments = [&[SCRIPT, &self.endpoints, &self.prefix], script.as_slice()].concat();
        let script = self.namespace.spawn("rival-script", "python3", &arguments);
        self.processes = vec![daemon, script];
    }

    /// What the daemon answers, if it does.
    fn ask(&self, words: &[&str]) -> Option<String> {
        let (socket, client) = (self.path("ctl"), self.program("gobgp"));
        let words = if self.is_bird() {
            [&["birdc", "-s", &socket], words].concat()
        } else {
            [&[client.as_str()], words].concat()
        };
        let output = self.namespace.command(words[0]).args(&words[1..]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether its session with the gateway is up, and its own restart over: BIRD waits for all neighbours' End-of-RIB, and whoever
    /// ends it before that ends a restart that is not over.
    pub(super) fn is_up(&self) -> bool {
        if !self.is_bird() {
            return self.ask(&["neighbor"]).is_some_and(|said| said.contains("Establ"));
        }
        let is_restarting = self.ask(&["show", "status"]).is_none_or(|said| said.contains("recovery in progress"));
        !is_restarting && self.ask(&["show", "protocols", "edge"]).is_some_and(|said| said.contains("Established"))
    }

    fn is_bird(&self) -> bool {
        matches!(self.speaker, Speaker::Bird | Speaker::Mesh)
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_string_lossy().into_owned()
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

    /// Ends the daemon in the way that BIRD's makers advise where it is to be back soon, and the script.
    #[track_caller]
    pub(super) fn retire(&mut self) {
        self.ask(&["graceful", "restart"]).expect("BIRD takes the command");
        self.processes[0].wait(BOUND);
        self.kill();
    }

    /// Sets the daemon's wall clock so many seconds ahead of what is right. The script looks at none.
    #[track_caller]
    pub(super) fn set_clock(&self, ahead: i64) {
        let clock = self.clock.as_ref().expect("it runs with a clock of its own");
        clock.set(&self.namespace, &self.processes[0], ahead);
    }

    /// Stops both, or lets them go on.
    pub(super) fn pause(&mut self, signal: Signal) {
        self.processes.iter_mut().for_each(|process| process.signal_all(signal));
    }
}
