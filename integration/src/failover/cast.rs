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
use super::{Blow, Case, Fault, NO_WHY};
use crate::lab::capture::{self, Capture};
use crate::lab::etcd::Etcd;
use crate::lab::fingerpost::{Fingerpost, LEADER, binary, older_binary, replica_configuration};
use crate::lab::gateway::Gateway;
use crate::lab::replica::Side;
use crate::lab::rib::Choice;
use crate::lab::route::PodRoutes;
use crate::lab::{Lab, wait};

/// How long another one may take to lead, or the gateway to hold what it is to hold.
const BOUND: Duration = Duration::from_secs(60);
/// In seconds.
const HOUR: i64 = 3600;
/// How long is waited for what may fail to happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked.
const PERIOD: Duration = Duration::from_millis(50);
/// After what is found out, before what failed comes back: had that something to say, it would be seen.
const LINGER: Duration = Duration::from_secs(2);
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
enum Player {
    Ours(Fingerpost),
    Theirs(Rival),
}

impl Player {
    fn kill(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.kill(),
            Self::Theirs(rival) => rival.kill(),
        }
    }

    fn terminate(&mut self) {
        match self {
            Self::Ours(fingerpost) => drop(fingerpost.terminate()),
            Self::Theirs(rival) => rival.terminate(),
        }
    }

    fn resume(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.resume(),
            Self::Theirs(rival) => rival.resume(),
        }
    }

    fn pause(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.pause(),
            Self::Theirs(rival) => rival.pause(Signal::STOP),
        }
    }

    fn unpause(&mut self) {
        match self {
            Self::Ours(fingerpost) => fingerpost.unpause(),
            Self::Theirs(rival) => rival.pause(Signal::CONT),
        }
    }

    fn become_version(&mut self, version: PathBuf) {
        if let Self::Ours(fingerpost) = self {
            fingerpost.become_version(version);
        }
    }

    fn ours(&self) -> &Fingerpost {
        match self {
            Self::Ours(fingerpost) => fingerpost,
            Self::Theirs(_) => panic!("not asked of the alternatives"),
        }
    }
}

/// The replicas and their etcd.
pub(super) struct Cast<'lab> {
    lab: &'lab Lab,
    speaker: Speaker,
    /// Nothing is certain to happen: of the alternatives, and where it is known why it does not.
    may_fail: bool,
    replicas: Vec<Player>,
    pub(super) etcd: Etcd,
    /// The UPDATEs that a leader which was stopped past its lease has sent since as if it led.
    pub(super) late: Vec<String>,
    /// The UPDATEs that withdraw what stays, at SIGTERM and where versions are mixed.
    pub(super) withdrawn: Vec<String>,
}

impl<'lab> Cast<'lab> {
    #[track_caller]
    pub(super) fn start(lab: &'lab Lab, plan: &Plan<'_>, case: &Case) -> Self {
        let etcd = Etcd::start_cluster(lab);
        etcd.put_at_once(&plan.records);
        let start = |place| {
            if case.speaker == Speaker::Mesh {
                return Player::Theirs(Rival::start_on_host(lab, &etcd, place));
            }
            if case.speaker != Speaker::Fingerpost {
                return Player::Theirs(Rival::start(lab, &etcd, place, case.speaker));
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
    fn expect<T, E: Debug>(&self, what: &str, mut look: impl FnMut(&Self) -> Result<T, E>) -> Option<T> {
        if !self.may_fail {
            return Some(wait::until(what, BOUND, || look(self)));
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
    fn leader(&self) -> Option<Leader> {
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
    fn await_another(&self, before: Leader) -> Leader {
        let found = self.expect("another leader", |cast| {
            let now = cast.leader();
            now.filter(|now| now.term >= before.term && now.replica != before.replica).ok_or(now)
        });
        found.unwrap_or(before)
    }

    /// Waits until the gateway prefers none of this leader's paths.
    #[track_caller]
    fn await_other_paths(&self, before: Leader, plan: &Plan<'_>) {
        self.expect("paths of another replica", |cast| {
            let choices = cast.gateway().choices();
            let others = plan.lasting(&choices).all(|choice| choice.from != Some(before.replica));
            if others { Ok(()) } else { Err(choices) }
        });
    }

    #[track_caller]
    fn await_told(&self, plan: &Plan<'_>) {
        self.expect("the gateway to have what changed", |cast| {
            let kernel = cast.gateway().routes();
            if plan.is_told(&kernel) { Ok(()) } else { Err(kernel) }
        });
    }

    /// Waits until all is well: the gateway's kernel and daemon hold exactly `expected`, a path of every replica for each prefix,
    /// and prefer those of who leads, who is returned.
    #[track_caller]
    pub(super) fn await_whole(&self, expected: &PodRoutes) -> Option<Leader> {
        self.expect("the gateway to hold exactly what etcd says, by who leads", |cast| {
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

    /// Waits until every prefix has a path of every replica.
    #[track_caller]
    fn await_all_paths(&self) {
        self.expect("paths of all replicas", |cast| {
            let choices = cast.gateway().choices();
            let all = choices.values().all(|choice| choice.paths == cast.replicas.len());
            if all { Ok(()) } else { Err(choices) }
        });
    }

    /// Lets a leader work on that was stopped past its lease, and captures what it says from then on, until it has taken the stamp of
    /// a standby.
    #[track_caller]
    fn unpause(&mut self, leader: Leader) {
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
    fn await_successor(&self, before: Leader, change: &mut dyn FnMut(&Self), plan: &Plan<'_>) {
        change(self);
        self.await_another(before);
        self.await_told(plan);
        sleep(LINGER);
    }

    /// Ends a capture that has what the source's change withdrew, and keeps what else was withdrawn, by whichever replica.
    fn note_withdrawals(&mut self, capture: Capture<'_>, plan: &Plan<'_>) {
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
    fn standby(&self, leader: Leader) -> Leader {
        Leader { replica: (leader.replica + 1) % self.replicas.len(), ..leader }
    }

    fn cut(&self, leader: Leader, sides: &[Side], cut: bool) {
        sides.iter().for_each(|side| self.lab.pass(leader.replica, *side, !cut));
    }
}

impl Fault {
    /// Does it, and undoes it; `change` changes the source, to be called once.
    #[track_caller]
    pub(super) fn strike(
        self,
        cast: &mut Cast<'_>,
        leader: Leader,
        change: &mut dyn FnMut(&Cast<'_>),
        plan: &Plan<'_>,
    ) {
        let wait = |seconds| sleep(Duration::from_secs(seconds));
        match self {
            Self::Kill => {
                cast.replicas[leader.replica].kill();
                cast.await_successor(leader, change, plan);
                cast.replicas[leader.replica].resume();
            }
            Self::Terminate => {
                let ours = cast.speaker == Speaker::Fingerpost;
                let capture = ours.then(|| Capture::start_of_sessions(cast.lab.switch()));
                cast.replicas[leader.replica].terminate();
                cast.await_successor(leader, change, plan);
                if let Some(capture) = capture {
                    cast.note_withdrawals(capture, plan);
                }
                cast.replicas[leader.replica].resume();
            }
            Self::StandbyKill => {
                let standby = cast.standby(leader).replica;
                cast.replicas[standby].kill();
                change(cast);
                cast.await_told(plan);
                sleep(LINGER);
                cast.replicas[standby].resume();
            }
            Self::Host { name, blow, away } => {
                let host = cast.lab.hosts().iter().position(|host| host.name() == name).expect("a host's name");
                match blow {
                    Blow::Kill => cast.replicas[host].kill(),
                    Blow::Terminate => cast.replicas[host].terminate(),
                    Blow::Stop => cast.replicas[host].pause(),
                }
                change(cast);
                wait(away);
                match blow {
                    Blow::Kill | Blow::Terminate => cast.replicas[host].resume(),
                    Blow::Stop => cast.replicas[host].unpause(),
                }
            }
            Self::Pause => {
                cast.replicas[leader.replica].pause();
                change(cast);
                cast.await_another(leader);
                cast.await_told(plan);
                sleep(LINGER);
                cast.unpause(leader);
            }
            Self::CutFromStore => {
                cast.cut(leader, &[Side::Store], true);
                change(cast);
                cast.await_another(leader);
                cast.await_told(plan);
                sleep(LINGER);
                cast.cut(leader, &[Side::Store], false);
            }
            Self::CutFromGateways | Self::CutFromBoth => {
                let sides: &[Side] =
                    if self == Self::CutFromBoth { &[Side::Gateways, Side::Store] } else { &[Side::Gateways] };
                cast.cut(leader, sides, true);
                change(cast);
                cast.await_other_paths(leader, plan);
                cast.await_told(plan);
                if self == Self::CutFromBoth {
                    cast.await_another(leader);
                }
                sleep(LINGER);
                cast.cut(leader, sides, false);
            }
            Self::StandbyCutFromStore => {
                let standby = cast.standby(leader);
                cast.cut(standby, &[Side::Store], true);
                change(cast);
                cast.await_told(plan);
                sleep(LINGER);
                cast.cut(standby, &[Side::Store], false);
            }
            Self::Clock => {
                cast.replicas[leader.replica].ours().set_clock(HOUR);
                change(cast);
                cast.await_told(plan);
                sleep(LINGER);
                cast.replicas[leader.replica].ours().set_clock(-HOUR);
                sleep(LINGER);
                cast.replicas[leader.replica].ours().set_clock(0);
            }
            Self::LinkDown => {
                let machines = cast.lab.replicas();
                let links =
                    |up| [Side::Gateways, Side::Store].iter().for_each(|side| machines.link(leader.replica, *side, up));
                links(false);
                change(cast);
                cast.await_other_paths(leader, plan);
                cast.await_told(plan);
                cast.await_another(leader);
                sleep(LINGER);
                links(true);
            }
            Self::StoreLeader => {
                let member = cast.etcd.leading_member();
                cast.etcd.kill_member(member);
                // Until the other two have a leader, etcd takes nothing.
                let next = cast.etcd.leading_member();
                assert_ne!(member, next, "a member leads that was killed");
                change(cast);
                cast.await_told(plan);
                cast.etcd.resume();
            }
            Self::QuorumLost(away) => {
                let member = cast.etcd.leading_member();
                cast.etcd.kill_member(member);
                cast.etcd.kill_member((member + 1) % 3);
                wait(away);
                cast.etcd.resume();
                change(cast);
            }
            Self::AllRestart(away) => {
                cast.etcd.kill();
                cast.replicas.iter_mut().for_each(Player::kill);
                cast.replicas.iter_mut().for_each(Player::resume);
                wait(away);
                cast.etcd.resume();
                change(cast);
            }
            Self::Rolling => {
                for place in 0..cast.replicas.len() {
                    cast.replicas[place].terminate();
                    if place == 0 {
                        change(cast);
                    }
                    cast.replicas[place].resume();
                    cast.await_all_paths();
                }
            }
            Self::Mixed => {
                let capture = Capture::start_of_sessions(cast.lab.switch());
                let count = cast.replicas.len();
                let steps = [binary(), older_binary()]
                    .into_iter()
                    .flat_map(|version| (0..count).map(move |n| (version.clone(), n)));
                for (step, (version, place)) in steps.enumerate() {
                    cast.replicas[place].terminate();
                    cast.replicas[place].become_version(version);
                    cast.replicas[place].resume();
                    cast.await_all_paths();
                    if step == 0 {
                        change(cast);
                        cast.await_told(plan);
                    }
                }
                sleep(LINGER);
                cast.note_withdrawals(capture, plan);
            }
            Self::Flaps(times) => {
                let mut leader = leader;
                for time in 0..times {
                    cast.replicas[leader.replica].kill();
                    if time == times / 2 {
                        change(cast);
                    }
                    let next = cast.await_another(leader);
                    cast.replicas[leader.replica].resume();
                    cast.await_all_paths();
                    leader = next;
                }
            }
        }
    }
}
