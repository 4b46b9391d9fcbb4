//! How a source is followed.

use super::super::schema::Schema;
use crate::model::SourceId;
use std::time::Duration;

/// How a source is followed.
#[derive(Clone, Debug)]
pub struct SyncConfig {
    /// Whose claims they are.
    pub source: SourceId,
    /// How its records are written.
    pub schema: Schema,
    /// How changes come.
    pub follow: Follow,
    /// Whether IPv4 subnets of a host that has only an IPv6 address have that for a next hop (RFC 8950).
    pub ipv4_via_ipv6: bool,
    /// Whether an empty first list is believed.
    pub allow_empty: bool,
    /// For jitter.
    pub seed: u64,
    /// How long it waits for what.
    pub timing: Timing,
}

/// How changes come after the first list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// By a watch (etcd).
    Watch,
    /// As complete lists under the first list's attempt, each time the contents change (a file). A fault does not end the
    /// attempt: the transport goes on looking, and reports a list as soon as it has one again, also when nothing changed.
    Relists,
}

/// Spans of time; the defaults are those of the design.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// A watch silent for this long is asked for its progress.
    pub ask_progress: Duration,
    /// A watch silent for this long is given up: a keepalive cannot see a hung watch.
    pub stuck: Duration,
    /// A list or a reconcile is given up when no page comes for this long.
    pub page: Duration,
    /// Between reconciles, at most.
    pub reconcile: Duration,
    /// Between a reconcile and one that is due early, at least.
    pub reconcile_pause: Duration,
    /// A store that was empty at first is believed once no new record came for this long and a reconcile has agreed.
    pub settle: Duration,
    /// A store that is not the one that was known, for this long and at every endpoint, is compared with what was known all the
    /// same, and whatever differs is held.
    pub replaced: Duration,
    /// The wait before the first retry; it doubles.
    pub backoff_min: Duration,
    /// The longest wait before a retry.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            ask_progress: Duration::from_secs(3),
            stuck: Duration::from_secs(9),
            page: Duration::from_secs(30),
            reconcile: Duration::from_secs(300),
            reconcile_pause: Duration::from_secs(10),
            settle: Duration::from_secs(60),
            replaced: Duration::from_secs(60),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
        }
    }
}
