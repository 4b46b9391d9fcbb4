//! From claims to routes: who owns each prefix, and may it be said.
//!
//! ```text
//! claims ──► Fence (P1) ──► arbiter ──► Guard (P3) ──► winner of the slot ──► views
//! ```
//!
//! The fence comes before the arbiter: a claim that must not be announced must not shadow one that may (a record with a
//! next hop out of range would otherwise withdraw its rightful owner's route).
//! Each prefix has a slot for as long as anyone claims it or a gateway may still hold it; views and feeds speak of slots.

mod arbiter;
mod awaited;
mod claims;
mod fence;
mod forced;
mod guard;
mod losers;
mod owners;
mod recalled;
mod slot_claims;
mod slots;
mod touched;

pub use arbiter::{Priorities, SlotClaim, arbitrate};
pub use awaited::SeenChange;
pub use claims::{Change, Ended, HeldChange, Hop, Parked, Settled, Standing, Table, Winner};
pub use fence::{Allowed, Fence, Refusal};
pub use forced::{Forced, Target};
pub use guard::{ChangeKind, FlapLimits, GuardConfig, Hold, HoldReason, Limit, Proofs, Spent};
pub use losers::{Loser, Losers, WhyLost};
pub use owners::{Owner, OwnerId, Owners};
pub use recalled::{Approved, Denied};
pub use slots::{SlotId, Slots};
pub use touched::{Because, TOLD};
