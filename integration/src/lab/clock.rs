//! The wall clock of one process (libfaketime), which can be set while those of all others go on. The clocks that nobody sets, by
//! which time is measured, go on in that process, too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::namespace::{Namespace, checked};
use super::process::Process;

/// The linker knows what `$LIB` is.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketime.so.1";
/// How far off a clock may be that was set.
const NEARLY: i64 = 60;

/// Such a clock.
#[derive(Debug)]
pub struct Clock {
    file: PathBuf,
}

impl Clock {
    /// One that is right.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let clock = Self { file: folder.join("clock") };
        clock.write(0);
        clock
    }

    fn write(&self, ahead: i64) {
        // Renamed, so that nobody reads half of it.
        let new = self.file.with_extension("new");
        let written = std::fs::write(&new, format!("{ahead:+}\n")).and_then(|()| std::fs::rename(&new, &self.file));
        written.expect("a file can be written into the lab's folder");
    }

    /// A command that goes by this clock.
    #[must_use]
    pub fn command(&self, namespace: &Namespace, program: &str) -> Command {
        let mut command = namespace.command("env");
        command.arg(format!("LD_PRELOAD={LIBRARY}"));
        command.arg(format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()));
        command.args(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", program]);
        command
    }

    /// Sets it so many seconds ahead of what is right, for `process`, which goes by it.
    ///
    /// # Panics
    /// When that process does not have the library, or another one that goes by this clock is not ahead.
    #[track_caller]
    pub fn set(&self, namespace: &Namespace, process: &Process, ahead: i64) {
        self.write(ahead);
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.pid())).unwrap_or_default();
        assert!(maps.contains("libfaketime"), "{} has no clock of its own: {maps}", process.name());
        let seen = checked(self.command(namespace, "date").arg("+%s"));
        let seen: i64 = seen.trim().parse().unwrap_or_else(|error| panic!("{error}: {seen}"));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970").as_secs();
        let off = seen - now.cast_signed() - ahead;
        assert!(off.abs() < NEARLY, "the clock is {off} s off what it was set to");
    }
}
