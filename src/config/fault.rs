//! Faults: what is wrong in the configuration, where, and what to write instead.

use super::tree::Pos;
use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong (or, as a warning, probably not meant).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The key, such as `gateways.core-a.asn`; empty for the file as a whole.
    pub path: String,
    /// Line, from 1; 0 where the file could not be read at all.
    pub line: u32,
    /// Column in characters, from 1; 0 as for `line`.
    pub column: u32,
    /// What is wrong. Never the content of a secret file.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault at a place; what a terminal would obey or hide (the user's text may hold anything) is shown escaped.
    pub(super) fn new(path: &str, at: Pos, message: &str, hint: Option<&str>) -> Self {
        let shown = |text: &str| text.chars().flat_map(shown).collect();
        let (path, message, hint) = (shown(path), shown(message), hint.map(shown));
        Fault { path, line: at.line, column: at.column, message, hint }
    }

    /// A fault of what the configuration names, which has no line in it.
    pub(crate) fn elsewhere(path: &str, message: &str, hint: &str) -> Self {
        Fault::new(path, Pos { line: 0, column: 0 }, message, Some(hint))
    }

    /// The fault with the file it is in, as compilers write it: `config.yaml:12:9: gateways.core-a.asn: …`.
    pub fn located<'a>(&'a self, file: &'a Path) -> impl fmt::Display + 'a {
        Located { file, fault: self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

fn shown(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = match c {
        '"' | '\'' | '\\' => (Some(c), None),
        _ => (None, Some(c.escape_debug())),
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

struct Located<'a> {
    file: &'a Path,
    fault: &'a Fault,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.fault.line > 0 {
            write!(f, ":{}:{}", self.fault.line, self.fault.column)?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// Every fault of a file, in the order of its lines; never empty. Nothing of the file is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The faults.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.faults.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", fault.located(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
