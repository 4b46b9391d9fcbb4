//! What the matrix is made of: features, daemons, and what came out where they meet.

use std::fmt;

use integration::lab::gateway::Daemon;
use serde_json::{Value, json};

use crate::{bulk, ends, life, reach, secure};

/// What a scenario finds; that it failed, it says by a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Everything that was asserted holds.
    Works,
    /// The daemon cannot do it, and the scenario has seen that; the reason.
    Unsupported(&'static str),
}

/// A row of the matrix.
pub(crate) struct Feature {
    /// The word in names of cells.
    pub(crate) word: &'static str,
    /// The name in the table.
    pub(crate) title: &'static str,
    /// What a cell that passed has shown.
    pub(crate) claim: &'static str,
    /// Whether it needs the processor all the time; the others mostly wait.
    pub(crate) is_busy: bool,
    /// The scenario.
    pub(crate) check: fn(Daemon) -> Found,
}

pub(crate) const FEATURES: &[Feature] = &[
    Feature {
        word: "ibgp",
        title: "iBGP",
        claim: "one AS: routes come, move and go, the session stays",
        is_busy: false,
        check: reach::ibgp,
    },
    Feature {
        word: "ebgp",
        title: "eBGP",
        claim: "two ASes, one hop, both families: routes come, move and go, the session stays",
        is_busy: false,
        check: reach::ebgp,
    },
    Feature {
        word: "multihop",
        title: "eBGP multihop",
        claim: "the same with a router between",
        is_busy: false,
        check: reach::multihop,
    },
    Feature {
        word: "v6_session",
        title: "IPv6 session",
        claim: "the same over an IPv6 session",
        is_busy: false,
        check: reach::v6_session,
    },
    Feature {
        word: "v6_over_v4",
        title: "IPv6 over IPv4",
        claim: "IPv6 routes alone over an IPv4 session",
        is_busy: false,
        check: reach::v6_over_v4,
    },
    Feature {
        word: "v4_over_v6",
        title: "IPv4 over IPv6 next hop",
        claim: "hosts with IPv6 addresses alone, an IPv6 session: their IPv4 routes come with an IPv6 next hop; with IPv4 \
                addresses they go on over those, the session stays",
        is_busy: false,
        check: reach::v4_over_v6,
    },
    Feature {
        word: "dials_us",
        title: "passive",
        claim: "Fingerpost only listens, the daemon connects",
        is_busy: false,
        check: reach::dials_us,
    },
    Feature {
        word: "dials_our_range",
        title: "passive, dynamic",
        claim: "the daemon connects to a `listen_range`: it is told every route but those by its own addresses, of either family",
        is_busy: false,
        check: reach::dials_our_range,
    },
    Feature {
        word: "dials_range",
        title: "dynamic neighbour",
        claim: "the daemon takes whoever connects from a subnet, and Fingerpost connects",
        is_busy: false,
        check: reach::dials_range,
    },
    Feature {
        word: "md5",
        title: "MD5",
        claim: "Fingerpost connects with another key: no session, its hint says MD5, and the gateway's kernel counts what it \
                drops (`TCPMD5Failure`); once the key's file is mended, a session and every route, without a restart",
        is_busy: false,
        check: secure::md5,
    },
    Feature {
        word: "md5_range",
        title: "MD5, IPv6, dynamic",
        claim: "the same over IPv6, where the daemon connects to a `listen_range` with a key, and Fingerpost's kernel counts",
        is_busy: false,
        check: secure::md5_range,
    },
    Feature {
        word: "gtsm",
        title: "GTSM",
        claim: "both sides demand TTL 255: a session, every route. Both started anew, Fingerpost with a lower TTL: no session \
                in twice the time that this takes with the right one, and the gateway's kernel counts what it drops \
                (`TCPMinTTLDrop`); started anew with the right one, all is well",
        is_busy: false,
        check: secure::gtsm,
    },
    Feature {
        word: "gtsm_passive",
        title: "GTSM, IPv6, passive",
        claim: "the daemon connects over IPv6, and Fingerpost demands hop limit 255: with the usual one it is refused, and \
                the log says why; where both sides have GTSM, a session, every route",
        is_busy: false,
        check: secure::gtsm_passive,
    },
    Feature {
        word: "refresh",
        title: "route refresh",
        claim: "on a ROUTE-REFRESH everything is sent again, between BoRR and EoRR where both know them; nothing is lost",
        is_busy: false,
        check: life::refresh,
    },
    Feature {
        word: "gr_restart",
        title: "graceful restart",
        claim: "Fingerpost is killed and started again: every route stays, and what was deleted meanwhile goes with \
                End-of-RIB",
        is_busy: false,
        check: life::gr_restart,
    },
    Feature {
        word: "llgr",
        title: "long-lived graceful restart",
        claim: "Fingerpost is killed with restart time 0 and long-lived stale time 600 s: every route stays, marked \
                LLGR_STALE, and is fresh again after its return",
        is_busy: false,
        check: life::llgr,
    },
    Feature {
        word: "drain",
        title: "drain",
        claim: "`drain` by a reload: every route gets GRACEFUL_SHUTDOWN and, but for ExaBGP, becomes the last choice, and back; none \
                is lost, the session stays. Decommissioned, Fingerpost sends 6/2 with a text and the routes go (FRR names the code alone, ExaBGP cannot \
                decode it, the others repeat the text)",
        is_busy: false,
        check: ends::drain,
    },
    Feature {
        word: "hard_reset",
        title: "hard reset",
        claim: "Fingerpost is decommissioned where both sides set the N bit: a NOTIFICATION 6/9 around 6/2 is on the wire, and \
                the routes go at once, none is kept as stale",
        is_busy: false,
        check: ends::hard_reset,
    },
    Feature {
        word: "hold_expiry",
        title: "hold time expires",
        claim: "the path is cut without a sign: both sides end the session after the hold time, and it comes back with \
                every route",
        is_busy: false,
        check: life::hold_expiry,
    },
    Feature {
        word: "collision",
        title: "collision",
        claim: "both sides connect at the same time: one connection stays, one session, every route",
        is_busy: false,
        check: life::collision,
    },
    Feature {
        word: "bulk",
        title: "100,000 routes",
        claim: "50,000 IPv4 and 50,000 IPv6 routes arrive, each with its next hop (of GoBGP only the number is looked at)",
        is_busy: true,
        check: bulk::hundred_thousand,
    },
];

/// A meeting of a daemon and a feature.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) daemon: Daemon,
    pub(crate) feature: &'static Feature,
}

impl Cell {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        FEATURES.iter().flat_map(|feature| Daemon::ALL.map(|daemon| Self { daemon, feature }))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.daemon, self.feature.word)
    }
}

/// What came out of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Unsupported(String),
    Failed,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Passed => json!({ "result": "passed" }),
            Self::Unsupported(reason) => json!({ "result": "unsupported", "reason": reason }),
            Self::Failed => json!({ "result": "failed" }),
        }
    }
}
