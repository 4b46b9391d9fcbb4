//! What the sources said, on disk: a restart with the store down announces it, and a restart with another store is a change
//! that the guard judges.
//!
//! ```text
//!  engine ──slices──► writer ──► state_dir/snapshot-SOURCE (a new file, renamed)       at a start: read ──► Engine
//! ```
//!
//! A file that cannot be used is said, kept under another name, and nothing of it is used. A directory that cannot be written
//! costs the snapshot and nothing else. Of what the guard holds the file says what is announced, so that a restart holds it again;
//! and it says what was spent of the source's limits, so that restarts do not refill them.
//! What a person has ordered is a file of its own (`orders`), and so is the configuration in force (`config`).

mod config;
pub(crate) mod file;
mod format;
mod orders;
pub(crate) mod renamed;
pub(crate) mod sealed;

use crate::clock::Clock;
use crate::engine::EngineHandle;
pub use config::ConfigKept;
use file::Kept;
use fingerpost_core::engine::{self, Engine, Remembers};
use fingerpost_core::model::SourceId;
use fingerpost_core::source::sync::{KnownRecord, Snapshot};
use fingerpost_core::table::Spent;
use format::{Contents, Header};
pub use orders::OrdersFile;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};

/// Between two looks for something new to write, at least.
const PAUSE: Duration = Duration::from_secs(1);
/// So many times as long as a write took is the pause after it: a large table must not be written all the time.
const REST: u32 = 20;
/// Records that one look at the engine takes.
const SLICE: usize = 500;

/// Where a source's snapshot is, and what its keys begin with.
#[derive(Clone, Debug)]
pub struct Place {
    /// Whose.
    pub source: SourceId,
    /// Its name in the configuration.
    pub name: String,
    /// What all keys of it begin with: another schema or prefix is another source.
    pub keys: Vec<u8>,
    /// `state_dir`.
    pub directory: PathBuf,
}

/// What an earlier process left behind.
#[derive(Clone, PartialEq, Debug)]
pub struct Left {
    /// What the source said.
    pub snapshot: Snapshot,
    /// What was spent of the source's limits …
    pub spent: Spent,
    /// … so long ago.
    pub ago: Duration,
}

impl Place {
    fn kept(&self) -> Kept<'_> {
        Kept { directory: &self.directory, name: format!("snapshot-{}", self.name), private: false }
    }

    /// What an earlier process wrote, if it can be used.
    pub fn read(&self) -> Option<Left> {
        let contents = match self.kept().contents() {
            Ok(contents) => contents?,
            Err(error) => {
                let file = self.kept().path();
                tracing::error!("the snapshot {} cannot be read and is not used: {error}", file.display());
                return None;
            }
        };
        match format::read(&contents, &self.keys) {
            Ok(Contents { snapshot, spent, keys }) => {
                if let Some(keys) = keys {
                    let now = String::from_utf8_lossy(&self.keys);
                    tracing::warn!(
                        source = self.name,
                        "its keys began with {keys:?} before and begin with {now:?} now: what it says otherwise goes \
                         through the guard"
                    );
                }
                let (spent, at) = spent.unwrap_or((Spent::default(), SystemTime::UNIX_EPOCH));
                // A clock that was set back gives nothing back.
                let ago = SystemTime::now().duration_since(at).unwrap_or_default();
                Some(Left { snapshot, spent, ago })
            }
            Err(refused) => {
                let said = self.kept().set_aside(&refused);
                tracing::error!(source = self.name, "the snapshot: {said}");
                None
            }
        }
    }

    fn write(&self, header: &Header, records: &[KnownRecord]) -> io::Result<()> {
        self.kept().replace(|to| format::write(to, header, records))
    }
}

/// Keeps the files as the engine knows the sources, and the orders; ends with the engine.
pub async fn keep(places: Vec<Place>, orders: OrdersFile, config: ConfigKept, clock: Clock, engine: EngineHandle) {
    let mut writers: Vec<Writer> = places.into_iter().map(Writer::new).collect();
    if !orders.has_directory() {
        // Nothing to keep is no end.
        return std::future::pending().await;
    }
    loop {
        let start = Instant::now();
        // Who has ordered something was told of a failure, and so was the log; but a hold may end by itself.
        let _ = orders.keep().await;
        config.keep(&engine).await;
        for writer in &mut writers {
            if writer.look(clock, &engine).await.is_none() {
                return;
            }
        }
        sleep(PAUSE.max(start.elapsed() * REST)).await;
    }
}

struct Writer {
    place: Place,
    /// As it was written last.
    written: Option<u64>,
    /// Whether the last attempt failed, so that it is said once.
    failing: bool,
}

impl Writer {
    fn new(place: Place) -> Self {
        Writer { place, written: None, failing: false }
    }

    /// Writes if there is something new; none if the engine has ended.
    async fn look(&mut self, clock: Clock, engine: &EngineHandle) -> Option<()> {
        let source = self.place.source;
        let Some(Remembers { changes, cluster, at, passed, mut spent, mut spent_at, mut suspect }) =
            engine.look(move |engine| engine.remembers(source)).await?
        else {
            return Some(());
        };
        if self.written == Some(changes) {
            return Some(());
        }
        let (mut records, mut place) = (Vec::new(), Some(engine::Place::START));
        while let Some(from) = place {
            // What a list changes that comes meanwhile may be undecided yet: then it is tried again.
            let slice = move |engine: &Engine| {
                let remembers = engine.remembers(source)?;
                Some((engine.known_records(source, from, SLICE), remembers))
            };
            let Some(((more, next), remembers)) = engine.look(slice).await? else { return Some(()) };
            // No earlier than the records: what took them away is spent.
            (spent, spent_at, suspect) = (remembers.spent, remembers.spent_at, remembers.suspect);
            records.extend(more);
            place = next;
        }
        let (source, keys) = (self.place.name.clone(), self.place.keys.clone());
        // Not by the clock of the start: at boot it may have been years behind.
        let spent_at = SystemTime::now() - clock.now().since(spent_at);
        let header = Header { source, keys, cluster, at, spent, spent_at, suspect, passed };
        let target = self.place.clone();
        let written = tokio::task::spawn_blocking(move || target.write(&header, &records)).await;
        let failed = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(crate::limits::explained(&error)),
            Err(error) => Some(error.to_string()),
        };
        match failed {
            None => {
                self.written = Some(changes);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(source = self.place.name, "the snapshot is written again");
                }
            }
            Some(why) => {
                self.written = None;
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        source = self.place.name,
                        "the snapshot {} cannot be written: {why}; routing goes on, but a restart will not know what was \
                         announced: let this user write to state_dir, and see that it is not full",
                        self.place.kept().path().display()
                    );
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
