//! One gateway: its connections, at most one session, and when to act next.
//!
//! ```text
//!                  Start             Connected, Accepted        OPEN            KEEPALIVE
//!  Idle ─────────► Connect / Active ────────────────► OpenSent ────► OpenConfirm ────► Established
//!    ▲ Stop              ▲                                │               │                │
//!    └───────────────────┴────────────────────────────────┴───── End ─────┴────────────────┘
//! ```
//!
//! RFC 4271 §8 gives every connection a state machine of its own; here a [`Neighbour`] holds up to two connections (one
//! dialled, one accepted) whose phase carries what only that phase has, until collision detection (§6.8) leaves one.
//! It does no IO and knows no clock: inputs and moments come in, [`Effect`]s go out, and [`Neighbour::next_deadline`]
//! says when [`Neighbour::on_deadline`] wants to be called.
//!
//! Deviations from RFC 4271, all for a gateway's sake: ConnectRetryTime is 5 s rather than 120, and after an error there
//! is no growing pause, so a gateway that returns has its routes within one ConnectRetryTime.

mod agree;
mod collision;
mod config;
mod connection;
mod deadlines;
mod end;
mod machine;
mod receive;
mod status;
#[cfg(test)]
mod tests;

pub use agree::{Agreed, Disagreement};
pub use config::{GracefulRestartConfig, NeighbourConfig, Timers};
pub use connection::{ConnectionId, Direction};
pub use end::End;
pub use machine::{Effect, Input, Neighbour, SEND_HOLD_AT_LEAST, Stop, UpdateError};
pub use status::{Counters, State, Status, UpdateErrors};
