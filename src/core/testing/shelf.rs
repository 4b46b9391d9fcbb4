//! A store of orders, as etcd answers what is asked of it.

use crate::orders::{Answer, Listing, Question, Record, Register, Takers};
use crate::replicas::Digest;
use crate::source::{ClusterId, Rev};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) cluster: ClusterId,
    revision: u64,
    pub(crate) orders: BTreeMap<Vec<u8>, (Rev, Bytes)>,
    /// Which orders each replica has said that it has.
    pub(crate) receipts: BTreeMap<Arc<str>, Digest>,
    /// So many records does it list at the most.
    pub(crate) most: Option<usize>,
}

impl Shelf {
    /// What a replica asks; `present`: those that are there.
    pub(crate) fn serve<'a>(
        &mut self,
        me: &Arc<str>,
        present: impl IntoIterator<Item = &'a Arc<str>>,
        question: Question,
    ) -> Answer {
        match question {
            Question::List => {
                // Others write there, too: what an election does, and what replicas say of themselves.
                self.revision += 1;
                let present = present.into_iter().filter(|other| *other != me);
                Answer::Listed(self.list(me, present))
            }
            Question::Read(names) => Answer::Read(names.iter().filter_map(|name| self.record(name)).collect()),
            Question::Write(name, value, revision) => {
                Answer::Written(self.has(&name, revision).then(|| self.put(&name, value)))
            }
            Question::Remove(name, revision) => {
                Answer::Removed(self.has(&name, revision) && self.orders.remove(&name).is_some())
            }
            Question::Confirm(digest) => {
                self.receipts.insert(Arc::clone(me), digest);
                Answer::Confirmed
            }
        }
    }

    fn list<'a>(&self, me: &Arc<str>, present: impl Iterator<Item = &'a Arc<str>>) -> Listing {
        let most = self.most.unwrap_or(usize::MAX);
        let names = self.orders.iter().take(most).map(|(name, (revision, _))| (name.clone(), *revision));
        let more = self.orders.len() > most;
        let receipt = |who: &Arc<str>| self.receipts.get(who).copied();
        Listing {
            cluster: self.cluster,
            at: Rev(self.revision),
            freeze: self.record(Register::Freeze.to_string().as_bytes()),
            names: names.collect(),
            more,
            beyond: more.then(|| format!("more than {most} records")),
            said: receipt(me),
            takers: Takers {
                present: present.map(|who| (Arc::clone(who), receipt(who))).collect(),
                away: BTreeSet::new(),
            },
        }
    }

    fn record(&self, name: &[u8]) -> Option<Record> {
        let (revision, value) = self.orders.get(name)?.clone();
        Some(Record { name: name.to_vec(), revision, value })
    }

    fn has(&self, name: &[u8], revision: Rev) -> bool {
        self.orders.get(name).map_or(Rev::default(), |(revision, _)| *revision) == revision
    }

    /// Somebody writes this; with which revision.
    pub(crate) fn put(&mut self, name: &[u8], value: Bytes) -> Rev {
        self.revision += 1;
        self.orders.insert(name.to_vec(), (Rev(self.revision), value));
        Rev(self.revision)
    }
}
