//! The configuration file, polled by contents: a ConfigMap's mount swaps symbolic links under an unchanged name.
//!
//! Contents count once two looks found the same, also when somebody asks by SIGHUP: half-written YAML is often valid YAML,
//! and a configuration that lacks a gateway ends its session. A task of its own reads and parses, so that a file
//! system that hangs holds up nothing else.

use crate::config::{self, Config, Faults};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

/// How often the contents are compared.
const POLL: Duration = Duration::from_secs(1);
/// Between the two looks after somebody asked.
const SETTLE: Duration = Duration::from_millis(200);

/// What the file has become.
#[derive(Debug)]
pub(super) enum Reload {
    /// It cannot be read, or has faults.
    Faulty(Faults),
    /// Another configuration, or the same where somebody asked: files that it names may have changed.
    New(Box<Config>),
}

/// The file and what it held.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    /// What is in force, or was refused.
    settled: Result<String, Faults>,
    /// What the look before found.
    found: Option<Result<String, Faults>>,
    /// Somebody wants to know, whether it differs or not.
    asked: bool,
}

impl ConfigFile {
    /// Reads it for the first time. What is parsed is what counts as read, should it change meanwhile.
    pub(super) fn load(path: &Path) -> Result<(Self, Config), Faults> {
        let text = config::read(path)?;
        let config = config::parse(&text, path)?;
        Ok((ConfigFile { path: path.into(), settled: Ok(text), found: None, asked: false }, config))
    }

    /// Its name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn ask(&mut self) {
        self.asked = true;
        self.found = None;
    }

    fn look(&mut self) -> Option<Reload> {
        let contents = config::read(&self.path);
        let stable = self.found.as_ref() == Some(&contents);
        let differs = self.settled != contents;
        if !(stable && (self.asked || differs)) {
            self.found = Some(contents);
            return None;
        }
        self.asked = false;
        self.settled = contents.clone();
        Some(match contents.and_then(|text| config::parse(&text, &self.path)) {
            Ok(config) => Reload::New(Box::new(config)),
            Err(faults) => Reload::Faulty(faults),
        })
    }
}

/// Follows a file.
pub(super) struct Follower {
    ask: Arc<Notify>,
    reloads: mpsc::Receiver<Reload>,
    _task: AbortOnDropHandle<()>,
}

impl Follower {
    pub(super) fn start(file: ConfigFile) -> Self {
        let ask = Arc::new(Notify::new());
        let (found, reloads) = mpsc::channel(1);
        let task = AbortOnDropHandle::new(tokio::spawn(follow(file, Arc::clone(&ask), found)));
        Follower { ask, reloads, _task: task }
    }

    /// Looks anew, and answers even if nothing has changed.
    pub(super) fn ask(&self) {
        self.ask.notify_one();
    }

    /// The next change, or answer; None if the task has ended, which it must not.
    pub(super) async fn next(&mut self) -> Option<Reload> {
        self.reloads.recv().await
    }
}

async fn follow(mut file: ConfigFile, ask: Arc<Notify>, found: mpsc::Sender<Reload>) {
    loop {
        if file.asked {
            sleep(SETTLE).await;
        } else {
            tokio::select! {
                () = ask.notified() => file.ask(),
                () = sleep(POLL) => {}
            }
        }
        let looked = tokio::task::spawn_blocking(move || {
            let reload = file.look();
            (file, reload)
        });
        let Ok((again, reload)) = looked.await else { return };
        file = again;
        if let Some(reload) = reload
            && found.send(reload).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConfigFile, Reload};
    use std::path::Path;
    use tempfile::TempDir;

    const HEAD: &str = "router: { asn: 64512, id: 10.0.3.10 }
sources: { lab: { file: { path: hosts.yaml } } }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 16-32 } ], next_hops: [ 10.168.0.0/16 ] }
policies: { default: [ { match: {}, then: accept } ] }
gateways:
  a: { address: 10.168.0.1, asn: 64500, policy: default }
";
    const TAIL: &str = "  b: { address: 10.168.0.2, asn: 64500, policy: default }\n";

    struct World {
        directory: TempDir,
        file: ConfigFile,
    }

    impl World {
        fn new() -> Self {
            let directory = TempDir::new().unwrap();
            std::fs::write(path(&directory), [HEAD, TAIL].concat()).unwrap();
            let (file, config) = ConfigFile::load(&path(&directory)).unwrap();
            assert_eq!(config.gateways.len(), 2);
            World { directory, file }
        }

        fn write(&self, text: &str) {
            std::fs::write(path(&self.directory), text).unwrap();
        }

        /// How many gateways there are after a look, if it believed anything.
        fn look(&mut self) -> Option<Result<usize, String>> {
            self.file.look().map(|reload| match reload {
                Reload::New(config) => Ok(config.gateways.len()),
                Reload::Faulty(faults) => Err(faults.to_string()),
            })
        }
    }

    fn path(directory: &TempDir) -> std::path::PathBuf {
        Path::new(directory.path()).join("config.yaml")
    }

    #[test]
    fn what_is_half_written_when_somebody_asks_is_not_believed() {
        let mut world = World::new();
        world.write(HEAD); // valid, and lacks a gateway
        world.file.ask();
        assert_eq!(world.look(), None);
        world.write(&[HEAD, TAIL].concat());
        assert_eq!(world.look(), None, "the second look found something else");
        assert_eq!(world.look(), Some(Ok(2)));
    }

    #[test]
    fn other_contents_count_after_two_looks_and_once() {
        let mut world = World::new();
        world.write(HEAD);
        let looks: Vec<_> = (0..4).map(|_| world.look()).collect();
        assert_eq!(looks, [None, Some(Ok(1)), None, None]);
    }

    #[test]
    fn who_asks_is_answered_although_nothing_changed() {
        let mut world = World::new();
        assert_eq!((world.look(), world.look()), (None, None));
        world.file.ask();
        assert_eq!((world.look(), world.look(), world.look()), (None, Some(Ok(2)), None));
    }

    #[test]
    fn a_file_that_is_gone_is_said_once_and_so_is_its_return() {
        let mut world = World::new();
        std::fs::remove_file(path(&world.directory)).unwrap();
        assert_eq!(world.look(), None);
        let said = world.look().unwrap().unwrap_err();
        assert!(said.contains("config.yaml") && said.contains("No such file"), "{said}");
        assert_eq!(world.look(), None);
        world.write(&[HEAD, TAIL].concat());
        assert_eq!((world.look(), world.look()), (None, Some(Ok(2))));
    }
}
