//! How moments and the words of enums look in JSON and YAML, and in tables. `build.rs` names these functions.

use super::proto::{ChangeKind, EventKind, Relation, SourceState, Standing, Subject, TellState, WrittenState};
use prost_types::Timestamp;
use serde::Serializer;

/// RFC 3339, or null.
#[expect(clippy::ref_option, reason = "serde calls it with the field's reference")]
pub(super) fn moment<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}

macro_rules! words {
    ($($function:ident $kind:ident $prefix:literal;)*) => {
        $(
            impl $kind {
                /// The word for it: that of the value's name.
                pub fn word(self) -> String {
                    let name = self.as_str_name();
                    name.strip_prefix($prefix).unwrap_or(name).to_ascii_lowercase()
                }
            }

            pub(super) fn $function<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
                match $kind::try_from(*value) {
                    Ok(value) if value != $kind::Unspecified => serializer.serialize_str(&value.word()),
                    // Absent, or of a newer version.
                    _ => serializer.serialize_none(),
                }
            }
        )*
    };
}

words! {
    source_state SourceState "SOURCE_STATE_";
    relation Relation "RELATION_";
    standing Standing "STANDING_";
    subject Subject "SUBJECT_";
    tell_state TellState "TELL_STATE_";
    change_kind ChangeKind "CHANGE_KIND_";
    event_kind EventKind "EVENT_KIND_";
    written_state WrittenState "WRITTEN_STATE_";
}
