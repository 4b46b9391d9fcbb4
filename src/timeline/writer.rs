//! The thread that writes the lines: what stands in the file, what is missing there, and when it is begun anew.

use super::{AT_ONCE, Dropped, Lost};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

/// The thread's side.
pub(super) struct Writer {
    path: PathBuf,
    largest: u64,
    dropped: Dropped,
    file: Option<File>,
    /// A failure was said, and nothing was written since.
    failed: bool,
    /// It was said that the file cannot be renamed.
    stays: bool,
    /// The file ends with a part of a line.
    torn: bool,
    /// Lines that could not be written since the failure.
    unwritten: u64,
    /// Of those the file does not say so many yet.
    untold: u64,
}

impl Writer {
    /// `largest`: it is renamed once it has so many octets; `dropped` grows by what is not written.
    pub(super) fn new(path: PathBuf, largest: u64, dropped: Dropped) -> Self {
        let (failed, stays, torn) = (false, false, false);
        Writer { path, largest, dropped, file: None, failed, stays, torn, unwritten: 0, untold: 0 }
    }

    /// Writes lines until no more can come.
    pub(super) fn run(&mut self, lines: &Receiver<String>) {
        while let Ok(mut text) = lines.recv() {
            while text.len() < AT_ONCE
                && let Ok(line) = lines.try_recv()
            {
                text.push_str(&line);
            }
            self.take(&text);
        }
    }

    /// Writes whole lines. Those that do not stand in the file as such are counted, and no others.
    fn take(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        match self.write(&mut rest) {
            Ok(()) => {
                if std::mem::take(&mut self.failed) {
                    let missing = std::mem::take(&mut self.unwritten);
                    tracing::info!("{} is written again; {missing} events are not in it", self.path.display());
                }
            }
            Err(error) => {
                let lost = rest.iter().filter(|octet| **octet == b'\n').count() as u64;
                self.unwritten += lost;
                self.untold += lost;
                self.dropped.fetch_add(lost, Ordering::Relaxed);
                self.file = None;
                if !std::mem::replace(&mut self.failed, true) {
                    tracing::warn!(
                        "timeline.file {} cannot be written, and events are not in it until it can: {error}: make room, or let \
                         this process's user write there",
                        self.path.display()
                    );
                }
            }
        }
    }

    fn write(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        let mut file = self.file()?;
        if self.torn {
            put(&mut file, &mut &b"\n"[..], &mut self.torn)?;
        }
        if self.untold > 0 {
            let mut gap = serde_json::to_string(&Lost { lost: self.untold })?;
            gap.push('\n');
            put(&mut file, &mut gap.as_bytes(), &mut self.torn)?;
            self.untold = 0;
        }
        put(&mut file, rest, &mut self.torn)?;
        self.file = self.after(file);
        Ok(())
    }

    /// The file to write to. It goes on growing where it cannot be renamed, but not for ever.
    fn file(&mut self) -> io::Result<File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                self.torn = is_torn(&self.path);
                open(&self.path)?
            }
        };
        if size(&file) < 2 * self.largest {
            return Ok(file);
        }
        self.rename()?;
        open(&self.path)
    }

    /// The file to go on with; None: it is large enough and has another name now.
    fn after(&mut self, file: File) -> Option<File> {
        if size(&file) < self.largest {
            return Some(file);
        }
        match self.rename() {
            Ok(()) => None,
            Err(error) => {
                if !std::mem::replace(&mut self.stays, true) {
                    tracing::warn!(
                        "timeline.file {} grows on, to twice its size and no more: {error}: let this process's user write to its \
                         directory",
                        self.path.display()
                    );
                }
                Some(file)
            }
        }
    }

    fn rename(&mut self) -> io::Result<()> {
        let to = with_one(&self.path);
        let explained =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot rename it to {}: {error}", to.display()));
        std::fs::rename(&self.path, &to).map_err(explained)?;
        (self.stays, self.torn) = (false, false);
        Ok(())
    }
}

/// Writes all of `rest`, or leaves there what does not stand in whole lines; `torn`: whether what was written ends with a part of one.
fn put(to: &mut impl Write, rest: &mut &[u8], torn: &mut bool) -> io::Result<()> {
    let all = *rest;
    let (mut left, mut done) = (all, Ok(()));
    while done.is_ok() && !left.is_empty() {
        match to.write(left) {
            Ok(0) => done = Err(io::ErrorKind::WriteZero.into()),
            Ok(octets) => left = left.get(octets..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => done = Err(error),
        }
    }
    let written = all.get(..all.len() - left.len()).unwrap_or_default();
    let whole = written.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    if !written.is_empty() {
        *torn = whole < written.len();
    }
    *rest = all.get(whole..).unwrap_or_default();
    done
}

/// The octets of a regular file; what is none never grows.
fn size(file: &File) -> u64 {
    file.metadata().ok().filter(Metadata::is_file).map_or(0, |found| found.len())
}

/// Whether an earlier process left a part of a line at the end.
fn is_torn(path: &Path) -> bool {
    let last = || {
        // A pipe is not read, and opening it would wait.
        if !std::fs::metadata(path)?.is_file() {
            return Ok(b'\n');
        }
        let mut file = File::open(path)?;
        let mut octet = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut octet)?;
        io::Result::Ok(octet[0])
    };
    last().is_ok_and(|octet| octet != b'\n')
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
    use super::{Dropped, Writer, put, with_one};
    use std::io::{self, Write};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::Ordering;
    use tempfile::TempDir;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn the_file_is_bounded_and_one_older_is_kept() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("events.jsonl");
        let mut writer = Writer::new(file.clone(), 100, Dropped::default());
        for number in 0..100 {
            writer.take(&format!("{number:019}\n"));
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
        writer.take("one\n");
        writer.take("two\nthree\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        std::fs::remove_file(&file).unwrap();
        symlink(&room, &file).unwrap();
        writer.take("four\n");
        writer.take("five\n");
        assert_eq!(read(&room), "{\"lost\":3}\nfour\nfive\n");
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_tried_again() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("later/events.jsonl");
        let dropped = Dropped::default();
        let mut writer = Writer::new(file.clone(), 1000, Dropped::clone(&dropped));
        writer.take("one\n");
        std::fs::create_dir(directory.path().join("later")).unwrap();
        writer.take("two\n");
        assert_eq!((read(&file).as_str(), dropped.load(Ordering::Relaxed)), ("{\"lost\":1}\ntwo\n", 1));
    }

    /// The lines of a file that are numbers, and how many it says are missing.
    fn numbers(text: &str) -> (Vec<u64>, u64) {
        let lost = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["lost"].as_u64();
        (text.lines().filter_map(|line| line.parse().ok()).collect(), text.lines().filter_map(lost).sum())
    }

    #[test]
    fn where_the_file_cannot_be_renamed_what_is_written_is_not_counted_and_it_does_not_grow_for_ever() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("events.jsonl");
        // A directory that is not empty cannot be replaced by a file.
        std::fs::create_dir_all(with_one(&file).join("in the way")).unwrap();
        let dropped = Dropped::default();
        let mut writer = Writer::new(file.clone(), 100, Dropped::clone(&dropped));
        for number in 1..=30_u64 {
            writer.take(&format!("{number:09}\n"));
        }
        assert_eq!(numbers(&read(&file)), ((1..=20).collect(), 0));
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
        std::fs::remove_dir_all(with_one(&file)).unwrap();
        writer.take("000000031\n000000032\n");
        assert_eq!(numbers(&read(&with_one(&file))), ((1..=20).collect(), 0));
        assert_eq!(numbers(&read(&file)), (vec![31, 32], 10));
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
    }

    /// Takes so many octets.
    struct Room(usize, Vec<u8>);

    impl Write for Room {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let taken = octets.len().min(self.0).min(3);
            if taken == 0 && !octets.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0 -= taken;
            self.1.extend(&octets[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn of_what_a_full_disk_takes_in_part_the_whole_lines_are_written_and_the_others_are_not() {
        for (room, rest, torn) in [
            (0, "one\ntwo\nthree\n", false),
            (3, "one\ntwo\nthree\n", true),
            (4, "two\nthree\n", false),
            (9, "three\n", true),
            (14, "", false),
        ] {
            let (mut left, mut found) = (&b"one\ntwo\nthree\n"[..], false);
            let mut disk = Room(room, Vec::new());
            assert_eq!(put(&mut disk, &mut left, &mut found).is_ok(), room == 14);
            assert_eq!((String::from_utf8_lossy(left).as_ref(), found), (rest, torn), "{room}");
            assert_eq!(disk.1.len(), room);
        }
    }

    #[test]
    fn a_line_that_an_earlier_process_left_half_written_costs_no_other() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("events.jsonl");
        std::fs::write(&file, "whole\nha").unwrap();
        Writer::new(file.clone(), 1000, Dropped::default()).take("one\n");
        assert_eq!(read(&file), "whole\nha\none\n");
    }
}
