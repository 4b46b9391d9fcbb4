//! Claims that lost, for the log: an operator whose subnet is not announced must not have to ask for the reason.
//!
//! A list may bring a million of them, so only the first few are kept and the rest is counted. Each is told once, until it
//! changes or wins.

use super::{Refusal, SlotClaim, Winner};
use crate::model::{ClaimKey, HostName, Prefix, SourceId};

/// How many are kept until they are taken.
const KEPT: usize = 5;

/// Claims that lost since this was taken last.
#[derive(Default, Debug)]
pub struct Losers {
    /// The first few.
    pub first: Vec<Loser>,
    /// How many there were besides.
    pub more: usize,
}

/// A claim that is not announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loser {
    /// Which.
    pub claim: ClaimKey,
    /// Why.
    pub why: WhyLost,
}

/// Why a claim is not announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhyLost {
    /// The fence refuses it.
    Fenced(Refusal),
    /// A person has withdrawn its prefix or its host.
    Forced,
    /// This host's claim won.
    Shadowed {
        /// Who has the prefix.
        by: HostName,
        /// By whose record.
        source: SourceId,
    },
}

impl Losers {
    /// Whether there were any.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// Notes the claims for a prefix that lost and were not told yet.
    pub(super) fn note<'a>(
        &mut self,
        prefix: Prefix,
        claims: impl Iterator<Item = &'a mut SlotClaim>,
        winner: Option<Winner>,
        why: impl Fn(&SlotClaim) -> Option<WhyLost>,
    ) {
        for claim in claims {
            let won = winner.is_some_and(|winner| (winner.source, winner.record) == (claim.source, claim.record));
            if std::mem::replace(&mut claim.told, !won) || won {
                continue;
            }
            if self.first.len() == KEPT {
                self.more += 1;
            } else if let Some(why) = why(claim) {
                let key = ClaimKey { source: claim.source, record: claim.record, prefix };
                self.first.push(Loser { claim: key, why });
            }
        }
    }
}
