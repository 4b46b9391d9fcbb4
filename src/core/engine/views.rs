//! All views: one for each policy in use and family, and another one for the gateways with that policy that are drained.

use super::GatewaySettings;
use crate::model::Family;
use crate::policy::Policy;
use crate::table::{SlotId, Table, Winner};
use crate::view::{AttrId, Seq, View};
use std::collections::{BTreeMap, BTreeSet};

/// A view for as long as its policy is in use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct ViewId(pub(super) usize);

struct Named {
    policy: String,
    drain: bool,
    view: View,
}

/// How far the feeds of one view have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Passed {
    pub(super) tail: Seq,
    pub(super) dumping: bool,
}

#[derive(Default)]
pub(super) struct Views {
    policies: BTreeMap<String, Policy>,
    /// What gateways that are drained are told of the same.
    drained: BTreeMap<String, Policy>,
    /// A place stays empty when its policy is out of use, so that the numbers of the others hold.
    views: Vec<Option<Named>>,
}

impl Views {
    pub(super) fn find(&self, policy: &str, drain: bool, family: Family) -> Option<ViewId> {
        let wanted = |named: &Option<Named>| {
            let same =
                |named: &Named| (&*named.policy, named.drain) == (policy, drain) && named.view.family() == family;
            named.as_ref().is_some_and(same)
        };
        self.views.iter().position(wanted).map(ViewId)
    }

    pub(super) fn get(&self, id: ViewId) -> Option<&View> {
        self.views.get(id.0)?.as_ref().map(|named| &named.view)
    }

    pub(super) fn get_mut(&mut self, id: ViewId) -> Option<&mut View> {
        self.views.get_mut(id.0)?.as_mut().map(|named| &mut named.view)
    }

    fn all(&self) -> impl Iterator<Item = (ViewId, &View)> {
        let places = self.views.iter().enumerate();
        places.filter_map(|(place, named)| Some((ViewId(place), &named.as_ref()?.view)))
    }

    /// Each view's head.
    pub(super) fn heads(&self) -> impl Iterator<Item = (ViewId, Seq)> {
        self.all().map(|(id, view)| (id, view.head()))
    }

    pub(super) fn of_family(&self, family: Family) -> impl Iterator<Item = (ViewId, &View)> {
        self.all().filter(move |(_, view)| view.family() == family)
    }

    /// Makes the views that are wanted now and not there yet, and derives anew where the policy is another. Those that no
    /// gateway uses any more stay as they are until [`Views::retire`].
    pub(super) fn reconfigure(
        &mut self,
        policies: &BTreeMap<String, Policy>,
        gateways: &[GatewaySettings],
        table: &Table,
    ) {
        let used: BTreeSet<(&String, bool)> = gateways.iter().map(|gateway| (&gateway.policy, gateway.drain)).collect();
        let before = std::mem::replace(&mut self.policies, policies.clone());
        self.drained = self.policies.iter().map(|(name, policy)| (name.clone(), policy.drained())).collect();
        for (policy, drain) in used {
            for family in Family::ALL {
                let found = self.find(policy, drain, family);
                let id = found.unwrap_or_else(|| self.add(policy, drain, family));
                if found.is_none() || before.get(policy) != self.policies.get(policy) {
                    self.derive_all(id, table);
                }
            }
        }
    }

    /// Drops the views that no gateway uses any more.
    pub(super) fn retire(&mut self, used: &BTreeSet<ViewId>) {
        for (place, view) in self.views.iter_mut().enumerate() {
            *view = view.take().filter(|_| used.contains(&ViewId(place)));
        }
    }

    /// A view, and the one to which its gateways move.
    pub(super) fn pair(&mut self, before: ViewId, now: ViewId) -> Option<((usize, &View), &mut View)> {
        let [before_named, now] = self.views.get_disjoint_mut([before.0, now.0]).ok()?;
        Some(((before.0, &before_named.as_ref()?.view), &mut now.as_mut()?.view))
    }

    fn add(&mut self, policy: &str, drain: bool, family: Family) -> ViewId {
        self.views.push(Some(Named { policy: policy.to_owned(), drain, view: View::new(family) }));
        ViewId(self.views.len() - 1)
    }

    fn derive_all(&mut self, id: ViewId, table: &Table) {
        let Some(Some(Named { policy, drain, view })) = self.views.get_mut(id.0) else { return };
        let family = view.family();
        let mut all: Vec<SlotId> = (0..table.slots(family).capacity() as u32).map(SlotId).collect();
        all.sort_by_key(|&slot| (table.winner(family, slot).map(|winner| winner.owner), slot));
        let policies = if *drain { &self.drained } else { &self.policies };
        derive(view, policies.get(policy), &all, table);
    }

    /// Re-derives these slots in every view of the family.
    pub(super) fn update(&mut self, family: Family, slots: &[SlotId], table: &Table) {
        if slots.is_empty() {
            return;
        }
        for Named { policy, drain, view } in
            self.views.iter_mut().flatten().filter(|named| named.view.family() == family)
        {
            let policies = if *drain { &self.drained } else { &self.policies };
            derive(view, policies.get(policy), slots, table);
        }
    }

    /// By which policies some gateway is told the slot.
    pub(super) fn policies_of(&self, family: Family, slot: SlotId) -> impl Iterator<Item = &str> + Clone {
        let exports = move |named: &&Named| named.view.family() == family && named.view.get(slot).is_some();
        self.views.iter().flatten().filter(exports).map(|named| &*named.policy)
    }

    /// The policies in use.
    pub(super) fn policies_in_use(&self, family: Family) -> impl Iterator<Item = &str> + Clone {
        let views = self.views.iter().flatten();
        views.filter(move |named| named.view.family() == family).map(|named| &*named.policy)
    }

    /// In the views of the policies that are `wanted`: of the slot what is said of the first of `like` of which anything is said, if the
    /// policy of this name `admits` that; nothing otherwise. Which of them it was, in any of the views.
    pub(super) fn set_like(
        &mut self,
        family: Family,
        slot: SlotId,
        wanted: impl Fn(&str) -> bool,
        like: &[SlotId],
        admits: impl Fn(&str, &Policy, SlotId) -> bool,
    ) -> Option<SlotId> {
        let mut found = None;
        let of_policy = |named: &&mut Named| wanted(&named.policy);
        let views = self.views.iter_mut().flatten().filter(|named| named.view.family() == family);
        for Named { policy: name, view, .. } in views.filter(of_policy) {
            let Some(policy) = self.policies.get(name) else { continue };
            let says = like.iter().find_map(|like| view.get(*like).map(|attr| (*like, attr)));
            let says = says.filter(|(like, _)| admits(name, policy, *like));
            view.set(slot, says.map(|(_, attr)| attr));
            found = found.or(says.map(|(like, _)| like));
        }
        found
    }

    pub(super) fn trim(&mut self, passed: &[(ViewId, Passed)]) {
        for &(id, passed) in passed {
            if let Some(view) = self.get_mut(id) {
                view.trim(passed.tail, passed.dumping);
            }
        }
    }

    /// Whether every feed was told the slot's last change (I6).
    pub(super) fn has_passed(&self, slot: SlotId, passed: &[(ViewId, Passed)]) -> bool {
        passed.iter().all(|&(id, passed)| self.get(id).is_none_or(|view| view.has_passed(slot, passed.tail)))
    }

    /// The slot's number is about to be given back.
    pub(super) fn forget(&mut self, family: Family, slot: SlotId) {
        let views = self.views.iter_mut().flatten().map(|named| &mut named.view);
        views.filter(|view| view.family() == family).for_each(|view| view.forget(slot));
    }
}

/// What the policy makes of these slots. They come grouped by owner, so one answer often serves many.
fn derive(view: &mut View, policy: Option<&Policy>, slots: &[SlotId], table: &Table) {
    let family = view.family();
    let one_answer_per_owner = policy.is_some_and(|policy| !policy.looks_at_prefix());
    let mut last: Option<(Winner, Option<AttrId>)> = None;
    for &slot in slots {
        let attr = table.winner(family, slot).and_then(|winner| {
            if one_answer_per_owner
                && let Some((before, answer)) = last
                && (before.owner, before.source) == (winner.owner, winner.source)
            {
                return answer;
            }
            let prefix = table.slots(family).prefix(slot);
            let exported = policy.and_then(|policy| policy.export(prefix, table.owner(winner.owner), winner.source));
            let answer = exported.map(|attributes| view.intern(attributes));
            last = Some((winner, answer));
            answer
        });
        view.set(slot, attr);
    }
}
