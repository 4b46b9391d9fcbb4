//! What the HTTP service and the admin API have in common when they look at the engine.

pub(crate) mod events;
pub(crate) mod replicas;
pub(crate) mod search;
pub(crate) mod seen;

use crate::clock::Clock;
use fingerpost_core::engine::Engine;

/// Since when nothing changes, if so, in seconds since 1970; an earlier process may have been ordered that.
pub(crate) fn frozen_since(engine: &Engine, clock: &Clock) -> Option<u64> {
    engine.frozen().map(|since| clock.unix_seconds_before(since, engine.frozen_before()))
}
