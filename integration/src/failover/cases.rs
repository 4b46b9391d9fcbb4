//! What is measured.

use super::{Blow, Case, Change, Fault, NO_WHY, Speaker};
use crate::lab::gateway::Daemon;

/// All cases, in the order of the page.
pub const CASES: &[Case] = &[
    case("leader ended by SIGKILL", Fault::Kill),
    case("leader ended by SIGTERM", Fault::Terminate),
    case("leader stopped by SIGSTOP until another one leads, then SIGCONT", Fault::Pause),
    case("leader cut from etcd", Fault::CutFromStore),
    quick("leader cut from the gateway, hold time 6 s", Fault::CutFromGateways),
    quick("leader cut from both, hold time 6 s", Fault::CutFromBoth),
    quick("both links of the leader's machine down, hold time 6 s", Fault::LinkDown),
    Case {
        change: Change::Borrowed,
        ..case("a borrowed address is given back while a standby is gone by SIGKILL", Fault::StandbyKill)
    },
    case("standby cut from etcd", Fault::StandbyCutFromStore),
    case("leader's clock set an hour ahead, an hour back, and right", Fault::Clock),
    case("etcd's own leader ended by SIGKILL", Fault::StoreLeader),
    case("two of etcd's three members gone for 30 s", Fault::QuorumLost(30)),
    case("etcd and all replicas ended by SIGKILL, replicas back at once, etcd 10 s later", Fault::AllRestart(10)),
    case("rolling restart by SIGTERM", Fault::Rolling),
    Case { replicas: 3, ..case("rolling restart by SIGTERM", Fault::Rolling) },
    Case { replicas: 3, ..case("leader ended by SIGKILL", Fault::Kill) },
    case("leader ended by SIGKILL ten times", Fault::Flaps(10)),
    Case {
        frr: DAMPENING,
        why: ["", DAMPENED, ""],
        ..case("the same where the gateway dampens (FRR's `bgp dampening`)", Fault::Flaps(10))
    },
];

/// Versions that differ.
pub(super) const MIXED: [Case; 2] = {
    let two = case("replaced by the newer version and back, one after the other", Fault::Mixed);
    [two, Case { replicas: 3, ..two }]
};

/// The same with what people do instead, in the order of the page.
pub const RIVALS: &[Case] = &{
    let gobgp3 = Speaker::Gobgp(Daemon::Gobgp3);
    let gobgp4 = Speaker::Gobgp(Daemon::Gobgp4);
    [
        Case { speaker: gobgp3, ..case(KILL, Fault::Kill) },
        Case { speaker: gobgp4, ..case(KILL, Fault::Kill) },
        Case { speaker: Speaker::Bird, ..case(KILL, Fault::Kill) },
        mesh("SIGKILL of the speaker of a host whose pods talk, back 3 s later", TALKS, Blow::Kill, 3),
        mesh("SIGKILL of the speaker of the host that gets the subnet, back 3 s later", GETS, Blow::Kill, 3),
        Case { speaker: gobgp3, ..case(TERM, Fault::Terminate) },
        Case { speaker: gobgp4, ..case(TERM, Fault::Terminate) },
        Case { speaker: Speaker::Bird, ..case(TERM, Fault::Terminate) },
        mesh("SIGTERM of the speaker of a host whose pods talk, back 3 s later", TALKS, Blow::Terminate, 3),
        Case { speaker: gobgp3, ..case(STOP, Fault::Pause) },
        Case { speaker: gobgp4, ..case(STOP, Fault::Pause) },
        Case { speaker: Speaker::Bird, ..case(STOP, Fault::Pause) },
        mesh("SIGSTOP of the speaker of a host whose pods talk, for a minute", TALKS, Blow::Stop, 60),
        Case { speaker: gobgp3, ..case(CUT, Fault::CutFromStore) },
        Case { speaker: gobgp4, ..case(CUT, Fault::CutFromStore) },
        Case { speaker: Speaker::Bird, ..case(CUT, Fault::CutFromStore) },
    ]
};

const DAMPENING: &str = "\
router bgp 64512\n address-family ipv4 unicast\n  bgp dampening\n exit-address-family\n \
address-family ipv6 unicast\n  bgp dampening\n exit-address-family\nexit\n";
const DAMPENED: &str = "\
Where FRR dampens, it suppresses a path that changes too often, for as long as the penalty lasts: it is left with \
another replica's, or, where all are suppressed at a time, with none. Whom that hits differs from run to run: of two, \
one lost nothing in IPv4, and one 27,687 of 281,018 requests. Withdrawn prefixes stay in its table, too, so that it is \
called wrong at the end. So `fingerpost gateway-config` says not to dampen on these sessions; without dampening the \
row above is what ten changes of the leader cost.";

/// The pod of this host is in all streams.
const TALKS: &str = "node-b2";
/// Where the subnet moves to.
const GETS: &str = "node-b1";

const KILL: &str = "SIGKILL of the one whose paths are preferred";
const TERM: &str = "SIGTERM of the one whose paths are preferred";
const STOP: &str = "SIGSTOP of the one whose paths are preferred, for a minute or until the other's are";
const CUT: &str = "the one whose paths are preferred is cut from etcd for a minute, or until the other's are";

const fn case(title: &'static str, fault: Fault) -> Case {
    Case {
        title,
        speaker: Speaker::Fingerpost,
        replicas: 2,
        keys: "",
        fault,
        change: Change::Subnets,
        frr: "",
        why: NO_WHY,
    }
}

/// A speaker on each host: nobody leads, and nobody else can say what its host owns.
const fn mesh(title: &'static str, name: &'static str, blow: Blow, away: u64) -> Case {
    Case { speaker: Speaker::Mesh, ..case(title, Fault::Host { name, blow, away }) }
}

/// The hold time is what it takes to notice.
const fn quick(title: &'static str, fault: Fault) -> Case {
    Case { keys: "timers: { hold: 6s, keepalive: 2s }", ..case(title, fault) }
}
