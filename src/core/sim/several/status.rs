//! What each replica says of itself to the others through the coordination store, in the sequence and at the pace of
//! `src/daemon/election/board.rs`; what is asked of the store is lost, late and cut as what the election asks is.
//!
//! ```text
//!  look ─► Say, what is new and due ─► Read, all at one revision ─► Others ─► the engine ─► a second later, or soon
//!    ▲                        no answer: nothing is known anew ◄──┘                             │
//!    └──────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use super::cluster::{Cluster, Event};
use super::seat::identity;
use crate::election::{Input as Election, PresenceRecord};
use crate::engine::Input;
use crate::replicas::{
    Agreement, KnownReplica, Others, Posted, ReplicaReport, Resigning, Said, Saying, leader_has_read,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// How long the store's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What stands in the store, by identity.
#[derive(Clone, Default)]
pub(super) struct Board {
    revision: i64,
    records: BTreeMap<Arc<str>, Said>,
}

/// A replica's task that writes its record and reads the others'.
pub(super) struct Herald {
    saying: Saying,
    others: Others,
    resigning: Resigning,
    /// What it is about to say.
    own: Option<ReplicaReport>,
    is_busy: bool,
    /// Somebody wants it to look once more, as soon as it has looked.
    is_wanted: bool,
    /// Which question was asked last: what comes for an earlier one comes too late.
    attempt: u64,
    /// How often it has looked: an alarm for an earlier one is none.
    turn: u64,
}

/// What comes to a herald, or to the store from it.
pub(super) enum Word {
    /// It is time to look.
    Look(u64),
    /// A question arrives at the store.
    Asked(u64, Question),
    Answered(u64, Answer),
    /// The store has not answered.
    GivenUp(u64),
}

#[derive(Clone)]
pub(super) enum Question {
    /// Unless the presence key is not this process's.
    Say(Box<ReplicaReport>),
    Read,
}

pub(super) enum Answer {
    /// Whether it was.
    Said(bool),
    Stands(Vec<Posted>),
}

impl Cluster {
    /// The process has begun.
    pub(super) fn send_herald(&mut self, r: usize) {
        let Some(me) = self.worlds[r].part.as_ref().map(|part| part.me.clone()) else { return };
        self.seats[r].herald = Some(Herald {
            saying: Saying::new(self.now),
            others: Others::of(me),
            resigning: Resigning::default(),
            own: None,
            is_busy: false,
            is_wanted: false,
            attempt: 0,
            turn: 0,
        });
        self.look_at_status(r);
    }

    /// Its role is another one: nothing of that waits long.
    pub(super) fn look_at_status(&mut self, r: usize) {
        let Some(herald) = &mut self.seats[r].herald else { return };
        if herald.is_busy {
            herald.is_wanted = true;
            return;
        }
        (herald.is_busy, herald.is_wanted, herald.turn) = (true, false, herald.turn + 1);
        let Some(own) = self.report(r) else { return self.looked(r) };
        let Some(herald) = &mut self.seats[r].herald else { return };
        let is_due = herald.saying.is_due(self.now, &own);
        herald.own = Some(own.clone());
        self.ask_board(r, if is_due { Question::Say(Box::new(own)) } else { Question::Read });
    }

    fn ask_board(&mut self, r: usize, question: Question) {
        let Some(herald) = &mut self.seats[r].herald else { return };
        herald.attempt += 1;
        let attempt = herald.attempt;
        self.send(r, |life| Event::Status(r, life, Word::Asked(attempt, question.clone())));
        self.agenda.put(self.now + PATIENCE, Event::Status(r, self.seats[r].life, Word::GivenUp(attempt)));
    }

    /// Something comes for the replica's herald, or from it to the store.
    pub(super) fn hear_of_status(&mut self, r: usize, life: u64, word: Word) {
        if let Word::Asked(attempt, question) = word {
            return self.serve_board(r, life, attempt, question);
        }
        let Some(herald) = &mut self.seats[r].herald else { return };
        match word {
            Word::Look(turn) if herald.turn == turn && !herald.is_busy => self.look_at_status(r),
            Word::Answered(attempt, answer) if herald.attempt == attempt && herald.is_busy => {
                // Nothing that comes for this question any more is for the next one.
                herald.attempt += 1;
                self.answered_by_board(r, answer);
            }
            Word::GivenUp(attempt) if herald.attempt == attempt && herald.is_busy => self.looked(r),
            Word::Look(_) | Word::Answered(..) | Word::GivenUp(_) | Word::Asked(..) => {}
        }
    }

    /// What stands in the store is what stood there once.
    pub(super) fn lose_status(&mut self) {
        self.say(|| "the store's status records are what they were once".into());
        self.board.put_back(&self.older_board);
    }

    fn serve_board(&mut self, r: usize, life: u64, attempt: u64, question: Question) {
        if self.seats[r].is_cut || self.quorum_lost {
            return;
        }
        let presences = &self.coordination.presences;
        let present = |identity: &Arc<str>| {
            let (value, _) = presences.get(identity)?;
            PresenceRecord::decode(value).map(|record| record.replica.instance)
        };
        let answer = match question {
            Question::Say(report) => {
                let is_present = present(&report.replica.identity) == Some(report.replica.instance);
                if is_present {
                    self.board.write(&report);
                }
                Answer::Said(is_present)
            }
            Question::Read => {
                let identities: BTreeSet<&Arc<str>> = presences.keys().chain(self.board.records.keys()).collect();
                let posted = |identity: &Arc<str>| Posted {
                    identity: Arc::clone(identity),
                    said: self.board.records.get(identity).cloned(),
                    present: present(identity),
                };
                Answer::Stands(identities.into_iter().map(posted).collect())
            }
        };
        if let Some(delay) = self.delay(r).filter(|_| !self.is_lost(r)) {
            self.agenda.put(self.now + delay, Event::Status(r, life, Word::Answered(attempt, answer)));
        }
    }

    fn answered_by_board(&mut self, r: usize, answer: Answer) {
        let now = self.now;
        let Some(herald) = &mut self.seats[r].herald else { return };
        match answer {
            Answer::Said(is_said) => {
                if let Some(own) = &herald.own {
                    herald.saying.written(now, own, is_said);
                }
                self.ask_board(r, Question::Read);
            }
            Answer::Stands(posted) => {
                let reading = herald.others.take(now, posted);
                herald.saying.read(&reading);
                let known = herald.others.known().cloned().collect();
                self.worlds[r].engine(Input::Replicas { known, silent: reading.silent });
                self.resign_if_useless(r);
                self.looked(r);
            }
        }
    }

    /// Who leads and is of no use leaves it to one that is.
    fn resign_if_useless(&mut self, r: usize) {
        let now = self.now;
        let Some(Herald { resigning, own: Some(own), others, .. }) = &mut self.seats[r].herald else { return };
        let leader_has_read = leader_has_read(own, others.known());
        if let Some(why) = resigning.step(now, own, others.known()).filter(|_| !self.seats[r].leaves) {
            self.say(|| format!("replica {r} leaves the lead to another one: {why:?}"));
            self.silence_leader(r);
            self.feed(r, Election::Yield);
        }
        if let Some(has_read) = leader_has_read {
            self.feed(r, Election::LeaderHasRead(has_read));
        }
    }

    /// It has come to an end.
    fn looked(&mut self, r: usize) {
        let seat = &mut self.seats[r];
        let Some(herald) = &mut seat.herald else { return };
        herald.is_busy = false;
        if herald.is_wanted {
            return self.look_at_status(r);
        }
        self.agenda.put(self.now + EVERY, Event::Status(r, seat.life, Word::Look(herald.turn)));
    }

    fn report(&self, r: usize) -> Option<ReplicaReport> {
        let report = self.worlds[r].process.as_ref()?.engine.report()?;
        Some(ReplicaReport { trouble: self.seats[r].has_trouble, ..report })
    }

    /// Whose record is not what it says of itself now, or not known to another one that runs.
    pub(super) fn unrest_of_status(&self) -> String {
        for r in self.running() {
            for other in (0..self.worlds.len()).filter(|other| *other != r) {
                let known = self.known(r, other);
                let is_so = match self.report(other) {
                    Some(report) => known == Some(&KnownReplica { report, gone: None }),
                    // It may have said nothing before the store was put back.
                    None => known.is_none_or(|known| known.gone.is_some()),
                };
                if !is_so {
                    return format!("of replica {other}, replica {r} knows {known:?}, not {:?}", self.report(other));
                }
            }
        }
        String::new()
    }

    /// What replica `r` knows of the other.
    pub(super) fn known(&self, r: usize, other: usize) -> Option<&KnownReplica> {
        let known = self.worlds[r].process.as_ref()?.engine.replicas();
        known.iter().find(|known| known.report.replica.identity == identity(other))
    }

    /// What passes because another replica has let it pass, another has: one that knew what was before (P3). That a prefix goes which came
    /// and went while that one was away it cannot know.
    pub(super) fn check_vouched(&mut self) {
        for r in 0..self.worlds.len() {
            for passed in std::mem::take(&mut self.worlds[r].ledger.vouched) {
                let mut others = (0..self.worlds.len()).filter(|other| *other != r);
                let is_so = others.any(|other| self.worlds[other].ledger.has_let_pass(passed));
                assert!(is_so, "P3: no other replica has let {passed:?} pass, and at replica {r} it does for that");
            }
        }
    }

    /// At rest those that run announce the same, or say why not.
    pub(super) fn check_agreement(&self) {
        for r in self.running() {
            let rows = self.worlds[r].process.iter().flat_map(|process| process.engine.replica_rows());
            for row in rows.filter(|row| row.known.gone.is_none()) {
                let other = row.known.report.replica.identity;
                assert!(
                    !matches!(row.agreement, Agreement::Differs { .. }),
                    "P8: at rest replica {r} and {other} are {:?}",
                    row.agreement
                );
            }
        }
    }
}

impl Board {
    fn write(&mut self, report: &ReplicaReport) {
        self.revision += 1;
        let said = Said { report: ReplicaReport::decode(&report.encode()), revision: self.revision };
        self.records.insert(Arc::clone(&report.replica.identity), said);
    }

    /// Put back to what stood there once. A store that is begins a new count, or nobody could tell what is written from then on.
    pub(super) fn put_back(&mut self, older: &Board) {
        *self = Board { revision: self.revision + 1000, records: older.records.clone() };
    }
}
