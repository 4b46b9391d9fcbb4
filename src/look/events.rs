//! An event as JSON: a line of the file, an item of a page.

use crate::clock::Clock;
use fingerpost_core::engine::{By, EventRow};
use fingerpost_core::table::Hop;
use prost_types::Timestamp;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// Looks for one page at the most; a search that finds little goes on with the next page.
pub(crate) const LOOKS: usize = 64;
/// Events that one who follows fetches at once.
pub(crate) const FETCHED: usize = 200;
/// Between two fetches of one who follows: a burst comes in few pages, and costs the engine few looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// The fields stand in every event; what does not apply is null.
#[derive(Serialize)]
pub(crate) struct Shown {
    number: u64,
    at: String,
    kind: &'static str,
    prefix: Option<String>,
    from: Option<ShownHop>,
    to: Option<ShownHop>,
    source: Option<String>,
    key: Option<String>,
    revision: Option<u64>,
    gateway: Option<String>,
    by: Option<ShownBy>,
    count: Option<u64>,
    reason: String,
}

#[derive(Serialize)]
struct ShownHop {
    host: String,
    next_hop: IpAddr,
}

#[derive(Serialize)]
struct ShownBy {
    uid: Option<u32>,
    pid: Option<i32>,
}

impl Shown {
    pub(crate) fn of(clock: &Clock, row: EventRow) -> Self {
        let hop = |Hop { host, next_hop }: Hop| ShownHop { host: host.to_string(), next_hop };
        Shown {
            number: row.number,
            at: moment(clock.unix(row.at)),
            kind: row.kind.name(),
            prefix: row.prefix.map(|prefix| prefix.to_string()),
            from: row.from.map(hop),
            to: row.to.map(hop),
            source: row.source,
            key: row.key,
            revision: row.revision,
            gateway: row.gateway,
            by: row.by.map(|By { uid, pid, .. }| ShownBy { uid, pid }),
            count: row.count,
            reason: row.text,
        }
    }
}

/// RFC 3339 in UTC, to the millisecond: events follow one another.
fn moment(unix: std::time::Duration) -> String {
    let nanos = i32::try_from(unix.subsec_millis() * 1_000_000).unwrap_or_default();
    Timestamp { seconds: i64::try_from(unix.as_secs()).unwrap_or(i64::MAX), nanos }.to_string()
}
