//! The table of what was measured, and why packets were lost where they were.

use std::fmt::Write;

use super::{Case, Loss, PATIENCE, measure};
use crate::lab::stream::Report;
use crate::measured::{self, DAEMONS};

/// Labs at a time. They mostly wait.
const LABS: usize = 4;

/// What was found in a case: IPv4 and IPv6 of each daemon.
pub type Measured = measured::Measured<Case, [Loss; 2]>;

const HEAD: &str = "\
# Packets lost

How many packets between two pods in different VLANs are lost while something happens to a lone Fingerpost, to the path to it, to
its source, or is done by an operator. One stream in each family, from a pod behind a host in one VLAN to a pod behind a host in
the other, through the kernel of a real gateway whose only pod routes are Fingerpost's, all in network namespaces: eBGP over one
hop, one session for both families, the gateway configured by `fingerpost gateway-config` and waiting for Fingerpost to connect. A
request (UDP) every 10 ms and an answer to each, so 100 are a second; `0 of 1500`: 1,500 requests, all answered. `make losses`
measures it anew and writes this page; the figures above 0 differ a little from run to run, the zeros do not. A loss that is not
explained below makes it fail.
";

const RULES: &str = "
- **graceful restart** is what Fingerpost's OPEN asks for: the restart time (RFC 4724), **N** (routes are also kept after a
  NOTIFICATION or an expired hold timer, RFC 8538), and the long-lived time after that (RFC 9494). `none`: no such capability.
- **path cut**: every frame from and to Fingerpost is lost, and no link goes down.
- A second replica is not there in any of these: with one, see [failover.md](failover.md).
";

/// Measures all of them, several at a time.
#[must_use]
pub fn run(cases: &[Case]) -> Vec<Measured> {
    measured::all(
        cases,
        LABS,
        |_| DAEMONS.to_vec(),
        measure,
        |case, daemon, losses| format!("{} | {} | {daemon} |{}", case.title, case.session, show(losses)),
    )
}

/// The page, and what of it nobody expects: a loss that is not explained, or a cell that could not be measured.
#[must_use]
pub fn render(rows: &[Measured]) -> (String, Vec<String>) {
    let mut page = HEAD.to_owned();
    let mut faults = Vec::new();
    let mut line = |text: &str| writeln!(page, "{text}").expect("a string can be written to");
    line(RULES);
    let columns = DAEMONS.map(|daemon| format!(" {0} {1}, IPv4 | {0} {1}, IPv6 |", daemon.name(), daemon.version()));
    line(&format!("| what happens | graceful restart |{} why |", columns.concat()));
    line("|---|---|--:|--:|--:|--:|---|");
    let mut whys: Vec<&str> = Vec::new();
    for measured::Measured { case, found } in rows {
        let mut numbers = Vec::new();
        for ((daemon, cell), why) in found.iter().zip(case.why) {
            let lossless =
                cell.as_ref().is_some_and(|losses| losses.iter().all(|loss| loss.report.lost == 0 && loss.back));
            if cell.is_none() || (!lossless && why.is_empty()) {
                faults.push(format!("{}, {}, {daemon}:{}", case.title, case.session, show(cell.as_ref())));
            }
            if !lossless && !why.is_empty() {
                let place = whys.iter().position(|known| *known == why).unwrap_or(whys.len());
                if place == whys.len() {
                    whys.push(why);
                }
                numbers.push((place + 1).to_string());
            }
        }
        numbers.dedup();
        let cells = found.iter().map(|(_, cell)| show(cell.as_ref())).collect::<String>();
        line(&format!("| {} | {} |{cells} {} |", case.title, case.session, numbers.join(", ")));
    }
    line("\n## Why\n");
    line("From what the gateway and Fingerpost logged, and from when the routes left the kernel.\n");
    for (number, why) in (1..).zip(&whys) {
        line(&format!("{number}. {why}"));
    }
    (page, faults)
}

fn show(losses: Option<&[Loss; 2]>) -> String {
    let Some(losses) = losses else { return " not measured | not measured |".to_owned() };
    let one = |Loss { report: Report { lost, sent, .. }, back }: &Loss| {
        let never = if *back { String::new() } else { format!(", not back after {} s", PATIENCE.as_secs()) };
        format!(" {lost} of {sent}{never} |")
    };
    losses.each_ref().map(one).concat()
}
