//! What a policy makes of the routes, and how each gateway comes to hold it.
//!
//! ```text
//!            set(slot, attributes)
//!  engine ───────────────────────► View ── entries: what is so      (slot → attributes, position of last change)
//!                                   └───── log: what changed        (position → slot)
//!                                             ▲            ▲
//!                        Feed of gateway A: tail│  B: tail ──┘ + dump (a walk over all entries, once)
//!                             └── pulls Chunks: whole messages, shared by all feeds that want the same bytes
//! ```
//!
//! A view is shared by all gateways with the same policy and family; a gateway costs one [`Feed`]: a position in the log.
//! The log names slots, not contents: a position is live only while its slot has not changed since, so a gateway that
//! falls behind gets the newest state of each slot once, whatever happened in between.
//!
//! Invariants (each with a property test in `tests`): I1 a caught-up gateway holds exactly its view; I2 a slot that lives
//! throughout a dump precedes the dump's marker; I3 equal attributes put nothing on the wire; I4 shared and private
//! encoding end in the same state; I6 no slot is freed before all tails have passed it; I7 no chunk is handed out with
//! an older stamp than the current one; I8 memory stays bounded with any number of stuck feeds.

mod attributes;
mod cap;
mod chunk;
mod dump;
mod entries;
mod exclusion;
mod feed;
mod log;
mod stamp;
mod stamped;
#[cfg(test)]
mod tests;

pub use attributes::AttrId;
pub use chunk::{CHUNK_BYTES, Chunk};
pub use dump::Marker;
pub use entries::View;
pub use exclusion::{Bar, Exclusion};
pub use feed::{Feed, Knows};
pub use log::Seq;
pub use stamp::Stamp;
