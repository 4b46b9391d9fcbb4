//! Moments without an entry: FRR deletes an IPv6 entry and makes it anew, and a packet that comes in between has no way.
//!
//! A route that is withdrawn and announced again later looks much the same, and is what must not happen. The two are told apart by the
//! gateway, the family, the packet's own destination, and how long it took.

use std::time::Duration;

use crate::lab::gateway::Daemon;
use crate::lab::monitor::RouteChange;

/// Who gives an IPv6 entry's place to another path by deleting it and adding the other, also where the next hop is the same. BIRD
/// replaces it, and so does what follows GoBGP (`ip route replace`): there an entry that stays is never deleted, nor is any in IPv4.
/// docs/failover.md counts both under "rewritten".
const DELETE_AND_ADD: [Daemon; 1] = [Daemon::Frr];

/// How long that takes at most, as `ip` reads it on a machine with other things to do; mostly it reads less than a millisecond.
const LONGEST: Duration = Duration::from_millis(50);

/// `ip` reads a change a little after it happened, and a packet is sent a little before it is at the gateway; neither is ever the other
/// way round.
const LATE: Duration = Duration::from_millis(50);

/// A packet is sent in less, where its thread need not wait for its turn.
const MOMENT: Duration = Duration::from_millis(1);

/// An entry was deleted, and made anew unless it is gone for good.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    prefix: String,
    deleted: Duration,
    made: Option<Duration>,
}

impl Gap {
    fn length(&self) -> String {
        match self.made {
            Some(made) => format!("gone for {:.1} ms", millis(self.deleted, made)),
            None => "deleted, and not made anew".to_owned(),
        }
    }

    fn told(&self, lost: &Lost) -> String {
        let [begin, end] = lost.sent;
        let taken = if end.saturating_sub(begin) < MOMENT {
            String::new()
        } else {
            format!(", which took {:.1} ms", millis(begin, end))
        };
        let (ahead, order) = (millis(begin, self.deleted), if begin <= self.deleted { "after" } else { "before" });
        let (prefix, what, length) = (&self.prefix, lost.what, self.length());
        format!("{prefix} was deleted {:.1} ms {order} the {what} was sent{taken}, and {length}", ahead.abs())
    }
}

/// A packet that did not come where it was sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// A request, or an answer.
    pub(super) what: &'static str,
    /// The prefix of its destination.
    pub(super) to: String,
    /// By the time of day: not before the first, and not after the second.
    pub(super) sent: [Duration; 2],
}

/// All of them that a gateway's kernel told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gaps {
    gateway: Daemon,
    gaps: Vec<Gap>,
}

impl Gaps {
    pub(super) fn of(changes: &[RouteChange], gateway: Daemon) -> Self {
        let mut gaps = Vec::new();
        for (place, change) in changes.iter().enumerate().filter(|(_, change)| change.is_deletion()) {
            let made = changes.iter().skip(place + 1).find(|later| later.prefix() == change.prefix());
            let prefix = change.prefix().to_owned();
            gaps.push(Gap { prefix, deleted: change.at, made: made.map(|made| made.at) });
        }
        Self { gateway, gaps }
    }

    /// When an entry was there again that this gateway only replaced.
    fn replaced(&self, gap: &Gap) -> Option<Duration> {
        let made = gap.made.filter(|_| DELETE_AND_ADD.contains(&self.gateway) && gap.prefix.contains(':'))?;
        (made.checked_sub(gap.deleted)? <= LONGEST).then_some(made)
    }

    /// What is said of a packet that was lost, where the very entry that it needed was being replaced then.
    pub(super) fn explain(&self, lost: &Lost) -> Option<String> {
        let [begin, end] = lost.sent;
        let around = |gap: &&Gap| self.replaced(gap).is_some_and(|made| end + LATE >= gap.deleted && begin <= made);
        self.gaps.iter().filter(|gap| gap.prefix == lost.to).find(around).map(|gap| gap.told(lost))
    }

    /// What is said of a packet that nothing explains, for whoever looks for the reason.
    pub(super) fn nearest(&self, lost: &Lost) -> String {
        let its = self.gaps.iter().filter(|gap| gap.prefix == lost.to);
        match its.min_by_key(|gap| gap.deleted.abs_diff(lost.sent[0])) {
            Some(gap) => gap.told(lost),
            None => format!("a lost {}: {} was never deleted", lost.what, lost.to),
        }
    }

    /// The entries among those that `stays` knows that were deleted other than to be replaced, and for how long.
    pub(super) fn broken(&self, stays: impl Fn(&str) -> bool) -> Vec<String> {
        let broken = self.gaps.iter().filter(|gap| stays(&gap.prefix) && self.replaced(gap).is_none());
        broken.map(|gap| format!("{} was {}", gap.prefix, gap.length())).collect()
    }
}

fn millis(from: Duration, to: Duration) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = "fd00:10:244:4::/64 via fd00:10:169::12 dev vlan169";
    const PREFIX: &str = "fd00:10:244:4::/64";

    fn changes(lines: &[(u64, &str)]) -> Vec<RouteChange> {
        let change =
            |(millis, text): &(u64, &str)| RouteChange { at: Duration::from_millis(*millis), text: (*text).to_owned() };
        lines.iter().map(change).collect()
    }

    /// An entry that is deleted a second after midnight, and there again after so many milliseconds; another one changes meanwhile.
    fn gap(gateway: Daemon, entry: &str, length: u64) -> Gaps {
        let deleted = format!("Deleted {entry}");
        let lines = [(1000, deleted.as_str()), (1001, "fd00:10:244:3::/64 via fd00::1"), (1000 + length, entry)];
        Gaps::of(&changes(&lines), gateway)
    }

    fn lost(to: &str, [begin, end]: [u64; 2]) -> Lost {
        Lost { what: "request", to: to.to_owned(), sent: [begin, end].map(Duration::from_millis) }
    }

    fn explained(gaps: &Gaps, destination: &str, millis: u64) -> bool {
        gaps.explain(&lost(destination, [millis; 2])).is_some()
    }

    #[test]
    fn a_request_sent_while_its_own_entry_was_replaced_is_told_from_others() {
        let gaps = gap(Daemon::Frr, ENTRY, 3);
        let said = "fd00:10:244:4::/64 was deleted 2.0 ms after the request was sent, and gone for 3.0 ms";
        assert_eq!(gaps.explain(&lost(PREFIX, [998; 2])).as_deref(), Some(said));
        assert!(explained(&gaps, PREFIX, 950) && explained(&gaps, PREFIX, 1003));
        assert!(!explained(&gaps, PREFIX, 949) && !explained(&gaps, PREFIX, 1004));
        assert_eq!(gaps.broken(|_| true), [""; 0]);
    }

    #[test]
    fn a_request_whose_sender_waited_for_its_turn_was_sent_at_any_moment_of_that() {
        let gaps = gap(Daemon::Frr, ENTRY, 3);
        let said = "fd00:10:244:4::/64 was deleted 100.0 ms after the request was sent, which took 50.0 ms, and gone for 3.0 ms";
        assert_eq!(gaps.explain(&lost(PREFIX, [900, 950])).as_deref(), Some(said));
        assert_eq!(gaps.explain(&lost(PREFIX, [900, 949])), None);
    }

    #[test]
    fn a_gap_of_another_destination_explains_nothing() {
        let gaps = gap(Daemon::Frr, ENTRY, 3);
        for other in ["fd00:10:244:3::/64", "fd00:10:244::/48", "10.244.4.0/24"] {
            assert!(!explained(&gaps, other, 1001), "{other}");
        }
    }

    #[test]
    fn a_gap_of_ten_seconds_explains_nothing_and_is_a_fault_p10() {
        let gaps = gap(Daemon::Frr, ENTRY, 10_000);
        for sent in [1000, 1001, 6000, 10_999] {
            assert!(!explained(&gaps, PREFIX, sent), "{sent}");
        }
        assert_eq!(gaps.broken(|prefix| prefix == PREFIX), ["fd00:10:244:4::/64 was gone for 10000.0 ms"]);
        assert_eq!(gaps.broken(|_| false), [""; 0], "what is meant to go may");
    }

    #[test]
    fn a_gap_is_as_long_as_a_replacement_takes_and_no_longer() {
        let is_replaced = |length| gap(Daemon::Frr, ENTRY, length).broken(|_| true).is_empty();
        assert!(is_replaced(50));
        assert!(!is_replaced(51));
    }

    #[test]
    fn a_gap_at_a_gateway_that_replaces_explains_nothing_and_is_a_fault_p10() {
        for gateway in [Daemon::Bird, Daemon::Gobgp4] {
            let gaps = gap(gateway, ENTRY, 3);
            assert!(!explained(&gaps, PREFIX, 1001), "{gateway}");
            assert_eq!(gaps.broken(|_| true), ["fd00:10:244:4::/64 was gone for 3.0 ms"], "{gateway}");
        }
    }

    #[test]
    fn a_gap_in_ipv4_explains_nothing_and_is_a_fault_p10() {
        let gaps = gap(Daemon::Frr, "10.244.4.0/24 via 10.169.0.12 dev vlan169", 3);
        assert!(!explained(&gaps, "10.244.4.0/24", 1001));
        assert_eq!(gaps.broken(|_| true), ["10.244.4.0/24 was gone for 3.0 ms"]);
    }

    #[test]
    fn an_entry_that_is_not_made_anew_explains_nothing_and_is_a_fault_p10() {
        let deleted = format!("Deleted {ENTRY}");
        let gaps = Gaps::of(&changes(&[(1000, deleted.as_str())]), Daemon::Frr);
        assert!(!explained(&gaps, PREFIX, 1000));
        assert_eq!(gaps.broken(|_| true), ["fd00:10:244:4::/64 was deleted, and not made anew"]);
    }
}
