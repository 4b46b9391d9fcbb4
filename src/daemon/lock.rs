//! `state_dir/lock`: held for as long as the process lives, so that no other one uses the directory meanwhile. Two with one
//! configuration would take the sessions from each other for ever, and no gateway could say why.
//!
//! The kernel frees the lock with the process, however that ends; the number in the file is for the message alone.

use anyhow::bail;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// The file's name.
const NAME: &str = "lock";
/// How long the process before may take to end: a supervisor starts the next one at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);

/// Dropping it lets another process have the directory.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock so long. A directory that cannot be used costs the lock and nothing else: it is said, and there is
    /// none.
    pub(super) fn take(state_dir: Option<&Path>, patience: Duration) -> anyhow::Result<Option<Self>> {
        let Some(directory) = state_dir else { return Ok(None) };
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(directory.join(NAME));
        let mut file = match std::fs::create_dir_all(directory).and_then(|()| open()) {
            Ok(file) => file,
            Err(error) => return Ok(without(directory, &error)),
        };
        let start = Instant::now();
        let mut waits = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Ok(without(directory, &error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if start.elapsed() >= patience {
                let holder = holder(&mut file);
                bail!(
                    "another Fingerpost ({holder}) uses state_dir {}: end that one, or give this one a state_dir and \
                     addresses of its own",
                    directory.display()
                );
            }
            if !waits {
                let holder = holder(&mut file);
                tracing::info!("another Fingerpost ({holder}) uses state_dir: waiting for it to end");
                waits = true;
            }
            std::thread::sleep(AGAIN);
        }
        if let Err(error) = sign(&mut file) {
            tracing::warn!("cannot write the process's number to {NAME} in state_dir: {error}");
        }
        Ok(Some(Lock { _file: file }))
    }
}

fn without(directory: &Path, error: &std::io::Error) -> Option<Lock> {
    tracing::warn!(
        "cannot lock {}: {error}: a second Fingerpost that is started by mistake will not be noticed; let this user write \
         to state_dir",
        directory.join(NAME).display()
    );
    None
}

/// Writes whose it is.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Whose it is, as far as the file says.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    match read.ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) => format!("pid {pid}"),
        None => "pid unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Lock, PATIENCE};
    use std::time::Duration;

    #[test]
    fn a_second_one_is_refused_and_told_whose_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let first = Lock::take(Some(&state), Duration::ZERO).unwrap();
        assert!(first.is_some());
        let refused = Lock::take(Some(&state), Duration::ZERO).unwrap_err().to_string();
        let start = format!("another Fingerpost (pid {}) uses state_dir {}: ", std::process::id(), state.display());
        assert!(refused.starts_with(&start), "{refused}");
        drop(first);
        // The file is still there, as after a process that was killed.
        assert!(Lock::take(Some(&state), Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn the_process_before_may_take_a_while_to_end() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().to_owned();
        let first = Lock::take(Some(&state), Duration::ZERO).unwrap().unwrap();
        let second = std::thread::spawn(move || Lock::take(Some(&state), PATIENCE).map(|lock| lock.is_some()));
        drop(first);
        assert!(second.join().unwrap().unwrap());
    }

    #[test]
    fn without_a_directory_or_with_one_that_cannot_be_used_there_is_no_lock() {
        assert!(Lock::take(None, Duration::ZERO).unwrap().is_none());
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Lock::take(Some(&file.path().join("state")), Duration::ZERO).unwrap().is_none());
    }
}
