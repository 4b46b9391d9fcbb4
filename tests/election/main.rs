//! The election on real etcds.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[macro_use]
#[path = "../shared/each_etcd.rs"]
mod each_etcd;
mod access;
mod away;
mod balancer;
mod drain;
mod elector;
mod gateway;
mod identity;
mod keys;
mod lead;
mod log;
mod orders;
mod outages;
mod replicas;
mod resign;
#[expect(dead_code, reason = "these tests need less of etcd than those that it was written for")]
#[path = "../source_etcd/server.rs"]
mod server;
mod status;
#[path = "../shared/until.rs"]
mod until;
#[path = "../shared/update.rs"]
mod update;
