//! What a store says, and how sure we are of it.
//!
//! ```text
//!            Order (list, watch, …)                Outcome
//!  transport ◄───────────────────── Sync ─────────────────────► engine
//!  (shell)   ─────────────────────►  │   claim changes, notes
//!            Report (page, events,   ▼
//!                    fault, …)     Schema: record → Statement
//! ```
//!
//! A transport does as it is told and reports; [`Sync`](sync::Sync) alone decides what is known, and it alone can make an
//! [`Absent`](sync::Absent), the proof without which no claim is removed (promise P2).

use crate::model::{Claim, ClaimKey};
use bytes::Bytes;

pub mod schema;
pub mod sync;

/// A store's revision: etcd's, or the count of a file's believed contents. Revisions of two stores are never compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rev(pub u64);

/// Which store answered (etcd's cluster ID; 0 for a file).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct ClusterId(pub u64);

/// The number of an [`Order`]; reports carry the number of the order they answer, and late ones are dropped by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Attempt(pub u64);

/// Keys from `start` up to, not including, `end`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// The first key.
    pub start: Bytes,
    /// One past the last.
    pub end: Bytes,
}

impl KeyRange {
    /// All keys that begin with `prefix`: up to its successor (its last octet below 0xff plus one).
    pub fn of_prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        while end.pop_if(|last| *last == 0xff).is_some() {}
        match end.last_mut() {
            Some(last) => *last += 1,
            None => end.push(0), // etcd's way to write "to the last key"
        }
        KeyRange { start: Bytes::copy_from_slice(prefix), end: Bytes::from(end) }
    }

    /// Whether the key lies in it.
    pub fn contains(&self, key: &[u8]) -> bool {
        *key >= *self.start && (*self.end == *b"\0" || *key < *self.end)
    }
}

/// One stored object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// When it was last written.
    pub modified: Rev,
    /// When it was created.
    pub created: Rev,
}

/// When a record was last written and when it was created: no other record of the same store has both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Revisions {
    /// When it was last written.
    pub modified: Rev,
    /// When it was created.
    pub created: Rev,
}

impl Record {
    /// Its revisions.
    pub fn revisions(&self) -> Revisions {
        Revisions { modified: self.modified, created: self.created }
    }
}

/// A change seen by a watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Written.
    Put(Record),
    /// Deleted, or its lease ran out: etcd tells no difference and gives no value.
    Delete {
        /// The key.
        key: Bytes,
        /// The deletion's revision.
        modified: Rev,
    },
}

/// What a transport shall do. A [`Task::List`], [`Task::Watch`] or [`Task::Recall`] ends whatever it was doing;
/// the others run beside the watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Carried by every report that answers it.
    pub attempt: Attempt,
    /// What.
    pub task: Task,
    /// True where the endpoint in use was stuck or faulty: take another if there is one.
    pub elsewhere: bool,
}

/// See [`Order`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Task {
    /// Read the whole range at one revision, page by page.
    List,
    /// Report every change from this revision on (inclusive), and progress.
    Watch {
        /// The first revision wanted.
        from: Rev,
    },
    /// Read the revisions of one key, from a quorum: is the store the one that was known?
    Recall {
        /// The key.
        key: Bytes,
        /// As it was at this revision; none: as it is.
        at: Option<Rev>,
    },
    /// Ask the watch for its progress (etcd: `WatchProgressRequest`).
    Progress,
    /// List keys and their revisions, without values, at one revision.
    ListKeys,
    /// Read these keys.
    Fetch(Vec<Bytes>),
}

/// What a transport has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// Part of a list; `more` follow unless false.
    Page {
        /// The revision to which all pages of the list are pinned.
        at: Rev,
        /// Who answered.
        cluster: ClusterId,
        /// In key order.
        records: Vec<Record>,
        /// Whether this was not the last page.
        more: bool,
    },
    /// Part of a list of keys.
    KeysPage {
        /// The revision to which all pages of the list are pinned.
        at: Rev,
        /// Who answered.
        cluster: ClusterId,
        /// In their order.
        keys: Vec<(Bytes, Revisions)>,
        /// Whether this was not the last page.
        more: bool,
    },
    /// The answer to a fetch: the records that exist at `at`. A key that is missing here proves nothing: the watch tells.
    Fetched {
        /// The revision of the answer.
        at: Rev,
        /// Who answered.
        cluster: ClusterId,
        /// The records found.
        records: Vec<Record>,
    },
    /// The answer to a recall.
    Recalled {
        /// The store's revision now, also where an earlier one was read.
        at: Rev,
        /// Who answered.
        cluster: ClusterId,
        /// The key's revisions, if it was there.
        found: Option<Revisions>,
    },
    /// The watch stands, from the revision asked for.
    Watching {
        /// Who answered.
        cluster: ClusterId,
    },
    /// Changes in the order of their revisions.
    Events(Vec<Event>),
    /// Nothing is outstanding up to here. May overtake events (etcd#15220): never lowers a position, never proves anything.
    Progress {
        /// The revision.
        at: Rev,
    },
    /// The revision asked for has been compacted away: only a new list helps.
    Compacted,
    /// It failed, and why; the text is for people: what, where, what to do.
    Failed(Fault),
}

/// Why a source cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The sort, for metrics and hints.
    pub kind: FaultKind,
    /// What, where, and what to do.
    pub message: String,
}

/// Sorts of [`Fault`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FaultKind {
    /// No answer, refused connection, broken stream.
    Unreachable,
    /// Wrong or missing credentials, or no permission. Never means "empty".
    Denied,
    /// TLS: certificate or name.
    Tls,
    /// The answer (or the file) makes no sense.
    Malformed,
    /// Another cluster answers, or revisions went backwards.
    Replaced,
    /// Silent for too long.
    Stuck,
    /// What was to be read has been compacted away; it is being read anew.
    Compacted,
}

/// What happened to a source's claims.
#[derive(Debug)]
pub enum ClaimChange {
    /// New, or another owner, next hop or readability than before.
    Upsert(ClaimKey, Claim),
    /// Gone, and here is the proof.
    Remove(ClaimKey, sync::Absent),
    /// All before this is what an earlier process knew of the source: it is announced as it is, and what follows is a change
    /// of it.
    Restored,
}
