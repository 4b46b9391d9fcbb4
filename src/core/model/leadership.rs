//! Who speaks for the network: replicas, terms, and what is known of who leads (promise P7).

use super::Time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The number of a leadership. It grows with every one and never goes back, so that gateways can tell a newer leader's
/// paths by a better MED or LOCAL_PREF. 0: nobody has led yet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Term(u32);

/// A number that is no term.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not a term: terms go up to {max}", max = Term::MAX.0)]
pub struct InvalidTerm(u32);

impl Term {
    /// Before the first leadership.
    pub const NONE: Term = Term(0);
    /// The last one: beyond it a leader's MED on eBGP, 1,000,000 less the term, would no longer get better.
    pub const MAX: Term = Term(999_999);

    /// The term of this number, if there is one.
    pub fn new(number: u32) -> Result<Self, InvalidTerm> {
        if number <= Term::MAX.0 { Ok(Term(number)) } else { Err(InvalidTerm(number)) }
    }

    /// Its number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Its number, unless nobody has led yet.
    pub fn known(self) -> Option<u32> {
        Some(self.0).filter(|_| self != Term::NONE)
    }

    /// The one after it; none after the last.
    pub fn next(self) -> Option<Self> {
        Term::new(self.0 + 1).ok()
    }
}

impl TryFrom<u32> for Term {
    type Error = InvalidTerm;
    fn try_from(number: u32) -> Result<Self, InvalidTerm> {
        Term::new(number)
    }
}

impl From<Term> for u32 {
    fn from(term: Term) -> u32 {
        term.0
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One running process among the replicas.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Replica {
    /// What it is called, in every process that it ever runs as: its BGP identifier, unless configured otherwise.
    pub identity: Arc<str>,
    /// This process and no other: drawn at its start.
    pub instance: Instance,
}

impl Replica {
    /// Whether a replica can be called that: 1 to 253 letters, digits, dots, colons, hyphens and underscores of ASCII. It becomes a part
    /// of keys, labels and lines.
    pub fn is_identity(text: &str) -> bool {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        (1..=253).contains(&text.len()) && text.chars().all(is_plain)
    }
}

/// A number that is drawn at a process's start, and that no other process has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instance(pub u128);

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<Instance> for String {
    fn from(instance: Instance) -> String {
        instance.to_string()
    }
}

impl TryFrom<String> for Instance {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Instance)
    }
}

/// What an election knows of the leadership, for whoever announces: the engine makes its role of it. Only a leader and a
/// standby change anything; the others freeze.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leadership {
    /// It does not know who leads, and has not led since it last knew: freeze.
    Unsure {
        /// The newest term that it has heard of.
        newest: Term,
    },
    /// Another process leads, or did less than a lease's time ago.
    Standby {
        /// Who.
        leader: Replica,
        /// In which term.
        term: Term,
    },
    /// It leads until then. A renewal moves that moment, and is told as a leadership of the same term.
    Leading {
        /// In this term.
        term: Term,
        /// On the election's clock, which counts on while the machine sleeps. Nothing is to be begun from that moment on,
        /// whether or not anything has been told by then.
        until: Time,
    },
    /// It led, and does not know whether another leads by now: freeze. It neither withdraws nor announces anew until it
    /// leads again or another is known to lead (promises P2 and P7).
    Lapsed {
        /// The term in which it led.
        term: Term,
    },
}

impl Leadership {
    /// The term that a leader's writes may carry at this moment, on the election's clock.
    pub fn leads(&self, now: Time) -> Option<Term> {
        match *self {
            Leadership::Leading { term, until } if now < until => Some(term),
            _ => None,
        }
    }

    /// Whether nothing may be changed.
    pub fn is_frozen(&self) -> bool {
        matches!(self, Leadership::Unsure { .. } | Leadership::Lapsed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_leader_leads_up_to_its_deadline_and_not_at_it() {
        let (term, until) = (Term::new(3).unwrap(), Time::since_start(Duration::from_secs(9)));
        let leading = Leadership::Leading { term, until };
        assert_eq!(leading.leads(until - Duration::from_nanos(1)), Some(term));
        assert_eq!(leading.leads(until), None);
        assert_eq!(Leadership::Lapsed { term }.leads(Time::ZERO), None);
    }

    #[test]
    fn there_is_no_term_whose_stamp_would_not_be_better_than_the_one_before() {
        assert_eq!(Term::MAX.next(), None);
        assert!(Term::new(1_000_000).is_err());
        assert_eq!(Term::NONE.next(), Some(Term(1)));
    }
}
