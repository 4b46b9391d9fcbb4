//! A replica's part in the election: the machine, its disk, and its way to the coordination store.

use super::super::gateway::{RESTART_TIME, STALE_TIME};
use super::cluster::{Cluster, Event};
use super::orders::Clerk;
use super::status::Herald;
use crate::election::{Effect, Election, Input, Keys, Reply, Request, Settings};
use crate::engine::Others;
use crate::model::{Instance, Leadership, Replica, Term, Time};
use crate::source::{Attempt, Fault, FaultKind};
use crate::testing::coordination::{CUT_OFF, ENDPOINT, Store};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

const TTL: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_secs(2);
/// The hold time of all sessions; and so long a replica may take until the others have read what it has noticed (`src/daemon/settings.rs`).
const HOLD: Duration = Duration::from_secs(30);
const SAID: Duration = Duration::from_secs(10);
/// For so long a replica that has not read its sources leaves it to the others to begin to lead, and how often it is looked.
const READING: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);
/// How long an answer takes that comes just before it is given up, in milliseconds.
const LATE: RangeInclusive<u64> = 1700..=2400;
/// How long one that ends waits until the store knows.
const FAREWELL: Duration = Duration::from_secs(3);
/// When it is tried again to start one whose last process has not ended: it may have been stopped on its way out.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Seat {
    /// Which process it is: what is on its way for an earlier one is not for this one.
    pub(super) life: u64,
    pub(super) election: Option<Election>,
    /// The highest term that is on its disk.
    pub(super) disk: Term,
    /// Nothing comes through between it and the coordination store.
    pub(super) is_cut: bool,
    /// Of a hundred messages to it and back.
    pub(super) loses: u64,
    /// Answers reach it just before it gives them up.
    pub(super) is_late: bool,
    /// Until then its renewals reach a member that is cut off from the others and does not know it: it confirms what it cannot.
    pub(super) misled: Time,
    /// It ends as soon as the store knows.
    pub(super) leaves: bool,
    pub(super) clerk: Clerk,
    pub(super) herald: Option<Herald>,
    /// It leads in this term as its election says, and has given that back.
    pub(super) given_way: Option<Term>,
    /// Something keeps it from leading, as its election says.
    pub(super) has_trouble: bool,
    /// When it was told last what the election says, how often, and which of that was heard last: never in another order.
    told: Time,
    tells: u64,
    pub(super) heard: u64,
}

pub(super) fn identity(r: usize) -> Arc<str> {
    format!("10.0.3.{}", r + 1).into()
}

/// What a replica among so many knows of the others from its configuration.
pub(super) fn others(replicas: usize) -> Others {
    let notice = HOLD + TTL + SAID;
    Others { count: replicas - 1, stale: HOLD + STALE_TIME.max(RESTART_TIME), notice }
}

impl Cluster {
    /// The replica's process starts, if there is none; where one is about to end, after that.
    pub(super) fn start(&mut self, r: usize) {
        if self.worlds[r].process.is_some() {
            if self.seats[r].leaves {
                self.agenda.put(self.now + AGAIN, Event::Start(r));
            }
            return;
        }
        self.lives += 1;
        let seat = &mut self.seats[r];
        (seat.life, seat.leaves, seat.clerk) = (self.lives, false, Clerk::default());
        (seat.herald, seat.has_trouble, seat.given_way) = (None, false, None);
        self.worlds[r].part.iter_mut().for_each(|part| part.me.instance = Instance(self.lives.into()));
        self.worlds[r].start();
        let (life, seed) = (self.lives, self.dice.from(0..=u64::MAX - 1));
        let me = Replica { identity: identity(r), instance: Instance(life.into()) };
        let keys = Keys::new("/election", &me.identity);
        let settings = Settings { me, keys, ttl: TTL, margin: MARGIN, reading: READING, seed };
        self.seats[r].election = Some(Election::new(settings));
        self.exchange_soon(r);
        self.send_herald(r);
        self.feed(r, Input::Clock);
        self.agenda.put(self.now, Event::Look(r, life));
    }

    pub(super) fn kill(&mut self, r: usize) {
        self.worlds[r].kill();
        self.forget_process(r);
    }

    fn forget_process(&mut self, r: usize) {
        self.lives += 1;
        let seat = &mut self.seats[r];
        (seat.life, seat.election, seat.herald) = (self.lives, None, None);
    }

    pub(super) fn lose_disk(&mut self, r: usize) {
        self.seats[r].disk = Term::NONE;
        self.worlds[r].disk.fill(None);
        self.worlds[r].orders = crate::engine::Orders::default();
    }

    /// Who knows nothing yet should not lead those who do.
    pub(super) fn look(&mut self, r: usize) {
        let Some(process) = &self.worlds[r].process else { return };
        if process.engine.has_read_all() {
            self.feed(r, Input::Read);
        } else {
            self.agenda.put(self.now + LOOK, Event::Look(r, self.seats[r].life));
        }
    }

    /// When the election wants to be called.
    pub(super) fn due(&self, r: usize) -> Option<Time> {
        let deadline = self.seats[r].election.as_ref()?.next_deadline()?;
        let part = self.worlds[r].part.as_ref()?;
        Some(part.boottime.moment(deadline).max(part.stopped.unwrap_or_default()))
    }

    pub(super) fn feed(&mut self, r: usize, input: Input) {
        let Some(part) = &self.worlds[r].part else { return };
        let local = part.boottime.local(self.now);
        let seat = &mut self.seats[r];
        let Some(election) = &mut seat.election else { return };
        let mut effects = Vec::new();
        election.handle(local, input, &mut effects);
        for effect in effects {
            self.do_for_election(r, effect);
        }
    }

    fn do_for_election(&mut self, r: usize, effect: Effect) {
        let life = self.seats[r].life;
        match effect {
            Effect::Ask(attempt, request) => {
                let raft = self.coordination.raft();
                self.send(r, |life| Event::Asked { r, life, attempt, request: request.clone(), raft });
            }
            Effect::StoreTerm(term) => {
                let span = self.dice.millis(0..=200);
                let seat = &mut self.seats[r];
                let result = if self.worlds[r].disk_works {
                    // Written, and perhaps the process is killed before it knows.
                    seat.disk = seat.disk.max(term);
                    Ok(seat.disk)
                } else {
                    Err("no space left on device".into())
                };
                self.agenda.put(self.now + span, Event::Election(r, life, Input::TermStored(result)));
            }
            Effect::Leadership(leadership) if !self.seats[r].leaves => self.tell(r, Some(leadership)),
            Effect::Left => self.agenda.put(self.now, Event::Farewell(r, life)),
            Effect::Trouble(trouble) => self.seats[r].has_trouble = trouble.is_some(),
            Effect::Leadership(_) => {}
        }
    }

    /// Writers and engine hear it from another task.
    fn tell(&mut self, r: usize, leadership: Option<Leadership>) {
        let at = (self.now + self.dice.millis(0..=20)).max(self.seats[r].told);
        let seat = &mut self.seats[r];
        (seat.told, seat.tells) = (at, seat.tells + 1);
        self.agenda.put(at, Event::Told(r, seat.life, seat.tells, leadership));
    }

    /// SIGTERM: another one leads before its paths go.
    pub(super) fn hand_over(&mut self, r: usize) {
        if self.worlds[r].process.is_none() || std::mem::replace(&mut self.seats[r].leaves, true) {
            return;
        }
        self.worlds[r].follow_election(None);
        self.agenda.put(self.now + FAREWELL, Event::Farewell(r, self.seats[r].life));
        if self.seats[r].election.is_some() {
            self.feed(r, Input::Leave);
        } else {
            self.farewell(r);
        }
    }

    pub(super) fn farewell(&mut self, r: usize) {
        self.worlds[r].say(|| "it ends its sessions".into());
        self.worlds[r].hand_over();
        self.forget_process(r);
    }

    pub(super) fn is_lost(&mut self, r: usize) -> bool {
        let loses = self.seats[r].loses;
        loses > 0 && self.dice.from(1..=100) <= loses
    }

    /// How long a message between it and the coordination store takes; none if it is lost.
    pub(super) fn delay(&mut self, r: usize) -> Option<Duration> {
        if self.seats[r].is_cut || self.quorum_lost || self.is_lost(r) {
            return None;
        }
        Some(if self.dice.one_in(16) { self.dice.millis(0..=4000) } else { self.dice.millis(0..=20) })
    }

    /// A question to the coordination store: perhaps asked once more of another endpoint, since the first does not answer.
    pub(super) fn send(&mut self, r: usize, asked: impl Fn(u64) -> Event) {
        let copies = if self.is_lost(r) { 2 } else { 1 };
        for _ in 0..copies {
            if let Some(delay) = self.delay(r) {
                self.agenda.put(self.now + delay, asked(self.seats[r].life));
            }
        }
    }

    pub(super) fn asked(&mut self, r: usize, life: u64, attempt: Attempt, request: Request, raft: u64) {
        if self.seats[r].is_cut || self.quorum_lost {
            return;
        }
        // A member that was cut off, and did not know that it leads no more, confirms what it cannot.
        let is_renewal = matches!(request, Request::KeepAlive(_));
        let reply = if is_renewal && self.seats[r].misled > self.now {
            Reply::KeptAlive(CUT_OFF)
        } else if is_renewal && raft != self.coordination.raft() {
            Reply::KeptAlive(ENDPOINT)
        } else {
            self.with_coordination(|store, now| store.serve(now, &identity(r), request))
        };
        let late = self.seats[r].is_late.then(|| self.dice.millis(LATE));
        if let Some(delay) = self.delay(r).map(|delay| late.unwrap_or(delay)) {
            let fault = Fault { kind: FaultKind::Unreachable, message: "the connection was cut".into() };
            let answer = if self.is_lost(r) { Err(fault) } else { Ok(reply) };
            self.agenda.put(self.now + delay, Event::Election(r, life, Input::Answer(attempt, answer)));
        }
    }

    /// Changes the store; whoever watches hears of a change at the leader key, perhaps.
    pub(super) fn with_coordination<T>(&mut self, change: impl FnOnce(&mut Store, Time) -> T) -> T {
        let before = self.coordination.leader.clone();
        let result = change(&mut self.coordination, self.now);
        if self.coordination.leader != before {
            for r in 0..self.seats.len() {
                if let Some(delay) = self.delay(r) {
                    let life = self.seats[r].life;
                    self.agenda.put(self.now + delay, Event::Election(r, life, Input::Changed));
                }
            }
        }
        result
    }
}
