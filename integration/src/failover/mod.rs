//! What two or three replicas are for: the leader ends in some way, and no packet between pods is lost, none goes astray, and no
//! entry of the gateway's forwarding table that says the same afterwards was touched (promise P10). Meanwhile the source changes,
//! so that whoever leads next has something to say, and at the end the gateway holds exactly that (promise P5), by the newest
//! leader's paths (promise P7).
//!
//! ```text
//!  pods a1, b2 ──► gateway's kernel ──► pods b2; a2, then b1       a request every millisecond each, and its answer back
//!                      ▲ routes
//!                  BIRD or FRR ◄── sessions ── replicas 1, 2 (, 3) ◄── etcd: three members
//! ```
//!
//! `cases` is the list, `page` makes docs/failover.md and docs/alternatives.md of it (`make failover`); scenarios take single cases.

mod cases;
mod cast;
mod gap;
pub mod gone;
mod page;
mod plan;
mod rival;
mod strike;
mod traffic;
mod watch;

pub use cases::{CASES, OURS};
pub use page::{Measured, gateways, gone, mixed, render, run};
pub use rival::{Row, Speaker, render as alternatives, rivals};

use std::time::{Duration, Instant};

use crate::lab::gateway::Daemon;
use crate::lab::replica::Side;
use crate::lab::rib::Choice;
use crate::lab::topology::Subnet;
use crate::lab::{Lab, Peering};
use cast::Cast;
use gap::Gaps;
use plan::Plan;
use traffic::Traffic;
use watch::Sample;

/// What changes hands while something fails.
const MOVED: Subnet = Subnet(5);

/// The gateways: two that forward by themselves, and one for which a helper puts what it prefers into its kernel.
pub const GATEWAYS: [Daemon; 3] = [Daemon::Bird, Daemon::Frr, Daemon::Gobgp4];
/// The hold time that Fingerpost has by itself, in seconds.
pub const HOLD: u8 = 30;
/// Every figure has to be 0.
pub const NO_WHY: [&str; 3] = [""; 3];

/// What happens while pods talk. "Leader" is the replica that leads at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of the leader; it is started again once another one leads.
    Kill,
    /// SIGTERM of the leader; it is started again once another one leads.
    Terminate,
    /// `fingerpost drain` of the leader: gateways are drained, and it ends once another one leads; it is started again then.
    Drain,
    /// SIGUSR2 of the leader: it is taken out of service, gateways drained first; it is started again once it has ended.
    Decommission,
    /// SIGKILL of a standby; it is started again once the gateway has what changed.
    StandbyKill,
    /// SIGSTOP of the leader until another one leads and has said what changed; then SIGCONT.
    Pause,
    /// Every frame between the leader and etcd is lost until another one leads and has said what changed.
    CutFromStore,
    /// Every frame between the leader and the gateway is lost until the gateway has what changed.
    CutFromGateways,
    /// Both, and until another one leads.
    CutFromBoth,
    /// Every frame between a standby and etcd is lost until the gateway has what changed.
    StandbyCutFromStore,
    /// The leader's wall clock is set an hour ahead, an hour back once the gateway has what changed, and right again.
    Clock,
    /// The leader's links go down, and up again once another one leads and the gateway has what changed.
    LinkDown,
    /// The member that leads etcd is killed, and started again once the gateway has what changed.
    StoreLeader,
    /// Two of etcd's three members are killed, and started again so many seconds later.
    QuorumLost(u64),
    /// All of etcd is killed, then all replicas; they are started again at once, and etcd so many seconds later.
    AllRestart(u64),
    /// SIGTERM of one after the other, each started again at once, the next once the gateway has all of its paths.
    Rolling,
    /// The same by what the makers advise instead of SIGTERM, where they do.
    RollingAsAdvised,
    /// Something befalls what a host has as its own speaker so often, and is over each time after so many seconds and before the next.
    Host {
        /// The host's name.
        name: &'static str,
        /// What.
        blow: Blow,
        /// For so many seconds.
        away: u64,
        /// How often.
        times: usize,
    },
    /// All replicas are an older version; one after the other is ended by SIGTERM and started as the present one, and then back. The
    /// source changes once there is one of each.
    Mixed,
    /// SIGKILL of the leader so often; it is started again once another one leads, and the next is killed once the gateway has
    /// all of its paths.
    Flaps(usize),
}

/// What befalls a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT later.
    Stop,
    /// Every frame is lost on these sides.
    Cut(&'static [Side]),
    /// The links on both sides go down.
    LinkDown,
}

/// How the source changes meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A subnet moves to another host, which gets a second one, too, and loses a third.
    Subnets,
    /// A host gives an address back that it had borrowed from another one's subnet, where it is used at once.
    Borrowed,
}

/// Something to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What happens, for people.
    pub title: &'static str,
    /// Who announces.
    pub speaker: Speaker,
    /// How many replicas there are.
    pub replicas: usize,
    /// How they peer with the gateway.
    pub peering: Peering,
    /// The hold time of the sessions, in seconds.
    pub hold: u8,
    /// What FRR's operator has configured besides; then only FRR is measured.
    pub frr: &'static str,
    /// What happens.
    pub fault: Fault,
    /// And what in the source.
    pub change: Change,
    /// Why a figure is not 0 with each of [`GATEWAYS`]; empty where it has to be.
    pub why: [&'static str; 3],
}

/// What was found in one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Requests sent.
    pub sent: u64,
    /// Those of them that were not answered.
    pub lost: u64,
    /// Those that went to the moved subnet's old host after one had gone to the new one.
    pub astray: usize,
    /// What the kernel said of entries that are the same before and after.
    pub rewritten: Vec<String>,
    /// Of those that were lost, those that were under way while the gateway replaced the entry that they, or their answers, needed by deleting and
    /// adding it, with that entry's times. None in IPv4.
    pub absent: Vec<String>,
    /// The others that were lost, with the times of the deletion that was nearest.
    pub unexplained: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// IPv4, IPv6.
    pub families: [Found; 2],
    /// How long the gateway preferred a path of the leader of the beginning, to what is there before and after.
    pub other_path: Option<Duration>,
    /// What the kernel did to entries that are the same before and after, and is no replacement by the same: they were gone, or went
    /// another way.
    pub broken: Vec<String>,
    /// After how long it preferred a newer leader's paths to all of that.
    pub led_anew: Option<Duration>,
    /// How long it took from the change in etcd until its kernel had it.
    pub told: Option<Duration>,
    /// How often it preferred an older leader's path after a newer one's.
    pub went_back: usize,
    /// The UPDATEs that a leader which was stopped past its lease has sent since as if it led: captured on the wire.
    pub late: Vec<String>,
    /// The UPDATEs that withdraw what is there before and after: captured on the wire, where a leader ends as it is told to and where versions are mixed.
    pub withdrawn: Vec<String>,
    /// Whether at the end the gateway held exactly what etcd says: always, with Fingerpost.
    pub whole: bool,
}

/// Measures a case with a gateway that runs `daemon`.
///
/// # Panics
/// When the lab cannot be built, traffic does not flow before the fault, or the gateway does not hold exactly what etcd says at the
/// end.
#[must_use]
#[track_caller]
pub fn measure(case: &Case, daemon: Daemon) -> Outcome {
    let mut session = case.peering.session();
    // Nothing but the name differs between GoBGP's versions.
    session.keys = format!("platform: {}", daemon.word().trim_end_matches(|last: char| last.is_ascii_digit()));
    if case.hold != HOLD {
        session.keys += &format!(", timers: {{ hold: {}s, keepalive: {}s }}", case.hold, case.hold / 3);
    }
    case.frr.clone_into(&mut session.beside);
    let builder = Lab::builder(case.peering).gateway_with(daemon, session).replicas(case.replicas);
    let mut lab = if case.speaker == Speaker::Mesh { builder.mesh() } else { builder }.build();
    if !daemon.forwards() {
        lab.gateways_mut()[0].mirror();
    }
    let plan = Plan::new(&lab, case.change);
    plan.moves.iter().for_each(|host| host.own(MOVED));
    let gateway = &lab.gateways()[0];
    let mut cast = Cast::start(&lab, &plan, case);
    let leader = cast.await_whole(&plan.before).expect("the gateway has everything before the fault");
    let mut traffic = Traffic::start(&lab, &plan);
    let monitor = gateway.watch_routes();

    let (moments, samples) = watch::throughout(gateway, || {
        let begin = Instant::now();
        let mut written = None;
        case.fault.strike(
            &mut cast,
            leader,
            &mut |cast| {
                written = Some(Instant::now());
                cast.etcd.put_at_once(&plan.change);
            },
            &plan,
        );
        let whole = cast.await_whole(&plan.after).is_some();
        (begin, written.expect("every fault changes the source"), whole)
    });
    let (begin, written, whole) = moments;
    if whole {
        traffic.await_more();
    }
    let changes = monitor.stop_timed();
    let gaps = Gaps::of(&changes, daemon);
    let families = traffic.judge(plan.rewritten(&changes), &gaps);
    let broken = [gaps.broken(|prefix| plan.stays(prefix)), plan.detours(&changes)].concat();
    let since = |moment: Instant, holds: &dyn Fn(&Sample) -> bool| {
        let found = samples.iter().find(|sample| sample.at >= moment && holds(sample));
        found.map(|sample| sample.at - moment)
    };
    let all = |sample: &Sample, holds: &dyn Fn(&Choice) -> bool| plan.lasting(&sample.choices).all(holds);
    let newer = |choice: &Choice| leader.stamp().zip(choice.med).is_some_and(|(stamp, med)| med < stamp);
    Outcome {
        families,
        broken,
        other_path: since(begin, &|sample| all(sample, &|choice| choice.from != Some(leader.replica))),
        led_anew: since(begin, &|sample| all(sample, &newer)),
        told: since(written, &|sample| plan.is_told(&sample.kernel)),
        went_back: watch::steps_back(&samples, &plan.after),
        late: std::mem::take(&mut cast.late),
        withdrawn: std::mem::take(&mut cast.withdrawn),
        whole,
    }
}

/// What a leader holds its lead by, if it is not heard of any more: `election.etcd.ttl`'s default.
const LEASE: Duration = Duration::from_secs(10);
/// Until etcd has noticed that a lease is over, another one has taken the lead, and the gateway prefers its paths.
const HANDED_OVER: Duration = Duration::from_secs(2);
/// Of both, a half more where the machine has other things to do, and for how seldom is looked. Two leases would be too long.
const BUSY: (u32, u32) = (3, 2);

impl Fault {
    /// Whether nobody is told that the leader ends, so that the next one waits for the lease to be over.
    #[must_use]
    pub fn is_crash(self) -> bool {
        matches!(self, Self::Kill | Self::Pause | Self::CutFromStore | Self::CutFromBoth | Self::LinkDown)
    }
}

impl Outcome {
    /// Whether pods and gateways noticed nothing that is not known of the gateway: IPv4 was as if nothing had happened, what IPv6
    /// lost was under way while the gateway replaced its entry, what stays was never gone nor went another way, no packet
    /// went astray, no leader was followed by an older one, none spoke past its lease, and nothing was withdrawn that stays.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let [ipv4, ipv6] = &self.families;
        let unchanged = ipv4.lost == 0 && ipv4.rewritten.is_empty() && self.broken.is_empty();
        let explained = ipv6.lost == ipv6.absent.len() as u64 && ipv6.unexplained.is_empty();
        unchanged
            && explained
            && ipv4.astray + ipv6.astray + self.went_back + self.late.len() + self.withdrawn.len() == 0
            && self.whole
    }

    /// Whether another one led in time where that is for the lease to say.
    #[must_use]
    pub fn is_in_time(&self, fault: Fault) -> bool {
        let (times, of) = BUSY;
        !fault.is_crash() || self.led_anew.is_some_and(|after| after <= (LEASE + HANDED_OVER) * times / of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> Outcome {
        let found = || Found {
            sent: 9,
            lost: 0,
            astray: 0,
            rewritten: Vec::new(),
            absent: Vec::new(),
            unexplained: Vec::new(),
        };
        Outcome {
            families: [found(), found()],
            broken: Vec::new(),
            other_path: None,
            led_anew: None,
            told: None,
            went_back: 0,
            late: Vec::new(),
            withdrawn: Vec::new(),
            whole: true,
        }
    }

    #[test]
    fn a_loss_that_no_replacement_explains_is_noticed() {
        let mut outcome = quiet();
        outcome.families[1].lost = 2;
        outcome.families[1].absent = vec!["one".to_owned()];
        assert!(!outcome.is_quiet());
        outcome.families[1].absent.push("the other".to_owned());
        assert!(outcome.is_quiet());
    }

    #[test]
    fn an_entry_that_was_gone_is_noticed_though_no_packet_was_lost() {
        assert!(quiet().is_quiet());
        assert!(!Outcome { broken: vec!["gone".to_owned()], ..quiet() }.is_quiet());
    }

    #[test]
    fn a_leader_that_crashed_is_followed_before_two_leases_are_over() {
        let after = |seconds| Outcome { led_anew: Some(Duration::from_secs(seconds)), ..quiet() };
        assert!(after(11).is_in_time(Fault::Kill));
        assert!(!after(20).is_in_time(Fault::Kill) && !quiet().is_in_time(Fault::Kill));
        assert!(after(20).is_in_time(Fault::CutFromGateways), "its lease goes on");
    }
}
