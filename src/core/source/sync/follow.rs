//! What to do next: lists, watches, retries, and when a source counts as lost or current.

use super::history::{Left, WAY_OUT};
use super::list::Of;
use super::{
    Attempt, ClusterId, Fault, FaultKind, Follow, Listing, Note, Order, Outcome, Phase, Recall, Reconcile, Rev, Seen,
    Sync, Task, Time, WATCHES, Watch, Why,
};

impl Sync {
    /// Orders what is needed now: a watch from the position, or a list where there is none or watches were in vain.
    pub(super) fn resume(&mut self, now: Time, elsewhere: bool, out: &mut Outcome) {
        self.reconcile = None;
        let attempt = self.fresh_attempt();
        let task = match self.position {
            Some(from) if self.config.follow == Follow::Watch && self.in_vain < WATCHES => {
                self.phase = Phase::Watching(Watch { attempt, heard: now, ask: None, works: None });
                Task::Watch { from }
            }
            _ => {
                self.in_vain = 0;
                self.phase = Phase::Listing(Listing::new(attempt, now));
                Task::List
            }
        };
        out.orders.push(Order { attempt, task, elsewhere });
    }

    /// Goes on after a fault: first it must be known that this is still the same store, unless nothing of it was believed yet.
    pub(super) fn retry(&mut self, now: Time, elsewhere: bool, out: &mut Outcome) {
        if self.replaced.is_some_and(|since| now.since(since) >= self.config.timing.replaced) {
            return self.compare_with_another(now, elsewhere, out);
        }
        let resumes = self.position.is_some() || self.replaced.is_some();
        let in_doubt = self.config.follow == Follow::Watch && self.complete && resumes;
        let Some((key, revisions)) = in_doubt.then(|| self.table.newest()).flatten() else {
            return self.resume(now, elsewhere, out);
        };
        self.reconcile = None;
        let attempt = self.fresh_attempt();
        self.phase = Phase::Recalling(Recall::new(attempt, now, key.clone(), revisions, self.position));
        out.orders.push(Order { attempt, task: Task::Recall { key, at: None }, elsewhere });
    }

    /// The store has been another one for long, at every endpoint: its list is taken as it is, whoever it is, and compared with
    /// what is known of the one before.
    fn compare_with_another(&mut self, now: Time, elsewhere: bool, out: &mut Outcome) {
        let is_left = self.has_left();
        if let (false, Some(cluster), Some((key, known))) = (is_left, self.cluster, self.table.newest()) {
            self.left = Some(Left { cluster, highest: self.highest, key, known, is_left });
        }
        (self.cluster, self.highest, self.position) = (None, Rev::default(), None);
        self.resume(now, elsewhere, out);
        if let Phase::Listing(listing) = &mut self.phase {
            listing.of = Of::Another;
        }
    }

    /// What answers is not the store that is followed: whether it is the one before.
    fn ask_for_the_left(&mut self, now: Time, out: &mut Outcome) {
        let attempt = self.fresh_attempt();
        let Some(left) = &self.left else { return };
        self.phase = Phase::Recalling(left.recall(attempt, now));
        out.orders.push(Order { attempt, task: Task::Recall { key: left.key.clone(), at: None }, elsewhere: false });
    }

    /// Asks for the record once more, as it was at an earlier revision.
    pub(super) fn ask_for_the_witness(&mut self, now: Time, at: Rev, out: &mut Outcome) {
        let attempt = self.fresh_attempt();
        let Phase::Recalling(recall) = &mut self.phase else { return };
        (recall.attempt, recall.heard) = (attempt, now);
        let task = Task::Recall { key: recall.key.clone(), at: Some(at) };
        out.orders.push(Order { attempt, task, elsewhere: false });
    }

    /// Lets out a complete list, and goes on once all is out.
    pub(super) fn release(&mut self, now: Time, limit: usize, out: &mut Outcome) {
        let Phase::Releasing(release) = &mut self.phase else { return };
        if !release.step(limit, &mut self.table, out) {
            return;
        }
        let (at, attempt) = (release.at, release.attempt);
        self.table.compared();
        self.position = Some(at);
        self.highest = self.highest.max(at);
        self.reconciled = Some(now);
        self.reconcile_due = now + self.rng.jitter(self.config.timing.reconcile);
        match self.config.follow {
            Follow::Watch => self.resume(now, false, out),
            Follow::Relists => self.phase = Phase::Following(attempt),
        }
        self.complete |= self.config.allow_empty || (self.doubt.is_none() && !self.table.is_empty());
        if self.config.follow == Follow::Watch {
            self.doubt(now);
        }
        out.compared = true;
        self.now_known(out);
    }

    /// Puts off the moment at which a store that was empty at first may be believed, if new records have come.
    pub(super) fn doubt(&mut self, now: Time) {
        if self.complete {
            return self.doubt = None;
        }
        let records = self.table.counts().records;
        let doubt = self.doubt.get_or_insert_default();
        if records > doubt.records {
            let until = now + self.config.timing.settle;
            doubt.until = Some(until);
            self.reconcile_due = until;
        }
        doubt.records = records;
    }

    /// The store was compared: whether one that was empty at first is believed now.
    fn believe(&mut self, now: Time) {
        self.doubt(now);
        let settled = self.doubt.as_ref().is_some_and(|doubt| doubt.until.is_some_and(|until| until <= now));
        self.complete |= settled && !self.table.is_empty();
    }

    /// The position is what the store says now.
    pub(super) fn now_known(&mut self, out: &mut Outcome) {
        let at = self.position.unwrap_or_default();
        let (next, note) = if self.complete {
            (Seen::Current { value: (), at }, Note::Current { at, records: self.table.counts().records })
        } else {
            (Seen::Never(Why::Empty { at }), Note::NotBelieved { at })
        };
        if std::mem::discriminant(&next) != std::mem::discriminant(&self.seen)
            || matches!(self.seen, Seen::Never(Why::Listing | Why::Failed(_)))
        {
            out.notes.push(note);
        }
        self.seen = next;
        self.tell_hiding(out);
    }

    /// Says when End-of-RIB begins or ends to be withheld because of records. Before the source is complete it is anyway.
    fn tell_hiding(&mut self, out: &mut Outcome) {
        for (family, records) in self.table.count_hiding().iter().filter(|_| self.complete) {
            let hides = *records > 0;
            if std::mem::replace(&mut self.told_hiding[family], hides) != hides {
                out.notes.push(match hides {
                    true => Note::Hides { family, records: *records },
                    false => Note::HidesNoMore { family },
                });
            }
        }
    }

    /// The order in hand failed. Nothing is removed; it is tried again later, elsewhere.
    pub(super) fn fail(&mut self, now: Time, fault: Fault, out: &mut Outcome) {
        let elsewhere = fault.kind != FaultKind::Compacted;
        let was_asked = matches!(&self.phase, Phase::Recalling(recall) if recall.is_of_left);
        let may_be_left = fault.kind == FaultKind::Replaced && self.has_left() && !was_asked;
        if fault.kind == FaultKind::Replaced {
            self.position = None;
            self.replaced.get_or_insert(now);
        } else if let Some(since) = &mut self.replaced {
            // Nobody has answered meanwhile: that is not another store.
            *since = now;
        }
        self.lose(now, fault, out);
        self.reconcile = None;
        if let (Follow::Relists, Some(attempt)) = (self.config.follow, self.phase.attempt()) {
            self.phase = Phase::Following(attempt);
            self.reconcile_due = now + self.rng.jitter(self.config.timing.reconcile);
            return;
        }
        match self.phase {
            Phase::Watching(Watch { works: None, .. }) => self.in_vain += 1,
            Phase::Watching(Watch { works: Some(since), .. }) => {
                self.in_vain = 0;
                if now.since(since) >= self.config.timing.backoff_max {
                    self.failures = 0;
                }
            }
            _ => {}
        }
        let timing = self.config.timing;
        let wait = timing.backoff_min.saturating_mul(1 << self.failures.min(16)).min(timing.backoff_max);
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting { until: now + self.rng.jitter(wait), elsewhere };
        if may_be_left {
            self.ask_for_the_left(now, out);
        }
    }

    /// The revisions from the position on are gone from the store: a list, compared with what is known, replaces them.
    pub(super) fn compacted(&mut self, now: Time, out: &mut Outcome) {
        let from = self.position.take().unwrap_or_default();
        out.notes.push(Note::Compacted { from });
        let message = format!("revision {} has been compacted away: everything is being read anew", from.0);
        self.fail(now, Fault { kind: FaultKind::Compacted, message }, out);
    }

    /// Another store answers: nothing it says is believed.
    pub(super) fn replaced(&mut self, now: Time, cluster: ClusterId, out: &mut Outcome) {
        let known = self.cluster.unwrap_or_default();
        let message =
            format!("another cluster answers: its ID is {:x}, and was {:x} before. {WAY_OUT}", cluster.0, known.0);
        self.fail(now, Fault { kind: FaultKind::Replaced, message }, out);
    }

    /// Asks for all keys.
    pub(super) fn order_reconcile(&mut self, now: Time, out: &mut Outcome) {
        let attempt = self.fresh_attempt();
        self.reconcile = Some(Reconcile::new(attempt, self.highest, now, !self.complete));
        self.reconcile_due = now + self.rng.jitter(self.config.timing.reconcile);
        out.orders.push(Order { attempt, task: Task::ListKeys, elsewhere: false });
    }

    /// The next part of a reconcile, or its end.
    pub(super) fn go_on_reconciling(&mut self, now: Time, out: &mut Outcome) {
        let attempt = Attempt(self.attempts + 1);
        let Some(reconcile) = &mut self.reconcile else { return };
        if let Some(keys) = reconcile.next_keys() {
            reconcile.attempt = attempt;
            reconcile.heard = now;
            self.attempts = attempt.0;
            out.orders.push(Order { attempt, task: Task::Fetch(keys), elsewhere: false });
            return;
        }
        out.notes.extend(reconcile.finding());
        self.reconcile_fault = None;
        if let Some(at) = reconcile.at {
            // A record left out because its answer was too old was left out because the position is beyond this already.
            self.reach(at);
        }
        self.reconcile = None;
        self.reconciled = Some(now);
        self.believe(now);
        out.compared = true;
        self.reconcile_due = self.reconcile_due.max(now + self.config.timing.reconcile_pause);
        self.now_known(out);
    }

    /// Another reconcile, soon; the watch goes on.
    pub(super) fn reconcile_failed(&mut self, now: Time, fault: Fault, out: &mut Outcome) {
        self.reconcile = None;
        self.reconciled = Some(now);
        self.reconcile_due = now + self.config.timing.reconcile_pause;
        if self.reconcile_fault.as_ref() != Some(&fault) {
            out.notes.push(Note::ReconcileFailed(fault.clone()));
        }
        self.reconcile_fault = Some(fault);
    }

    /// What was seen is doubtful: compare soon, but not all the time.
    pub(super) fn reconcile_soon(&mut self, now: Time) {
        let earliest = self.reconciled.map_or(now, |last| last + self.config.timing.reconcile_pause).max(now);
        self.reconcile_due = self.reconcile_due.min(earliest);
    }

    /// The table holds what the store holds up to here.
    pub(super) fn reach(&mut self, at: Rev) {
        self.position = self.position.map(|position| position.max(at));
        self.highest = self.highest.max(at);
        if let Seen::Current { at: shown, .. } = &mut self.seen {
            *shown = (*shown).max(at);
        }
    }

    fn lose(&mut self, now: Time, fault: Fault, out: &mut Outcome) {
        let (next, note) = match &self.seen {
            Seen::Never(Why::Failed(before)) if *before == fault => return,
            Seen::Lost { why, .. } if *why == fault => return,
            Seen::Never(_) => (Seen::Never(Why::Failed(fault.clone())), Note::Failing(fault)),
            Seen::Lost { at, since, .. } => {
                (Seen::Lost { last: (), at: *at, since: *since, why: fault.clone() }, Note::Failing(fault))
            }
            Seen::Current { at, .. } => {
                (Seen::Lost { last: (), at: *at, since: now, why: fault.clone() }, Note::Lost(fault))
            }
        };
        self.seen = next;
        out.notes.push(note);
    }

    fn fresh_attempt(&mut self) -> Attempt {
        self.attempts += 1;
        Attempt(self.attempts)
    }
}
