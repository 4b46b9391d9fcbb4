//! Whether the store is still the one that was known.
//!
//! A store may be wiped, or put back to a backup, behind the same address and with the same cluster ID: etcd derives that from
//! its configuration. Once its revision has passed the one known, a watch from there would stand, be silent about all that is
//! no longer there, and a comparison would find every record gone (P2). So a watch is resumed only after one known record, the
//! one written last, was found again with the very revisions it had:
//!
//! ```text
//!  now ─► at the position ─► at the revision that wrote it        (each only if it was not found in the one before)
//! ```
//!
//! What a revision held never changes, so a record that is not in the revision that wrote it shows another store. Where all
//! of them are compacted away that cannot be told, and a complete list decides: it must hold a known record.

use super::super::{Attempt, ClusterId, Fault, FaultKind, Rev, Revisions};
use crate::model::Time;
use bytes::Bytes;

/// What to do about a record that was replaced or put back, for messages.
pub(super) const WAY_OUT: &str = "All routes stay. Check the endpoints; if none shows the store that was known, what this one says \
                                  is compared with it after a while, and every difference is held until a person approves it";

/// A known record being looked for.
pub(super) struct Recall {
    pub(super) attempt: Attempt,
    /// When it was asked for.
    pub(super) heard: Time,
    pub(super) key: Bytes,
    known: Revisions,
    /// The revisions still to look at, the next one last.
    rest: Vec<Rev>,
    /// Whether it is of the store that was left.
    pub(super) is_of_left: bool,
}

/// The store that was known before another one was followed. Nobody has let pass yet what that one says otherwise, so that this is
/// still the one to go by, should it come back.
pub(super) struct Left {
    pub(super) cluster: ClusterId,
    /// The highest revision that it has shown.
    pub(super) highest: Rev,
    /// Its record that was written last.
    pub(super) key: Bytes,
    pub(super) known: Revisions,
    /// Whether the other one was followed: before that its list may still stay away.
    pub(super) is_left: bool,
}

impl Left {
    /// Its record being looked for.
    pub(super) fn recall(&self, attempt: Attempt, now: Time) -> Recall {
        let recall = Recall::new(attempt, now, self.key.clone(), self.known, Some(self.highest));
        Recall { is_of_left: true, ..recall }
    }
}

/// What the recall of a record shows.
pub(super) enum Verdict {
    /// The same store.
    Same,
    /// Look at this revision.
    Ask(Rev),
    /// It cannot be told.
    Unknown,
    /// Another store.
    Other(Fault),
}

impl Recall {
    pub(super) fn new(attempt: Attempt, now: Time, key: Bytes, known: Revisions, position: Option<Rev>) -> Self {
        let mut rest = vec![known.modified];
        rest.extend(position.filter(|position| *position != known.modified));
        Recall { attempt, heard: now, key, known, rest, is_of_left: false }
    }

    /// It was looked for.
    pub(super) fn found(&mut self, found: Option<Revisions>) -> Verdict {
        match found {
            Some(found) if found == self.known => Verdict::Same,
            Some(found) if is_older(found, self.known) => Verdict::Other(older_record(&self.key, found, self.known)),
            _ => match self.rest.pop() {
                Some(at) => Verdict::Ask(at),
                None => Verdict::Other(not_in_history(&self.key, self.known.modified)),
            },
        }
    }

    /// The revision looked at is compacted away.
    pub(super) fn compacted(&mut self) -> Verdict {
        self.rest.pop().map_or(Verdict::Unknown, Verdict::Ask)
    }
}

/// Whether a record has revisions that it cannot have once it had those known: they only grow.
pub(super) fn is_older(found: Revisions, known: Revisions) -> bool {
    found.modified < known.modified || found.created < known.created
}

/// The store's revision is below one it has shown before.
pub(super) fn went_back(at: Rev, known: Rev) -> Fault {
    replaced(format!("it answers at revision {}, but was at {} before", at.0, known.0))
}

/// A record is older than it was before.
pub(super) fn older_record(name: &[u8], found: Revisions, known: Revisions) -> Fault {
    let (name, now, before) = (name.escape_ascii(), found, known);
    replaced(format!(
        "record {name} is of revision {} (created at {}) now and was of {} (created at {}) before",
        now.modified.0, now.created.0, before.modified.0, before.created.0
    ))
}

/// No known record is there any more, although no deletion was seen.
pub(super) fn nothing_known(known: usize, at: Rev) -> Fault {
    replaced(format!("at revision {} it holds none of the {known} known records, and no deletion was seen", at.0))
}

/// It cannot be told, after it was found to be another.
pub(super) fn not_to_be_told(name: &[u8]) -> Fault {
    let name = name.escape_ascii();
    replaced(format!("record {name} is not as it was, and what was before has been compacted away"))
}

fn not_in_history(name: &[u8], written: Rev) -> Fault {
    replaced(format!(
        "record {} was written at revision {}, but that revision has it not",
        name.escape_ascii(),
        written.0
    ))
}

fn replaced(what: String) -> Fault {
    let message = format!("the store was replaced or restored from a backup: {what}. {WAY_OUT}");
    Fault { kind: FaultKind::Replaced, message }
}
