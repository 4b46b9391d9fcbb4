//! Secrets and other files that the configuration names, read when it is read.

use super::check::{Check, Field};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The most that is read of a key, password or certificate file.
const LIMIT: u64 = 1 << 20;

/// The content of a secret file, one line; printing it gives `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The line that the file holds, without its end. The error names the file and repeats nothing of it.
    pub fn read(file: &Path) -> Result<Secret, String> {
        let (text, _) = read(file).map_err(|why| format!("cannot use {}: {why}", file.display()))?;
        Secret::of(&text).ok_or_else(|| no_line(file))
    }

    fn of(text: &str) -> Option<Secret> {
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        (!line.is_empty() && !line.contains(['\n', '\r', '\0'])).then(|| Secret(line.into()))
    }

    /// The content, for those who must send it. Not for messages.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Field<'_> {
    /// The file named here, which holds a password; read again for each connection, so that it can be changed.
    pub(super) fn password(&self, check: &mut Check) -> Option<PathBuf> {
        let (file, text) = self.content(true, check)?;
        let holds = Secret::of(&text).is_some();
        if !holds {
            check.fault(&self.path, no_line(&file), "write the password alone into the file");
        }
        holds.then_some(file)
    }

    /// The name of a password's file that is read again while the program runs: what is wrong with it now need not stay so,
    /// and is only remarked on.
    pub(super) fn password_file(&self, check: &mut Check) -> Option<PathBuf> {
        let file = self.file(check)?;
        match read(&file) {
            Ok((text, mode)) => {
                self.remark_on_mode(&file, mode, check);
                if Secret::of(&text).is_none() {
                    check.warn(&self.path, no_line(&file), "write the password alone into the file");
                }
            }
            Err(why) => {
                let message =
                    format!("cannot use {}: {why}: this gateway stays down until that is mended", file.display());
                check.warn(&self.path, message, "name a file that this user may read");
            }
        }
        Some(file)
    }

    /// The PEM file named here, which holds a private key. It is read again for each connection, so that it can be renewed.
    pub(super) fn private_key(&self, check: &mut Check) -> Option<PathBuf> {
        let (file, text) = self.content(true, check)?;
        self.holds("PRIVATE KEY-----", &text, &file, check).then_some(file)
    }

    /// The PEM file named here, which holds certificates; read again as above.
    pub(super) fn certificates(&self, check: &mut Check) -> Option<PathBuf> {
        let (file, text) = self.content(false, check)?;
        self.holds("-----BEGIN CERTIFICATE-----", &text, &file, check).then_some(file)
    }

    fn holds(&self, mark: &str, text: &str, file: &Path, check: &mut Check) -> bool {
        let found = text.contains(mark);
        if !found {
            let message = format!("{} has no line with {mark}", file.display());
            check.fault(&self.path, message, "name a PEM file");
        }
        found
    }

    fn remark_on_mode(&self, file: &Path, mode: u32, check: &mut Check) {
        if mode & 0o007 != 0 {
            let message = format!("{} can be read or written by everyone (mode {mode:03o})", file.display());
            check.warn(&self.path, message, "chmod o-rwx");
        }
    }

    fn content(&self, secret: bool, check: &mut Check) -> Option<(PathBuf, String)> {
        let file = self.file(check)?;
        match read(&file) {
            Ok((text, mode)) => {
                if secret {
                    self.remark_on_mode(&file, mode, check);
                }
                Some((file, text))
            }
            Err(why) => {
                check.fault(
                    &self.path,
                    format!("cannot use {}: {why}", file.display()),
                    "name a file that this user may read",
                );
                None
            }
        }
    }
}

fn no_line(file: &Path) -> String {
    format!("{} does not hold one line with a password", file.display())
}

fn read(file: &Path) -> Result<(String, u32), String> {
    // Asked before it is opened: opening a pipe would wait for a writer.
    let metadata = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| error.to_string())?;
    opened.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() as u64 {
        0 => return Err("it is empty".into()),
        1..=LIMIT => {}
        _ => return Err("it is larger than 1 MiB".into()),
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Ok((text, metadata.permissions().mode() & 0o777))
}
