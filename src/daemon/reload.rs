//! The configuration file, polled by contents: a ConfigMap's mount swaps symbolic links under an unchanged name.

use crate::config::{self, Config, Faults};
use std::path::{Path, PathBuf};

/// What a look at the file found.
pub(super) enum Reload {
    /// The same, or not believed yet.
    Unchanged,
    /// Other contents, with faults.
    Faulty(Faults),
    /// Another configuration.
    New(Box<Config>),
}

/// The file and what it held.
pub(super) struct ConfigFile {
    path: PathBuf,
    /// What is in force, or was refused.
    settled: Option<Vec<u8>>,
    /// What the look before found.
    found: Option<Vec<u8>>,
}

impl ConfigFile {
    /// A file that was just loaded.
    pub(super) fn loaded(path: &Path) -> Self {
        let contents = std::fs::read(path).ok();
        ConfigFile { path: path.into(), settled: contents.clone(), found: contents }
    }

    /// Looks again. Contents count once two looks found the same, or at once if somebody asked: half-written YAML is often
    /// valid YAML. A file that cannot be read now is no reason to change anything.
    pub(super) fn poll(&mut self, asked: bool) -> Reload {
        let contents = std::fs::read(&self.path).ok();
        let stable = contents.is_some() && contents == self.found;
        self.found.clone_from(&contents);
        if contents.is_none() && asked {
            // Asked for and not possible: say so.
            return match config::load(&self.path) {
                Ok(config) => Reload::New(Box::new(config)),
                Err(faults) => Reload::Faulty(faults),
            };
        }
        let differs = contents != self.settled;
        if contents.is_none() || !(asked || (stable && differs)) {
            return Reload::Unchanged;
        }
        self.settled = contents;
        match config::load(&self.path) {
            Ok(config) => Reload::New(Box::new(config)),
            Err(faults) => Reload::Faulty(faults),
        }
    }
}
