//! Another replica, in words.

use fingerpost_core::engine::ReplicaRow;
use fingerpost_core::model::Time;
use fingerpost_core::replicas::{Agreement, ReportedRole};

/// What the other's routes are to this replica's, for programs and for people.
pub(crate) struct Compared {
    /// `same`, `differs`, `apart` or `unknown`.
    pub(crate) word: &'static str,
    /// Why they are not compared; else empty.
    pub(crate) reason: String,
    /// Since when they differ.
    pub(crate) since: Option<Time>,
}

pub(crate) fn compared(row: &ReplicaRow) -> Compared {
    let (word, reason, since) = match &row.agreement {
        Agreement::Unknown => ("unknown", String::new(), None),
        Agreement::Same => ("same", String::new(), None),
        Agreement::Differs { since } => ("differs", String::new(), Some(*since)),
        Agreement::Apart(why) => ("apart", why.to_string(), None),
    };
    Compared { word, reason, since }
}

/// For programs.
pub(crate) fn role(role: ReportedRole) -> &'static str {
    match role {
        ReportedRole::Leader => "leader",
        ReportedRole::Standby => "standby",
        ReportedRole::Unsure => "unsure",
    }
}

/// Since when it has had other routes, if that is an alarm or may become one.
pub(crate) fn differs_for(row: &ReplicaRow, now: Time) -> f64 {
    compared(row).since.map_or(0.0, |since| now.since(since).as_secs_f64())
}
