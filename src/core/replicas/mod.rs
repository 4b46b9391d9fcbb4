//! What replicas say of themselves to each other, and what is known of the others.
//!
//! Each puts a [`ReplicaReport`] where the election is held. Nothing is decided by it that P1 to P7 rest on: who leads, the
//! [`election`](crate::election) says. It tells a leader what the others' gateways may still hold, and people whether all say the
//! same.

mod known;
mod report;

pub use known::KnownReplica;
pub use report::{Digest, Malformed, ReplicaReport, ReportedRole, Sessions, SourceReport, TableDigest};
