//! A real etcd beside Fingerpost, written to as an operator, flanneld or a test would: by `etcdctl`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::namespace::{Namespace, checked};
use super::process::Process;

/// Where clients reach it from Fingerpost's namespace.
pub const ENDPOINT: &str = "http://127.0.0.1:2379";

const PEERS: &str = "http://127.0.0.1:2380";

/// An etcd of one member, with its data in the lab's folder, so that it can be killed and started again.
#[derive(Debug)]
pub struct Etcd {
    namespace: Arc<Namespace>,
    data: PathBuf,
    process: Option<Process>,
}

impl Etcd {
    /// Starts an empty etcd in `namespace`.
    #[must_use]
    pub fn start(namespace: &Arc<Namespace>) -> Self {
        let data = namespace.context().folder().join("etcd");
        let mut etcd = Self { namespace: Arc::clone(namespace), data, process: None };
        etcd.resume();
        etcd
    }

    /// Kills it (SIGKILL). What was written stays.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again with what was written before.
    pub fn resume(&mut self) {
        let data = self.data.to_string_lossy();
        let arguments = ["--data-dir", &data, "--listen-client-urls", ENDPOINT, "--advertise-client-urls", ENDPOINT];
        let peers = ["--listen-peer-urls", PEERS, "--initial-advertise-peer-urls", PEERS];
        let cluster = ["--initial-cluster", "default=http://127.0.0.1:2380", "--logger", "zap"];
        let mut process = self.namespace.spawn("etcd", "etcd", &[&arguments[..], &peers, &cluster].concat());
        process.await_ready(Duration::from_secs(30), |_| {
            self.etcdctl().args(["get", "ready"]).output().is_ok_and(|output| output.status.success())
        });
        self.process = Some(process);
    }

    /// Writes a record.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) {
        checked(self.etcdctl().args(["put", "--", key, value]));
    }

    /// Writes records in one transaction, in this order.
    ///
    /// # Panics
    /// When etcd refuses.
    #[track_caller]
    pub fn put_at_once<'a>(&self, records: impl IntoIterator<Item = &'a (String, String)>) {
        // etcdctl's language: comparisons (none), what to do, what else; an empty line ends each. Words are quoted as in Go.
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let puts = records.into_iter().map(|(key, value)| format!("put {} {}\n", quoted(key), quoted(value)));
        let script = format!("\n{}\n\n", puts.collect::<String>());
        let mut child = self
            .etcdctl()
            .arg("txn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("etcdctl can be started");
        child
            .stdin
            .take()
            .expect("its input is a pipe")
            .write_all(script.as_bytes())
            .expect("etcdctl reads its script");
        let output = child.wait_with_output().expect("etcdctl can be waited for");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.starts_with("SUCCESS"), "etcdctl refused {script}: {said}");
    }

    /// Writes a record that lives as long as `lease`.
    #[track_caller]
    pub fn put_with_lease(&self, key: &str, value: &str, lease: &Lease) {
        checked(self.etcdctl().args(["put", "--lease", &lease.0, "--", key, value]));
    }

    /// Deletes a record.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn delete(&self, key: &str) {
        let deleted = checked(self.etcdctl().args(["del", "--", key]));
        assert_eq!(deleted.trim(), "1", "there is no record {key}");
    }

    /// Grants a lease, which nobody renews.
    #[track_caller]
    pub fn grant(&self, time_to_live: Duration) -> Lease {
        let seconds = time_to_live.as_secs().to_string();
        let answer = checked(self.etcdctl().args(["lease", "grant", &seconds]));
        let id = answer.split_whitespace().nth(1).unwrap_or_else(|| panic!("no lease in: {answer}"));
        Lease(id.to_owned())
    }

    /// True until a lease has ended.
    #[track_caller]
    pub fn is_alive(&self, lease: &Lease) -> bool {
        let answer = checked(self.etcdctl().args(["lease", "timetolive", &lease.0]));
        !answer.contains("already expired")
    }

    /// Asks for a password from now on: `root` with `password` may do everything. Later calls here are refused.
    #[track_caller]
    pub fn require_password(&self, password: &str) {
        for words in [&["user", "add", &format!("root:{password}")][..], &["auth", "enable"]] {
            checked(self.etcdctl().args(words));
        }
    }

    /// True while a record exists.
    #[track_caller]
    pub fn has(&self, key: &str) -> bool {
        !checked(self.etcdctl().args(["get", "--keys-only", "--", key])).trim().is_empty()
    }

    fn etcdctl(&self) -> Command {
        let mut command = self.namespace.command("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", ENDPOINT, "--command-timeout", "3s"]);
        command
    }
}

/// A lease's id.
#[derive(Clone, Debug)]
pub struct Lease(String);
