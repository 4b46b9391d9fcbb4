//! The engine between stores that fail and gateways that are slow: P2, P4 and P5 from a record to a gateway's table.
//!
//! ```text
//!  Store ─ Transport ─ Report ─► Engine ─ Send ─► queue ─► Gateway: a map, fed by decoding
//!    └──────── claims, arbitrated and exported by the tests' own words ────────┘  equal at rest
//! ```

mod drained;
mod expected;
mod guarded;
mod histories;
mod lab;
mod lists;
mod many;
mod overrides;
mod paced;
mod promises;
mod ranges;
mod reloaded;
mod replaced;
mod reporting;
mod restored;
mod resumed;
mod roles;
mod settings;
mod shared;
mod shared_limits;
mod succeeded;
mod timeline;
mod vouched;
