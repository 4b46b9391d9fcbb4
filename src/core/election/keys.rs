//! What stands in the election's keys.

use crate::model::{Instance, Replica, Term};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use super::LeaseId;

/// The form of the records; another one is not read.
const VERSION: u32 = 1;

/// What the keys are called: all begin with the configured one, so that a permission on that prefix is enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// The leader key.
    pub leader: String,
    /// The term key.
    pub term: String,
    /// The presence key of one identity.
    pub presence: String,
    /// Where it says what it is.
    pub status: String,
    /// Where it says which orders it has.
    pub receipt: String,
}

impl Keys {
    /// The keys of the election at `key`, for this identity.
    pub fn new(key: &str, identity: &str) -> Self {
        Keys {
            leader: key.into(),
            term: format!("{key}/term"),
            presence: format!("{}{identity}", Self::all_presences(key)),
            status: format!("{}{identity}", Self::all_statuses(key)),
            receipt: format!("{}{identity}", Self::all_receipts(key)),
        }
    }

    /// What the presence keys of all begin with.
    pub fn all_presences(key: &str) -> String {
        format!("{key}/replicas/")
    }

    /// What the keys of all orders begin with.
    pub fn all_orders(key: &str) -> String {
        format!("{key}/orders/")
    }

    /// What the keys begin with in which each says which orders it has.
    pub fn all_receipts(key: &str) -> String {
        format!("{key}/taken/")
    }

    /// What the status keys of all begin with.
    pub fn all_statuses(key: &str) -> String {
        format!("{key}/status/")
    }
}

/// Which member of the store's cluster has answered, as it says itself: by one name there may be several.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemberId(pub u64);

/// Which of the store's own leaderships an answer came from: that of a member of a cluster in one term of its own (etcd's
/// raft term). While it stays the same between two reads by a quorum, every renewal in between that the same member confirmed was made
/// by the store's true leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Seal {
    /// The cluster.
    pub cluster: u64,
    /// The member that answered.
    pub member: MemberId,
    /// Its term.
    pub term: u64,
}

/// All three keys at one revision, read by a quorum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Whose answer it is.
    pub seal: Seal,
    /// The leader key.
    pub leader: Held<LeaderRecord>,
    /// The term key.
    pub term: StoredTerm,
    /// The presence key of this process's identity.
    pub presence: Held<PresenceRecord>,
}

/// What a key under a lease holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Held<T> {
    /// Nothing.
    Absent,
    /// This, under this lease; none if somebody wrote it by hand.
    By(T, Option<LeaseId>),
    /// Something that no election has written.
    Foreign,
}

/// What the term key holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredTerm {
    /// Nothing.
    Absent,
    /// This.
    Is(Term),
    /// No term.
    Foreign,
}

/// What a transaction takes for granted of a key: otherwise it does nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// It is not there.
    Absent,
    /// It holds exactly this.
    Value(Bytes),
}

/// The leader key's value. By process, term and lease no two leaderships have the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaderRecord {
    /// Who leads.
    pub replica: Replica,
    /// In which term.
    pub term: Term,
    /// Under which lease.
    pub lease: LeaseId,
}

/// A presence key's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PresenceRecord {
    /// Who is there.
    pub replica: Replica,
    /// How long after its end it is still seen.
    pub ttl: Duration,
}

#[derive(Serialize, Deserialize)]
struct LeaderLine {
    fingerpost_leader: u32,
    identity: Arc<str>,
    instance: Instance,
    term: Term,
    lease: i64,
}

#[derive(Serialize, Deserialize)]
struct PresenceLine {
    fingerpost_replica: u32,
    identity: Arc<str>,
    instance: Instance,
    ttl_ms: u64,
}

impl LeaderRecord {
    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        let Replica { identity, instance } = self.replica.clone();
        json(&LeaderLine { fingerpost_leader: VERSION, identity, instance, term: self.term, lease: self.lease.0 })
    }

    /// None of what no election has written.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let line: LeaderLine = serde_json::from_slice(value).ok()?;
        let replica = Replica { identity: line.identity, instance: line.instance };
        let record = LeaderRecord { replica, term: line.term, lease: LeaseId(line.lease) };
        (line.fingerpost_leader == VERSION).then_some(record)
    }
}

impl PresenceRecord {
    /// As it is stored.
    pub fn encode(&self) -> Bytes {
        let Replica { identity, instance } = self.replica.clone();
        let ttl_ms = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        json(&PresenceLine { fingerpost_replica: VERSION, identity, instance, ttl_ms })
    }

    /// None of what no election has written.
    pub fn decode(value: &[u8]) -> Option<Self> {
        let line: PresenceLine = serde_json::from_slice(value).ok()?;
        let replica = Replica { identity: line.identity, instance: line.instance };
        let record = PresenceRecord { replica, ttl: Duration::from_millis(line.ttl_ms) };
        (line.fingerpost_replica == VERSION).then_some(record)
    }
}

impl<T> Held<T> {
    /// What a key holds; nothing where it is not there.
    pub fn read(found: Option<(&[u8], Option<LeaseId>)>, decode: impl Fn(&[u8]) -> Option<T>) -> Self {
        match found {
            None => Held::Absent,
            Some((value, lease)) => decode(value).map_or(Held::Foreign, |record| Held::By(record, lease)),
        }
    }
}

impl StoredTerm {
    /// What the key holds; nothing where it is not there.
    pub fn read(found: Option<&[u8]>) -> Self {
        let Some(value) = found else { return StoredTerm::Absent };
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        let term = number.and_then(|number| Term::new(number).ok());
        // Only what we would have written ourselves: transactions compare it.
        term.filter(|term| StoredTerm::encode(*term) == value).map_or(StoredTerm::Foreign, StoredTerm::Is)
    }

    /// As a term is stored: people can write it by hand.
    pub fn encode(term: Term) -> Bytes {
        term.to_string().into()
    }

    /// The term, where the key does not hold something else.
    pub(super) fn term(self) -> Option<Term> {
        match self {
            StoredTerm::Absent => Some(Term::NONE),
            StoredTerm::Is(term) => Some(term),
            StoredTerm::Foreign => None,
        }
    }

    /// What a transaction takes for granted that has seen this; none where nothing is to be overwritten.
    pub(super) fn expected(self) -> Option<Expect> {
        match self {
            StoredTerm::Absent => Some(Expect::Absent),
            StoredTerm::Is(term) => Some(Expect::Value(StoredTerm::encode(term))),
            StoredTerm::Foreign => None,
        }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // A map with text keys and numbers: nothing in it can fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}
