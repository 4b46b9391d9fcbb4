//! Transports: they carry out a [`Sync`](fingerpost_core::source::sync::Sync)'s orders and report.
//!
//! ```text
//!  Sync ── Order ──► mpsc ──► transport task ──► mpsc (bounded) ── (Attempt, Report) ──► Sync
//! ```
//!
//! A transport decides nothing: it does not retry in the end, forgets nothing on a fault and never says "empty" for "could not
//! read" (P2). The channel of reports is what holds it back: with a capacity of one, a page is being handled, one waits and
//! one is on its way, however large the store. A transport ends when the channel of orders is closed.

use fingerpost_core::source::{Attempt, Report};
use tokio::sync::mpsc;

#[cfg(feature = "etcd")]
pub mod etcd;
pub mod file;

/// Where a transport puts its reports.
pub type Reports = mpsc::Sender<(Attempt, Report)>;
