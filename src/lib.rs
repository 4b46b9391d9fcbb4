//! Fingerpost tells a network's gateways over BGP where every pod subnet lives. This is the first tour: the shell.
//!
//! What is *decided* stands in the crate `fingerpost_core`, which does no IO; here is everything that touches the world:
//!
//! - [`config`] reads the YAML file, all or nothing, every fault with its place; [`cli`] is the command line.
//! - [`gateway_config`] writes the gateways' side of the sessions, in their languages.
//! - [`daemon`] makes a running [`daemon::Service`] from a configuration and keeps it equal to its file.
//! - [`source`] has the transports (etcd, file): they do as the core's state machine orders, and report.
//! - `election` says which of several replicas leads, and has what they say of themselves; [`troubles`] is what is wrong with that; [`departure`] is how this process leaves.
//! - [`engine`] is the thread on which the core's engine lives.
//! - [`speaker`] has one task a gateway, with a reader and a writer for each TCP connection.
//! - [`http`] shows what is so; [`admin`] also takes orders (gRPC), and the command line is its client; `look` is what both see with; [`telemetry`] says what happens; [`timeline`] writes it to a file; [`limits`] has the descriptors; [`demo`] is the service and a gateway in one process.
//!
//! Imports go main → cli → daemon → these modules → config → core, and never back.

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod departure;
#[cfg(feature = "etcd")]
pub mod election;
pub mod engine;
#[cfg(feature = "etcd")]
mod first_hop;
pub mod gateway_config;
pub mod http;
pub mod lead;
pub mod limits;
mod look;
pub mod reach;
pub mod snapshot;
pub mod source;
pub mod speaker;
pub mod telemetry;
pub mod timeline;
pub mod troubles;
mod words;
mod yaml;
