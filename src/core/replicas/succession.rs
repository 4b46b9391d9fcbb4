//! Who follows a leader that ends.

use super::{KnownReplica, ReportedRole};
use crate::model::Term;

/// How far it has come that another leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Succession {
    /// There is no other replica.
    Nobody,
    /// There are others, and none of them leads in a newer term, or has told its gateways so.
    Awaited,
    /// One leads, and every gateway with which it has a session prefers its paths.
    Done,
}

impl Succession {
    /// Of the leader of this term, by what the others say.
    pub fn of<'a>(term: Term, others: impl IntoIterator<Item = &'a KnownReplica>) -> Self {
        let mut there = others.into_iter().filter(|known| known.gone.is_none()).map(|known| &known.report).peekable();
        if there.peek().is_none() {
            return Succession::Nobody;
        }
        let follows = |role, newer: Term| role == ReportedRole::Leader && newer > term;
        match there.any(|report| follows(report.role, report.term) && !report.restamping) {
            true => Succession::Done,
            false => Succession::Awaited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;
    use crate::model::Time;

    fn other(role: ReportedRole, term: u32) -> KnownReplica {
        let mut report = report("10.0.3.2");
        (report.role, report.term) = (role, Term::new(term).unwrap());
        KnownReplica { report, gone: None }
    }

    #[test]
    fn c41_a_leader_is_followed_by_one_that_is_there_and_leads_in_a_newer_term_and_has_said_so() {
        let term = Term::new(4).unwrap();
        let of = |others: &[KnownReplica]| Succession::of(term, others);
        assert_eq!(of(&[]), Succession::Nobody);
        let gone = KnownReplica { gone: Some(Time::ZERO), ..other(ReportedRole::Leader, 5) };
        assert_eq!(of(std::slice::from_ref(&gone)), Succession::Nobody);
        for waits in [(ReportedRole::Standby, 4), (ReportedRole::Unsure, 5), (ReportedRole::Leader, 4)] {
            assert_eq!(of(&[gone.clone(), other(waits.0, waits.1)]), Succession::Awaited, "{waits:?}");
        }
        let mut next = other(ReportedRole::Leader, 5);
        next.report.restamping = true;
        assert_eq!(of(std::slice::from_ref(&next)), Succession::Awaited);
        next.report.restamping = false;
        assert_eq!(of(&[other(ReportedRole::Standby, 5), next]), Succession::Done);
    }
}
