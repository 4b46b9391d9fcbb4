//! The table of what was measured.

use std::fmt::Write;
use std::time::Duration;

use super::cases::MIXED as MIXED_CASES;
use super::gone::Loneliness;
use super::{Case, GATEWAYS, Outcome, Speaker, measure};
use crate::lab::fingerpost::{binary, commit_of, older_binary};
use crate::lab::gateway::Daemon;
use crate::measured::{self, DAEMONS};

/// Labs at a time. They send some thousand packets a second each, and mostly wait.
const LABS: usize = 2;

/// What was found in a case.
pub type Measured = measured::Measured<Case, Outcome>;

const HEAD: &str = "\
# Failover

What two or three replicas are for: the leader, what it depends on or all of them fail, and pods notice nothing. Measured in network
namespaces with a real gateway whose kernel forwards and whose only pod routes are Fingerpost's, an etcd of three members, and
each replica on a machine of its own; eBGP over one hop where a row does not say iBGP, the gateway configured by `fingerpost gateway-config` and
named by its `platform`, the guard off, `startup.snapshot_after` 3 s, everything else at its defaults. GoBGP gives a kernel nothing by itself: there a helper (`integration/gobgp/mirror.py`) puts in what `gobgp monitor
global rib` says of best paths, and leaves alone an entry whose next hop stays; so its figures tell what GoBGP preferred. Pods in two VLANs send 1,000 requests (UDP) a second and stream in each family, two streams, each answered. While it
fails, a subnet moves, one comes and one goes (where etcd takes no writes meanwhile, as soon as it does
again), and a case ends once the gateway holds exactly what etcd says, by the paths of who
leads. `make failover` measures it anew and writes this page; a figure that has to be 0 and is not makes it fail.
";

const RULES: &str = "
- **lost**: requests without an answer, of all that were sent.
- **astray**: requests for the subnet that moved which arrived at its old host after one had arrived at the new one.
- **rewritten**: what the gateway's kernel said (`ip monitor route`) of entries that are the same before and after. FRR deletes and adds
  an IPv6 entry whenever it prefers another path, with the same next hop too, and BIRD replaces it: there the loss is what counts.
  A request that is lost in IPv6 is explained only with FRR, and only where it, or its answer, was under way while
  `ip -ts monitor route` told that the very entry it needed was deleted, and made anew no more than 50 ms later (or was sent at most
  50 ms before: `ip` may be late).
  Entries that are the same before and after may not be gone otherwise, nor go another way for a moment, whether or not a packet was
  lost.
- **other path**: after how long the gateway preferred no path of the first leader any more, to prefixes that are there before and after.
  **New leader**: after how long it preferred a newer leader's to all of these. **Told**: how long it took from the change in etcd
  to the gateway's kernel. All looked at some ten times a second, so that much too long; `–`: did not happen. A leader that crashes or is
  cut from etcd has to be followed within the lease's time (10 s) and 2 s, or one and a half times that on a busy machine.
";

const REWRITES: &str = "\
Preferring another path, BIRD replaces the IPv6 entry by the same one: `ip monitor route` shows each once, and nothing is deleted.";
const FRR_REWRITES: &str = "\
Preferring another path, FRR deletes the IPv6 entry and makes the same one again: `ip monitor route` shows both. For IPv4 it replaces \
nothing. A packet in between has no way.";

const GONE: &str = "
## When nobody is left

How long all routes stay once nobody tells the gateway anything any more. Behind the gateway whose replicas are killed, and stay
away, is a core (BIRD, eBGP) that does not offer long-lived graceful restart (RFC 9494): a gateway is not to tell it what is stale for
long (section 4.3). BIRD heeds that, so that the core loses at once what the gateway keeps, and with it whoever comes by the core; FRR
goes on telling it. A core that offers it, or a plain restart time with a single replica, avoids that. Where a gateway is reached by another one that dies, it hears of no
end: it waits for the hold time, and keeps what it has for the stale time, though others may know better. Peer with each gateway by a
path of its own.

| what happens | graceful restart | gateway | kept there | kept by the core |
|---|---|---|--:|--:|";

/// Those of the gateways that are named among `words`, or all.
#[must_use]
pub fn gateways(words: &[String]) -> Vec<Daemon> {
    let named: Vec<Daemon> =
        GATEWAYS.into_iter().filter(|gateway| words.iter().any(|word| word == gateway.word())).collect();
    if named.is_empty() { GATEWAYS.to_vec() } else { named }
}

/// Measures what is left once nobody speaks, and says it.
#[must_use]
pub fn gone(only: &[Daemon]) -> (String, Vec<String>) {
    let gateways = |_: &Loneliness| DAEMONS.into_iter().filter(|daemon| only.contains(daemon)).collect();
    let rows = measured::all(&Loneliness::ALL, LABS, gateways, Loneliness::measure, Loneliness::line);
    let (mut page, mut faults) = (format!("{GONE}\n"), Vec::new());
    for measured::Measured { case, found } in rows {
        for (daemon, found) in found {
            let line = case.line(daemon, found.as_ref());
            writeln!(page, "{line}").expect("a string can be written to");
            if found.is_none() {
                faults.push(line);
            }
        }
    }
    (page, faults)
}

/// Measures all of them, several at a time, at those of `only` that the case is measured at.
#[must_use]
pub fn run(cases: &[Case], only: &[Daemon]) -> Vec<Measured> {
    let chosen = |case: &Case| case.gateways().iter().copied().filter(|daemon| only.contains(daemon)).collect();
    measured::all(cases, LABS, chosen, measure, line)
}

impl Case {
    /// The gateways that it is measured at.
    pub(super) fn gateways(&self) -> &'static [Daemon] {
        match self.speaker {
            _ if !self.frr.is_empty() => &[Daemon::Frr],
            Speaker::Fingerpost => &GATEWAYS,
            // The alternatives are compared at the gateways that forward by themselves.
            _ => &DAEMONS,
        }
    }
}

/// Fingerpost's page with a section on what is left, and what of it nobody expects: a figure that is not explained, or a case that could not be measured.
#[must_use]
pub fn render(rows: &[Measured], (gone, mut faults): (String, Vec<String>)) -> (String, Vec<String>) {
    let mut page = HEAD.to_owned();
    let mut add = |text: &str| writeln!(page, "{text}").expect("a string can be written to");
    add(RULES);
    let names = GATEWAYS.map(|daemon| format!("{} {}", daemon.name(), daemon.version())).join(", ");
    add(&format!("Gateways: {names}.\n"));
    add(
        "| what happens | replicas | gateway | lost, IPv4 | lost, IPv6 | astray | rewritten, IPv4 | rewritten, IPv6 | other path | new leader | told | why |",
    );
    add("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|---|");
    let mut whys: Vec<String> = Vec::new();
    for measured::Measured { case, found } in rows {
        for (daemon, outcome) in found {
            let why = GATEWAYS.iter().zip(case.why).find(|(gateway, _)| *gateway == daemon).map_or("", |(_, why)| why);
            let is_quiet = outcome.as_ref().is_some_and(Outcome::is_quiet);
            let is_in_time = outcome.as_ref().is_some_and(|outcome| outcome.is_in_time(case.fault));
            if !is_in_time || (!is_quiet && why.is_empty()) {
                faults.push(line(case, *daemon, outcome.as_ref()));
            }
            let mut numbers = Vec::new();
            for why in reasons(why, *daemon, outcome.as_ref()) {
                let place = whys.iter().position(|known| *known == why).unwrap_or(whys.len());
                if place == whys.len() {
                    whys.push(why);
                }
                numbers.push((place + 1).to_string());
            }
            add(&format!("{} {} |", line(case, *daemon, outcome.as_ref()), numbers.join(", ")));
        }
    }
    if !whys.is_empty() {
        add("\n## Why\n");
    }
    for (number, why) in (1..).zip(&whys) {
        add(&format!("{number}. {why}"));
    }
    add(gone.trim_end());
    (page, faults)
}

const MIXED: &str = "\
# Mixed versions

Two and three replicas of an older version, in the lab of [failover.md](failover.md) and under its traffic: one after the other is ended
by SIGTERM and started as a newer version with the same state, and then the same back. Once there is one of each, a subnet
moves, one comes and one goes. `make mixed OLD=COMMIT` measures it anew and writes this page; it fails where a figure that has to be 0 is
not, where an UPDATE of any replica withdraws something that stays (captured on the wire), or where the gateway does not hold exactly
what etcd says at the end. Not in the pipeline: it takes a build of the older version.
";

/// Measures what is noticed of mixed versions, and says it.
#[must_use]
pub fn mixed(only: &[Daemon]) -> (String, Vec<String>) {
    let (older, newer) = (commit_of(&older_binary()), commit_of(&binary()));
    let rows = measured::all(&MIXED_CASES, LABS, |_| only.to_vec(), measure, line);
    let (mut page, mut faults) = (MIXED.to_owned(), Vec::new());
    let mut add = |text: &str| writeln!(page, "{text}").expect("a string can be written to");
    add(&format!("\nThe older version is commit {older}, the newer one {newer}.\n"));
    add(
        "| what happens | replicas | gateway | lost, IPv4 | lost, IPv6 | astray | rewritten, IPv4 | rewritten, IPv6 | other path | new leader | told |",
    );
    add("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    for measured::Measured { case, found } in rows {
        for (daemon, outcome) in found {
            let line = line(&case, daemon, outcome.as_ref());
            add(&line);
            if !outcome.as_ref().is_some_and(Outcome::is_quiet) {
                faults.push(line);
            }
        }
    }
    (page, faults)
}

/// Behind what a row is about, where nothing was found.
pub(super) const MISSING: &str = " not measured | | | | | | | |";

/// So many are told one by one.
const EXPLAINED: usize = 10;

/// Why figures are not 0: what is known of the case, and what the capture of the kernel's table shows.
fn reasons(known: &str, daemon: Daemon, outcome: Option<&Outcome>) -> Vec<String> {
    let mut reasons = Vec::new();
    if !known.is_empty() {
        reasons.push(known.to_owned());
    }
    let Some(Outcome { families: [_, ipv6], broken, .. }) = outcome else { return reasons };
    if !ipv6.rewritten.is_empty() {
        reasons.push(if daemon == Daemon::Frr { FRR_REWRITES.to_owned() } else { REWRITES.to_owned() });
    }
    if !ipv6.absent.is_empty() {
        reasons.push(format!(
            "Lost in IPv6 while {} replaced the very entry that the request, or its answer, needed: {} of the {} that this row lost. {}.",
            daemon.name(),
            ipv6.absent.len(),
            ipv6.lost,
            first_of(&ipv6.absent)
        ));
    }
    if !ipv6.unexplained.is_empty() && known.is_empty() {
        reasons.push(format!("No replacement explains, which is a fault: {}.", first_of(&ipv6.unexplained)));
    }
    if !broken.is_empty() {
        let allowed =
            if known.is_empty() { "which is a fault" } else { "allowed in this row only, for the reason above" };
        reasons.push(format!(
            "Other than replaced, in both families, {allowed}: entries that are the same before and after were gone, or went another \
             way: {}.",
            first_of(broken)
        ));
    }
    reasons
}

/// The first of them, and how many more there are.
fn first_of(all: &[String]) -> String {
    let more = match all.len().saturating_sub(EXPLAINED) {
        0 => String::new(),
        more => format!("; and {more} more in the same way"),
    };
    format!("{}{more}", all.get(..EXPLAINED).unwrap_or(all).join("; "))
}

pub(super) fn line(case: &Case, daemon: Daemon, outcome: Option<&Outcome>) -> String {
    let second = match case.speaker {
        Speaker::Fingerpost => case.replicas.to_string(),
        speaker => speaker.to_string(),
    };
    let head = format!("| {} | {second} | {} |", case.title, daemon.name());
    let Some(outcome) = outcome else { return format!("{head}{MISSING}") };
    let seconds = |time: Option<Duration>| time.map_or("–".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
    let [v4, v6] = &outcome.families;
    let mut wrong = if outcome.went_back == 0 { String::new() } else { format!(", {} steps back", outcome.went_back) };
    if !outcome.late.is_empty() {
        wrong += &format!(", {} UPDATEs past the lease", outcome.late.len());
    }
    if !outcome.withdrawn.is_empty() {
        wrong += &format!(", {} UPDATEs withdraw what stays", outcome.withdrawn.len());
    }
    if case.speaker == Speaker::Fingerpost && !outcome.broken.is_empty() {
        wrong += &format!(", {} entries gone", outcome.broken.len());
    }
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
