//! What the stores have ever said, and when: the judge's own reading of the records, from the writes and not from the engine.

use super::script::covers;
use super::settings::{all_prefixes, is_admitted};
use crate::model::{Prefix, Time};
use crate::table::Target;
use crate::testing::store::{Host, Store, name};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// What was written in so short a time before nobody may know yet.
const NEWS: Duration = Duration::from_secs(15);
/// The same where a store was replaced: it is followed after a minute.
const NEWS_OF_ANOTHER_STORE: Duration = Duration::from_secs(75);

#[derive(Default)]
pub(super) struct Truth {
    /// What each record of each store said when it could be read last.
    said: Vec<BTreeMap<u8, Host>>,
    /// What is stated now, by which store, and admitted by the fence; and whether a person has withdrawn it.
    now: BTreeSet<(Prefix, IpAddr, usize, bool)>,
    /// Since when who of them states what.
    since: BTreeMap<(Prefix, IpAddr), Time>,
    /// When that was so last.
    stated: BTreeMap<(Prefix, IpAddr), Time>,
    /// The last time of that that is over: from when until when.
    last: BTreeMap<(Prefix, IpAddr), (Time, Time)>,
    /// When a store was replaced last.
    replaced: Option<Time>,
    /// What cannot be read counts as it was.
    kept: Absence,
    /// It counts as nothing: so a process sees it that never read it.
    readable: Absence,
}

/// When no record of a store stated a prefix.
#[derive(Default)]
struct Absence {
    since: BTreeMap<(Prefix, usize), Time>,
    /// The last time that is over: from when until when.
    last: BTreeMap<(Prefix, usize), (Time, Time)>,
}

impl Absence {
    fn follow(&mut self, now: Time, stores: usize, stated: &BTreeSet<(Prefix, usize)>) {
        for of in all_prefixes().flat_map(|prefix| (0..stores).map(move |store| (prefix, store))) {
            if !stated.contains(&of) {
                self.since.entry(of).or_insert(now);
            } else if let Some(since) = self.since.remove(&of) {
                self.last.insert(of, (since, now));
            }
        }
    }

    fn was(&self, of: (Prefix, usize), since: Time) -> bool {
        self.since.contains_key(&of) || self.last.get(&of).is_some_and(|(_, until)| *until >= since)
    }
}

impl Truth {
    /// Looks at the stores after a write, and at what a person has withdrawn: that counts as stated by nobody.
    pub(super) fn follow(&mut self, now: Time, stores: &[Store], forced: &BTreeSet<Target>) {
        self.said.resize_with(stores.len(), BTreeMap::new);
        for (said, store) in self.said.iter_mut().zip(stores) {
            said.retain(|host, _| store.hosts.contains_key(host));
            for (host, (what, ..)) in &store.hosts {
                what.iter().for_each(|what| _ = said.insert(*host, what.clone()));
            }
        }
        let (mut claims, mut kept, mut readable) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (n, said) in self.said.iter().enumerate() {
            for (host, said) in said {
                for (prefix, next_hop) in said.claims() {
                    if !is_admitted(prefix, next_hop) {
                        continue;
                    }
                    let is_forced = forced.iter().any(|target| covers(target, prefix, &name(*host)));
                    claims.insert((prefix, next_hop, n, is_forced));
                    if is_forced {
                        continue;
                    }
                    kept.insert((prefix, n));
                    if stores[n].hosts.get(host).is_some_and(|(what, ..)| what.is_some()) {
                        readable.insert((prefix, n));
                    }
                }
            }
        }
        for (prefix, next_hop, ..) in std::mem::replace(&mut self.now, claims) {
            self.stated.insert((prefix, next_hop), now);
        }
        let stated: BTreeSet<_> = self.now.iter().map(|(prefix, next_hop, ..)| (*prefix, *next_hop)).collect();
        let last = &mut self.last;
        self.since.retain(|of, since| {
            let is_stated = stated.contains(of);
            if !is_stated {
                last.insert(*of, (*since, now));
            }
            is_stated
        });
        stated.into_iter().for_each(|of| _ = self.since.entry(of).or_insert(now));
        self.kept.follow(now, stores.len(), &kept);
        self.readable.follow(now, stores.len(), &readable);
    }

    /// Whether in each store there was a moment since then at which it did not state the prefix. Not of all at once: what is
    /// known of one may be older than what is known of another. `afresh`: for a process that began after it.
    /// `but`: stores that do not count.
    pub(super) fn was_absent(&self, prefix: Prefix, since: Time, afresh: bool, but: &[usize]) -> bool {
        let absence = if afresh { &self.readable } else { &self.kept };
        (0..self.said.len()).all(|store| but.contains(&store) || absence.was((prefix, store), since))
    }

    /// Whether no store has stated it for so long, as far as anybody can know by now.
    pub(super) fn is_long_absent(&self, prefix: Prefix, now: Time, span: Duration) -> bool {
        let is_absent = |store| self.kept.since.get(&(prefix, store)).is_some_and(|since| now.since(*since) >= span);
        let was_absent = |store| {
            let last = self.kept.last.get(&(prefix, store));
            last.is_some_and(|last| self.was_long(*last, now, span))
        };
        (0..self.said.len()).all(|store| is_absent(store) || was_absent(store))
    }

    /// Whether somebody has stated the prefix by this next hop for so long, as far as anybody can know by now.
    pub(super) fn is_long_stated(&self, prefix: Prefix, next_hop: IpAddr, now: Time, span: Duration) -> bool {
        let of = (prefix, next_hop);
        let is_stated = self.since.get(&of).is_some_and(|since| now.since(*since) >= span);
        is_stated || self.last.get(&of).is_some_and(|last| self.was_long(*last, now, span))
    }

    /// Whether it was so for so long, and nobody need know yet that it is over.
    fn was_long(&self, (since, until): (Time, Time), now: Time, span: Duration) -> bool {
        let is_recent = self.replaced.is_some_and(|at| now.since(at) <= NEWS_OF_ANOTHER_STORE);
        let news = if is_recent { NEWS_OF_ANOTHER_STORE } else { NEWS };
        now.since(until) <= news && until.since(since) >= span
    }

    /// A store is another than it was before.
    pub(super) fn replaced(&mut self, now: Time) {
        self.replaced = Some(now);
    }

    /// Whether there was a moment since then at which somebody stated the prefix by this next hop.
    pub(super) fn was_stated(&self, prefix: Prefix, next_hop: IpAddr, since: Time) -> bool {
        let is_now = self.now.iter().any(|(stated, by, ..)| (*stated, *by) == (prefix, next_hop));
        is_now || self.stated.get(&(prefix, next_hop)).is_some_and(|at| *at >= since)
    }

    /// How many prefixes are stated now.
    pub(super) fn count(&self) -> usize {
        self.now.iter().map(|(prefix, ..)| prefix).collect::<BTreeSet<_>>().len()
    }
}
