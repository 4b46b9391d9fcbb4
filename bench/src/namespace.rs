//! A network namespace of its own: in it hosts can connect from their own addresses, which are next hops and so cannot be
//! those of the loopback interface, and nothing is changed outside.

use anyhow::anyhow;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// All addresses of the records' hosts are the namespace's own; and there may be as many connections as the system allows.
const SET_UP: &str =
    "ip link set lo up && ip route add local 172.16.0.0/12 dev lo && ulimit -n $(ulimit -Hn) && exec \"$@\"";

/// Runs this program again, inside. Returns only if that fails.
pub(crate) fn enter() -> anyhow::Error {
    let (own, user) = match (std::env::current_exe(), std::fs::metadata("/proc/self")) {
        (Ok(own), Ok(process)) => (own, process.uid()),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    let mut command = Command::new("unshare");
    if user != 0 {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--", "sh", "-c", SET_UP, "sh"]).arg(own).args(std::env::args_os().skip(1)).arg("--inside");
    anyhow!("row 5 needs a network namespace, and unshare (util-linux) cannot be run: {}", command.exec())
}
