//! A running service and gateways of the test's own that connect to it, or that it connects to, on loopback addresses that
//! no other test has.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod burden;
#[path = "../http/client.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod client;
mod ending;
mod flood;
mod listeners;
mod panics;
mod passwords;
mod peer;
mod ranges;
mod traps;
#[path = "../shared/until.rs"]
mod until;
#[path = "../shared/update.rs"]
mod update;
mod world;
