//! What a gateway's daemon learned, whether or not its kernel has it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::route::PodRoutes;

/// What a daemon says of a path besides its next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Kept while the speaker restarts (RFC 4724).
    Stale,
    /// Kept for long, least preferred: community `LLGR_STALE` (RFC 9494).
    LongLivedStale,
    /// About to go: community `GRACEFUL_SHUTDOWN` (RFC 8326).
    GracefulShutdown,
    /// Any other path is better: local preference 0, or 1 where 0 means none.
    LastChoice,
}

/// A path to a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The next hop. More than one: several paths were learned.
    pub via: BTreeSet<IpAddr>,
    /// What else is said of it.
    pub marks: BTreeSet<Mark>,
}

/// The pod subnets that a daemon learned from Fingerpost.
pub type Rib = BTreeMap<String, Path>;

/// The path that a daemon prefers among those it has to a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Its next hops.
    pub via: BTreeSet<IpAddr>,
    /// By what a leader's paths are told from a standby's, the least is preferred: MED; on iBGP [`by_local_pref`].
    pub med: Option<u32>,
    /// From which replica it is: 0 is the first.
    pub from: Option<usize>,
    /// How many paths there are that a living replica has announced: not those that are kept of one that is gone.
    pub paths: usize,
}

/// What a daemon prefers, for each pod subnet.
pub type Choices = BTreeMap<String, Choice>;

/// What a LOCAL_PREF stands for beside MEDs: Fingerpost's mark of a leader's paths is the same then. None of what daemons take for
/// granted where there is none.
#[must_use]
pub fn by_local_pref(local_pref: Option<u64>) -> Option<u32> {
    let local_pref = local_pref.filter(|local_pref| *local_pref > 100)?;
    u32::try_from(2_000_000_u64.saturating_sub(local_pref)).ok()
}

/// The table without the marks.
#[must_use]
pub fn next_hops(rib: &Rib) -> PodRoutes {
    rib.iter().map(|(prefix, path)| (prefix.clone(), path.via.clone())).collect()
}
