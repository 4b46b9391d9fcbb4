//! The admin API: gRPC on a Unix socket, for people on call and their tools. The command line is its client.
//!
//! ```text
//!  socket ─► listener ─► tonic ─► service ─┬─ looks ──────► EngineHandle::look     (explain, model: rows → messages)
//!  0660      32 seats    limits            ├─ orders ─────► EngineHandle::command  (audit: one line each)
//!            SO_PEERCRED                   └─ sessions ───► Speaker::report
//! ```
//!
//! `proto/fingerpost/v1/fingerpost.proto` is the contract, `docs/admin-api.md` the page. As in `http`, an answer is computed
//! when it is asked for, and looks are small; orders do not wait behind looks. Nothing that is answered holds a secret
//! (promise P9): the messages have no field for one.

mod audit;
mod backend;
mod drains;
mod events;
mod explain;
mod leave;
mod listener;
mod model;
mod orders;
mod page;
mod replicas;
mod service;
mod told;
mod words;

/// The messages, the service and its client, made from `proto/`.
pub mod proto {
    #![expect(
        missing_docs,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "it is generated"
    )]
    tonic::include_proto!("fingerpost.v1");
}

pub use backend::Admin;
pub use listener::{Connections, Listening, Unavailable};
pub(crate) use model::{route, source, unresolved};
pub(crate) use orders::target;
pub use service::serve;
pub(crate) use told::told_routes;

use std::time::Duration;

/// Where the socket is unless somebody says.
pub const DEFAULT_SOCKET: &str = "/run/fingerpost/admin.sock";
/// The largest answer, in octets. Pages end long before.
pub const LARGEST_ANSWER: usize = 16 << 20;
/// The longest that a request may take.
pub const LONGEST: Duration = Duration::from_secs(10);
