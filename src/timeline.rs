//! What happened, on disk: a line of JSON for each event, for whoever asks after a restart.
//!
//! ```text
//!  engine's ring ◄─ look, one page ─ follower ─► queue of lines ─► a thread ─► timeline.file, and FILE.1 once that is large
//!                                        └── no room: dropped and counted
//! ```
//!
//! A disk that is full or hangs, or a pipe that nobody reads, costs lines and nothing else: only the thread waits for it. Where
//! lines are missing the file says how many: exactly those that do not stand in it whole. A file that can never be written is
//! a mistake in the configuration, and refused at the start ([`refused()`]).

use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::look::events::{FETCHED, PAUSE, Shown};
use fingerpost_core::engine::Wanted;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::time::sleep;
use writer::Writer;

mod refused;
mod writer;

pub use refused::refused;

/// Lines that wait for the disk at the most.
const WAITING: usize = 10_000;
/// The file is renamed to `FILE.1` once it has so many octets.
pub const LARGEST: u64 = 64 << 20;
/// Octets that are written at once, about.
const AT_ONCE: usize = 64 << 10;

/// Events that are not in the file.
pub type Dropped = Arc<AtomicU64>;

/// A gap.
#[derive(Serialize)]
struct Lost {
    lost: u64,
}

/// Writes what happens, from the first event on; ends with the engine.
pub async fn keep(file: PathBuf, clock: Clock, engine: EngineHandle, dropped: Dropped) {
    let (to, lines) = sync_channel(WAITING);
    let counted = Arc::clone(&dropped);
    let writer = std::thread::Builder::new().name("timeline".into());
    // Detached: a thread that hangs on a disk must not hold up the end of the process.
    if let Err(error) = writer.spawn(move || Writer::new(file, LARGEST, counted).run(&lines)) {
        tracing::error!("timeline.file is not written: no thread can be started: {error}");
        return std::future::pending().await;
    }
    follow(&to, clock, &engine, &dropped).await;
}

async fn follow(to: &SyncSender<String>, clock: Clock, engine: &EngineHandle, dropped: &Dropped) {
    let mut newest = engine.newest_event();
    let mut queue = Queue { to, dropped, untold: 0 };
    let mut last = 0;
    loop {
        newest.mark_unchanged();
        let Some(page) = engine.look(move |engine| engine.events(last, FETCHED, &Wanted::default())).await else {
            return;
        };
        last = page.last;
        queue.lost(page.lost);
        for row in page.events {
            queue.put(&Shown::of(&clock, row));
        }
        if page.more {
            continue;
        }
        if newest.changed().await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Lines on their way to the thread.
struct Queue<'a> {
    to: &'a SyncSender<String>,
    dropped: &'a AtomicU64,
    /// Dropped, and the file does not say so yet.
    untold: u64,
}

impl Queue<'_> {
    fn lost(&mut self, count: u64) {
        self.untold += count;
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn put(&mut self, event: &Shown) {
        if self.untold > 0 {
            if !self.send(&Lost { lost: self.untold }) {
                return self.lost(1);
            }
            self.untold = 0;
        }
        if !self.send(event) {
            self.lost(1);
        }
    }

    fn send(&self, line: &impl Serialize) -> bool {
        // It has no map whose keys could not be written.
        let Ok(mut line) = serde_json::to_string(line) else { return false };
        line.push('\n');
        self.to.try_send(line).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Dropped, Queue, Shown};
    use crate::clock::Clock;
    use fingerpost_core::engine::{EventKind, EventRow};
    use fingerpost_core::model::Time;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::sync_channel;

    fn event(number: u64) -> Shown {
        let row = EventRow {
            number,
            at: Time::ZERO,
            kind: EventKind::Order,
            prefix: None,
            from: None,
            to: None,
            source: None,
            key: None,
            revision: None,
            gateway: None,
            by: None,
            count: None,
            text: "freeze".into(),
            written: Vec::new(),
        };
        Shown::of(&Clock::start(), row)
    }

    #[test]
    fn what_has_no_room_is_counted_and_the_gap_stands_in_its_place() {
        let (to, lines) = sync_channel(2);
        let dropped = Dropped::default();
        let mut queue = Queue { to: &to, dropped: &dropped, untold: 0 };
        (1..=5).for_each(|number| queue.put(&event(number)));
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        let numbers = |lines: &std::sync::mpsc::Receiver<String>| {
            let parse = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap();
            lines.try_iter().map(parse).map(|line| (line["number"].as_u64(), line["lost"].as_u64())).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&lines), [(Some(1), None), (Some(2), None)]);
        queue.put(&event(6));
        assert_eq!(numbers(&lines), [(None, Some(3)), (Some(6), None)]);
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }
}
