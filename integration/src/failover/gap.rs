//! Moments without an entry: FRR deletes an IPv6 entry and makes it anew, and a packet that comes in between has no way.

use std::time::Duration;

use crate::lab::monitor::RouteChange;

/// `ip` reads a change a little after it happened, and a request is sent a little before it is at the gateway.
const NEAR: Duration = Duration::from_millis(20);

/// An entry was deleted, and made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    prefix: String,
    deleted: Duration,
    made: Duration,
}

/// All of them that a kernel told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps(Vec<Gap>);

impl Gaps {
    pub(super) fn of(changes: &[RouteChange]) -> Self {
        let prefix = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
        let mut gaps = Vec::new();
        for (place, change) in changes.iter().enumerate() {
            let Some(deleted) = change.text.strip_prefix("Deleted ").map(prefix) else { continue };
            let made = changes.iter().skip(place + 1).find(|later| prefix(&later.text) == deleted);
            if let Some(made) = made {
                gaps.push(Gap { prefix: deleted, deleted: change.at, made: made.at });
            }
        }
        Self(gaps)
    }

    /// What is said of a request that was sent at this time of day and lost, where an entry was absent then.
    pub(super) fn around(&self, sent: Duration) -> Option<String> {
        let near = |gap: &&Gap| sent + NEAR >= gap.deleted && sent <= gap.made + NEAR;
        let Gap { prefix, deleted, made } = self.0.iter().find(near)?;
        let millis = |from: Duration, to: Duration| (to.as_secs_f64() - from.as_secs_f64()) * 1000.0;
        let (ahead, order) = (millis(sent, *deleted), if sent <= *deleted { "after" } else { "before" });
        Some(format!(
            "{prefix} was deleted {:.1} ms {order} the request was sent, and made anew {:.1} ms after that",
            ahead.abs(),
            millis(*deleted, *made)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(lines: &[(u64, &str)]) -> Vec<RouteChange> {
        let change =
            |(millis, text): &(u64, &str)| RouteChange { at: Duration::from_millis(*millis), text: (*text).to_owned() };
        lines.iter().map(change).collect()
    }

    #[test]
    fn a_request_sent_while_an_entry_was_absent_is_told_from_others() {
        let entry = "fd00:10:244:4::/64 via fd00:10:169::12 dev vlan169";
        let deleted = format!("Deleted {entry}");
        let gaps =
            Gaps::of(&changes(&[(1000, deleted.as_str()), (1001, "fd00:10:244:3::/64 via fd00::1"), (1003, entry)]));
        let around = |millis| gaps.around(Duration::from_millis(millis));
        let said = "fd00:10:244:4::/64 was deleted 2.0 ms after the request was sent, and made anew 3.0 ms after that";
        assert_eq!(around(998).as_deref(), Some(said));
        assert!(around(1020).is_some());
        assert_eq!((around(979), around(1024)), (None, None));
        assert_eq!(Gaps::of(&changes(&[(1000, deleted.as_str())])).around(Duration::from_millis(1000)), None);
    }
}
