//! What this replica holds because it was away while it came, and another that was there has let pass.

use super::reporting::is_compared;
use super::{Effect, Engine, Source};
use crate::model::Time;
use crate::replicas::{KnownReplica, ReplicaNote, ReplicaReport};
use crate::source::sync::Continuity;
use crate::table::ChangeKind;
use std::sync::Arc;

impl Engine {
    pub(super) fn pass_what_others_let_pass(&mut self, now: Time, own: &ReplicaReport, effects: &mut Vec<Effect>) {
        if self.count_held() == 0 || self.holds_still().is_some() || self.is_releasing() {
            return;
        }
        let name = |source: &Source| source.settings.name.clone();
        let compared: Vec<String> = self.sources.iter().filter(|source| is_compared(source)).map(name).collect();
        let compared: Vec<&str> = compared.iter().map(String::as_str).collect();
        let of_held = self.sources.iter().filter(|source| self.count_held_of(source) > 0);
        let held: Vec<(&str, Continuity)> =
            of_held.map(|source| (source.settings.name.as_str(), source.continuity)).collect();
        let vouched = |other: &KnownReplica| {
            let upto = self.reporting.comparing.vouches(own, other, &held, &compared)?;
            Some((upto, Arc::clone(&other.report.replica.identity)))
        };
        let Some((upto, identity)) = self.replicas().iter().filter_map(vouched).max_by_key(|(upto, _)| *upto) else {
            return;
        };
        let passed = self.table.vouch(upto);
        if passed > 0 {
            effects.push(Effect::Replica(identity, ReplicaNote::Vouches(passed)));
            self.settle(now, effects);
        }
    }

    /// What each source has said by now is judged.
    pub(super) fn note_continuity(&mut self) {
        let held: Vec<bool> = self.sources.iter().map(|source| self.count_held_of(source) > 0).collect();
        for (source, is_held) in self.sources.iter_mut().zip(held) {
            let Some((store, at)) = source.sync.believed() else { continue };
            let took_anothers_place = source.sync.follows_another() || self.table.is_suspect(source.settings.id);
            let before = source.continuity;
            source.continuity = before.followed(store, at, is_held, took_anothers_place);
            source.changes += u64::from(source.continuity.since != before.since);
        }
    }

    pub(super) fn count_held(&self) -> usize {
        self.sources.iter().map(|source| self.count_held_of(source)).sum()
    }

    fn count_held_of(&self, source: &Source) -> usize {
        ChangeKind::ALL.into_iter().map(|kind| self.table.count_held(source.settings.id, kind)).sum()
    }
}
