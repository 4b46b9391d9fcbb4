//! One election and a store, step by step.

use super::world::{MARGIN, TTL};
use crate::election::{Effect, Election, Input, Keys, LeaderRecord, LeaseId, Reply, Request, Settings, Trouble};
use crate::model::{Instance, Leadership, Replica, Term, Time};
use crate::source::{Attempt, Fault, FaultKind};
use crate::testing::coordination::{ENDPOINT, Store};
use std::time::Duration;

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn replica(number: u64) -> Replica {
    Replica { identity: format!("10.0.3.{number}").into(), instance: Instance(number.into()) }
}

/// A leadership of another replica.
pub(super) fn leader_of(number: u64, term: Term, lease: LeaseId) -> LeaderRecord {
    LeaderRecord { replica: replica(number), term, lease }
}

pub(super) struct Desk {
    pub(super) me: Replica,
    pub(super) election: Election,
    pub(super) store: Store,
    pub(super) now: Time,
    /// The question that is not yet served.
    pub(super) asked: Option<(Attempt, Request)>,
    pub(super) roles: Vec<Leadership>,
    trouble: Option<Trouble>,
    /// All that was told, other than that nothing is wrong any more.
    pub(super) troubles: Vec<Trouble>,
    /// All terms that were written.
    pub(super) disk: Vec<Term>,
    on_disk: Term,
    pub(super) disk_fault: Option<String>,
    /// Nothing is said of what was written.
    pub(super) disk_waits: bool,
    /// The store hears nothing.
    pub(super) cut: bool,
    /// The store answers about leases only.
    pub(super) looks_are_lost: bool,
    /// The store refuses such questions.
    pub(super) refuses: fn(&Request) -> bool,
    /// The store stands still: no lease ends.
    pub(super) stands_still: bool,
    /// Every renewal is confirmed.
    pub(super) confirm_all: bool,
    /// The store's members elect a leader before every question.
    pub(super) elects: bool,
    pub(super) left: bool,
    /// The next input, if nothing else happens before.
    next: Input,
    /// How many questions the store has been asked.
    pub(super) served: usize,
}

impl Desk {
    pub(super) fn new(number: u64, on_disk: Term) -> Self {
        Self::with_store(number, on_disk, Store::default(), Time::ZERO + seconds(1000))
    }

    pub(super) fn with_store(number: u64, on_disk: Term, store: Store, now: Time) -> Self {
        let me = replica(number);
        Desk {
            election: election(&me, Duration::ZERO),
            on_disk,
            me,
            store,
            now,
            asked: None,
            roles: Vec::new(),
            trouble: None,
            troubles: Vec::new(),
            disk: Vec::new(),
            disk_fault: None,
            disk_waits: false,
            cut: false,
            looks_are_lost: false,
            refuses: |_| false,
            stands_still: false,
            confirm_all: false,
            elects: false,
            left: false,
            next: Input::Read,
            served: 0,
        }
    }

    pub(super) fn restart(&mut self) {
        (self.election, self.next) = (election(&self.me, Duration::ZERO), Input::Read);
    }

    /// It starts, and has sources to read.
    pub(super) fn restart_unread(&mut self, reading: Duration) {
        (self.election, self.next) = (election(&self.me, reading), Input::Clock);
    }

    pub(super) fn role(&self) -> Leadership {
        self.election.leadership(self.now)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.clone()
    }

    pub(super) fn feed(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.election.handle(self.now, input, &mut effects);
        self.take(effects);
    }

    pub(super) fn take(&mut self, effects: Vec<Effect>) {
        let mut stored = None;
        for effect in effects {
            match effect {
                Effect::Ask(attempt, request) => self.asked = Some((attempt, request)),
                Effect::StoreTerm(term) => {
                    if self.disk_fault.is_none() {
                        self.on_disk = self.on_disk.max(term);
                        self.disk.push(self.on_disk);
                    }
                    let result = self.disk_fault.clone().map_or(Ok(self.on_disk), Err);
                    stored = Some(Input::TermStored(result)).filter(|_| !self.disk_waits);
                }
                Effect::Leadership(role) => {
                    assert_ne!(self.roles.last(), Some(&role), "told twice");
                    self.roles.push(role);
                }
                Effect::Trouble(trouble) => {
                    self.troubles.extend(trouble.clone());
                    self.trouble = trouble;
                }
                Effect::Left => self.left = true,
            }
        }
        stored.into_iter().for_each(|stored| self.feed(stored));
    }

    /// The store answers the question, if there is one.
    pub(super) fn serve_one(&mut self) {
        let Some((attempt, request)) = self.asked.take().filter(|_| !self.cut) else { return };
        self.served += 1;
        if self.elects {
            self.store.elect(self.now);
        }
        if (self.refuses)(&request) {
            let fault = Fault { kind: FaultKind::Denied, message: "permission denied".into() };
            return self.feed(Input::Answer(attempt, Err(fault)));
        }
        if self.looks_are_lost && !is_of_lease(&request) {
            return;
        }
        let reply = match request {
            Request::KeepAlive(_) if self.confirm_all => Reply::KeptAlive(ENDPOINT),
            request => self.store.serve(self.now, &self.me.identity.clone(), request),
        };
        self.feed(Input::Answer(attempt, Ok(reply)));
    }

    fn expire(&mut self) {
        if !self.stands_still {
            self.store.expire(self.now);
        }
    }

    /// To the next moment at which something is due, not beyond `end`.
    fn step(&mut self, end: Time) -> bool {
        match self.election.next_deadline() {
            Some(at) if at <= end => {
                self.now = self.now.max(at);
                self.expire();
                self.feed(Input::Clock);
                true
            }
            _ => false,
        }
    }

    fn begin(&mut self) {
        let input = std::mem::replace(&mut self.next, Input::Clock);
        self.feed(input);
    }

    pub(super) fn run_to(&mut self, end: Time) {
        self.begin();
        for _ in 0..100_000 {
            if self.asked.is_some() && !self.cut {
                self.serve_one();
            } else if !self.step(end) {
                self.now = end;
                self.expire();
                return;
            }
        }
        panic!("it never rests");
    }

    pub(super) fn run(&mut self, span: Duration) {
        self.run_to(self.now + span);
    }

    /// Serves everything up to a question of this sort, and leaves that one open.
    pub(super) fn run_until_asked(&mut self, is_it: impl Fn(&Request) -> bool) {
        self.begin();
        for _ in 0..1000 {
            match &self.asked {
                Some((_, request)) if is_it(request) => return,
                Some(_) => self.serve_one(),
                None => assert!(self.step(self.now + TTL), "nothing is asked any more"),
            }
        }
        panic!("it was never asked");
    }

    /// Runs to just before that moment.
    pub(super) fn last_role_before(&mut self, moment: Time) -> Leadership {
        self.run_to(moment - Duration::from_nanos(1));
        self.role()
    }
}

pub(super) fn is_of_lease(request: &Request) -> bool {
    matches!(request, Request::Grant { .. } | Request::KeepAlive(_) | Request::Revoke(_))
}

fn election(me: &Replica, reading: Duration) -> Election {
    let keys = Keys::new("/election", &me.identity);
    Election::new(Settings { me: me.clone(), keys, ttl: TTL, margin: MARGIN, reading, seed: 7 })
}
