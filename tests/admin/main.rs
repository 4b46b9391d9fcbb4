//! The admin API and the commands that are its client, asked over a Unix socket of a running service with a file source and
//! gateways of the test's own.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

#[path = "../shared/address.rs"]
mod address;
mod client;
mod commands;
mod drain;
mod events;
mod explain;
mod holds;
#[expect(dead_code, reason = "these tests need less of an answer than those that it was written for")]
#[path = "../http/client.rs"]
mod http;
mod orders;
mod page;
#[path = "../http/peer.rs"]
mod peer;
mod plan;
mod plan_diff;
mod refused;
mod restart;
#[cfg(feature = "etcd")]
#[expect(dead_code, reason = "these tests need less of an etcd than those that it was written for")]
#[path = "../source_etcd/server.rs"]
mod server;
mod socket;
#[path = "../shared/until.rs"]
mod until;
#[path = "../shared/update.rs"]
mod update;
mod world;
