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
    settled: Option<String>,
    /// What the look before found.
    found: Option<String>,
}

impl ConfigFile {
    /// Reads it for the first time. What is parsed is what counts as read, should it change meanwhile.
    pub(super) fn load(path: &Path) -> Result<(Self, Config), Faults> {
        let text = config::read(path)?;
        let config = config::parse(&text, path)?;
        let file = ConfigFile { path: path.into(), settled: Some(text.clone()), found: Some(text) };
        Ok((file, config))
    }

    /// Logs what is allowed and probably not meant.
    pub(super) fn say_warnings(&self, config: &Config) {
        for warning in &config.warnings {
            tracing::warn!("{}: {warning}", self.path.display());
        }
    }

    /// Looks again. Contents count once two looks found the same, or at once if somebody asked: half-written YAML is often
    /// valid YAML. A file that cannot be read now is no reason to change anything.
    pub(super) fn poll(&mut self, asked: bool) -> Reload {
        let text = match config::read(&self.path) {
            Ok(text) => text,
            Err(faults) => {
                self.found = None;
                return if asked { Reload::Faulty(faults) } else { Reload::Unchanged };
            }
        };
        let stable = self.found.as_ref() == Some(&text);
        let differs = self.settled.as_ref() != Some(&text);
        self.found = Some(text.clone());
        if !(asked || (stable && differs)) {
            return Reload::Unchanged;
        }
        let parsed = config::parse(&text, &self.path);
        self.settled = Some(text);
        match parsed {
            Ok(config) => Reload::New(Box::new(config)),
            Err(faults) => Reload::Faulty(faults),
        }
    }
}
