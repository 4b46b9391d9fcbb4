//! The preference that a replica's role gives its paths, applied at encoding (promise P7).

use crate::bgp::wire::{RouteAttributes, SessionType};
use crate::model::{Leadership, Time};

/// Who speaks: decides MED on eBGP and LOCAL_PREF on iBGP, so that the newest leader's path wins at every gateway.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Stamp {
    /// Without an election: the policy's attributes go out as they are.
    #[default]
    Unstamped,
    /// The leader of this term.
    Leader {
        /// The number of the leadership; a newer one wins.
        term: u32,
    },
    /// A standby.
    Standby {
        /// No two replicas have the same: FRR balances over equal paths.
        ordinal: u32,
    },
    /// A standby that has not read its sources yet: what it says may be an old snapshot, and is worse than any other's.
    Unread {
        /// The standby's.
        ordinal: u32,
    },
}

impl Stamp {
    /// A standby's number is below this: LOCAL_PREF has room for two bands of them between the leaders' and the usual 100.
    pub const ORDINALS: u32 = 400_000;

    /// Whether what carries it may be begun at this moment of the election's clock, by what the election has said last. A
    /// leader's may in its term and up to its deadline; the others always.
    pub fn may_be_said(self, said: Option<&Leadership>, now: Time) -> bool {
        match self {
            Stamp::Unstamped | Stamp::Standby { .. } | Stamp::Unread { .. } => true,
            Stamp::Leader { term } => said.and_then(|said| said.leads(now)).is_some_and(|leads| leads.get() == term),
        }
    }

    /// Changes the attribute that carries the stamp on this type of session.
    pub fn apply(self, session: SessionType, attributes: &mut RouteAttributes) {
        let (med, local_pref) = match self {
            Stamp::Unstamped => return,
            Stamp::Leader { term } => (1_000_000u32.saturating_sub(term), 1_000_000u32.saturating_add(term)),
            Stamp::Standby { ordinal } => (2_000_000u32.saturating_add(ordinal), 999_999u32.saturating_sub(ordinal)),
            Stamp::Unread { ordinal } => {
                let standbys = 999_999 - Stamp::ORDINALS;
                (3_000_000u32.saturating_add(ordinal), standbys.saturating_sub(ordinal))
            }
        };
        match session {
            SessionType::External => attributes.med = Some(med),
            SessionType::Internal => attributes.local_pref = Some(local_pref),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_every_stamp_is_another_preference_and_the_newest_leaders_the_best() {
        let last = Stamp::ORDINALS - 1;
        let stamps = [
            Stamp::Leader { term: 999_999 },
            Stamp::Leader { term: 2 },
            Stamp::Leader { term: 1 },
            Stamp::Standby { ordinal: 0 },
            Stamp::Standby { ordinal: 1 },
            Stamp::Standby { ordinal: last },
            Stamp::Unread { ordinal: 0 },
            Stamp::Unread { ordinal: last },
        ];
        let applied = |session| {
            stamps.map(|stamp| {
                let mut attributes = RouteAttributes::via([10, 168, 0, 1].into());
                stamp.apply(session, &mut attributes);
                attributes
            })
        };
        let meds = applied(SessionType::External).map(|attributes| attributes.med.unwrap());
        assert!(meds.is_sorted_by(|better, worse| better < worse), "{meds:?}");
        let prefs = applied(SessionType::Internal).map(|attributes| attributes.local_pref.unwrap());
        assert!(prefs.is_sorted_by(|better, worse| better > worse), "{prefs:?}");
        assert!(prefs.iter().all(|pref| *pref > 100), "or a route that somebody else announces would win: {prefs:?}");
    }
}
