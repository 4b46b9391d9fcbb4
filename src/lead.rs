//! Until when this process may speak as the leader: every writer asks before it begins a message with a leader's stamp
//! (promise P7).

use fingerpost_core::view::Stamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A moment by CLOCK_BOOTTIME, which nobody sets and which goes on while the machine sleeps: since its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BootTime(pub Duration);

impl BootTime {
    /// Now.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        BootTime(Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default()))
    }
}

/// Shared by the election, which prolongs it, and by all writers.
#[derive(Clone, Debug, Default)]
pub struct Lead(Arc<Mutex<Option<(u32, BootTime)>>>);

impl Lead {
    /// It leads in this term, until then.
    pub fn hold(&self, term: u32, until: BootTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((term, until));
    }

    /// It leads no longer.
    pub fn lose(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether what carries this stamp may be said now.
    pub fn allows(&self, stamp: Stamp) -> bool {
        match stamp {
            Stamp::Unstamped | Stamp::Standby { .. } => true,
            Stamp::Leader { term } => {
                let held = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
                held.is_some_and(|(held, until)| held == term && BootTime::now() < until)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_a_leader_speaks_in_its_term_and_until_its_deadline() {
        let lead = Lead::default();
        let stamp = Stamp::Leader { term: 5 };
        assert!(!lead.allows(stamp));
        assert!(lead.allows(Stamp::Standby { ordinal: 1 }) && lead.allows(Stamp::Unstamped));
        lead.hold(5, BootTime(BootTime::now().0 + Duration::from_secs(3600)));
        assert!(lead.allows(stamp));
        assert!(!lead.allows(Stamp::Leader { term: 4 }) && !lead.allows(Stamp::Leader { term: 6 }));
        lead.hold(5, BootTime::now());
        assert!(!lead.allows(stamp), "the deadline has passed");
        lead.hold(5, BootTime(BootTime::now().0 + Duration::from_secs(3600)));
        lead.lose();
        assert!(!lead.allows(stamp));
    }
}
