//! A store as an election needs one: three keys a replica can see, leases that end late, and members that elect a leader of their own.

use crate::election::{
    Expect, Held, LeaderRecord, LeaseId, MemberId, PresenceRecord, Reply, Request, Seal, StoredTerm, View,
};
use crate::model::Time;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The member that answers.
pub(crate) const ENDPOINT: MemberId = MemberId(1);
/// One that is cut off from the others.
pub(crate) const CUT_OFF: MemberId = MemberId(2);

/// A value, and the lease it is under.
type Value = (Bytes, Option<LeaseId>);

#[derive(Clone, Debug)]
struct Lease {
    ttl: Duration,
    ends: Time,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) leader: Option<Value>,
    pub(crate) term: Option<Bytes>,
    pub(crate) presences: BTreeMap<Arc<str>, Value>,
    leases: BTreeMap<LeaseId, Lease>,
    granted: i64,
    /// The term of the members' own leader.
    raft: u64,
    /// It grants none that is shorter.
    pub(crate) shortest: Duration,
}

impl Store {
    /// Ends what has run out.
    pub(crate) fn expire(&mut self, now: Time) {
        let ended = |(id, lease): (&LeaseId, &Lease)| (lease.ends <= now).then_some(*id);
        let ended: Vec<LeaseId> = self.leases.iter().filter_map(ended).collect();
        ended.into_iter().for_each(|lease| self.end(lease));
    }

    /// The next time at which something runs out.
    pub(crate) fn next_end(&self) -> Option<Time> {
        self.leases.values().map(|lease| lease.ends).min()
    }

    fn lease(&mut self, now: Time, ttl: Duration) -> LeaseId {
        self.granted += 1;
        let lease = LeaseId(self.granted);
        self.leases.insert(lease, Lease { ttl, ends: now + ttl });
        lease
    }

    /// A lease of a minute for another replica that is not there.
    pub(crate) fn grant(&mut self, now: Time) -> LeaseId {
        self.lease(now, Duration::from_secs(60))
    }

    /// Ends this lease.
    pub(crate) fn end(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
        let stays = |value: &Value| value.1 != Some(lease);
        self.leader = self.leader.take().filter(stays);
        self.presences.retain(|_, value| stays(value));
    }

    pub(crate) fn leases(&self) -> Vec<LeaseId> {
        self.leases.keys().copied().collect()
    }

    /// The members elect another leader, which lets every lease run for its whole time again.
    pub(crate) fn elect(&mut self, now: Time) {
        self.raft += 1;
        self.resume(now);
    }

    /// Lets every lease run for its whole time again, as a store that has stood still hears a renewal before it looks which have ended.
    pub(crate) fn resume(&mut self, now: Time) {
        for lease in self.leases.values_mut() {
            lease.ends = now + lease.ttl;
        }
    }

    /// Loses everything, as another cluster would that took its place.
    pub(crate) fn wipe(&mut self) {
        *self = Store { granted: self.granted, raft: self.raft + 1, ..Store::default() };
    }

    pub(crate) fn raft(&self) -> u64 {
        self.raft
    }

    fn view(&self, identity: &str) -> View {
        fn value(value: Option<&Value>) -> Option<(&[u8], Option<LeaseId>)> {
            value.map(|(value, lease)| (&value[..], *lease))
        }
        View {
            seal: Seal { cluster: 1, member: ENDPOINT, term: self.raft },
            leader: Held::read(value(self.leader.as_ref()), LeaderRecord::decode),
            term: StoredTerm::read(self.term.as_deref()),
            presence: Held::read(value(self.presences.get(identity)), PresenceRecord::decode),
        }
    }

    /// Does what `identity` asks for.
    pub(crate) fn serve(&mut self, now: Time, identity: &str, request: Request) -> Reply {
        self.expire(now);
        let is = |found: Option<&Bytes>, expect: &Expect| match (found, expect) {
            (None, Expect::Absent) => true,
            (Some(found), Expect::Value(value)) => found == value,
            _ => false,
        };
        let leader = self.leader.as_ref().map(|(value, _)| value);
        match request {
            Request::Grant { ttl } => {
                let ttl = ttl.max(self.shortest);
                return Reply::Granted { lease: self.lease(now, ttl), ttl };
            }
            Request::KeepAlive(lease) => {
                let Some(lease) = self.leases.get_mut(&lease) else { return Reply::NoLease };
                lease.ends = now + lease.ttl;
                return Reply::KeptAlive(ENDPOINT);
            }
            Request::Revoke(lease) => {
                if !self.leases.contains_key(&lease) {
                    return Reply::NoLease;
                }
                self.end(lease);
            }
            Request::Register { record, lease } if !self.presences.contains_key(&record.replica.identity) => {
                if !self.leases.contains_key(&lease) {
                    return Reply::NoLease;
                }
                self.presences.insert(Arc::clone(&record.replica.identity), (record.encode(), Some(lease)));
            }
            Request::Acquire { record, leader: expected, term, presence }
                if is(leader, &expected)
                    && is(self.term.as_ref(), &term)
                    && is(self.presences.get(identity).map(|(value, _)| value), &Expect::Value(presence.encode())) =>
            {
                if !self.leases.contains_key(&record.lease) {
                    return Reply::NoLease;
                }
                self.leader = Some((record.encode(), Some(record.lease)));
                self.term = Some(StoredTerm::encode(record.term));
            }
            Request::Release(record) if leader == Some(&record.encode()) => self.leader = None,
            Request::Raise { term, expect } if is(self.term.as_ref(), &expect) => {
                self.term = Some(StoredTerm::encode(term));
            }
            Request::Look
            | Request::Register { .. }
            | Request::Acquire { .. }
            | Request::Release(_)
            | Request::Raise { .. } => return Reply::View(self.view(identity)),
        }
        Reply::Done
    }
}
