//! What outlives the process in `state_dir`: whether there were sessions before.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name of the marker: it exists once a session was up.
const MARKER: &str = "had-sessions";

/// Tells a restart from a first start (RFC 4724 §3: the Restart State bit).
#[derive(Clone)]
pub(super) struct RestartMarker {
    file: Option<PathBuf>,
    written: Arc<AtomicBool>,
}

impl RestartMarker {
    /// Looks into the directory. One that cannot be used costs the Restart State bit and nothing else.
    pub(super) fn find(state_dir: Option<&Path>) -> (Self, bool) {
        let file = state_dir.map(|directory| directory.join(MARKER));
        let restarting = file.as_deref().is_some_and(Path::exists);
        (RestartMarker { file, written: Arc::new(AtomicBool::new(restarting)) }, restarting)
    }

    /// A session is up.
    pub(super) fn write(&self) {
        let Some(file) = &self.file else { return };
        if self.written.swap(true, Ordering::Relaxed) {
            return;
        }
        let written = file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(file, b""));
        if let Err(error) = written {
            tracing::warn!(
                "cannot write {}: {error}: after the next start gateways will not be told that it was a restart; let \
                 this user write to state_dir",
                file.display()
            );
        }
    }
}
