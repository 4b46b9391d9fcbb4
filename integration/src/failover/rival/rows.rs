//! Fingerpost's cases as they befall the alternatives: a row beside each of [`CASES`], in the same order.

use super::Speaker;
use crate::failover::{Blow, CASES, Case, Fault, NO_WHY};
use crate::lab::gateway::Daemon;
use crate::lab::replica::Side;

/// Two or three speakers side by side.
const PAIRS: [Speaker; 3] = [Speaker::Gobgp(Daemon::Gobgp3), Speaker::Gobgp(Daemon::Gobgp4), Speaker::Bird];

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Fingerpost's case.
    pub ours: Case,
    /// What is the same of somebody else's.
    pub case: Case,
}

/// All of them, in the order of the page.
#[must_use]
pub fn rivals() -> Vec<Row> {
    let rows = CASES.into_iter().zip(ROWS).flat_map(|(ours, (title, meshed))| {
        let pairs = PAIRS.map(|speaker| Case { title, speaker, why: NO_WHY, ..ours });
        // Go asks the kernel for the time, where no library can tell it another one.
        let pairs = pairs.into_iter().filter(|case| case.fault != Fault::Clock || case.speaker == Speaker::Bird);
        let meshed = meshed.iter().map(move |(title, fault)| Case {
            title,
            speaker: Speaker::Mesh,
            fault: *fault,
            why: NO_WHY,
            ..ours
        });
        pairs.chain(meshed).map(move |case| Row { ours, case })
    });
    rows.collect()
}

/// What it is called with a pair, and what it is with a mesh: there nobody leads and nobody stands by, and nobody else can say what
/// a host owns, so that each fault is over after a time of its own.
type Told = (&'static str, &'static [(&'static str, Fault)]);

const ROWS: [Told; CASES.len()] = [
    (
        "SIGKILL of the one whose paths are preferred",
        &[
            ("SIGKILL of the speaker of a host whose pods talk, back 3 s later", talks(Blow::Kill, 3)),
            ("SIGKILL of the speaker of the host that gets the subnet, back 3 s later", host(GETS, Blow::Kill, 3)),
        ],
    ),
    (
        "SIGTERM of the one whose paths are preferred",
        &[("SIGTERM of the speaker of a host whose pods talk, back 3 s later", talks(Blow::Terminate, 3))],
    ),
    (
        "SIGSTOP of the one whose paths are preferred, for a minute or until the other's are",
        &[("SIGSTOP of the speaker of a host whose pods talk, for a minute", talks(Blow::Stop, 60))],
    ),
    (
        "the one whose paths are preferred is cut from etcd for a minute, or until the other's are",
        &[
            ("the speaker of a host whose pods talk is cut from etcd for 12 s", talks(Blow::Cut(STORE), 12)),
            (
                "the speaker of the host that gets the subnet is cut from etcd for 12 s",
                host(GETS, Blow::Cut(STORE), 12),
            ),
        ],
    ),
    (
        "the one whose paths are preferred is cut from the gateway, hold time 6 s",
        &[(
            "the speaker of a host whose pods talk is cut from the gateway and the other speakers for 12 s, hold time 6 s",
            talks(Blow::Cut(&[Side::Gateways]), 12),
        )],
    ),
    (
        "the one whose paths are preferred is cut from both, hold time 6 s",
        &[(
            "the speaker of a host whose pods talk is cut from all of these for 12 s, hold time 6 s",
            talks(Blow::Cut(&[Side::Gateways, Side::Store]), 12),
        )],
    ),
    (
        "both links of the machine of the one whose paths are preferred down, hold time 6 s",
        &[(
            "both links of the speaker of a host whose pods talk down for 12 s, hold time 6 s",
            talks(Blow::LinkDown, 12),
        )],
    ),
    (
        "a borrowed address is given back while another one is gone by SIGKILL, for half a minute or until that is told",
        &[(
            "a borrowed address is given back while the speaker of its borrower is gone by SIGKILL, back 3 s later",
            host(GETS, Blow::Kill, 3),
        )],
    ),
    ("another one is cut from etcd, for half a minute or until the change is told", &[]),
    (
        "the clock of the one whose paths are preferred set an hour ahead, an hour back, and right",
        &[(
            "the clock of the speaker of a host whose pods talk set an hour ahead, an hour back, and right",
            Fault::Clock,
        )],
    ),
    ("etcd's own leader ended by SIGKILL", &[("etcd's own leader ended by SIGKILL", Fault::StoreLeader)]),
    (QUORUM, &[(QUORUM, Fault::QuorumLost(30))]),
    (ALL, &[(ALL, Fault::AllRestart(10))]),
    (
        "rolling restart by SIGTERM",
        &[
            ("rolling restart by SIGTERM", Fault::Rolling),
            ("rolling restart by `birdc graceful restart`, as its makers advise", Fault::RollingAsAdvised),
        ],
    ),
    ("rolling restart by SIGTERM, three speakers", &[]),
    ("SIGKILL of the one whose paths are preferred, three speakers", &[]),
    (
        "SIGKILL of the one whose paths are preferred ten times",
        &[("SIGKILL of the speaker of a host whose pods talk ten times, back 3 s later", TEN_TIMES)],
    ),
    (
        "the same where the gateway dampens (FRR's `bgp dampening`)",
        &[("the same where the gateway dampens (FRR's `bgp dampening`)", TEN_TIMES)],
    ),
];

const QUORUM: &str = "two of etcd's three members gone for 30 s";
const ALL: &str = "etcd and all speakers ended by SIGKILL, speakers back at once, etcd 10 s later";
const STORE: &[Side] = &[Side::Store];
const TEN_TIMES: Fault = Fault::Host { name: TALKS, blow: Blow::Kill, away: 3, times: 10 };
/// The pod of this host is in all streams.
const TALKS: &str = "node-b2";
/// Where the subnet moves to, and who had borrowed the address.
const GETS: &str = "node-b1";

const fn host(name: &'static str, blow: Blow, away: u64) -> Fault {
    Fault::Host { name, blow, away, times: 1 }
}

const fn talks(blow: Blow, away: u64) -> Fault {
    host(TALKS, blow, away)
}
