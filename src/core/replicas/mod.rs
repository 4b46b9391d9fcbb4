//! What replicas say of themselves to each other, and what is known of the others.
//!
//! ```text
//!  engine ── ReplicaReport ──► the store ──► KnownReplica ──► the others' engines ──► Comparing: who says something else
//! ```
//!
//! Each puts a [`ReplicaReport`] where the election is held. Nothing is decided by it that P1 to P7 rest on: who leads, the
//! [`election`](crate::election) says. It tells a leader what the others' gateways may still hold, and people whether all say the
//! same.

mod comparing;
mod digest;
mod known;
mod others;
mod placement;
mod report;
mod resign;
mod saying;
mod succession;
mod trail;
mod vouching;

pub use comparing::{Agreement, Apart, Comparing, PATIENCE, ReplicaNote};
pub use digest::{Digest, TableDigest};
pub use known::KnownReplica;
pub use others::{Others, Posted, Reading, Said};
pub use placement::{SoleWay, sole_ways};
pub use report::{Malformed, ReplicaReport, ReportedRole, Sessions, SourceReport};
pub use resign::{Resigning, Resigns, leader_has_read};
pub use saying::Saying;
pub use succession::Succession;

#[cfg(test)]
pub(crate) use report::tests::report;
