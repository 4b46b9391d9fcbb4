//! What the HTTP service and the admin API have in common when they look at the engine.

pub(crate) mod search;
pub(crate) mod seen;
