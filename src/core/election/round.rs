//! A round: renew the lease, look at the keys, and do what they ask for.

use super::keys::{Expect, Held, LeaderRecord, View};
use super::seat::{Asked, Doing, Kept, Known, Leaving, Member, Predecessor, Question, Seat, State, Vacancy};
use super::{Effect, Election, Reply, Trouble};
use crate::model::{Term, Time};
use crate::source::{Attempt, Fault, FaultKind};
use std::time::Duration;

/// By how much longer than its lease a process with our identity may be seen after its end: the store ends leases late.
const LATE: Duration = Duration::from_secs(2);

/// So many renewals in a row that could not be proven are no coincidence of the store's own elections.
const MEMBERS: u32 = 5;

/// What to do once the keys have been seen.
enum Next {
    Rest,
    /// Look again as soon as it may be.
    Soon,
    Ask(Question),
}

impl Election {
    /// What a round begins with.
    pub(super) fn next_question(&self, now: Time, member: &Member) -> Question {
        if let Some(record) = self.unprovable(now, member) {
            return Question::Release(record.clone());
        }
        let unsure = matches!(member.seat, Seat::Claimed { sure: false, .. });
        if unsure || now < member.renewed + self.settings.rest() / 2 {
            // Before anything else it is read back; or a renewal just now is enough.
            Question::Look { kept: None }
        } else {
            Question::KeepAlive
        }
    }

    /// What it led by, if it does so no more and renewals come through that cannot be proven. Its lease would live on with them,
    /// and nobody else could lead.
    fn unprovable<'a>(&self, now: Time, member: &'a Member) -> Option<&'a LeaderRecord> {
        match &member.seat {
            Seat::Holding { record, .. } | Seat::Claimed { record, sure: true } => {
                let lapsed = member.leads_until(self.settings.margin) <= now;
                Some(record).filter(|_| lapsed && self.unproven >= MEMBERS)
            }
            Seat::Watching | Seat::Claimed { sure: false, .. } => None,
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Time,
        attempt: Attempt,
        answer: Result<Reply, Fault>,
        effects: &mut Vec<Effect>,
    ) {
        let asked = match &self.state {
            State::Granting(asked) | State::Leaving { step: Leaving::Asking(asked), .. } => *asked,
            State::Member(Member { doing: Doing::Asking(asked, _), .. }) => *asked,
            _ => return,
        };
        if asked.attempt != attempt {
            return;
        }
        match answer {
            Ok(reply) => self.reply(now, asked, reply, effects),
            Err(fault) => self.failed(now, fault, effects),
        }
    }

    fn reply(&mut self, now: Time, asked: Asked, reply: Reply, effects: &mut Vec<Effect>) {
        match (&mut self.state, reply) {
            (State::Granting(_), Reply::Granted { lease, ttl }) => {
                let (doing, seat) = (Doing::Resting { next: now }, Seat::Watching);
                let (granted, ttl) = (ttl, ttl.min(self.settings.ttl));
                self.state = State::Member(Member { lease, granted, ttl, renewed: asked.at, seal: None, doing, seat });
            }
            (State::Leaving { .. }, Reply::Done | Reply::NoLease) => self.gone(effects),
            // The keys under it are gone, or go without us.
            (State::Member(_), Reply::NoLease) => {
                self.state = State::Outside { again: now + self.pause() };
            }
            (State::Member(member), reply) => {
                match std::mem::replace(&mut member.doing, Doing::Resting { next: now }) {
                    Doing::Asking(_, question) => self.member_reply(now, asked, question, reply, effects),
                    Doing::Resting { .. } => {}
                }
            }
            (_, reply) => self.failed(now, out_of_turn(&reply), effects),
        }
    }

    fn member_reply(&mut self, now: Time, asked: Asked, question: Question, reply: Reply, effects: &mut Vec<Effect>) {
        match (question, reply) {
            (Question::KeepAlive, Reply::KeptAlive(by)) => {
                // Until a look proves it, which may not come.
                self.unproven = self.unproven.saturating_add(1);
                self.put(now, Question::Look { kept: Some(Kept { at: asked.at, by }) }, effects);
            }
            (Question::Look { kept }, Reply::View(view)) => self.seen(now, asked.at, kept, &view, effects),
            // A transaction that has done nothing says why.
            (Question::Register | Question::Release(_) | Question::Raise(..), Reply::View(view)) => {
                self.seen(now, asked.at, None, &view, effects);
            }
            (Question::Acquire(record, ..), Reply::View(view)) => {
                // Unless it was carried out when it was sent before: then the key holds this very record.
                if let State::Member(member) = &mut self.state {
                    member.seat = Seat::Claimed { record, sure: false };
                }
                self.seen(now, asked.at, None, &view, effects);
            }
            (Question::Acquire(record, ..), Reply::Done) => {
                self.answered();
                self.newest = self.newest.max(record.term);
                if let State::Member(member) = &mut self.state {
                    member.seat = Seat::Claimed { record, sure: true };
                }
                self.take_seat(now);
                self.leave_to_others(now, effects);
            }
            // Resting until now: the keys are looked at once more.
            (Question::Register | Question::Release(_) | Question::Raise(..), Reply::Done) => self.answered(),
            (question, reply) => {
                if let State::Member(member) = &mut self.state {
                    member.doing = Doing::Asking(asked, question);
                }
                self.failed(now, out_of_turn(&reply), effects);
            }
        }
    }

    /// The keys as they are, asked for at `at`; `kept`: the renewal before that.
    fn seen(&mut self, now: Time, at: Time, kept: Option<Kept>, view: &View, effects: &mut Vec<Effect>) {
        let State::Member(mut member) = std::mem::replace(&mut self.state, State::Gone) else { return };
        // All three by one member, in one leadership of the store's own: another could have confirmed what the leader never heard.
        let proven = member.seal == Some(view.seal) && kept.is_some_and(|kept| kept.by == view.seal.member);
        member.seal = Some(view.seal);
        if let Some(kept) = kept.filter(|_| proven) {
            member.renewed = member.renewed.max(kept.at);
            (self.unproven, self.elsewhere) = (0, 0);
        } else if kept.is_some() {
            self.elsewhere = self.elsewhere.saturating_add(1);
        }
        self.newest = self.newest.max(view.term.term().unwrap_or_default());
        if let Held::By(record, _) = &view.leader {
            self.newest = self.newest.max(record.term);
            if record.replica != self.settings.me && record.term <= self.own {
                // A store that was wiped gave our term to another: there has to be a newer one than ours.
                self.newest = self.newest.max(self.own.next().unwrap_or(Term::MAX));
            }
        }
        self.keys_trouble = None;
        self.see_vacancy(now, view);
        let lapsed = matches!(member.seat, Seat::Holding { until, .. } if until <= now);
        let mut next = self.decide(now, at, &mut member, view);
        if !matches!(next, Next::Ask(_)) {
            self.answered();
        }
        if proven && lapsed && kept.is_some_and(|kept| self.is_slow(now, kept)) {
            self.keys_trouble = Some(Trouble::Slow);
        }
        if self.elsewhere >= MEMBERS {
            self.keys_trouble = self.keys_trouble.take().or(Some(Trouble::ManyMembers));
        }
        let provable = self.unproven < MEMBERS;
        if provable && matches!(next, Next::Rest) && (std::mem::take(&mut self.changed) || self.unproven > 0) {
            next = Next::Soon;
        }
        let soon = now + self.pause();
        let next_round = match next {
            // Counted from where the lease is: a store that takes its time leaves less of it.
            Next::Rest => soon.max(kept.map_or(at, |kept| kept.at) + self.rng.jitter(self.settings.rest())),
            Next::Soon | Next::Ask(_) => soon,
        };
        member.doing = Doing::Resting { next: next_round };
        self.state = State::Member(member);
        self.take_seat(now);
        // Who leads stops before another can begin.
        self.tell(now, effects);
        if let Next::Ask(question) = next {
            self.put(now, question, effects);
        }
    }

    /// Since when nobody leads. Whoever can lead and has looked lately looks again within two rests, unless the store is slow. Where it was
    /// not to be had for a lease's time, or is new to this process, the others could see that no more than this one, and have to come back to
    /// it first: they get all their time anew.
    fn see_vacancy(&mut self, now: Time, view: &View) {
        let was_away = self.looked.is_none_or(|looked| now >= looked + self.settings.ttl);
        let turn = if was_away { self.settings.ttl } else { self.settings.rest() * 2 };
        let before = self.vacant.filter(|_| !was_away).unwrap_or(Vacancy { since: now, turn });
        self.vacant = (view.leader == Held::Absent).then_some(before);
        self.looked = Some(now);
    }

    /// Whether two renewals that follow each other, each proven as late as this one, take longer than a leadership lasts. One that lapsed
    /// for another reason (the store was away) says nothing of that.
    fn is_slow(&self, now: Time, kept: Kept) -> bool {
        now.since(kept.at) * 2 > self.settings.ttl.saturating_sub(self.settings.margin)
    }

    fn decide(&mut self, now: Time, at: Time, member: &mut Member, view: &View) -> Next {
        let ours = |record: &LeaderRecord| view.leader == Held::By(record.clone(), Some(member.lease));
        match std::mem::replace(&mut member.seat, Seat::Watching) {
            Seat::Holding { record, .. } if ours(&record) => self.stay(at, member, view, record),
            Seat::Claimed { record, .. } if ours(&record) && self.disk.works => {
                member.seat = Seat::Claimed { record, sure: true };
                Next::Rest
            }
            // Whoever can remember the term shall lead.
            Seat::Claimed { record, .. } if ours(&record) => Next::Ask(Question::Release(record)),
            // A newer term could not be had: by the one in which it led before, it leads on.
            Seat::Claimed { .. } if let Some(record) = self.before(view, member) => self.stay(at, member, view, record),
            _ => self.watch(now, at, member, view),
        }
    }

    /// The record of the leadership in which this process led last, if the leader key still holds it.
    fn before(&self, view: &View, member: &Member) -> Option<LeaderRecord> {
        let record = LeaderRecord { replica: self.settings.me.clone(), term: self.own, lease: member.lease };
        (view.leader == Held::By(record.clone(), Some(member.lease))).then_some(record)
    }

    /// It goes on to lead by this record, which the leader key holds.
    fn stay(&mut self, at: Time, member: &mut Member, view: &View, record: LeaderRecord) -> Next {
        let until = member.leads_until(self.settings.margin);
        let next = self.hold(at, member, view, &record);
        if !matches!(next, Next::Ask(Question::Release(_))) {
            member.seat = Seat::Holding { record, until };
        }
        next
    }

    /// The leader key is ours.
    fn hold(&mut self, at: Time, member: &Member, view: &View, record: &LeaderRecord) -> Next {
        if view.presence == Held::Absent {
            return Next::Ask(Question::Register);
        }
        let Some((stored, expect)) = view.term.term().zip(view.term.expected()) else {
            self.keys_trouble = Some(self.foreign_term());
            return Next::Rest;
        };
        let registered = self.is_registered(at, member, view);
        if self.newest > record.term {
            if !registered {
                // No newer term can be had with another process in the place of this one.
                return Next::Ask(Question::Release(record.clone()));
            }
            // Somebody has heard of a newer term than this one: a store's backup was restored. Lead in one that is newer yet.
            return self.acquire(member, Expect::Value(record.encode()), expect);
        }
        match stored < record.term {
            true => Next::Ask(Question::Raise(record.term, expect)),
            false => Next::Rest,
        }
    }

    /// The leader key is not ours.
    fn watch(&mut self, now: Time, at: Time, member: &Member, view: &View) -> Next {
        let next = self.look_at_leader(now, at, member, view);
        match view.presence {
            Held::Absent => Next::Ask(Question::Register),
            _ => next,
        }
    }

    fn look_at_leader(&mut self, now: Time, at: Time, member: &Member, view: &View) -> Next {
        self.known = None;
        let registered = self.is_registered(at, member, view);
        match &view.leader {
            Held::Foreign => {
                self.keys_trouble = Some(Trouble::ForeignLeader { key: self.settings.keys.leader.clone() })
            }
            Held::By(_, None) => {
                self.keys_trouble = Some(Trouble::LeaderWithoutLease { key: self.settings.keys.leader.clone() })
            }
            Held::By(record, Some(_)) if record.replica == self.settings.me => {
                // Of a transaction that was given up and came late, or under a lease that we no longer have.
                return Next::Ask(Question::Release(record.clone()));
            }
            Held::By(record, Some(_)) => {
                // Our own predecessor is dead: that its lease still runs does not mean that somebody leads.
                let other = record.replica.identity != self.settings.me.identity;
                if other && !matches!(self.keys_trouble, Some(Trouble::SameIdentity { .. })) {
                    let until = at + self.settings.ttl;
                    self.known = Some(Known { leader: record.replica.clone(), term: record.term, until });
                }
                let lost = view.term.term().is_some_and(|stored| stored < self.newest);
                if let Some(expect) = view.term.expected().filter(|_| lost) {
                    return Next::Ask(Question::Raise(self.newest, expect));
                }
            }
            Held::Absent if registered => return self.want(now, member, view),
            Held::Absent => {}
        }
        Next::Rest
    }

    /// Whether the presence key is ours; if not, how long and for whom it has been.
    fn is_registered(&mut self, at: Time, member: &Member, view: &View) -> bool {
        let me = &self.settings.me;
        match &view.presence {
            Held::Absent => {}
            Held::By(record, Some(lease)) if record.replica == *me => {
                self.predecessor = None;
                return *lease == member.lease;
            }
            Held::By(record, Some(_)) => {
                let instance = record.replica.instance;
                let first = self.predecessor.filter(|seen| seen.instance == instance);
                let seen = first.unwrap_or(Predecessor { instance, since: at });
                self.predecessor = Some(seen);
                // Nobody renews a dead process's lease.
                if at >= seen.since + record.ttl + LATE {
                    self.keys_trouble = Some(Trouble::SameIdentity { identity: me.identity.to_string() });
                }
            }
            Held::By(_, None) | Held::Foreign => {
                self.keys_trouble = Some(Trouble::ForeignPresence { key: self.settings.keys.presence.clone() });
            }
        }
        false
    }

    /// Nobody leads, and we could.
    fn want(&mut self, now: Time, member: &Member, view: &View) -> Next {
        let Some(expect) = view.term.expected() else {
            self.keys_trouble = Some(self.foreign_term());
            return Next::Rest;
        };
        // What it could not prove as a leader either would only keep others from leading.
        if !self.disk.works || now < self.hold_off || self.defers(now) || self.unproven >= MEMBERS {
            return Next::Rest;
        }
        if self.pace.must_wait(now) {
            self.keys_trouble = Some(Trouble::TooOften);
            return Next::Rest;
        }
        if now >= member.renewed + self.settings.ttl / 2 {
            // A lease that is about to end is no good to lead by: renew it first.
            return Next::Soon;
        }
        self.acquire(member, Expect::Absent, expect)
    }

    fn foreign_term(&self) -> Trouble {
        Trouble::ForeignTerm { key: self.settings.keys.term.clone() }
    }

    fn acquire(&mut self, member: &Member, leader: Expect, term: Expect) -> Next {
        let Some(next) = self.newest.next() else {
            self.keys_trouble = Some(Trouble::NoTermLeft);
            return Next::Rest;
        };
        let record = LeaderRecord { replica: self.settings.me.clone(), term: next, lease: member.lease };
        Next::Ask(Question::Acquire(record, leader, term))
    }
}

fn out_of_turn(reply: &Reply) -> Fault {
    let what = match reply {
        Reply::Granted { .. } => "a lease",
        Reply::KeptAlive(_) => "a renewal",
        Reply::NoLease => "that there is no such lease",
        Reply::View(_) => "what stands in the keys",
        Reply::Done => "that it was done",
    };
    let message = format!("the election's store answered with {what}, which was not asked for: is it etcd's v3 API?");
    Fault { kind: FaultKind::Malformed, message }
}
