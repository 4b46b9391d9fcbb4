//! Our messages, read by codecs that other people wrote, so that our encoder and our decoder cannot share a mistake.
//!
//! ```text
//!  routes ─► View ─► Feed ─► chunks ─┬─► our decoder ────┐
//!                                    ├─► rustbgpd-wire ──┼─► Said: equal, and equal to the routes
//!                                    └─► netgauze ───────┘
//!                    their encoders ─► bytes ─► our decoder ─► the same Said
//! ```

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod accepted;
mod any;
mod messages;
mod netgauze;
mod ours;
mod rustbgpd;
mod updates;

use ipnet::IpNet;
use std::net::IpAddr;

/// What an UPDATE says, in nobody's types.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Said {
    withdrawn: Vec<IpNet>,
    reachable: Vec<(IpNet, IpAddr)>,
    origin: Option<u8>,
    as_path: Option<Vec<u32>>,
    med: Option<u32>,
    local_pref: Option<u32>,
    communities: Vec<u32>,
    extended_communities: Vec<[u8; 8]>,
    large_communities: Vec<[u32; 3]>,
    /// AFI and SAFI, if it is an End-of-RIB.
    end_of_rib: Option<(u16, u8)>,
}

/// What both sides know of the session.
#[derive(Clone, Copy, Debug)]
struct Session {
    internal: bool,
    four_octet_as: bool,
    max_len: usize,
}
