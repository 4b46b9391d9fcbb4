//! What happened, on disk: a line of JSON for each event, for whoever asks after a restart.
//!
//! ```text
//!  engine's ring ◄─ look, one page ─ follower ─► queue of lines ─► a thread ─► timeline.file, and FILE.1 once that is large
//!                                        └── no room: dropped and counted
//! ```
//!
//! A disk that is full or hangs, or a pipe that nobody reads, costs lines and nothing else: only the thread waits for it. Where
//! lines are missing the file says how many.

use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::look::events::{FETCHED, PAUSE, Shown};
use fingerpost_core::engine::Wanted;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::time::sleep;

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

/// The thread's side.
struct Writer {
    path: PathBuf,
    largest: u64,
    dropped: Dropped,
    file: Option<File>,
    /// A failure was said, and nothing was written since.
    failed: bool,
    /// The end of the file may be a part of a line.
    torn: bool,
    /// Lines that could not be written since then.
    unwritten: u64,
}

impl Writer {
    fn new(path: PathBuf, largest: u64, dropped: Dropped) -> Self {
        Writer { path, largest, dropped, file: None, failed: false, torn: false, unwritten: 0 }
    }

    fn run(&mut self, lines: &Receiver<String>) {
        while let Ok(mut text) = lines.recv() {
            let mut count = 1;
            while text.len() < AT_ONCE
                && let Ok(line) = lines.try_recv()
            {
                text.push_str(&line);
                count += 1;
            }
            self.take(&text, count);
        }
    }

    fn take(&mut self, text: &str, count: u64) {
        match self.write(text) {
            Ok(()) => {
                if std::mem::take(&mut self.failed) {
                    tracing::info!("{} is written again; {} events are not in it", self.path.display(), self.unwritten);
                    self.unwritten = 0;
                }
            }
            Err(error) => {
                self.unwritten += count;
                self.dropped.fetch_add(count, Ordering::Relaxed);
                self.file = None;
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::error!(
                        "timeline.file {} cannot be written, and events are not in it until it can: {error}: make room, or let \
                         this process's user write there",
                        self.path.display()
                    );
                }
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        if self.failed {
            let gap = serde_json::to_string(&Lost { lost: self.unwritten })?;
            let end = if self.torn { "\n" } else { "" };
            self.torn = true;
            file.write_all(format!("{end}{gap}\n").as_bytes())?;
        }
        self.torn = true;
        file.write_all(text.as_bytes())?;
        self.torn = false;
        let found = file.metadata()?;
        if found.is_file() && found.len() >= self.largest {
            std::fs::rename(&self.path, with_one(&self.path))?;
        } else {
            self.file = Some(file);
        }
        Ok(())
    }
}

/// For its owner and its group.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// `FILE.1`.
fn with_one(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::{Dropped, Queue, Shown, Writer, with_one};
    use crate::clock::Clock;
    use fingerpost_core::engine::{EventKind, EventRow};
    use fingerpost_core::model::Time;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::sync_channel;
    use tempfile::TempDir;

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

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
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

    #[test]
    fn the_file_is_bounded_and_one_older_is_kept() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("events.jsonl");
        let mut writer = Writer::new(file.clone(), 100, Dropped::default());
        for number in 0..100 {
            writer.take(&format!("{number:019}\n"), 1);
        }
        let (now, before) = (read(&file), read(&with_one(&file)));
        assert!(now.len() < 100 && before.len() == 100, "{} {}", now.len(), before.len());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1 + usize::from(!now.is_empty()));
        assert!((before + &now).ends_with("0000000000000000099\n"));
    }

    #[test]
    fn c59_a_full_disk_costs_lines_and_the_file_says_how_many_once_there_is_room() {
        let directory = TempDir::new().unwrap();
        let (file, room) = (directory.path().join("events.jsonl"), directory.path().join("room"));
        symlink("/dev/full", &file).unwrap();
        let dropped = Dropped::default();
        let mut writer = Writer::new(file.clone(), 1000, Dropped::clone(&dropped));
        writer.take("one\n", 1);
        writer.take("two\nthree\n", 2);
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        std::fs::remove_file(&file).unwrap();
        symlink(&room, &file).unwrap();
        writer.take("four\n", 1);
        writer.take("five\n", 1);
        assert_eq!(read(&room), "\n{\"lost\":3}\nfour\nfive\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_tried_again() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("later/events.jsonl");
        let dropped = Dropped::default();
        let mut writer = Writer::new(file.clone(), 1000, Dropped::clone(&dropped));
        writer.take("one\n", 1);
        std::fs::create_dir(directory.path().join("later")).unwrap();
        writer.take("two\n", 1);
        assert_eq!((read(&file).as_str(), dropped.load(Ordering::Relaxed)), ("{\"lost\":1}\ntwo\n", 1));
    }
}
