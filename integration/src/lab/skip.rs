//! What a scenario needs of the machine, and how it says that it could not run.
//!
//! A scenario begins with `if skip::unless(&[Need::Root, …]) { return; }`. What is missing is written to the real
//! standard error (the test harness captures only `print!`), and a line is appended to the file that
//! `FINGERPOST_SKIPS` names, which `make test` counts. With `CI=true` a skip is a failure.

use std::io::Write;
use std::path::Path;

use super::daemon::{self, Daemon};

/// Something that a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Network namespaces can be made.
    Root,
    /// BIRD 2.
    Bird,
    /// FRR's zebra, staticd and bgpd.
    Frr,
    /// GoBGP of the distribution.
    Gobgp3,
    /// GoBGP built from its Go module.
    Gobgp4,
    /// OpenBGPD.
    Openbgpd,
    /// ExaBGP.
    Exabgp,
    /// etcd and etcdctl.
    Etcd,
    /// keepalived.
    Keepalived,
    /// ping, tcpdump, ip, nsenter, setpriv.
    Tools,
}

impl Need {
    /// What it takes to run a gateway with `daemon`.
    #[must_use]
    pub const fn daemon(daemon: Daemon) -> Self {
        match daemon {
            Daemon::Bird => Self::Bird,
            Daemon::Frr => Self::Frr,
            Daemon::Gobgp3 => Self::Gobgp3,
            Daemon::Gobgp4 => Self::Gobgp4,
            Daemon::Openbgpd => Self::Openbgpd,
            Daemon::Exabgp => Self::Exabgp,
        }
    }

    /// The reason why this need is not met, and the remedy; `None` when it is met.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        let programs: &[(&str, &str)] = match self {
            Need::Root => {
                let root = rustix::process::geteuid().is_root();
                return (!root).then(|| "not root; sudo -E env \"PATH=$PATH\" make test".to_owned());
            }
            Need::Bird => &[("bird", "bird2"), ("birdc", "bird2")],
            Need::Frr => &[
                ("/usr/lib/frr/zebra", "frr"),
                ("/usr/lib/frr/staticd", "frr"),
                ("/usr/lib/frr/bgpd", "frr"),
                ("vtysh", "frr"),
            ],
            Need::Gobgp3 => &[("/usr/bin/gobgpd", "gobgpd"), ("/usr/bin/gobgp", "gobgpd")],
            Need::Gobgp4 => return daemon::gobgp_4_folder().err().map(str::to_owned),
            Need::Openbgpd => &[("bgpd", "openbgpd"), ("bgpctl", "openbgpd")],
            Need::Exabgp => &[("exabgp", "exabgp")],
            Need::Etcd => &[("etcd", "etcd-server"), ("etcdctl", "etcd-client")],
            Need::Keepalived => &[("keepalived", "keepalived")],
            Need::Tools => &[
                ("ip", "iproute2"),
                ("ping", "iputils-ping"),
                ("tcpdump", "tcpdump"),
                ("nsenter", "util-linux"),
                ("setpriv", "util-linux"),
            ],
        };
        programs.iter().find(|(program, _)| !is_installed(program)).map(|(program, package)| {
            format!("{program} is not installed; make setup (as root) or apt-get install {package}")
        })
    }
}

/// True, after having said so loudly, when the running test must be skipped because one of `needs` is not met.
///
/// # Panics
/// When a need is not met and `CI` is `true`: in CI a skip is a failure.
#[must_use]
#[track_caller]
pub fn unless(needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(|need| need.missing()) else { return false };
    let thread = std::thread::current();
    // With one thread the harness runs tests on its main thread, which has no test's name.
    let place = std::panic::Location::caller().to_string();
    let name = thread.name().filter(|name| *name != "main").unwrap_or(&place);
    let line = format!("SKIP {name}: {reason}\n");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}(with CI=true a skip is a failure)");
    // Not eprint!, which the harness captures. A closed standard error is no reason to fail.
    drop(std::io::stderr().write_all(line.as_bytes()));
    if let Some(path) = std::env::var_os("FINGERPOST_SKIPS") {
        std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file that FINGERPOST_SKIPS names can be written");
    }
    true
}

fn is_installed(program: &str) -> bool {
    if program.starts_with('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).exists())
}
