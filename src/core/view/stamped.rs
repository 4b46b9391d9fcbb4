//! With which stamp a gateway was told what it holds.

use super::Stamp;

/// The stamp of what was handed out since the first chunk of the last dump of everything: of all that the gateway holds once that is
/// done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stamped {
    /// Nothing was.
    Not,
    /// All of it with this one.
    All(Stamp),
    /// Part of it with another one.
    Mixed,
}

impl Stamped {
    /// And something more goes out with this stamp.
    pub(super) fn and(self, stamp: Stamp) -> Self {
        match self {
            Stamped::Not => Stamped::All(stamp),
            Stamped::All(before) if before == stamp => self,
            Stamped::All(_) | Stamped::Mixed => Stamped::Mixed,
        }
    }
}
