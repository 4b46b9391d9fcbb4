//! The configuration that was in force, on disk: `state_dir/config`. A restart with another one is judged like a reload, for which
//! both must be known. It is written once nothing of it is held any more.

use super::file::Kept;
use super::sealed::{self, Lines, Refused, parsed};
use crate::config::{self, Config};
use crate::engine::EngineHandle;
use fingerpost_core::engine::Engine;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const VERSION: u32 = 1;
const NAME: &str = "config";

/// See the module; cheap to clone.
#[derive(Clone)]
pub struct ConfigKept {
    directory: Option<PathBuf>,
    texts: Arc<Mutex<Texts>>,
}

struct Texts {
    /// What the engine was given last.
    given: Arc<str>,
    written: Option<Arc<str>>,
    /// Whether the last attempt failed, so that it is said once.
    failing: bool,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    fingerpost_config: u32,
}

impl From<HeaderLine> for u32 {
    fn from(header: HeaderLine) -> u32 {
        header.fingerpost_config
    }
}

#[derive(Serialize, Deserialize)]
struct TextLine {
    text: String,
}

fn kept(directory: &Path) -> Kept<'_> {
    // It may name what is nobody's business, and an endpoint may hold more than its address.
    Kept { directory, name: NAME.into(), private: true }
}

impl ConfigKept {
    /// What was in force before, if it was something else and can be known.
    pub fn read(config: &Config) -> Option<Config> {
        let file = kept(config.state_dir.as_deref()?);
        let text = match file.contents() {
            Ok(contents) => read(&contents?),
            Err(error) => {
                let path = file.path();
                tracing::warn!("{} cannot be read, and the configuration is taken as it is: {error}", path.display());
                return None;
            }
        };
        let text = match text {
            Ok(text) => text,
            Err(refused) => {
                let said = file.set_aside(&refused);
                tracing::warn!("the configuration is taken as it is: {said}");
                return None;
            }
        };
        if text == config.text {
            return None;
        }
        match config::parse(&text, &config.file) {
            Ok(before) => Some(before),
            // What it names may be gone, or this version may know better.
            Err(faults) => {
                tracing::warn!(
                    faults = faults.faults.len(),
                    "the configuration that was in force before has faults now: this one is taken as it is"
                );
                None
            }
        }
    }

    /// Of a process that has just taken this configuration.
    pub fn new(config: &Config) -> Self {
        let texts = Texts { given: config.text.as_str().into(), written: None, failing: false };
        ConfigKept { directory: config.state_dir.clone(), texts: Arc::new(Mutex::new(texts)) }
    }

    /// The engine was given another one.
    pub fn given(&self, config: &Config) {
        self.texts().given = config.text.as_str().into();
    }

    fn texts(&self) -> std::sync::MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes it, if it is another one and the engine holds nothing of it.
    pub(super) async fn keep(&self, engine: &EngineHandle) {
        let Some(directory) = self.directory.clone() else { return };
        let (given, written) = {
            let texts = self.texts();
            (Arc::clone(&texts.given), texts.written.clone())
        };
        // The engine answers for what it was given before.
        if written.as_ref() == Some(&given) || engine.look(Engine::is_as_wanted).await != Some(true) {
            return;
        }
        let text = Arc::clone(&given);
        let write = move || kept(&directory).replace(|to| write(to, &text));
        let done = tokio::task::spawn_blocking(write).await;
        let mut texts = self.texts();
        match done.map_err(std::io::Error::other).and_then(|done| done) {
            Ok(()) => (texts.written, texts.failing) = (Some(given), false),
            Err(error) => {
                if !std::mem::replace(&mut texts.failing, true) {
                    let why = crate::limits::explained(&error);
                    tracing::error!(
                        "the configuration in force cannot be written to state_dir: {why}; a restart with another one will \
                         not be judged by it"
                    );
                }
            }
        }
    }
}

fn write(to: &mut dyn std::io::Write, text: &str) -> std::io::Result<()> {
    let line = TextLine { text: text.into() };
    sealed::write(to, &HeaderLine { fingerpost_config: VERSION }, std::iter::once(line))
}

fn read(contents: &[u8]) -> Result<String, Refused> {
    let Lines { mut others, .. } = sealed::read::<HeaderLine>(contents, VERSION)?;
    let (n, line) = others.next().ok_or(Refused::Short)?;
    parsed::<TextLine>(n, line).map(|line| line.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    const TEXT: &str = "router: { asn: 64512, id: 10.0.3.10 }
sources: { lab: { file: { path: hosts.yaml } } }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 16-32 } ], next_hops: [ 10.168.0.0/16 ] }
state_dir: state
";

    #[test]
    fn what_was_in_force_is_known_if_it_was_something_else_and_nobody_else_may_read_it() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("config.yaml");
        let now = config::parse(TEXT, &file).unwrap();
        assert_eq!(ConfigKept::read(&now), None, "a first start");
        let state = directory.path().join("state");
        let put = |text: &str| kept(&state).replace(|to| write(to, text)).unwrap();
        put(TEXT);
        assert_eq!(ConfigKept::read(&now), None, "the same");
        let mode = std::fs::metadata(state.join("config")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let before = TEXT.replace("16-32", "24-32");
        put(&before);
        assert_eq!(ConfigKept::read(&now).map(|before| before.text), Some(before));
        put("router: {}");
        assert_eq!(ConfigKept::read(&now), None, "nothing is known of one that has faults");
        std::fs::write(state.join("config"), "{}").unwrap();
        assert_eq!(ConfigKept::read(&now), None);
        assert!(state.join("config.refused").exists());
    }
}
