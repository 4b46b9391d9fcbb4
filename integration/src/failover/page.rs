//! The table of what was measured.

use std::fmt::Write;
use std::time::Duration;

use super::{Case, Outcome, Speaker, measure};
use crate::lab::gateway::Daemon;
use crate::measured::{self, DAEMONS};

/// Labs at a time. They send some thousand packets a second each.
const LABS: usize = 2;

/// What was found in a case.
pub type Measured = measured::Measured<Case, Outcome>;

const HEAD: &str = "\
# Failover

What two or three replicas are for: the leader, what it depends on or all of them fail, and pods notice nothing. Measured in network
namespaces with a real gateway whose kernel forwards and whose only pod routes are Fingerpost's, an etcd of three members, and
each replica on a machine of its own; eBGP over one hop, the gateway configured by `fingerpost gateway-config`, everything else at
its defaults. Pods in two VLANs send 1,000 requests (UDP) a second and stream in each family, two streams, each answered. While it
fails, a subnet moves, one comes and one goes, and a case ends once the gateway holds exactly what etcd says, by the paths of who
leads. `make failover` measures it anew and writes this page; a figure that has to be 0 and is not makes it fail.
";

const RULES: &str = "
- **lost**: requests without an answer, of all that were sent.
- **astray**: requests for the subnet that moved which arrived at its old host after one had arrived at the new one.
- **rewritten**: what the gateway's kernel said (`ip monitor route`) of entries that are the same before and after. FRR deletes and adds
  an IPv6 entry whenever it prefers another path, with the same next hop too, and BIRD replaces it: there the loss is what counts.
- **other path**: after how long the gateway preferred no path of the first leader any more, to prefixes that are there before and after.
  **New leader**: after how long it preferred a newer leader's to all of these. **Told**: how long it took from the change in etcd
  to the gateway's kernel. All looked at some ten times a second, so that much too long; `–`: did not happen.
";

const RIVALS: &str = "
## What people do instead

In the same lab, with the same traffic and the same change in etcd: two speakers of another kind, each fed by a script on an etcd watch
(`integration/rivals/follow.py`; the daemons' configurations are in `integration/src/failover/rival.rs`), without election, so their
paths are equal; long-lived graceful restart, as Fingerpost's. Every figure here is what they do, none is expected. Better set-ups are welcome.

| what happens | speakers | gateway | lost, IPv4 | lost, IPv6 | astray | rewritten, IPv4 | rewritten, IPv6 | told |
|---|---|---|--:|--:|--:|--:|--:|--:|";

/// Measures all of them, several at a time.
#[must_use]
pub fn run(cases: &[Case]) -> Vec<Measured> {
    measured::all(cases, LABS, measure, line)
}

/// The page, and what of it nobody expects: a figure that is not explained, or a case that could not be measured.
#[must_use]
pub fn render(rows: &[Measured]) -> (String, Vec<String>) {
    let mut page = HEAD.to_owned();
    let mut faults = Vec::new();
    let mut add = |text: &str| writeln!(page, "{text}").expect("a string can be written to");
    add(RULES);
    let names = DAEMONS.map(|daemon| format!("{} {}", daemon.name(), daemon.version())).join(" and ");
    add(&format!("Gateways: {names}.\n"));
    add(
        "| what happens | replicas | gateway | lost, IPv4 | lost, IPv6 | astray | rewritten, IPv4 | rewritten, IPv6 | other path | new leader | told | why |",
    );
    add("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|");
    let mut whys: Vec<&str> = Vec::new();
    for measured::Measured { case, found } in rows.iter().filter(|row| row.case.speaker == Speaker::Fingerpost) {
        for ((outcome, daemon), why) in found.iter().zip(DAEMONS).zip(case.why) {
            let is_quiet = outcome.as_ref().is_some_and(Outcome::is_quiet);
            if outcome.is_none() || (!is_quiet && why.is_empty()) {
                faults.push(line(case, daemon, outcome.as_ref()));
            }
            let mut number = String::new();
            if !why.is_empty() {
                let place = whys.iter().position(|known| *known == why).unwrap_or(whys.len());
                if place == whys.len() {
                    whys.push(why);
                }
                number = (place + 1).to_string();
            }
            add(&format!("{} {number} |", line(case, daemon, outcome.as_ref())));
        }
    }
    if !whys.is_empty() {
        add("\n## Why\n");
    }
    for (number, why) in (1..).zip(&whys) {
        add(&format!("{number}. {why}"));
    }
    let rivals = rows.iter().filter(|row| row.case.speaker != Speaker::Fingerpost);
    for (place, measured::Measured { case, found }) in rivals.enumerate() {
        if place == 0 {
            add(RIVALS);
        }
        for (outcome, daemon) in found.iter().zip(DAEMONS) {
            if outcome.is_none() {
                faults.push(line(case, daemon, None));
            }
            add(&line(case, daemon, outcome.as_ref()));
        }
    }
    (page, faults)
}

fn line(case: &Case, daemon: Daemon, outcome: Option<&Outcome>) -> String {
    let second = match case.speaker {
        Speaker::Fingerpost => case.replicas.to_string(),
        speaker => speaker.to_string(),
    };
    let head = format!("| {} | {second} | {} |", case.title, daemon.name());
    let Some(outcome) = outcome else { return format!("{head} not measured | | | | | | | |") };
    let seconds = |time: Option<Duration>| time.map_or("–".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
    let [v4, v6] = &outcome.families;
    let mut wrong = if outcome.went_back == 0 { String::new() } else { format!(", {} steps back", outcome.went_back) };
    if !outcome.whole {
        wrong += ", wrong at the end";
    }
    let counts = format!(
        "{} of {} | {} of {} | {}{wrong} | {} | {}",
        v4.lost,
        v4.sent,
        v6.lost,
        v6.sent,
        v4.astray + v6.astray,
        v4.rewritten.len(),
        v6.rewritten.len(),
    );
    let told = seconds(outcome.told);
    match case.speaker {
        Speaker::Fingerpost => {
            let [other, led] = [outcome.other_path, outcome.led_anew].map(seconds);
            format!("{head} {counts} | {other} | {led} | {told} |")
        }
        // Nobody leads them.
        _ => format!("{head} {counts} | {told} |"),
    }
}
