//! Why prefixes are decided anew, for the timeline (promise P8).
//!
//! A list may touch a million of them, and the timeline tells no more than [`TOLD`] of one settling apart: reasons are kept for
//! the first so many. Beyond that only a reason that all have in common is known.

use super::{SlotId, Winner};
use crate::model::{Family, RecordId, SourceId};
use crate::source::sync::Proof;
use hashbrown::HashMap;

/// Changes of one settling that are told apart; the others are counted.
pub const TOLD: usize = 1000;

/// Why a route changed, or would.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    /// This record was written, or is seen for the first time.
    Stated(SourceId, RecordId),
    /// This record stated the prefix and does so no longer.
    Gone(SourceId, RecordId, Proof),
    /// Other rules are in force: the fence, or which source comes first.
    Rules,
    /// Its kind of change has no limit any more.
    Unlimited,
    /// A person has withdrawn the prefix or its host.
    Forced,
    /// A person took that back.
    Restored,
    /// A person let it pass.
    Approved,
    /// Complete lists said the same for long enough.
    Proven,
    /// Another replica has let it pass, which has seen each change when it came.
    Vouched,
    /// The prefix had flapped, and was quiet for long enough.
    Calm,
    /// So many prefixes were touched together that the reason for this one was not kept.
    Many,
}

/// What was done to a slot since it was decided last.
#[derive(Clone, Copy, Default, Debug)]
struct Touch {
    stated: Option<(SourceId, RecordId)>,
    gone: Option<(SourceId, RecordId, Proof)>,
    /// Not by the source.
    by: Option<Because>,
}

/// What is true of slots whose reasons were not kept.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
enum Rest {
    #[default]
    Nothing,
    All(Because),
    Mixed,
}

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Touched {
    slots: HashMap<(Family, SlotId), Touch>,
    rest: Rest,
}

impl Touched {
    fn slot(&mut self, family: Family, slot: SlotId) -> Option<&mut Touch> {
        if self.slots.len() < TOLD {
            return Some(self.slots.entry((family, slot)).or_default());
        }
        self.slots.get_mut(&(family, slot))
    }

    /// A record states the slot's prefix.
    pub(super) fn stated(&mut self, family: Family, slot: SlotId, source: SourceId, record: RecordId) {
        match self.slot(family, slot) {
            Some(touch) => touch.stated = Some((source, record)),
            None => self.rest = Rest::Mixed,
        }
    }

    /// A record states it no longer.
    pub(super) fn gone(&mut self, family: Family, slot: SlotId, (source, record): (SourceId, RecordId), proof: Proof) {
        match self.slot(family, slot) {
            Some(touch) => touch.gone = Some((source, record, proof)),
            None => self.rest = Rest::Mixed,
        }
    }

    /// Something else than a source has it decided anew.
    pub(super) fn by(&mut self, family: Family, slot: SlotId, why: Because) {
        if let Some(touch) = self.slot(family, slot) {
            touch.by = Some(why);
            return;
        }
        let alike = self.rest == Rest::Nothing || self.rest == Rest::All(why);
        self.rest = if alike { Rest::All(why) } else { Rest::Mixed };
    }

    /// Why the slot's route becomes `to`.
    pub(super) fn because(&self, family: Family, slot: SlotId, to: Option<Winner>) -> Because {
        let Some(touch) = self.slots.get(&(family, slot)) else {
            return match self.rest {
                Rest::All(why) => why,
                Rest::Nothing | Rest::Mixed => Because::Many,
            };
        };
        let gone = touch.gone.map(|(source, record, proof)| Because::Gone(source, record, proof));
        let stated = touch.stated.map(|(source, record)| Because::Stated(source, record));
        let is_new = touch.stated.is_some() && touch.stated == to.map(|to| (to.source, to.record));
        // Where the winner is no new claim, the one that went made room for it.
        let of_source = if is_new { stated.or(gone) } else { gone.or(stated) };
        touch.by.or(of_source).unwrap_or(Because::Many)
    }

    /// Everything is decided.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.rest = Rest::Nothing;
    }

    /// What was set aside comes back.
    pub(super) fn give_back(&mut self, parked: Touched) {
        let before = std::mem::replace(self, parked);
        for ((family, slot), touch) in before.slots {
            match self.slot(family, slot) {
                Some(known) => {
                    *known = Touch {
                        stated: touch.stated.or(known.stated),
                        gone: touch.gone.or(known.gone),
                        by: touch.by.or(known.by),
                    }
                }
                None => self.rest = Rest::Mixed,
            }
        }
        if before.rest != Rest::Nothing {
            self.rest = Rest::Mixed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Because, TOLD, Touched};
    use crate::model::{Family, RecordId, SourceId};
    use crate::source::Rev;
    use crate::source::sync::Proof;
    use crate::table::SlotId;

    const SOURCE: SourceId = SourceId(0);

    fn slot(n: usize) -> SlotId {
        SlotId(u32::try_from(n).unwrap())
    }

    #[test]
    fn a_person_or_a_proof_is_the_reason_before_what_the_source_says() {
        let mut touched = Touched::default();
        let proof = Proof::Deleted(Rev(7));
        touched.gone(Family::Ipv4, slot(1), (SOURCE, RecordId(3)), proof);
        let because = |touched: &Touched| touched.because(Family::Ipv4, slot(1), None);
        assert_eq!(because(&touched), Because::Gone(SOURCE, RecordId(3), proof));
        touched.by(Family::Ipv4, slot(1), Because::Approved);
        assert_eq!(because(&touched), Because::Approved);
        touched.clear();
        assert_eq!(because(&touched), Because::Many);
    }

    #[test]
    fn reasons_beyond_the_first_are_those_that_all_have_or_none() {
        let mut touched = Touched::default();
        (0..2 * TOLD).for_each(|n| touched.by(Family::Ipv4, slot(n), Because::Rules));
        let last = |touched: &Touched| touched.because(Family::Ipv4, slot(2 * TOLD - 1), None);
        assert_eq!(last(&touched), Because::Rules);
        touched.stated(Family::Ipv4, slot(2 * TOLD), SOURCE, RecordId(1));
        assert_eq!(last(&touched), Because::Many, "it may be that one");
        assert!(touched.slots.len() <= TOLD);
    }
}
