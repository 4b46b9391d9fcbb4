//! docs/alternatives.md.

use std::process::Command;

use super::{Row, rivals, summary};
use crate::failover::page::{MISSING, Measured, line};
use crate::lab::gateway::Daemon;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
/// Fingerpost's page, which this one compares with.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/failover.md");

const HEAD: &str = "\
# What people do instead

The faults of [failover.md](failover.md) in the same lab, with the same traffic and the same change in etcd, at BIRD and FRR as gateways;
but the speakers are of another kind, each fed by a script on an etcd watch (`integration/rivals/follow.py`, which reads all again
whatever happens, and leaves what it has told while etcd cannot be read).
Every figure here is what they do, none is expected. Better set-ups are welcome.

- **GoBGP**, Debian's and a current one, and **BIRD**: two of them side by side, or three, all with all routes. There is no election,
  so their paths are equal, and \"the one whose paths are preferred\" is whom the gateway happens to prefer. Long-lived graceful restart as
  Fingerpost's, but for GoBGP's restart time of 1 s instead of 0. Each is started again as its makers say: `gobgpd -r`; `bird -R` with
  the files that its script wrote.
- **One a host** is a mesh: every host runs BIRD with graceful restart, long-lived too, and `bird -R`; its script watches the host's own record only, and
  it tells what the host owns the gateway, by eBGP, and all other hosts, by iBGP. Nobody else can say what a host owns whose speaker
  is away, so that each fault is over after a time of its own, which does not depend on what the gateway has heard.
- The configurations are in `integration/src/failover/rival/setup.rs`, the cases in `rows.rs` beside it.

What has no counterpart and is therefore not here: nobody is elected, so there is no new leader whose paths would come after some time, no lease
that could be over, and nothing that is said past it. In a mesh nobody stands by, so that none can be cut off or
killed while another goes on, and there are no three instead of two. GoBGP's clock cannot be set for the process alone (Go asks the kernel for the time, not
a library), which nothing here depends on: its sessions go by another clock, its script looks at none.
";

const RULES: &str = "
## All rows

The columns are those of failover.md; the last one is the commit of the lab that measured the row. `make failover` measures all of it anew;
`cargo run -p integration --bin failover -- docs/alternatives.md alternatives Mesh` only the rows of one kind, and leaves the others as they
were. With a word that no row has it measures nothing and makes the tables above anew: for when failover.md was.

| what happens | speakers | gateway | lost, IPv4 | lost, IPv6 | astray | rewritten, IPv4 | rewritten, IPv6 | told | commit |
|---|---|---|--:|--:|--:|--:|--:|--:|---|
";

/// The page: where a row was not measured now, it is as in `before`; and which rows are not there at all.
///
/// # Panics
/// When Fingerpost's page cannot be read.
#[must_use]
pub fn render(found: &[Measured], before: &str) -> (String, Vec<String>) {
    let ours = std::fs::read_to_string(OURS).expect("docs/failover.md is there to compare with");
    let commit = commit();
    let measured = |row: &Row, daemon: Daemon| {
        let now = found.iter().filter(|found| found.case == row.case).flat_map(|found| &found.found);
        let now = now.filter(|(gateway, _)| *gateway == daemon).find_map(|(_, outcome)| outcome.as_ref());
        let missing = line(&row.case, daemon, None);
        match now {
            Some(_) => format!("{} {commit} |", line(&row.case, daemon, now)),
            None => row_of(&missing, before).map_or(format!("{missing} |"), str::to_owned),
        }
    };
    let of_row = |row: Row| {
        let at = move |daemon: &Daemon| (row, *daemon, measured(&row, *daemon));
        row.case.gateways().iter().map(at).collect::<Vec<_>>()
    };
    let rows: Vec<(Row, Daemon, String)> = rivals().into_iter().flat_map(of_row).collect();
    let lines: String = rows.iter().map(|(_, _, line)| format!("{line}\n")).collect();
    let faults = rows.iter().filter(|(_, _, line)| line.contains(MISSING)).map(|(_, _, line)| line.clone());
    (format!("{HEAD}{}{RULES}{lines}", summary::text(&rows, &ours)), faults.collect())
}

/// The line of a page that is about the same as this one, which says that nothing was measured.
pub(super) fn row_of<'page>(missing: &str, page: &'page str) -> Option<&'page str> {
    let about = missing.strip_suffix(MISSING)?;
    page.lines().find(|line| line.starts_with(about) && !line.contains(MISSING))
}

/// Which commit the lab is of.
fn commit() -> String {
    let words = ["-C", FOLDER, "describe", "--always", "--dirty", "--exclude=*"];
    let said = Command::new("git").args(words).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}
