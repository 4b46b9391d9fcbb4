//! Another replica, as far as it is known.

use super::ReplicaReport;
use crate::model::Time;

/// What another replica has said last, also after it is gone: its paths may still be at the gateways.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownReplica {
    /// The last that it said.
    pub report: ReplicaReport,
    /// Since when it takes no part any more, on the engine's clock; None: it does. Never earlier than it was gone, but
    /// possibly later: a process that starts sees only then that another is gone.
    pub gone: Option<Time>,
}
