//! Fingerpost's core: from records to BGP messages. No clock, socket, task or lock; see `clippy.toml`.

pub mod bgp;
pub mod engine;
pub mod model;
pub mod policy;
pub mod source;
pub mod table;
pub mod view;
