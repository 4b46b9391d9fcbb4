//! What is measured.

use super::{Case, Change, Fault, HOLD, NO_WHY, Speaker};
use crate::lab::Peering;

/// All cases, in the order of the page.
pub const CASES: [Case; 18] = [
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

/// What is measured of Fingerpost only.
pub const OURS: [Case; 4] = [
    Case { peering: Peering::Ibgp, ..case("leader ended by SIGKILL, iBGP", Fault::Kill) },
    Case { peering: Peering::Ibgp, ..case("leader ended by SIGTERM, iBGP", Fault::Terminate) },
    case("leader taken out of service by `fingerpost drain`", Fault::Drain),
    case("leader taken out of service by SIGUSR2", Fault::Decommission),
];

/// Versions that differ.
pub(super) const MIXED: [Case; 2] = {
    let two = case("replaced by the newer version and back, one after the other", Fault::Mixed);
    [two, Case { replicas: 3, ..two }]
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

const fn case(title: &'static str, fault: Fault) -> Case {
    Case {
        title,
        speaker: Speaker::Fingerpost,
        replicas: 2,
        peering: Peering::Ebgp,
        hold: HOLD,
        fault,
        change: Change::Subnets,
        frr: "",
        why: NO_WHY,
    }
}

/// The hold time is what it takes to notice.
const fn quick(title: &'static str, fault: Fault) -> Case {
    Case { hold: 6, ..case(title, fault) }
}
