//! One prefix, several claims: who wins, the same way in any order of arrival.

use super::OwnerId;
use crate::model::{HostName, RecordId, SourceId};
use std::cmp::Ordering;

/// A claim as a slot keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotClaim {
    /// Whose record states it.
    pub source: SourceId,
    /// The record.
    pub record: RecordId,
    /// The host and its next hop.
    pub owner: OwnerId,
    /// See [`Claim::created`](crate::model::Claim::created).
    pub created: u64,
    /// See [`Claim::readable`](crate::model::Claim::readable).
    pub readable: bool,
    /// Refused by the fence, or withdrawn by a person: never wins.
    pub barred: bool,
    /// Whether it was told that it lost.
    pub told: bool,
}

/// Sources by preference: the higher number wins; one that is not listed has 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Priorities(pub Vec<(SourceId, i32)>);

impl Priorities {
    fn of(&self, source: SourceId) -> i32 {
        self.0.iter().find(|(id, _)| *id == source).map_or(0, |&(_, priority)| priority)
    }
}

/// The place of the winner among `claims`, if any may be announced.
///
/// Readable before unreadable, then source priority, then age within one source, then host name; source and record
/// number settle what is left. Ages of two sources cannot be compared, so each source first names its own best claim
/// (comparing all with all would not be transitive); thus the order of arrival never matters (case 55).
pub fn arbitrate<'a>(
    claims: &[SlotClaim],
    priorities: &Priorities,
    host: impl Fn(OwnerId) -> &'a HostName,
) -> Option<usize> {
    let by_host = |a: &SlotClaim, b: &SlotClaim| host(b.owner).cmp(host(a.owner));
    let within_source = |a: &SlotClaim, b: &SlotClaim| -> Ordering {
        let age = b.created.cmp(&a.created);
        a.readable.cmp(&b.readable).then(age).then_with(|| by_host(a, b)).then(b.record.cmp(&a.record))
    };
    let across_sources = |a: &SlotClaim, b: &SlotClaim| -> Ordering {
        let priority = priorities.of(a.source).cmp(&priorities.of(b.source));
        a.readable.cmp(&b.readable).then(priority).then_with(|| by_host(a, b)).then(b.source.cmp(&a.source))
    };
    // One pass: thousands of records may claim one prefix by mistake.
    let mut champions: Vec<(usize, &SlotClaim)> = Vec::new();
    for (place, claim) in claims.iter().enumerate().filter(|(_, claim)| !claim.barred) {
        match champions.iter_mut().find(|(_, champion)| champion.source == claim.source) {
            Some(champion) if within_source(claim, champion.1).is_gt() => *champion = (place, claim),
            Some(_) => {}
            None => champions.push((place, claim)),
        }
    }
    champions.into_iter().max_by(|(_, a), (_, b)| across_sources(a, b)).map(|(place, _)| place)
}
