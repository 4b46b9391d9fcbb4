//! The routing daemons that a gateway can run, each an independent implementation of BGP.
//!
//! [`Daemon`] names them; `Program` is what the lab asks of each; a file per daemon answers. What a daemon cannot be
//! asked (OpenBGPD and ExaBGP have no forwarding table on Linux) is said by [`Daemon::forwards`].

pub mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;

use super::namespace::Namespace;
use super::process::Process;
use super::rib::{Choices, Rib};
use super::session::Session;

pub(crate) use gobgp::folder as gobgp_4_folder;

/// Which routing daemon a gateway runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Daemon {
    /// BIRD 2.
    Bird,
    /// FRR: zebra, staticd and bgpd.
    Frr,
    /// GoBGP as Debian has it.
    Gobgp3,
    /// GoBGP, a current version, built by `integration/go-tools.sh`.
    Gobgp4,
    /// OpenBGPD.
    Openbgpd,
    /// ExaBGP, which keeps no table: a script beside it writes down what it says.
    Exabgp,
}

impl Daemon {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Bird, Self::Frr, Self::Gobgp3, Self::Gobgp4, Self::Openbgpd, Self::Exabgp];

    /// Its name as its makers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bird => "BIRD",
            Self::Frr => "FRR",
            Self::Gobgp3 | Self::Gobgp4 => "GoBGP",
            Self::Openbgpd => "OpenBGPD",
            Self::Exabgp => "ExaBGP",
        }
    }

    /// A word for it: file names, test names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bird => "bird",
            Self::Frr => "frr",
            Self::Gobgp3 => "gobgp3",
            Self::Gobgp4 => "gobgp4",
            Self::Openbgpd => "openbgpd",
            Self::Exabgp => "exabgp",
        }
    }

    /// True where it puts what it learned into the kernel's table. The others' own tables are looked at instead.
    #[must_use]
    pub const fn forwards(self) -> bool {
        matches!(self, Self::Bird | Self::Frr)
    }

    /// The version that is installed, as it says itself.
    ///
    /// # Panics
    /// When it cannot be asked.
    #[must_use]
    #[track_caller]
    pub fn version(self) -> String {
        let mut command = self.program().version();
        let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let digits = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.');
        let version = text.split_whitespace().find(digits);
        version.unwrap_or_else(|| panic!("no version in {text}")).to_owned()
    }

    /// The program that speaks BGP.
    #[must_use]
    pub fn path(self) -> PathBuf {
        self.program().version().get_program().into()
    }

    pub(crate) fn program(self) -> &'static dyn Program {
        match self {
            Self::Bird => &bird::Bird,
            Self::Frr => &frr::Frr,
            Self::Gobgp3 => &gobgp::Gobgp::Debian,
            Self::Gobgp4 => &gobgp::Gobgp::Module,
            Self::Openbgpd => &openbgpd::Openbgpd,
            Self::Exabgp => &exabgp::Exabgp,
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A place where a daemon runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) namespace: &'a Namespace,
    /// The gateway's name: part of the names of its files.
    pub(crate) name: &'a str,
    pub(crate) asn: u32,
    pub(crate) router_id: Ipv4Addr,
    /// The gateway's address on the session.
    pub(crate) address: IpAddr,
    pub(crate) session: &'a Session,
}

impl Node<'_> {
    /// The path of a file of this node in the lab's folder.
    pub(crate) fn file(&self, suffix: &str) -> String {
        self.namespace.context().folder().join(format!("{}-{suffix}", self.name)).to_string_lossy().into_owned()
    }

    /// Writes a file of this node and returns its path.
    pub(crate) fn write(&self, suffix: &str, text: &str) -> String {
        let path = self.file(suffix);
        std::fs::write(&path, text).expect("a file can be written into the lab's folder");
        path
    }

    /// What a command that asks the daemon says; its standard error where it says nothing else.
    pub(crate) fn ask(&self, program: &str, words: &[&str]) -> String {
        let output = self.namespace.command(program).args(words).output();
        output.map_or_else(
            |error| error.to_string(),
            |output| {
                let said = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
                String::from_utf8_lossy(said).into_owned()
            },
        )
    }
}

/// What the lab asks of a daemon.
pub(crate) trait Program {
    /// The command that says which version it is.
    fn version(&self) -> Command;

    /// Its name for `fingerpost gateway-config`, which then says how it is configured.
    fn platform(&self) -> Option<&'static str> {
        None
    }

    /// How it is configured, where `fingerpost gateway-config` does not say it.
    fn configuration(&self, _node: &Node<'_>) -> String {
        String::new()
    }

    /// Starts it with an empty table and waits until it answers. What is first in the list is ended first.
    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process>;

    /// Something that stays the same exactly as long as its session with Fingerpost does; `None` while there is none.
    fn session(&self, node: &Node<'_>) -> Option<String>;

    /// The pod subnets that it learned from Fingerpost and would use.
    fn rib(&self, node: &Node<'_>) -> Rib;

    /// How many routes it has; cheaper than its table where it can be asked for the number.
    fn count(&self, node: &Node<'_>) -> usize {
        self.rib(node).len()
    }

    /// Which of the paths to each pod subnet it prefers, and how many it has; nothing where the labs do not ask it.
    fn choices(&self, _node: &Node<'_>) -> Choices {
        Choices::new()
    }

    /// Asks Fingerpost for all routes again: ROUTE-REFRESH.
    fn refresh(&self, node: &Node<'_>);

    /// Ends its session with Fingerpost and begins it anew. False where the labs do not ask it to.
    fn reset(&self, _node: &Node<'_>) -> bool {
        false
    }

    /// How many changes of routes it has taken in, where it counts them.
    fn route_changes(&self, _node: &Node<'_>) -> Option<u64> {
        None
    }

    /// How many UPDATEs it has received, where it counts them.
    fn updates(&self, _node: &Node<'_>) -> Option<u64> {
        None
    }

    /// What it says of its sessions and of what it learned, for a test that fails.
    fn diagnosis(&self, node: &Node<'_>) -> String;
}
