//! What this replica holds because it was away while it came, and another that was there has let pass.

use super::reporting::is_compared;
use super::{Effect, Engine, Source};
use crate::model::{SourceId, Time};
use crate::replicas::{ReplicaNote, ReplicaReport};
use crate::source::Rev;
use crate::source::sync::Continuity;
use crate::table::{ChangeKind, Table};
use std::sync::Arc;

impl Engine {
    pub(super) fn pass_what_others_let_pass(&mut self, now: Time, own: &ReplicaReport, effects: &mut Vec<Effect>) {
        let is_quiet = self.holds_still().is_none() && !self.is_releasing();
        // Of a file each process counts for itself: nobody knows then what another one has seen come.
        if !is_quiet || self.count_held() == 0 || !self.sources.iter().all(is_compared) {
            return;
        }
        let away = self.sources.iter().map(|source| (source.settings.name.as_str(), source.continuity));
        let away: Vec<(&str, Continuity)> = away.collect();
        let vouched = self.reporting.comparing.vouched(own, self.replicas(), &away);
        let Some((upto, identity)) = vouched.map(|(upto, other)| (upto, Arc::clone(&other.identity))) else { return };
        let passed = self.table.vouch(now, upto);
        if passed > 0 {
            effects.push(Effect::Replica(identity, ReplicaNote::Vouches(passed)));
            self.settle(now, effects);
        }
    }

    /// Sources whose first list of this process is about to be judged: what is held of them came while the replica was away.
    pub(super) fn returning(&self) -> Vec<SourceId> {
        let is_first = |source: &&Source| source.sync.is_complete() && !source.is_judged;
        self.sources.iter().filter(is_first).map(|source| source.settings.id).collect()
    }

    /// What each source has said by now is judged.
    pub(super) fn note_continuity(&mut self) {
        let Engine { sources, table, .. } = self;
        for source in sources {
            source.is_judged |= source.sync.is_complete();
            let Some((store, newest)) = source.sync.believed().filter(|_| source.sync.is_current()) else {
                source.continuity.interrupt();
                continue;
            };
            let is_another =
                source.sync.follows_another() || source.sync.has_found_older() || table.is_suspect(source.settings.id);
            let is_held = count_held_of(table, source) > 0;
            let before = source.continuity.passed();
            source.continuity.judged(store, (source.sync.revision(), newest), is_held, is_another);
            // What a later process begins with is to be written down, once it is known at all.
            source.changes += u64::from(before == Rev::default() && source.continuity.passed() != before);
        }
    }

    /// What comes now is not judged by itself, or by other rules.
    pub(super) fn interrupt(&mut self) {
        self.sources.iter_mut().for_each(|source| source.continuity.interrupt());
    }

    pub(super) fn count_held(&self) -> usize {
        self.sources.iter().map(|source| count_held_of(&self.table, source)).sum()
    }
}

fn count_held_of(table: &Table, source: &Source) -> usize {
    ChangeKind::ALL.into_iter().map(|kind| table.count_held(source.settings.id, kind)).sum()
}
