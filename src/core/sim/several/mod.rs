//! Two or three replicas, each a world of its own over copies of the same stores, with sessions to the same gateways.
//!
//! ```text
//!   Script ─► stores ─► World 0: Sync ─► Engine ─► Neighbours ══ wires ══ gateway n's session 0 ─┐
//!     │         └─────► World 1: …                                  gateway n's session 1 ─┴► best path ─► Voice
//!     └─► coordination store ◄── Election, a boot clock, a disk, for each replica
//! ```
//!
//! What a gateway hears from one replica is judged as in a world with one process (P1 to P6, P8). Beside that, after every step, at
//! most one leads, nothing is begun as a leader but by who holds the leader key, and what was stated all the time is forwarded
//! to the same next hop all the time (P2, P7, P10); at rest every gateway goes by the leader.

mod cluster;
mod encore;
mod leftovers;
mod orders;
mod rest;
mod script;
mod seat;
mod status;
mod voice;

use super::{Tried, hold};
use cluster::Cluster;

fn tried(seed: u64, traces: bool) -> Tried {
    let mut cluster = Cluster::new(seed, traces);
    let why = super::caught(|| cluster.run());
    cluster.gather_traces();
    Tried { why, trace: cluster.trace }
}

#[test]
fn even_seeds_hold_p1_p2_p4_p5_p6_p7_p10() {
    hold("make sim WORLDS=several", "SEVERAL_SEEDS", 0, tried);
}

#[test]
fn odd_seeds_hold_p1_p2_p4_p5_p6_p7_p10() {
    hold("make sim WORLDS=several", "SEVERAL_SEEDS", 1, tried);
}
