//! One record: decoded, and in the table.

use super::super::Rev;
use super::super::schema::Unreadable;
use super::packed::Body;
use crate::model::{Claim, Family, HostName, Labels, Prefix, RecordId};
use hashbrown::HashSet;
use std::sync::Arc;

/// A record, decoded, not yet in the table.
pub(super) struct Fact {
    pub(super) body: Body,
    pub(super) modified: Rev,
    pub(super) created: Rev,
    pub(super) owner: Result<Owner, Unreadable>,
    /// A field that means nothing.
    pub(super) unknown: Option<Box<str>>,
}

impl Fact {
    /// Its key without the range's start.
    pub(super) fn name(&self) -> &[u8] {
        self.body.name()
    }
}

/// Whose the subnets are.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) host: HostName,
    pub(super) labels: Arc<Labels>,
}

/// A record in the table.
pub(super) struct Entry {
    /// The name, and what it said when it could last be read.
    pub(super) body: Body,
    pub(super) id: RecordId,
    pub(super) readable: bool,
    pub(super) modified: Rev,
    pub(super) created: Rev,
    /// None if it could never be read.
    pub(super) owner: Option<Owner>,
}

impl Entry {
    /// What it states and where that is reached.
    pub(super) fn claims(&self, ipv4_via_ipv6: bool) -> impl Iterator<Item = (Prefix, Claim)> {
        let addresses = self.body.addresses();
        self.owner.iter().flat_map(move |owner| {
            self.body.subnets().filter_map(move |prefix| {
                let next_hop = addresses.next_hop(prefix.family(), ipv4_via_ipv6)?;
                let mut of_host = Family::ALL.into_iter().filter_map(|family| addresses.of(family));
                Some((
                    prefix,
                    Claim {
                        host: owner.host.clone(),
                        next_hop,
                        other_address: of_host.find(|address| *address != next_hop),
                        labels: Arc::clone(&owner.labels),
                        created: self.created.0,
                        readable: self.readable,
                    },
                ))
            })
        })
    }

    /// Subnets that have no next hop.
    pub(super) fn without_next_hop(&self, ipv4_via_ipv6: bool) -> impl Iterator<Item = Prefix> {
        let addresses = self.body.addresses();
        self.body.subnets().filter(move |prefix| addresses.next_hop(prefix.family(), ipv4_via_ipv6).is_none())
    }
}

/// One copy of labels for all that have the same: hosts of a zone do.
#[derive(Default)]
pub(super) struct SharedLabels {
    known: HashSet<Arc<Labels>>,
    /// When it has grown to this, those that nobody holds are let go.
    sweep_at: usize,
}

impl SharedLabels {
    pub(super) fn share(&mut self, labels: Labels) -> Arc<Labels> {
        if let Some(labels) = self.known.get(&labels) {
            return Arc::clone(labels);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|labels| Arc::strong_count(labels) > 1);
            self.sweep_at = 64.max(2 * self.known.len());
        }
        let labels = Arc::new(labels);
        self.known.insert(Arc::clone(&labels));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_shared_and_let_go() {
        let labels = |zone: usize| Labels([("zone".to_owned(), zone.to_string())].into());
        let mut shared = SharedLabels::default();
        let held: Vec<_> = (0..10).map(|zone| shared.share(labels(zone))).collect();
        assert!(Arc::ptr_eq(&held[3], &shared.share(labels(3))));
        for zone in 10..10_000 {
            shared.share(labels(zone));
        }
        assert!(shared.known.len() <= 64, "{}", shared.known.len());
        assert!(Arc::ptr_eq(&held[3], &shared.share(labels(3))));
    }
}
