//! The state machine: what is done, and when.

use super::keys::{LeaderRecord, PresenceRecord};
use super::messages::{Effect, Input, Request};
use super::pace::Pace;
use super::seat::{Asked, Disk, Doing, Known, Leaving, Member, Predecessor, Question, Seat, State, Vacancy};
use super::{Settings, Trouble};
use crate::model::{Leadership, Rng, Term, Time};
use crate::source::{Attempt, Fault, FaultKind};
use std::time::Duration;

/// After a term could not be written to disk.
const DISK_AGAIN: Duration = Duration::from_secs(5);

/// See the [module](super).
#[derive(Debug)]
pub struct Election {
    pub(super) settings: Settings,
    pub(super) rng: Rng,
    attempts: u64,
    pub(super) state: State,
    pub(super) disk: Disk,
    /// The highest term heard of, by whatever way.
    pub(super) newest: Term,
    pub(super) known: Option<Known>,
    /// The last term in which we led, unless another was known to lead since.
    led: Option<Term>,
    /// No leadership is wanted before.
    pub(super) hold_off: Time,
    /// Others should lead: its sources have not been read.
    is_unread: bool,
    /// Whether those of who led last had been, as far as is known: if not, others need not know more.
    leader_had_read: bool,
    /// Others should lead: it is about to leave.
    departs: bool,
    /// When the keys were last seen.
    pub(super) looked: Option<Time>,
    /// As long as nobody leads, as far as is known.
    pub(super) vacant: Option<Vacancy>,
    /// When leaderships began lately.
    pub(super) pace: Pace,
    pub(super) predecessor: Option<Predecessor>,
    /// A change was heard of while a question was open.
    pub(super) changed: bool,
    /// Of questions, in a row.
    failures: u32,
    /// Renewals in a row that were confirmed and yet do not count.
    pub(super) unproven: u32,
    /// Of these, whose look came and was another member's or leadership's.
    pub(super) elsewhere: u32,
    /// The highest term in which this process has led.
    pub(super) own: Term,
    pub(super) store_trouble: Option<Trouble>,
    pub(super) keys_trouble: Option<Trouble>,
    disk_trouble: Option<Trouble>,
    told: Option<Leadership>,
    told_trouble: Option<Trouble>,
}

impl Election {
    /// An election that has not begun: the first [`Input::Clock`] begins it.
    pub fn new(settings: Settings) -> Self {
        Election {
            rng: Rng::new(settings.seed),
            settings,
            attempts: 0,
            state: State::Outside { again: Time::ZERO },
            disk: Disk { term: Term::NONE, works: false, busy: None, again: Time::ZERO },
            newest: Term::NONE,
            known: None,
            led: None,
            hold_off: Time::ZERO,
            is_unread: true,
            leader_had_read: true,
            departs: false,
            looked: None,
            vacant: None,
            pace: Pace::default(),
            predecessor: None,
            changed: false,
            failures: 0,
            unproven: 0,
            elsewhere: 0,
            own: Term::NONE,
            store_trouble: None,
            keys_trouble: None,
            disk_trouble: None,
            told: None,
            told_trouble: None,
        }
    }

    /// What is known of the leadership at that moment.
    pub fn leadership(&self, now: Time) -> Leadership {
        if let State::Member(Member { seat: Seat::Holding { record, until }, .. }) = &self.state {
            return match now < *until {
                true => Leadership::Leading { term: record.term, until: *until },
                false => Leadership::Lapsed { term: record.term },
            };
        }
        match (&self.known, self.led) {
            (Some(known), _) if now < known.until => {
                Leadership::Standby { leader: known.leader.clone(), term: known.term }
            }
            (_, Some(term)) => Leadership::Lapsed { term },
            (_, None) => Leadership::Unsure { newest: self.newest },
        }
    }

    /// When [`Input::Clock`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        let of_state = match &self.state {
            State::Outside { again } => Some(*again),
            State::Granting(asked) => Some(asked.until),
            State::Member(member) => Some(match &member.doing {
                Doing::Resting { next } => *next,
                Doing::Asking(asked, _) => asked.until,
            }),
            State::Leaving { step: Leaving::Asking(asked), .. } => Some(asked.until),
            State::Leaving { step: Leaving::Resting { next }, .. } => Some(*next),
            State::Gone => None,
        };
        let of_leadership = match &self.told {
            Some(Leadership::Leading { until, .. }) => Some(*until),
            Some(Leadership::Standby { .. }) => self.known.as_ref().map(|known| known.until),
            _ => None,
        };
        let of_disk = self.wants_to_store().then_some(self.disk.again).or(self.disk_gives_up());
        [of_state, of_leadership, of_disk].into_iter().flatten().min()
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Time, input: Input, effects: &mut Vec<Effect>) {
        // First of all: a deadline that has passed meanwhile has passed, whatever comes in so late.
        self.tell(now, effects);
        match input {
            Input::Clock => {}
            Input::Read => {
                self.is_unread = false;
                self.look_soon(now);
            }
            Input::LeaderHasRead(has_read) => self.leader_had_read = has_read,
            Input::Departs => self.departs = true,
            Input::Answer(attempt, answer) => self.answer(now, attempt, answer, effects),
            Input::Changed => self.look_soon(now),
            Input::TermStored(result) => self.stored(now, result, effects),
            Input::Yield => self.give_way(now, effects),
            Input::Leave => self.leave(now, effects),
        }
        self.on_time(now, effects);
        self.tell(now, effects);
    }

    /// Whether it should be another that begins to lead, if one wants to.
    pub(super) fn defers(&self, now: Time) -> bool {
        if !self.is_unread && !self.departs {
            return false;
        }
        let Some(Vacancy { since, turn }) = self.vacant else { return true };
        // In that time the one that had read is started anew.
        let knows_less = self.is_unread && self.leader_had_read;
        now < since + if knows_less { turn.max(self.settings.reading) } else { turn }
    }

    /// Does what is due.
    fn on_time(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.wants_to_store() && self.disk.again <= now {
            self.disk.busy = Some(now);
            effects.push(Effect::StoreTerm(self.newest));
        }
        if self.disk_gives_up().is_some_and(|at| at <= now) {
            let span = self.settings.patience().as_secs_f64();
            self.disk_failed(now, format!("nothing was written for {span:.1} s"), effects);
        }
        match &self.state {
            State::Outside { again } if *again <= now => {
                let asked = self.ask(now, Request::Grant { ttl: self.settings.ttl }, effects);
                self.state = State::Granting(asked);
            }
            State::Granting(asked) | State::Leaving { step: Leaving::Asking(asked), .. } if asked.until <= now => {
                let fault = silent(*asked);
                self.failed(now, fault, effects);
            }
            State::Member(Member { doing: Doing::Asking(asked, _), .. }) if asked.until <= now => {
                let fault = silent(*asked);
                self.failed(now, fault, effects);
            }
            State::Member(member) if matches!(member.doing, Doing::Resting { next } if next <= now) => {
                match self.next_question(now, member) {
                    Question::Release(record) => self.give_up(now, record, effects),
                    question => self.put(now, question, effects),
                }
            }
            State::Leaving { lease, step: Leaving::Resting { next }, until } if *next <= now => {
                let (lease, until) = (*lease, *until);
                let step = Leaving::Asking(self.ask(now, Request::Revoke(lease), effects));
                self.state = State::Leaving { lease, step, until };
            }
            _ => {}
        }
    }

    /// Sends a question, and gives up any other.
    pub(super) fn ask(&mut self, now: Time, request: Request, effects: &mut Vec<Effect>) -> Asked {
        self.attempts += 1;
        let attempt = Attempt(self.attempts);
        effects.push(Effect::Ask(attempt, request));
        Asked { attempt, at: now, until: now + self.settings.patience() }
    }

    /// As a member: asks this.
    pub(super) fn put(&mut self, now: Time, question: Question, effects: &mut Vec<Effect>) {
        let State::Member(member) = &self.state else { return };
        let presence = PresenceRecord { replica: self.settings.me.clone(), ttl: member.granted };
        let request = match question.clone() {
            Question::KeepAlive => Request::KeepAlive(member.lease),
            Question::Look { .. } => Request::Look,
            Question::Register => Request::Register { record: presence, lease: member.lease },
            Question::Acquire(record, leader, term) => Request::Acquire { record, leader, term, presence },
            Question::Release(record) => Request::Release(record),
            Question::Raise(term, expect) => Request::Raise { term, expect },
        };
        let asked = self.ask(now, request, effects);
        if let State::Member(member) = &mut self.state {
            member.doing = Doing::Asking(asked, question);
        }
    }

    /// Between two rounds that follow each other at once: the store is never asked without end.
    pub(super) fn pause(&mut self) -> Duration {
        self.rng.jitter(self.settings.rest() / 20)
    }

    /// A question was not answered, or not as it must be.
    pub(super) fn failed(&mut self, now: Time, fault: Fault, effects: &mut Vec<Effect>) {
        self.store_trouble = Some(Trouble::Store(fault));
        let rest = self.settings.rest();
        let backoff = (rest / 8 * (1 << self.failures.min(8))).min(rest);
        self.failures = self.failures.saturating_add(1);
        let next = now + self.rng.jitter(backoff);
        match &mut self.state {
            State::Granting(_) => self.state = State::Outside { again: next },
            State::Member(member) => {
                let doing = std::mem::replace(&mut member.doing, Doing::Resting { next });
                if let Doing::Asking(_, Question::Acquire(record, ..)) = doing {
                    // It may have been carried out, or may yet be.
                    member.seat = Seat::Claimed { record, sure: false };
                }
            }
            // The lease ends by itself.
            State::Leaving { until, .. } if *until <= next => self.gone(effects),
            State::Leaving { step, .. } => *step = Leaving::Resting { next },
            State::Outside { .. } | State::Gone => {}
        }
    }

    /// The store has done all that was wanted of it. A part says little: about leases it answers to whoever may not read its keys, and it
    /// shows them to whoever may not change them.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.store_trouble = None;
    }

    pub(super) fn gone(&mut self, effects: &mut Vec<Effect>) {
        self.state = State::Gone;
        self.store_trouble = None;
        self.keys_trouble = None;
        effects.push(Effect::Left);
    }

    fn wants_to_store(&self) -> bool {
        self.disk.busy.is_none() && self.state != State::Gone && (!self.disk.works || self.newest > self.disk.term)
    }

    /// When a disk that says nothing is taken for one that does not work. Others may lead: there is no leader as long as this
    /// process waits with the leader key in its hand.
    fn disk_gives_up(&self) -> Option<Time> {
        let said = matches!(self.disk_trouble, Some(Trouble::Disk(_)));
        self.disk.busy.filter(|_| !said && self.state != State::Gone).map(|since| since + self.settings.patience())
    }

    fn stored(&mut self, now: Time, result: Result<Term, String>, effects: &mut Vec<Effect>) {
        self.disk.busy = None;
        match result {
            Ok(term) => {
                if !self.disk.works {
                    self.look_soon(now);
                }
                self.disk.works = true;
                self.disk.term = self.disk.term.max(term);
                self.newest = self.newest.max(term);
                self.disk_trouble = None;
                self.take_seat(now);
            }
            Err(failed) => {
                self.disk.again = now + self.rng.jitter(DISK_AGAIN);
                self.disk_failed(now, failed, effects);
            }
        }
    }

    fn disk_failed(&mut self, now: Time, failed: String, effects: &mut Vec<Effect>) {
        self.disk_trouble = Some(Trouble::Disk(failed));
        self.disk.works = false;
        self.leave_to_others(now, effects);
    }

    /// Gives back what it may have taken and cannot remember: whoever can remember the term shall lead.
    pub(super) fn leave_to_others(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if let State::Member(Member { seat: Seat::Claimed { record, .. }, .. }) = &self.state
            && !self.disk.works
        {
            let record = record.clone();
            self.give_back(now, record, effects);
        }
    }

    /// We lead by the leader key once it is known to be ours and its term is on disk.
    pub(super) fn take_seat(&mut self, now: Time) {
        let State::Member(member) = &mut self.state else { return };
        if let Seat::Claimed { record, sure: true } = &member.seat
            && self.disk.works
            && self.disk.term >= record.term
        {
            let until = member.leads_until(self.settings.margin);
            if self.own != record.term {
                self.pace.begun(now, self.settings.ttl, &mut self.rng);
            }
            self.led = Some(record.term);
            self.own = record.term;
            self.known = None;
            member.seat = Seat::Holding { record: record.clone(), until };
        }
    }

    /// As a member: stops leading, and lets the leader key go.
    pub(super) fn give_back(&mut self, now: Time, record: LeaderRecord, effects: &mut Vec<Effect>) {
        if let State::Member(member) = &mut self.state {
            member.seat = Seat::Watching;
        }
        // In this order: who leads stops before another can begin.
        self.tell(now, effects);
        self.put(now, Question::Release(record), effects);
    }

    /// As a member: lets the leader key go, and renews its lease no more until that is done.
    fn give_up(&mut self, now: Time, record: LeaderRecord, effects: &mut Vec<Effect>) {
        if let State::Member(member) = &mut self.state {
            member.seat = Seat::Claimed { record: record.clone(), sure: false };
        }
        self.tell(now, effects);
        self.put(now, Question::Release(record), effects);
    }

    fn give_way(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.hold_off = now + self.settings.ttl;
        let State::Member(member) = &self.state else { return };
        let record = match (&member.seat, &member.doing) {
            // Of two, the one that may yet come into being.
            (_, Doing::Asking(_, Question::Acquire(record, ..))) => record.clone(),
            (Seat::Claimed { record, .. } | Seat::Holding { record, .. }, _) => record.clone(),
            (Seat::Watching, _) => return,
        };
        self.give_back(now, record, effects);
    }

    fn leave(&mut self, now: Time, effects: &mut Vec<Effect>) {
        match &self.state {
            State::Outside { .. } | State::Granting(_) => self.gone(effects),
            State::Member(member) => {
                let lease = member.lease;
                let until = now + self.settings.patience() * 2;
                let step = Leaving::Resting { next: now };
                self.state = State::Leaving { lease, step, until };
                self.tell(now, effects);
            }
            State::Leaving { .. } | State::Gone => {}
        }
    }

    fn look_soon(&mut self, now: Time) {
        let soon = now + self.pause();
        match &mut self.state {
            State::Member(Member { doing: Doing::Resting { next }, .. }) => *next = soon.min(*next),
            State::Member(_) => self.changed = true,
            _ => {}
        }
    }

    /// Says what has changed of leadership and trouble.
    pub(super) fn tell(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let leadership = self.leadership(now);
        if let Leadership::Standby { .. } = leadership {
            self.led = None;
        }
        if self.told.as_ref() != Some(&leadership) {
            self.told = Some(leadership.clone());
            effects.push(Effect::Leadership(leadership));
        }
        let trouble = self.store_trouble.as_ref().or(self.keys_trouble.as_ref()).or(self.disk_trouble.as_ref());
        if self.told_trouble.as_ref() != trouble {
            self.told_trouble = trouble.cloned();
            effects.push(Effect::Trouble(trouble.cloned()));
        }
    }
}

fn silent(asked: Asked) -> Fault {
    let span = asked.until.since(asked.at).as_secs_f64();
    let message =
        format!("the election's store has not answered for {span:.1} s: is it up, reachable and not overloaded?");
    Fault { kind: FaultKind::Stuck, message }
}
