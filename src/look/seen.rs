//! How sure we are of a source, in words that stay the same.

use fingerpost_core::engine::SourceRow;
use fingerpost_core::model::Time;
use fingerpost_core::source::sync::{Counts, Seen, Why};
use fingerpost_core::source::{Fault, FaultKind, Rev};

/// Why a source is not current.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(crate) struct Reason {
    /// One of [`KINDS`].
    pub(crate) kind: &'static str,
    /// For people.
    pub(crate) message: String,
}

/// Every kind there is.
pub(crate) const KINDS: [&str; 9] =
    ["listing", "empty", "unreachable", "denied", "tls", "malformed", "replaced", "stuck", "compacted"];

/// How much is known of a source.
pub(crate) struct Known {
    /// Since when it is not current; None if it is.
    pub(crate) since: Option<Time>,
    /// Up to which revision; None: nothing was ever known.
    pub(crate) at: Option<Rev>,
    /// What was known last.
    pub(crate) counts: Counts,
}

/// What is known of it.
pub(crate) fn known(seen: &Seen<Counts>) -> Known {
    match *seen {
        // The process has wanted it since it began.
        Seen::Never(_) => Known { since: Some(Time::ZERO), at: None, counts: Counts::default() },
        Seen::Lost { last, at, since, .. } => Known { since: Some(since), at: Some(at), counts: last },
        Seen::Current { value, at } => Known { since: None, at: Some(at), counts: value },
    }
}

/// Why it is not current; None if it is.
pub(crate) fn reason(row: &SourceRow) -> Option<Reason> {
    match &row.seen {
        Seen::Never(Why::Listing) => Some(Reason {
            kind: "listing",
            message: "the first list is being read: wait; if it lasts, look at the store and the log".into(),
        }),
        Seen::Never(Why::Empty { at }) => Some(Reason {
            kind: "empty",
            message: format!(
                "the first list was empty (revision {}: {}), which is not believed: check the prefix, or set allow_empty. Once \
                 there are records, it waits until no new one has come for a minute",
                at.0, row.lacking
            ),
        }),
        Seen::Never(Why::Failed(fault)) | Seen::Lost { why: fault, .. } => {
            let Fault { kind, message } = fault;
            Some(Reason { kind: kind_name(*kind), message: message.clone() })
        }
        Seen::Current { .. } => None,
    }
}

fn kind_name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Unreachable => "unreachable",
        FaultKind::Denied => "denied",
        FaultKind::Tls => "tls",
        FaultKind::Malformed => "malformed",
        FaultKind::Replaced => "replaced",
        FaultKind::Stuck => "stuck",
        FaultKind::Compacted => "compacted",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn on_call_it_is_told_what_to_do_for_every_reason_of_a_source() {
        let page = include_str!("../../docs/operations.md");
        for kind in super::KINDS {
            let told = page.lines().any(|line| line.starts_with(&format!("| `{kind}` |")));
            assert!(told, "{kind} is not in docs/operations.md");
        }
    }
}
