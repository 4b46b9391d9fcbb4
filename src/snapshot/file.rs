//! A file in `state_dir` that is replaced whole, and kept under another name where it cannot be used.

use super::sealed::Refused;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file of this name.
pub(crate) struct Kept<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) name: String,
    /// Nobody else may read it.
    pub(crate) private: bool,
}

impl Kept<'_> {
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// No source's name makes its file this: `prod.new` may be one.
    pub(crate) fn new_path(&self) -> PathBuf {
        self.directory.join(format!(".{}.new", self.name))
    }

    /// None where there is no such file. To open a pipe would wait for whoever writes to it.
    pub(crate) fn contents(&self) -> io::Result<Option<Vec<u8>>> {
        match std::fs::metadata(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(file) if !file.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
            Ok(_) => std::fs::read(self.path()).map(Some),
        }
    }

    fn aside(&self) -> PathBuf {
        self.directory.join(format!("{}.refused", self.name))
    }

    /// Renames it; for the log: nothing of it is used, and why, and where it is kept.
    pub(crate) fn set_aside(&self, refused: &Refused) -> String {
        let aside = self.aside();
        let kept = match std::fs::rename(self.path(), &aside) {
            Ok(()) => format!("it is kept as {}", aside.display()),
            Err(error) => format!("it could not be renamed to {} ({error})", aside.display()),
        };
        format!("nothing of {} is used: {refused}; {kept}", self.path().display())
    }

    /// Gives it this name besides, so that it is replaced and still there; for a person: where it is kept.
    pub(super) fn link_aside(&self) -> String {
        let aside = self.aside();
        let linked = match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => std::fs::hard_link(self.path(), &aside),
        };
        match linked {
            Ok(()) => format!("it is kept as {}", aside.display()),
            Err(error) => format!("it could not be kept as {} ({error})", aside.display()),
        }
    }

    /// Replaces it: after a crash it is the old one or the new one, never a part.
    pub(crate) fn replace(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        std::fs::create_dir_all(self.directory)?;
        let new = self.new_path();
        // Whatever is there from before, a pipe too, is not written to.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mode = if self.private { 0o600 } else { 0o666 };
        let mut writer = BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?);
        write(&mut writer)?;
        writer.flush()?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&new, self.path())?;
        // The rename itself is lost in a power cut unless the directory is written too.
        std::fs::File::open(self.directory)?.sync_all()
    }
}
