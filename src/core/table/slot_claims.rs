//! The claims of one slot.

use super::{OwnerId, Owners, Priorities, SlotClaim, Winner, arbitrate};

/// What a slot holds: nearly always one claim, so the first needs no allocation.
#[derive(Default, Debug)]
pub(super) struct Claims {
    first: Option<SlotClaim>,
    more: Vec<SlotClaim>,
}

impl Claims {
    /// Whether nobody claims the slot.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SlotClaim> {
        self.first.iter().chain(&self.more)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SlotClaim> {
        self.first.iter_mut().chain(&mut self.more)
    }

    /// The claim of this record, replaced; the old one is returned.
    pub(super) fn put(&mut self, claim: SlotClaim) -> Option<SlotClaim> {
        let same = |old: &SlotClaim| old.source == claim.source && old.record == claim.record;
        if let Some(old) = self.iter_mut().find(|old| same(old)) {
            return Some(std::mem::replace(old, claim));
        }
        match self.first {
            None => self.first = Some(claim),
            Some(_) => self.more.push(claim),
        }
        None
    }

    pub(super) fn take(&mut self, wanted: impl Fn(&SlotClaim) -> bool) -> Option<SlotClaim> {
        if self.first.as_ref().is_some_and(&wanted) {
            return std::mem::replace(&mut self.first, self.more.pop());
        }
        let place = self.more.iter().position(wanted)?;
        Some(self.more.swap_remove(place))
    }

    /// False for nearly all, that the log costs nothing: one claim, which is admitted and was never told.
    pub(super) fn may_have_losers(&self) -> bool {
        !self.more.is_empty() || self.first.as_ref().is_some_and(|claim| claim.barred || claim.told)
    }

    pub(super) fn winner(&self, priorities: &Priorities, owners: &Owners) -> Option<Winner> {
        let one;
        let many;
        let claims = match (self.first, self.more.is_empty()) {
            (None, _) => return None,
            (Some(first), true) => {
                one = [first];
                &one[..]
            }
            (Some(_), false) => {
                many = self.iter().copied().collect::<Vec<_>>();
                &many[..]
            }
        };
        let host = |id: OwnerId| &owners.get(id).host;
        let place = arbitrate(claims, priorities, host)?;
        claims.get(place).map(|claim| Winner { owner: claim.owner, source: claim.source, record: claim.record })
    }
}
