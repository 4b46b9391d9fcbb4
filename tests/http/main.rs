//! What the HTTP service answers, asked over TCP of a running service with a file source and gateways of the test's own.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

#[path = "../shared/address.rs"]
mod address;
mod client;
mod events;
mod exports;
mod gateways;
mod health;
mod metrics;
mod pages;
mod peer;
mod refused;
mod reload;
mod routes;
mod sources;
#[path = "../shared/until.rs"]
mod until;
mod world;
