//! A replica that takes part in an election and does nothing else, and what several of them say.

use crate::server::Cluster;
use crate::until::until;
use etcd_client::Client;
use fingerpost::clock::since_boot;
use fingerpost::election::{ElectionConfig, ElectionHandle, Standing, spawn};
use fingerpost::source::etcd::EtcdConfig;
use fingerpost_core::model::{Leadership, Replica, Term};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// Where they elect.
pub(crate) const KEY: &str = "/fp/leader";
/// Long enough that a loaded machine renews in time, and short enough to wait for.
pub(crate) const TTL: Duration = Duration::from_secs(4);

/// Dropped, it is gone without a word, as a process that was killed.
pub(crate) struct Elector {
    pub(crate) handle: ElectionHandle,
    standing: watch::Receiver<Standing>,
    /// Every role that was seen.
    roles: Arc<Mutex<Vec<Leadership>>>,
    state: Arc<TempDir>,
    config: ElectionConfig,
    _task: JoinHandle<()>,
    _listener: AbortOnDropHandle<()>,
}

impl Elector {
    /// A replica with this number.
    pub(crate) fn start(cluster: &Cluster, number: u8) -> Self {
        Self::start_with(etcd(cluster), number)
    }

    pub(crate) fn start_with(etcd: EtcdConfig, number: u8) -> Self {
        Self::start_in(etcd, number, Path::new("state"))
    }

    /// With its state in this folder below its own.
    pub(crate) fn start_in(etcd: EtcdConfig, number: u8, folder: &Path) -> Self {
        let state = Arc::new(tempfile::tempdir().unwrap());
        let config = ElectionConfig {
            etcd,
            key: KEY.into(),
            identity: format!("10.0.3.{number}"),
            ttl: TTL,
            margin: Duration::from_secs(1),
            reading: Duration::ZERO,
            state_dir: state.path().join(folder),
        };
        Self::of(config, state)
    }

    fn of(config: ElectionConfig, state: Arc<TempDir>) -> Self {
        let (handle, task) = spawn(config.clone());
        handle.has_read();
        let (standing, mut seen) = (handle.standing(), handle.standing());
        let roles = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&roles);
        let listener = tokio::spawn(async move {
            while seen.changed().await.is_ok() {
                kept.lock().unwrap().push(seen.borrow_and_update().leadership.clone());
            }
        });
        Elector { handle, standing, roles, state, config, _task: task, _listener: AbortOnDropHandle::new(listener) }
    }

    /// It was killed, and is started anew with the same configuration and directory.
    pub(crate) fn killed_and_started_again(self) -> Self {
        let (config, state) = (self.config.clone(), Arc::clone(&self.state));
        drop(self);
        Self::of(config, state)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.config.state_dir.clone()
    }

    pub(crate) fn me(&self) -> Replica {
        self.handle.me().clone()
    }

    pub(crate) fn leads(&self) -> Option<Term> {
        leads(&self.standing)
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    pub(crate) fn roles(&self) -> Vec<Leadership> {
        self.roles.lock().unwrap().clone()
    }

    /// Waits until it leads.
    pub(crate) async fn until_leads(&self) -> Term {
        until("a leader", async || self.leads().ok_or_else(|| self.standing())).await
    }

    /// Waits until its role is of this sort.
    pub(crate) async fn until_role(&self, what: &str, is_it: impl Fn(&Leadership) -> bool) -> Leadership {
        until(what, async || {
            let standing = self.standing();
            if is_it(&standing.leadership) { Ok(standing.leadership) } else { Err(standing) }
        })
        .await
    }

    /// Waits until it knows that this one leads.
    pub(crate) async fn until_follows(&self, leader: &Replica, term: Term) {
        let role = Leadership::Standby { leader: leader.clone(), term };
        self.until_role("a standby", |now| *now == role).await;
    }

    /// Waits until something is wrong that is told in words such as these.
    pub(crate) async fn until_trouble(&self, words: &str) -> String {
        until(words, async || {
            let standing = self.standing();
            match standing.trouble.as_ref().map(ToString::to_string) {
                Some(trouble) if trouble.contains(words) => Ok(trouble),
                _ => Err(standing),
            }
        })
        .await
    }

    /// Waits until nothing is wrong.
    pub(crate) async fn until_well(&self) {
        until("no trouble", async || match self.standing() {
            Standing { trouble: None, .. } => Ok(()),
            standing => Err(standing),
        })
        .await;
    }
}

/// Without TLS and users.
pub(crate) fn etcd(cluster: &Cluster) -> EtcdConfig {
    EtcdConfig { endpoints: cluster.endpoints(), tls: None, auth: None }
}

/// Waits until one of them leads; which, and in which term.
pub(crate) async fn leader(electors: &[Elector]) -> (usize, Term) {
    until("a leader", async || {
        let leads = electors.iter().enumerate().find_map(|(n, elector)| Some((n, elector.leads()?)));
        leads.ok_or_else(|| electors.iter().map(Elector::standing).collect::<Vec<_>>())
    })
    .await
}

/// The term in which it leads now.
fn leads(standing: &watch::Receiver<Standing>) -> Option<Term> {
    standing.borrow().leadership.leads(since_boot())
}

/// What the key holds.
pub(crate) async fn value(client: &mut Client, key: &str) -> Option<String> {
    let answer = client.get(key, None).await.unwrap();
    answer.kvs().first().map(|record| record.value_str().unwrap().to_owned())
}

/// Looks again and again whether two lead at once, or one term has two leaders.
pub(crate) struct Judge {
    _looks: AbortOnDropHandle<()>,
    found: Arc<Mutex<Vec<String>>>,
}

impl Judge {
    pub(crate) fn of(electors: &[Elector]) -> Self {
        let seen: Vec<_> = electors.iter().map(|elector| elector.standing.clone()).collect();
        let found = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&found);
        let looks = tokio::spawn(async move {
            let mut led: BTreeMap<Term, usize> = BTreeMap::new();
            loop {
                let leads = |n: usize| leads(&seen[n]);
                let leading: Vec<(usize, Term)> = (0..seen.len()).filter_map(|n| Some((n, leads(n)?))).collect();
                // The first may have stopped while the second was asked: only who still leads does so at the same time.
                let still: Vec<_> = leading.iter().filter(|(n, term)| leads(*n) == Some(*term)).collect();
                if still.len() > 1 {
                    kept.lock().unwrap().push(format!("two lead at once: {still:?}"));
                }
                for (n, term) in leading {
                    if *led.entry(term).or_insert(n) != n {
                        kept.lock().unwrap().push(format!("two have led in term {term}"));
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        Judge { _looks: AbortOnDropHandle::new(looks), found }
    }

    pub(crate) fn says_nothing(self) {
        let found = self.found.lock().unwrap().clone();
        assert!(found.is_empty(), "{found:?}");
    }
}
