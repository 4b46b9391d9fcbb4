//! Whether the file can be written at all.

use crate::config::{Fault, Timeline};
use rustix::fs::{Access, AtFlags, CWD};
use std::io;
use std::path::Path;

/// Why no event can be written to its file, if so; to be asked before there is one. Nothing is made or changed.
pub fn refused(timeline: &Timeline) -> Option<Fault> {
    let (why, hint) = why(timeline.file.as_ref()?)?;
    Some(Fault::elsewhere("timeline.file", &why, hint))
}

/// Why not, and what to do.
fn why(file: &Path) -> Option<(String, &'static str)> {
    let may =
        |path: &Path, how: Access| rustix::fs::accessat(CWD, path, how, AtFlags::EACCESS).map_err(io::Error::from);
    let (why, hint) = match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => ("is a directory".into(), "name a file in it"),
        Ok(_) => {
            let error = may(file, Access::WRITE_OK).err()?;
            (format!("cannot be written: {error}"), "let this process's user write to it, or name another file")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !directory.is_dir() {
                (
                    format!("cannot be made: there is no directory {}", directory.display()),
                    "make it, for this process's user",
                )
            } else {
                let error = may(directory, Access::WRITE_OK | Access::EXEC_OK).err()?;
                let hint = "let this process's user write to the directory, or name another file";
                (format!("cannot be made in {}: {error}", directory.display()), hint)
            }
        }
        Err(error) => (format!("cannot be written: {error}"), "name a file that this process's user may write"),
    };
    Some((format!("{} {why}", file.display()), hint))
}

#[cfg(test)]
mod tests {
    use super::why;
    use tempfile::TempDir;

    #[test]
    fn a_file_that_cannot_be_written_is_refused_with_the_reason_and_what_to_do() {
        let directory = TempDir::new().unwrap();
        let inside = |name: &str| directory.path().join(name);
        std::fs::write(inside("plain"), "").unwrap();
        for (file, says, hint) in [
            (inside("no/such/events.jsonl"), "there is no directory ", "make it"),
            (directory.path().to_owned(), "is a directory", "name a file in it"),
            (inside("plain/events.jsonl"), "cannot be written: Not a directory", "name a file"),
            // Which not even root may write.
            ("/proc/sys/kernel/ostype".into(), "cannot be written: ", "let this process's user write to it"),
            ("/proc/sys/kernel/events.jsonl".into(), "cannot be made in /proc/sys/kernel: ", "write to the directory"),
        ] {
            let (said, mend) = why(&file).unwrap_or_else(|| panic!("{} is taken", file.display()));
            assert!(
                said.starts_with(&file.display().to_string()) && said.contains(says) && mend.contains(hint),
                "{said}: {mend}"
            );
        }
        for file in [inside("plain"), inside("new"), "/dev/null".into()] {
            assert_eq!(why(&file), None, "{}", file.display());
        }
        assert!(!inside("new").exists(), "to ask makes nothing");
    }
}
