//! Until when this process may speak as the leader: every writer asks before it begins a message with a leader's stamp
//! (promise P7).

use crate::clock::since_boot;
use fingerpost_core::model::Leadership;
use fingerpost_core::view::Stamp;
use std::sync::{Arc, Mutex, PoisonError};

/// What the election has said last, for all writers.
#[derive(Clone, Debug, Default)]
pub struct Lead(Arc<Mutex<Option<Leadership>>>);

impl Lead {
    /// What the election says; None: nothing any more.
    pub fn follow(&self, leadership: Option<Leadership>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = leadership;
    }

    /// Whether what carries this stamp may be said now.
    pub fn allows(&self, stamp: Stamp) -> bool {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stamp.may_be_said(said.as_ref(), since_boot())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use fingerpost_core::model::{Term, Time};
    use std::time::Duration;

    /// It leads in this term until then.
    pub(crate) fn leading(term: u32, until: Time) -> Option<Leadership> {
        Some(Leadership::Leading { term: Term::new(term).unwrap(), until })
    }

    pub(crate) fn in_an_hour() -> Time {
        since_boot() + Duration::from_secs(3600)
    }

    #[test]
    fn p7_a_leader_speaks_in_its_term_and_until_its_deadline() {
        let lead = Lead::default();
        let stamp = Stamp::Leader { term: 5 };
        assert!(!lead.allows(stamp));
        assert!(lead.allows(Stamp::Standby { ordinal: 1 }) && lead.allows(Stamp::Unstamped));
        lead.follow(leading(5, in_an_hour()));
        assert!(lead.allows(stamp));
        assert!(!lead.allows(Stamp::Leader { term: 4 }) && !lead.allows(Stamp::Leader { term: 6 }));
        lead.follow(leading(5, since_boot()));
        assert!(!lead.allows(stamp), "the deadline has passed");
        lead.follow(leading(5, in_an_hour()));
        lead.follow(None);
        assert!(!lead.allows(stamp));
    }
}
