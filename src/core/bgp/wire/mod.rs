//! BGP-4 messages as bytes, both ways.
//!
//! ```text
//!  received:  TCP octets ─► Framer ─► Frame ─► Open | Notification | RouteRefresh | Update (by kind)
//!  sent:      Open, Notification, RouteRefresh, keepalive() ─► one complete message
//!             RouteAttributes + prefixes ─► Packer ─► many complete UPDATEs, filled to the negotiated length
//! ```
//!
//! Nothing here knows a session's state, and nothing here panics on any octets: readers run over the input once,
//! allocate no more than a small multiple of it, and answer a fault with the consequence that the RFC gives it.
//! For all but UPDATE that is the [`Notification`] to send; for UPDATE it is an [`UpdateOutcome`] (RFC 7606).
//!
//! RFCs: 4271 (messages), 4760 (families), 5492 (capabilities), 2918, 7313 (refresh), 4724, 8538, 9494 (restart),
//! 6793 (AS numbers of four octets), 7606 (errors in an UPDATE), 8654 (extended messages), 8950 (IPv4 via IPv6),
//! 9003 (shutdown text), 9072 (long OPEN).

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod as_path;
mod attributes;
mod capability;
mod cease;
mod encoding;
mod fault;
mod framer;
mod message;
mod names;
mod nlri;
mod notification;
mod open;
mod packer;
mod reader;
mod refresh;
mod restart;
#[cfg(test)]
pub(super) mod tests;
mod update;

pub use attributes::{Aggregator, Attributes, Origin};
pub use capability::Capability;
pub use cease::CeaseSubcode;
pub use encoding::{Encoding, RouteAttributes, SessionType};
pub use fault::{AttributeError, Fault};
pub use framer::{Frame, Framer};
pub use message::{HEADER_LEN, MAX_EXTENDED_LEN, MAX_LEN, MessageKind, keepalive};
pub use notification::{InvalidShutdownText, Notification, NotificationTooShort, Unexpected};
pub use open::Open;
pub use packer::Packer;
pub use refresh::{RefreshSubtype, RouteRefresh};
pub use restart::{GracefulRestart, LongLivedFamily, RestartFamily};
pub use update::{Update, UpdateContext, UpdateOutcome};
