//! What keeps this process from leading, or from knowing who does.

use crate::source::Fault;

/// [`Trouble::name`] of every trouble.
pub const NAMES: [&str; 11] = [
    "store",
    "identity",
    "leader_key",
    "leader_lease",
    "term_key",
    "presence_key",
    "members",
    "disk",
    "terms",
    "often",
    "slow",
];

/// For the log and the health page: what, where, and what to do. Values from the store are never repeated: they are not ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    /// The store does not answer, or refuses.
    #[error("{0}")]
    Store(Fault),
    /// Another process of this identity is alive.
    #[error(
        "another process takes part in the election as {identity}: give each replica a router.id or election identity of its \
         own; if it has just been started anew, the process before ends within its lease or, where the store has elected a leader \
         of its own meanwhile, within two"
    )]
    SameIdentity {
        /// The identity that both have.
        identity: String,
    },
    /// What stands in the leader key was not written by an election.
    #[error(
        "the election's key {key} holds something that no Fingerpost of this version has written, which is not overwritten: give the \
         election a key of its own, or delete that one"
    )]
    ForeignLeader {
        /// The key.
        key: String,
    },
    /// The leader key would outlive its leader.
    #[error(
        "the election's key {key} is not under a lease, so that it never ends: somebody has written it by hand; delete it \
         (etcdctl del {key})"
    )]
    LeaderWithoutLease {
        /// The key.
        key: String,
    },
    /// What stands in the term key is no term.
    #[error(
        "the election's term, the key {key}, is no number as Fingerpost writes it: put one there that is higher than every \
         term before (such as 12), or delete it"
    )]
    ForeignTerm {
        /// The key.
        key: String,
    },
    /// The presence key of this identity holds something else.
    #[error(
        "the key of this replica, {key}, holds something that no Fingerpost of this version has written: delete it (etcdctl del {key})"
    )]
    ForeignPresence {
        /// The key.
        key: String,
    },
    /// Each answer comes from another member of the store, so that no renewal can be proven.
    #[error(
        "the election's store answers from a different member each time, or elects its own leader again and again: name its \
         members in endpoints, one by one, and not a proxy before them or one name for several"
    )]
    ManyMembers,
    /// It has begun to lead so often lately that it waits before it does again.
    #[error(
        "this replica has begun to lead again and again within ten minutes, and waits for up to six times the lease's length before \
         it wants to once more: see why it loses the leadership (the store's answers take too long, or the process stands still)"
    )]
    TooOften,
    /// Renewals are proven, but later than a leadership lasts.
    #[error(
        "the election's store takes longer to confirm a renewal and to show it than a leadership lasts, which lapses each time: see \
         why it is slow, or give the election a longer ttl"
    )]
    Slow,
    /// A term could not be written to disk; what the system said. Without that a process does not lead: after a loss of the
    /// store, its next term could be lower than this one.
    #[error("{0}")]
    Disk(String),
    /// There is no higher term.
    #[error(
        "the last term, 999999, has been used up: end every replica, delete the election's keys and the file term in each \
         state_dir, and start them again"
    )]
    NoTermLeft,
}

impl Trouble {
    /// For programs.
    pub fn name(&self) -> &'static str {
        let [store, identity, leader_key, leader_lease, term_key, presence_key, members, disk, terms, often, slow] =
            NAMES;
        match self {
            Trouble::Store(_) => store,
            Trouble::SameIdentity { .. } => identity,
            Trouble::ForeignLeader { .. } => leader_key,
            Trouble::LeaderWithoutLease { .. } => leader_lease,
            Trouble::ForeignTerm { .. } => term_key,
            Trouble::ForeignPresence { .. } => presence_key,
            Trouble::ManyMembers => members,
            Trouble::Disk(_) => disk,
            Trouble::NoTermLeft => terms,
            Trouble::TooOften => often,
            Trouble::Slow => slow,
        }
    }
}
