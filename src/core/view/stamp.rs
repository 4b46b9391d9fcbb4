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
}

impl Stamp {
    /// Whether what carries it may be begun at this moment of the election's clock, by what the election has said last. A
    /// leader's may in its term and up to its deadline; the others always.
    pub fn may_be_said(self, said: Option<&Leadership>, now: Time) -> bool {
        match self {
            Stamp::Unstamped | Stamp::Standby { .. } => true,
            Stamp::Leader { term } => said.and_then(|said| said.leads(now)).is_some_and(|leads| leads.get() == term),
        }
    }

    /// Changes the attribute that carries the stamp on this type of session.
    pub fn apply(self, session: SessionType, attributes: &mut RouteAttributes) {
        let (med, local_pref) = match self {
            Stamp::Unstamped => return,
            Stamp::Leader { term } => (1_000_000u32.saturating_sub(term), 1_000_000u32.saturating_add(term)),
            Stamp::Standby { ordinal } => (2_000_000u32.saturating_add(ordinal), 999_999u32.saturating_sub(ordinal)),
        };
        match session {
            SessionType::External => attributes.med = Some(med),
            SessionType::Internal => attributes.local_pref = Some(local_pref),
        }
    }
}
