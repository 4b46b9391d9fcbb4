//! BGP over TCP: one task a gateway drives its [`Neighbour`](fingerpost_core::bgp::neighbour::Neighbour).
//!
//! ```text
//!                     ┌───────────────── gateway task ────────────────┐
//!  dial, listener ──► │ Neighbour: inputs, effects, deadlines         │ ──► session up, down, refresh ──► engine
//!                     └─▲──────────────────────────────┬──────────────┘
//!               octets  │                              │ OPEN, KEEPALIVE, NOTIFICATION
//!                  reader task                    writer task ◄── chunks, straight from the engine's thread
//!                       └────────── TCP ───────────────┘
//! ```
//!
//! A gateway that is slow, silent, hostile or makes its task panic concerns nobody else (promise P6): its reader waits
//! while its task is busy, and its writer holds two chunks at the most. A task that panics costs what it was for and nothing
//! more: a reader or writer its connection, a gateway's task its sessions, and the [`Speaker`] starts it again after a while;
//! a listener is opened again by its owner. When the
//! process ends, listening ends before the sessions do.

mod chatter;
mod connection;
mod gateway;
mod guarded;
mod listener;
mod listeners;
mod net;
mod password;
mod range;
mod report;
mod revival;
mod roster;
mod socket;
mod standing;
mod unreachable;
mod writer;

pub use listener::Listener;
pub use listeners::{ListenerReport, Listeners};
pub use net::{Accept, Incoming, Later, Net, Stream, Target, Tcp};
pub use range::RangeReport;
pub use report::GatewayReport;
pub use roster::{GatewayConfig, Speaker};
pub use socket::md5::Md5Drops;
