//! What happens, and how it is over.

use std::thread::sleep;
use std::time::Duration;

use super::cast::{BOTH, Cast, LINGER, Leader, Player};
use super::plan::Plan;
use super::rival::Speaker;
use super::{Blow, Fault};
use crate::lab::capture::Capture;
use crate::lab::fingerpost::{binary, older_binary};
use crate::lab::replica::Side;

/// In seconds.
const HOUR: i64 = 3600;

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
            Self::Drain | Self::Decommission => {
                let capture = Capture::start_of_sessions(cast.lab.switch());
                match self {
                    Self::Drain => cast.replicas[leader.replica].drain(),
                    _ => cast.replicas[leader.replica].begin_decommission(),
                }
                cast.await_successor(leader, change, plan);
                cast.replicas[leader.replica].await_end();
                sleep(LINGER);
                cast.note_withdrawals(capture, plan);
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
            Self::Host { name, blow, away, times } => {
                let place = cast.lab.hosts().iter().position(|host| host.name() == name).expect("a host's name");
                for time in 0..times {
                    blow.fall(cast, place);
                    if time == times / 2 {
                        change(cast);
                    }
                    wait(away);
                    blow.pass(cast, place);
                    cast.await_all_paths(plan);
                    // Until the gateway has its End-of-RIB, too.
                    sleep(LINGER);
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
                cast.cut(leader.replica, &[Side::Store], true);
                change(cast);
                cast.await_another(leader);
                cast.await_told(plan);
                sleep(LINGER);
                cast.cut(leader.replica, &[Side::Store], false);
            }
            Self::CutFromGateways | Self::CutFromBoth => {
                let sides = if self == Self::CutFromBoth { BOTH.as_slice() } else { &[Side::Gateways] };
                cast.cut(leader.replica, sides, true);
                change(cast);
                cast.await_other_paths(leader, plan);
                cast.await_told(plan);
                if self == Self::CutFromBoth {
                    cast.await_another(leader);
                }
                sleep(LINGER);
                cast.cut(leader.replica, sides, false);
            }
            Self::StandbyCutFromStore => {
                let standby = cast.standby(leader).replica;
                cast.cut(standby, &[Side::Store], true);
                change(cast);
                cast.await_told(plan);
                sleep(LINGER);
                cast.cut(standby, &[Side::Store], false);
            }
            Self::Clock => {
                cast.replicas[leader.replica].set_clock(HOUR);
                change(cast);
                cast.await_told(plan);
                sleep(LINGER);
                cast.replicas[leader.replica].set_clock(-HOUR);
                sleep(LINGER);
                cast.replicas[leader.replica].set_clock(0);
            }
            Self::LinkDown => {
                cast.link(leader.replica, false);
                change(cast);
                cast.await_other_paths(leader, plan);
                cast.await_told(plan);
                cast.await_another(leader);
                sleep(LINGER);
                cast.link(leader.replica, true);
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
            Self::Rolling | Self::RollingAsAdvised => {
                for place in 0..cast.replicas.len() {
                    match self {
                        Self::Rolling => cast.replicas[place].terminate(),
                        _ => cast.replicas[place].retire(),
                    }
                    if place == 0 {
                        change(cast);
                    }
                    cast.replicas[place].resume();
                    cast.await_all_paths(plan);
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
                    cast.await_all_paths(plan);
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
                    cast.await_all_paths(plan);
                    // Of the alternatives the first one may be preferred again.
                    leader = cast.leader().unwrap_or(next);
                }
            }
        }
    }
}

impl Blow {
    fn fall(self, cast: &mut Cast<'_>, place: usize) {
        match self {
            Self::Kill => cast.replicas[place].kill(),
            Self::Terminate => cast.replicas[place].terminate(),
            Self::Stop => cast.replicas[place].pause(),
            Self::Cut(sides) => cast.cut(place, sides, true),
            Self::LinkDown => cast.link(place, false),
        }
    }

    fn pass(self, cast: &mut Cast<'_>, place: usize) {
        match self {
            Self::Kill | Self::Terminate => cast.replicas[place].resume(),
            Self::Stop => cast.replicas[place].unpause(),
            Self::Cut(sides) => cast.cut(place, sides, false),
            Self::LinkDown => cast.link(place, true),
        }
    }
}
