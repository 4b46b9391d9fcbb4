//! What a person has decided about holds, over a restart: they are judged anew then. What was denied must not be proven by time,
//! and what was approved while everything was frozen is to pass once that ends.

use super::Table;
use crate::model::{Prefix, SourceId};
use crate::table::guard::{ChangeKind, Decision, Proposal};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// More denials of one kind and source than this are remembered as all of that kind.
const EACH: usize = 1000;
/// So many approvals are remembered: of these none stands for others, or what nobody has seen would pass. The rest is held again.
const APPROVED: usize = 100_000;

/// A denial.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Denied {
    /// Whose limit holds it.
    pub source: SourceId,
    /// What would happen.
    pub kind: ChangeKind,
    /// To which prefix; none: to all.
    pub prefix: Option<Prefix>,
}

/// An approval that was not carried out yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Approved {
    /// Whose limit held it.
    pub source: SourceId,
    /// What is to happen.
    pub kind: ChangeKind,
    /// To which prefix.
    pub prefix: Prefix,
    /// The next hop that it is to get, if any: no other was approved.
    pub to: Option<IpAddr>,
}

/// What an earlier process was told, until the first complete list of each source is judged.
#[derive(Default, Debug)]
pub(super) struct Recalled {
    denied: BTreeSet<Denied>,
    approved: BTreeSet<Approved>,
}

impl Table {
    /// What is denied, here or by an earlier process whose holds were not judged anew yet.
    pub fn denied(&self) -> Vec<Denied> {
        let mut by_kind: BTreeMap<(SourceId, ChangeKind), Vec<Prefix>> = BTreeMap::new();
        for held in self.holds().filter(|held| held.hold.is_denied()) {
            by_kind.entry((held.hold.source, held.hold.kind)).or_default().push(held.prefix);
        }
        let mut denied = self.recalled.denied.clone();
        for ((source, kind), prefixes) in by_kind {
            if prefixes.len() > EACH {
                denied.insert(Denied { source, kind, prefix: None });
            } else {
                denied.extend(prefixes.into_iter().map(|prefix| Denied { source, kind, prefix: Some(prefix) }));
            }
        }
        denied.into_iter().collect()
    }

    /// What a person has approved and was not carried out, as long as everything is frozen.
    pub fn approved(&self) -> Vec<Approved> {
        let here = self.guard.holds().filter(|(_, _, hold)| hold.is_approved()).map(|(_, _, hold)| hold.as_approved());
        self.recalled.approved.iter().copied().chain(here).take(APPROVED).collect()
    }

    /// What an earlier process was told: it counts for what the first complete list of each source changes.
    pub fn recall(&mut self, denied: impl IntoIterator<Item = Denied>, approved: impl IntoIterator<Item = Approved>) {
        self.recalled = Recalled { denied: denied.into_iter().collect(), approved: approved.into_iter().collect() };
    }

    /// Takes approvals of an earlier process back; how many.
    pub fn disapprove(&mut self, wanted: impl Fn(&Approved) -> bool) -> usize {
        let before = self.recalled.approved.len();
        self.recalled.approved.retain(|approved| !wanted(approved));
        let taken_back = before - self.recalled.approved.len();
        self.orders += u64::from(taken_back > 0);
        taken_back
    }

    /// Another number than before: other things are withdrawn by order, denied or approved.
    pub fn order_changes(&self) -> u64 {
        self.orders + self.guard.decisions()
    }

    /// The source's first list is judged: what it does not say is neither held nor approved any more.
    pub(super) fn forget_recalled(&mut self, source: SourceId) {
        let Recalled { denied, approved } = &mut self.recalled;
        let before = denied.len() + approved.len();
        denied.retain(|denied| denied.source != source);
        approved.retain(|approved| approved.source != source);
        self.orders += u64::from(denied.len() + approved.len() != before);
    }
}

impl Recalled {
    /// What was decided about such a change before.
    pub(super) fn decision(&self, proposal: &Proposal) -> Option<Decision> {
        let &Proposal { prefix, source, kind, to, .. } = proposal;
        let is_denied = |prefix| self.denied.contains(&Denied { source, kind, prefix });
        if self.approved.contains(&Approved { source, kind, prefix, to }) {
            return Some(Decision::Approved);
        }
        (!self.denied.is_empty() && (is_denied(Some(prefix)) || is_denied(None))).then_some(Decision::Denied)
    }
}
