//! From what a source's state machine says to what is announced: into the table, past the guard, and on to the views.

use super::{Effect, Engine, Source};
use crate::model::{Family, SourceId, Time};
use crate::source::ClaimChange;
use crate::source::sync::Outcome;
use crate::table::{Settled, Table};

impl Engine {
    /// Passes on what a source's state machine decided. The buffer comes back empty.
    pub(super) fn apply(&mut self, now: Time, id: SourceId, mut outcome: Outcome, effects: &mut Vec<Effect>) {
        self.tell_outcome(now, id, &mut outcome, effects);
        let restores = outcome.changes.iter().any(|change| matches!(change, ClaimChange::Restored));
        let has_snapshot = |source: &Source| source.settings.id != id && source.sync.has_snapshot();
        let others = !outcome.changes.is_empty() && self.sources.iter().any(has_snapshot);
        // Between two slices of another source's list, that one's changes must not be decided with what is restored here.
        let parked = (restores || others).then(|| self.table.park());
        let mut restored = if others { self.restore_others(now, id, effects) } else { Vec::new() };
        if others && !restores {
            self.restored(now, None, &mut restored, effects);
        }
        let suspect = std::mem::take(&mut outcome.suspect);
        // From the first thing on that the other store says.
        if suspect && !restores {
            self.table.suspect(now, id);
        }
        for change in outcome.changes.drain(..) {
            match change {
                ClaimChange::Upsert(key, claim) => self.table.upsert(key, &claim),
                ClaimChange::Remove(key, proof) => self.table.remove(key, proof),
                ClaimChange::Restored => {
                    self.restored(now, Some(id), &mut restored, effects);
                    if suspect {
                        self.table.suspect(now, id);
                    }
                }
            }
        }
        parked.into_iter().for_each(|parked| self.table.unpark(parked));
        if std::mem::take(&mut outcome.is_back) {
            self.table.trust(id);
        }
        // Before what differed is settled: what is held only from now on is not proven by the list that says it.
        outcome.gone.clear();
        if std::mem::take(&mut outcome.compared) {
            self.table.confirm(now, id);
        }
        self.outcome = outcome;
        self.follow_histories();
        self.settle(now, effects);
        self.take_wanted(now, effects);
    }

    /// Everything in it but what it changes: that is still to be decided.
    fn tell_outcome(&mut self, now: Time, id: SourceId, outcome: &mut Outcome, effects: &mut Vec<Effect>) {
        self.note_outcome(now, id, outcome);
        effects.extend(outcome.orders.drain(..).map(|order| Effect::Order(id, order)));
        self.noted.tell(now, effects);
        let notes = outcome.notes.drain(..).filter(|note| self.noted.admits(now, id, note));
        effects.extend(notes.map(|note| Effect::Note(id, note)));
        let changes = u64::try_from(outcome.changes.len()).unwrap_or(u64::MAX);
        // Undecided, a change of one source is also one of what the others' snapshots set apart.
        let still = self.holds_still().is_some();
        let concerned = self.sources.iter_mut().filter(|source| still || source.settings.id == id);
        concerned.for_each(|source| source.changes += changes);
    }

    /// A source is about to be let out, and an earlier process knew others that have not answered yet: what it knew comes back
    /// whole, or a prefix that one of them states, too, would be withdrawn or moved for the want of it (P2).
    /// What was held of each is given back, for when the rest is in.
    fn restore_others(&mut self, now: Time, id: SourceId, effects: &mut Vec<Effect>) -> Vec<ComesBack> {
        let mut restored = Vec::new();
        let others = self.sources.iter().filter(|source| source.settings.id != id && source.sync.has_snapshot());
        let others: Vec<SourceId> = others.map(|source| source.settings.id).collect();
        for other in others {
            let mut outcome = Outcome::default();
            let Some(source) = self.source_mut(other) else { continue };
            source.sync.serve_snapshot(now, &mut outcome);
            self.tell_outcome(now, other, &mut outcome, effects);
            let mark = outcome.changes.iter().position(|change| matches!(change, ClaimChange::Restored));
            let held = outcome.changes.split_off(mark.map_or(0, |mark| mark + 1));
            upsert(&mut self.table, outcome.changes);
            restored.push(ComesBack { source: other, held, suspect: outcome.suspect });
        }
        restored
    }

    /// What was known of a source and these others is in: it is announced as it is, and guarded from now on.
    fn restored(
        &mut self,
        now: Time,
        source: Option<SourceId>,
        others: &mut Vec<ComesBack>,
        effects: &mut Vec<Effect>,
    ) {
        self.told_of.restoring = true;
        self.decide(now, Table::settle, effects);
        self.told_of.restoring = false;
        source.into_iter().for_each(|source| self.table.arm(source, false));
        for ComesBack { source, held, suspect } in others.drain(..) {
            self.table.arm(source, false);
            if suspect {
                self.table.suspect(now, source);
            }
            upsert(&mut self.table, held);
        }
    }

    /// Decides what was touched. Between two slices of a list a prefix that moved from one record to another may be in
    /// neither, so nothing is decided before all are in; that also groups a whole first list by owner.
    pub(super) fn settle(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.is_releasing() {
            return;
        }
        if let Some(frozen) = self.holds_still() {
            self.interrupt();
            if frozen.before.is_some() {
                self.settle_unknown(now, effects);
            }
            return;
        }
        self.place_orders(now);
        self.table.note_returning(self.returning());
        self.decide(now, Table::settle, effects);
        self.table.note_returning(Vec::new());
        self.table.trust_all();
        for source in self.sources.iter().filter(|source| source.sync.is_complete()) {
            // What comes of a record that never could be read may have been announced by an earlier process.
            let hides = Family::ALL.iter().any(|family| source.sync.hides_claims(*family));
            self.table.arm(source.settings.id, !hides);
        }
        for source in &mut self.sources {
            // Nothing of what is followed is in doubt, or a person has said that it is right.
            let id = source.settings.id;
            let accepted = self.table.take_accepted(id);
            if accepted || (source.sync.follows_another() && !self.table.is_suspect(id)) {
                source.sync.forget_left();
            }
        }
        self.note_continuity();
        self.close_orders(now);
    }

    /// Frozen since before this process: what a source says of which nothing is known from then is what was announced then, as
    /// far as anybody can tell.
    fn settle_unknown(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let is_new = |source: &&Source| source.sync.is_complete() && !self.table.is_armed(source.settings.id);
        let new: Vec<SourceId> = self.sources.iter().filter(is_new).map(|source| source.settings.id).collect();
        if !new.is_empty() {
            self.decide(now, Table::settle_unarmed, effects);
            new.into_iter().for_each(|id| self.table.arm(id, false));
        }
    }

    pub(super) fn decide(&mut self, now: Time, settle: fn(&mut Table, Time, &mut Settled), effects: &mut Vec<Effect>) {
        // Before the routes of new hosts, and after those of hosts that are gone: then nothing has to be told again.
        self.follow_hosts();
        let mut settled = std::mem::take(&mut self.settled);
        let held = self.count_held();
        settle(&mut self.table, now, &mut settled);
        if !settled.held.is_empty() || self.count_held() != held {
            self.outdate_snapshots();
        }
        let heads = self.heads_before(&settled);
        let withdrawn = self.about_to_withdraw(&settled);
        for (family, changed) in settled.changed.iter() {
            self.views.update(family, changed, &self.table);
        }
        self.override_withdrawn(now, &settled, withdrawn);
        self.note_settled(now, &settled, &heads);
        self.told.note(&settled, &self.table);
        self.told.tell(now, &self.table, effects);
        self.settled = settled;
        self.follow_hosts();
    }

    /// Of what is held or not decided a snapshot has what is announced, whichever source says otherwise.
    fn outdate_snapshots(&mut self) {
        self.sources.iter_mut().for_each(|source| source.changes += 1);
    }

    /// A freeze has ended, or it is known who leads. If nothing keeps still any longer, what was not decided is about to be, and so is
    /// a reload that waited.
    pub(super) fn go_on(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.holds_still().is_some() {
            return;
        }
        self.outdate_snapshots();
        self.judge_reload(now, effects);
        self.renew_overrides(now);
    }

    fn follow_hosts(&mut self) {
        let changes = self.table.host_changes();
        if std::mem::replace(&mut self.hosts_known, changes) != changes {
            self.outlets.follow_hosts(&mut self.views, &self.table);
        }
    }
}

/// Of another source what was held when its earlier process wrote down what it knew.
struct ComesBack {
    source: SourceId,
    held: Vec<ClaimChange>,
    suspect: bool,
}

/// Claims that come back.
fn upsert(table: &mut Table, changes: Vec<ClaimChange>) {
    for change in changes {
        if let ClaimChange::Upsert(key, claim) = change {
            table.upsert(key, &claim);
        }
    }
}
