//! Who plays: the replicas and the etcd that they share, and what happens to them.

use std::fmt::Debug;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::plan::{Plan, whole_names};
use super::rival::{Rival, Speaker};
use super::watch::STANDBYS;
use super::{Case, Fault, NO_WHY};
use crate::lab::capture::{self, Capture};
use crate::lab::etcd::Etcd;
use crate::lab::fingerpost::{Fingerpost, LEADER, older_binary, replica_configuration};
use crate::lab::gateway::Gateway;
use crate::lab::replica::Side;
use crate::lab::rib::Choice;
use crate::lab::route::PodRoutes;
use crate::lab::{Lab, wait};

/// How long another one may take to lead, or the gateway to be told.
const BOUND: Duration = Duration::from_secs(60);
/// How long the gateway may take to hold exactly what it is to hold: an override for a standby that is gone lasts for its lease, a
/// hold time and 20 s.
const OVERRIDDEN: Duration = Duration::from_secs(120);
/// Of a speaker's machine.
pub(super) const BOTH: [Side; 2] = [Side::Gateways, Side::Store];
/// How long is waited for what may fail to happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked.
const PERIOD: Duration = Duration::from_millis(50);
/// After what is found out, before what failed comes back: had that something to say, it would be seen.
pub(super) const LINGER: Duration = Duration::from_secs(2);
/// So that what restarts without etcd serves its snapshot before etcd is back.
const SNAPSHOT: &str = "startup: { snapshot_after: 3s }\n";

/// Who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) replica: usize,
    term: Option<u32>,
}

impl Leader {
    /// The MED of its paths.
    pub(super) fn stamp(self) -> Option<u32> {
        self.term.map(|term| 1_000_000 - term)
    }

    /// Whether a path is its own. Where nobody leads, anybody's will do.
    fn has_said(self, choice: &Choice) -> bool {
        self.stamp().is_none_or(|stamp| choice.med == Some(stamp) && choice.from == Some(self.replica))
    }
}

/// A replica.
pub(super) enum Player {
    Ours(Fingerpost),
    Theirs(Rival),
}

impl Player {
    pub(super) fn kill(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.kill(),
            Self::Theirs(rival) => rival.kill(),
        }
    }

    pub(super) fn terminate(&mut self) {
        match self {
            Self::Ours(fingerpost) => drop(fingerpost.terminate()),
            Self::Theirs(rival) => rival.terminate(),
        }
    }

    /// Takes one of Fingerpost's out of service, so that its gateways keep its routes until they have the next leader's.
    #[track_caller]
    pub(super) fn drain(&mut self) {
        let said = self.ours().command(&["drain"]);
        assert!(said.starts_with("drains until "), "{said}");
    }

    /// Takes one of Fingerpost's out of service; nobody else's.
    #[track_caller]
    pub(super) fn begin_decommission(&mut self) {
        self.ours().begin_decommission();
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(super) fn await_end(&mut self) {
        let status = self.ours().await_end();
        assert!(status.success(), "out of service: {status}");
    }

    #[track_caller]
    fn ours(&mut self) -> &mut Fingerpost {
        match self {
            Self::Ours(fingerpost) => fingerpost,
            Self::Theirs(_) => panic!("only Fingerpost can be told so"),
        }
    }

    pub(super) fn resume(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.resume(),
            Self::Theirs(rival) => rival.resume(),
        }
    }

    pub(super) fn pause(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.pause(),
            Self::Theirs(rival) => rival.pause(Signal::STOP),
        }
    }

    pub(super) fn unpause(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.unpause(),
            Self::Theirs(rival) => rival.pause(Signal::CONT),
        }
    }

    pub(super) fn become_version(&mut self, version: PathBuf) {
        if let Self::Ours(fingerpost) = self {
            fingerpost.become_version(version);
        }
    }

    #[track_caller]
    pub(super) fn set_clock(&self, ahead: i64) {
        match self {
            Self::Ours(fingerpost) => fingerpost.set_clock(ahead),
            Self::Theirs(rival) => rival.set_clock(ahead),
        }
    }

    /// Ends it in the way that its makers advise where it is to be back soon: Fingerpost by SIGTERM.
    #[track_caller]
    pub(super) fn retire(&mut self) {
        match self {
            Self::Ours(fingerpost) => drop(fingerpost.terminate()),
            Self::Theirs(rival) => rival.retire(),
        }
    }

    /// Whether it has a session with the gateway, as far as it is asked.
    fn is_up(&self) -> bool {
        match self {
            Self::Ours(_) => true,
            Self::Theirs(rival) => rival.is_up(),
        }
    }
}

/// The replicas and their etcd.
pub(super) struct Cast<'lab> {
    pub(super) lab: &'lab Lab,
    pub(super) speaker: Speaker,
    /// Nothing is certain to happen: of the alternatives, and where it is known why it does not.
    may_fail: bool,
    pub(super) replicas: Vec<Player>,
    pub(super) etcd: Etcd,
    /// The UPDATEs that a leader which was stopped past its lease has sent since as if it led.
    pub(super) late: Vec<String>,
    /// The UPDATEs that withdraw what stays, where a leader ends as it is told to and where versions are mixed.
    pub(super) withdrawn: Vec<String>,
}

impl<'lab> Cast<'lab> {
    #[track_caller]
    pub(super) fn start(lab: &'lab Lab, plan: &Plan<'_>, case: &Case) -> Self {
        let etcd = Etcd::start_cluster(lab);
        etcd.put_at_once(&plan.records);
        let start = |place| {
            if case.speaker != Speaker::Fingerpost {
                return Player::Theirs(Rival::start(lab, &etcd, place, case));
            }
            let configuration = replica_configuration(lab, &etcd, place, SNAPSHOT);
            let mut fingerpost = Fingerpost::start_replica(lab, place, &configuration, case.fault == Fault::Clock);
            if case.fault == Fault::Mixed {
                fingerpost.terminate();
                fingerpost.become_version(older_binary());
                fingerpost.resume();
            }
            Player::Ours(fingerpost)
        };
        let count = if case.speaker == Speaker::Mesh { lab.hosts().len() } else { lab.replicas().count() };
        let replicas = (0..count).map(start).collect();
        let may_fail = case.speaker != Speaker::Fingerpost || case.why != NO_WHY;
        Self { lab, speaker: case.speaker, may_fail, replicas, etcd, late: Vec::new(), withdrawn: Vec::new() }
    }

    /// How many of them announce a prefix.
    fn voices(&self) -> usize {
        if self.speaker == Speaker::Mesh { 1 } else { self.replicas.len() }
    }

    fn gateway(&self) -> &'lab Gateway {
        &self.lab.gateways()[0]
    }

    /// Looks until `look` finds something, or, where it may fail, time is up.
    ///
    /// # Panics
    /// When it may not fail and does not happen in time.
    #[track_caller]
    fn expect<T, E: Debug>(&self, what: &str, look: impl FnMut(&Self) -> Result<T, E>) -> Option<T> {
        self.expect_within(BOUND, what, look)
    }

    /// The same, with another bound for what may not fail.
    #[track_caller]
    fn expect_within<T, E: Debug>(
        &self,
        bound: Duration,
        what: &str,
        mut look: impl FnMut(&Self) -> Result<T, E>,
    ) -> Option<T> {
        if !self.may_fail {
            return Some(wait::until(what, bound, || look(self)));
        }
        let end = Instant::now() + PATIENCE;
        loop {
            match look(self) {
                Ok(found) => return Some(found),
                Err(seen) if Instant::now() > end => {
                    eprintln!("waited {PATIENCE:?} in vain for {what}; last seen: {seen:?}");
                    return None;
                }
                Err(_) => sleep(PERIOD),
            }
        }
    }

    /// Who leads by what stands in etcd, if anybody does. Nobody leads the alternatives: there it is whose path is preferred.
    pub(super) fn leader(&self) -> Option<Leader> {
        if self.speaker != Speaker::Fingerpost {
            let choices = self.gateway().choices();
            let from = choices.values().next().and_then(|choice| choice.from);
            return from.map(|replica| Leader { replica, term: None });
        }
        let record: Value = serde_json::from_str(&self.etcd.get(LEADER)?).ok()?;
        let term = u32::try_from(record["term"].as_u64()?).ok();
        let machines = self.lab.replicas();
        let identity = record["identity"].as_str()?;
        let replica = (0..machines.count()).find(|replica| machines.address(*replica).to_string() == identity)?;
        Some(Leader { replica, term })
    }

    /// Waits until another one leads than `before`, and returns who.
    #[track_caller]
    pub(super) fn await_another(&self, before: Leader) -> Leader {
        let found = self.expect("another leader", |cast| {
            let now = cast.leader();
            now.filter(|now| now.term >= before.term && now.replica != before.replica).ok_or(now)
        });
        found.unwrap_or(before)
    }

    /// Waits until the gateway prefers none of this leader's paths.
    #[track_caller]
    pub(super) fn await_other_paths(&self, before: Leader, plan: &Plan<'_>) {
        self.expect("paths of another replica", |cast| {
            let choices = cast.gateway().choices();
            let others = plan.lasting(&choices).all(|choice| choice.from != Some(before.replica));
            if others { Ok(()) } else { Err(choices) }
        });
    }

    #[track_caller]
    pub(super) fn await_told(&self, plan: &Plan<'_>) {
        self.expect("the gateway to have what changed", |cast| {
            let kernel = cast.gateway().routes();
            if plan.is_told(&kernel) { Ok(()) } else { Err(kernel) }
        });
    }

    /// Waits until all is well: the gateway's kernel and daemon hold exactly `expected`, a path of every replica for each prefix,
    /// and prefer those of who leads, who is returned.
    #[track_caller]
    pub(super) fn await_whole(&self, expected: &PodRoutes) -> Option<Leader> {
        self.expect_within(OVERRIDDEN, "the gateway to hold exactly what etcd says, by who leads", |cast| {
            let (leader, choices) = (cast.leader(), cast.gateway().choices());
            let kernel = whole_names(&cast.gateway().routes());
            let is_right = choices.len() == expected.len()
                && choices.iter().all(|(prefix, choice)| {
                    expected.get(prefix) == Some(&choice.via)
                        && leader.is_some_and(|leader| leader.has_said(choice))
                        && choice.paths == cast.voices()
                });
            match leader {
                Some(leader) if is_right && kernel == *expected => Ok(leader),
                _ => Err((leader, choices, kernel)),
            }
        })
    }

    /// Waits until every prefix has a path of every replica that announces it, and what stays has any.
    #[track_caller]
    pub(super) fn await_all_paths(&self, plan: &Plan<'_>) {
        self.expect("paths of all replicas", |cast| {
            let choices = cast.gateway().choices();
            let all = plan.has_lasting(&choices) && choices.values().all(|choice| choice.paths == cast.voices());
            // A path that is kept of a speaker on a host that is away looks as any other.
            if all && cast.replicas.iter().all(Player::is_up) { Ok(()) } else { Err(choices) }
        });
    }

    /// Lets a leader work on that was stopped past its lease, and captures what it says from then on, until it has taken the stamp of
    /// a standby.
    #[track_caller]
    pub(super) fn unpause(&mut self, leader: Leader) {
        if self.speaker != Speaker::Fingerpost {
            self.replicas[leader.replica].unpause();
            return;
        }
        let address = self.lab.replicas().address(leader.replica);
        let capture = Capture::start_of_sessions(self.lab.switch());
        self.replicas[leader.replica].unpause();
        let is_standbys = |update: &String| capture::med(update).is_some_and(|med| med >= STANDBYS);
        wait::until_true("the one that led to speak as a standby", BOUND, || {
            capture.so_far().updates(address).iter().any(is_standbys)
        });
        sleep(LINGER);
        let updates = capture.stop().updates(address).into_iter();
        self.late = updates.filter(|update| capture::med(update).is_some_and(|med| med < STANDBYS)).collect();
    }

    /// Changes the source once a leader ends, and waits until the next one has said so.
    #[track_caller]
    pub(super) fn await_successor(&self, before: Leader, change: &mut dyn FnMut(&Self), plan: &Plan<'_>) {
        change(self);
        self.await_another(before);
        self.await_told(plan);
        sleep(LINGER);
    }

    /// Ends a capture that has what the source's change withdrew, and keeps what else was withdrawn, by whichever replica.
    pub(super) fn note_withdrawals(&mut self, capture: Capture<'_>, plan: &Plan<'_>) {
        let captured = capture.stop();
        let machines = self.lab.replicas();
        let updates = (0..self.replicas.len()).flat_map(|place| captured.updates(machines.address(place)));
        let (stays, goes): (Vec<String>, Vec<String>) = updates
            .filter(|update| plan.withdraws(update).is_some())
            .partition(|update| plan.withdraws(update) == Some(true));
        assert!(!goes.is_empty(), "the capture shows what was withdrawn on purpose");
        self.withdrawn = stays;
    }

    /// One that does not lead.
    pub(super) fn standby(&self, leader: Leader) -> Leader {
        Leader { replica: (leader.replica + 1) % self.replicas.len(), ..leader }
    }

    /// Loses every frame from and to a speaker's machine on these sides, or lets them pass again.
    pub(super) fn cut(&self, place: usize, sides: &[Side], cut: bool) {
        for side in sides {
            if self.speaker == Speaker::Mesh {
                self.lab.pass_host(&self.lab.hosts()[place], *side, !cut);
            } else {
                self.lab.pass(place, *side, !cut);
            }
        }
    }

    /// Takes the links of a speaker's machine down on both sides, or up again.
    pub(super) fn link(&self, place: usize, up: bool) {
        for side in BOTH {
            if self.speaker == Speaker::Mesh {
                self.lab.hosts()[place].link(side, up);
            } else {
                self.lab.replicas().link(place, side, up);
            }
        }
    }
}
