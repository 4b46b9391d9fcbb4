//! Secrets and other files that the configuration names, read when it is read.

use super::check::{Check, Field};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The most that is read of a key, password or certificate file.
const LIMIT: u64 = 1 << 20;

/// The content of a secret file; printing it gives `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
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
    /// The password in the file named here, without the line's end.
    pub(super) fn password(&self, check: &mut Check) -> Option<Secret> {
        let (file, text) = self.content(true, check)?;
        let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if password.is_empty() || password.contains(['\n', '\r', '\0']) {
            let message = format!("{} does not hold one line with a password", file.display());
            check.fault(&self.path, message, "write the password alone into the file");
            return None;
        }
        Some(Secret(password.into()))
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

    fn holds(&self, mark: &str, text: &str, file: &std::path::Path, check: &mut Check) -> bool {
        let found = text.contains(mark);
        if !found {
            let message = format!("{} has no line with {mark}", file.display());
            check.fault(&self.path, message, "name a PEM file");
        }
        found
    }

    fn content(&self, secret: bool, check: &mut Check) -> Option<(PathBuf, String)> {
        let file = self.file(check)?;
        match read(&file) {
            Ok((text, mode)) => {
                if secret && mode & 0o007 != 0 {
                    let message = format!("{} can be read or written by everyone (mode {mode:03o})", file.display());
                    check.warn(&self.path, message, "chmod o-rwx");
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

fn read(file: &std::path::Path) -> Result<(String, u32), String> {
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
