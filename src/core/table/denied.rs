//! What a person has denied, over a restart: the holds are judged anew then, and must not be proven by time.

use super::Table;
use crate::model::{Prefix, SourceId};
use crate::table::guard::ChangeKind;
use std::collections::{BTreeMap, BTreeSet};

/// More denials of one kind and source than this are remembered as all of that kind.
const EACH: usize = 1000;

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

impl Table {
    /// What is denied, here or by an earlier process whose holds were not judged anew yet.
    pub fn denied(&self) -> Vec<Denied> {
        let mut by_kind: BTreeMap<(SourceId, ChangeKind), Vec<Prefix>> = BTreeMap::new();
        for held in self.holds().filter(|held| held.hold.is_denied()) {
            by_kind.entry((held.hold.source, held.hold.kind)).or_default().push(held.prefix);
        }
        let mut denied = self.recalled.clone();
        for ((source, kind), prefixes) in by_kind {
            if prefixes.len() > EACH {
                denied.insert(Denied { source, kind, prefix: None });
            } else {
                denied.extend(prefixes.into_iter().map(|prefix| Denied { source, kind, prefix: Some(prefix) }));
            }
        }
        denied.into_iter().collect()
    }

    /// What an earlier process was denied: it counts for what the first complete list of each source makes the guard hold.
    pub fn recall(&mut self, denied: impl IntoIterator<Item = Denied>) {
        self.recalled = denied.into_iter().collect();
    }

    /// Another number than before: other things are withdrawn by order, or denied.
    pub fn order_changes(&self) -> u64 {
        self.orders + self.guard.denials()
    }

    /// The source's first list is judged: what it does not say is not held any more.
    pub(super) fn forget_recalled(&mut self, source: SourceId) {
        if self.recalled.iter().any(|denied| denied.source == source) {
            self.recalled.retain(|denied| denied.source != source);
            self.orders += 1;
        }
    }
}

pub(super) type Recalled = BTreeSet<Denied>;

/// Whether such a change was denied before.
pub(super) fn recalls(recalled: &Recalled, prefix: Prefix, source: SourceId, kind: ChangeKind) -> bool {
    let is_denied = |prefix| recalled.contains(&Denied { source, kind, prefix });
    !recalled.is_empty() && (is_denied(Some(prefix)) || is_denied(None))
}
