//! Which of several replicas leads, by a lease in a store that has leases and transactions (promise P7).
//!
//! ```text
//!                 Request: grant, keep alive, look, register, acquire, release, raise, revoke
//!  store ◄──────────────────────────────────────────── Election ──► Leadership, Trouble
//!  (shell) ──────────────────────────────────────────►  │   ▲
//!                 Reply, or a fault, or nothing at all   ▼   │
//!                                                  the term on disk
//! ```
//!
//! Three keys make it up. The *leader* key is held under the leader's lease: who may put it there leads. The *term* key has no
//! lease and is only ever raised, in the transaction that takes the leader key; it outlives every leader. The *presence* key
//! of each identity is held under the lease of the process that has it, so that a second process of that identity is seen.
//!
//! What makes it sound:
//!
//! - **A deadline of its own.** A leader leads until the lease could end at the earliest: the lease's time after the last
//!   renewal *was sent*, less a margin ([`Settings::margin`]). No answer is needed to stop.
//! - **A renewal counts once it is proven.** A member of the store that was the last to hear that it leads no more may confirm a
//!   renewal, or one of a lease whose key is gone (etcd#15247). So after each renewal the keys are read by a quorum; only
//!   if the leader key is ours, the store's own leadership ([`Seal`]) is the one of the read before it, and the member that confirmed
//!   the renewal is the one that both were read from, the renewal counts.
//! - **Terms never go back.** `max(store's, disk's, any other heard of) + 1`, written to disk before this process leads.
//!   Followers write the terms they hear of, and raise the store's where it has lost its own (a restored backup).
//! - **An outcome that is not known is looked up** before anything else is tried. A leader key that turns up as ours without
//!   our leading by it is given back.
//! - **Nobody begins again and again.** Every leadership has all gateways told everything anew. A process that cannot keep it waits
//!   between one beginning and the next, up to six times the lease's length.
//! - **Nothing foreign is overwritten**: a leader or term key that we cannot read is a fault that a person must mend.
//!
//! A process that was started anew within its predecessor's lease waits until that lease ends: at most the lease's time. To
//! revoke it by a number remembered on disk would end a living leader's, where a machine was cloned with its disk.

mod keys;
mod machine;
mod messages;
mod pace;
mod round;
mod seat;
mod settings;
#[cfg(test)]
mod tests;
mod trouble;

pub use keys::{Expect, Held, Keys, LeaderRecord, MemberId, PresenceRecord, Seal, StoredTerm, View};
pub use machine::Election;
pub use messages::{Effect, Input, LeaseId, Reply, Request};
pub use settings::Settings;
pub use trouble::{NAMES as TROUBLES, Trouble};
