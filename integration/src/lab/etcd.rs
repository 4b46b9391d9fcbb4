//! A real etcd, written to as an operator, flanneld or a test would: by `etcdctl`. It is one member beside Fingerpost, or a
//! cluster of three, each on a machine of its own, where there are several replicas.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Lab;
use super::namespace::{Namespace, checked};
use super::process::Process;
use super::wait;

/// Where clients reach the one beside Fingerpost.
pub const ENDPOINT: &str = "http://127.0.0.1:2379";

const BOUND: Duration = Duration::from_secs(30);

/// An etcd, with its data in the lab's folder, so that it can be killed and started again.
#[derive(Debug)]
pub struct Etcd {
    /// From where it is written to.
    operator: Arc<Namespace>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    namespace: Arc<Namespace>,
    address: IpAddr,
    data: PathBuf,
    process: Option<Process>,
}

impl Member {
    fn url(&self, port: u16) -> String {
        format!("http://{}:{port}", self.address)
    }

    fn start(&mut self, cluster: &str) {
        let (data, clients, peers) = (self.data.to_string_lossy().into_owned(), self.url(2379), self.url(2380));
        let arguments = ["--name", &self.name, "--data-dir", &data, "--logger", "zap"];
        let clients = ["--listen-client-urls", &clients, "--advertise-client-urls", &clients];
        let peers = ["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers];
        let arguments = [&arguments[..], &clients, &peers, &["--initial-cluster", cluster]].concat();
        self.process = Some(self.namespace.spawn(&format!("etcd-{}", self.name), "etcd", &arguments));
    }

    fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

impl Etcd {
    /// Starts an empty etcd of one member in `namespace`.
    #[must_use]
    pub fn start(namespace: &Arc<Namespace>) -> Self {
        Self::start_members(namespace, &[(Arc::clone(namespace), Ipv4Addr::LOCALHOST.into())])
    }

    /// Starts an empty etcd of three members in a lab with [several replicas](super::Builder::replicas).
    #[must_use]
    pub fn start_cluster(lab: &Lab) -> Self {
        Self::start_members(lab.replicas().operator(), lab.replicas().members())
    }

    fn start_members(operator: &Arc<Namespace>, places: &[(Arc<Namespace>, IpAddr)]) -> Self {
        let folder = operator.context().folder();
        let members = (1..).zip(places).map(|(number, (namespace, address))| {
            let name = format!("member{number}");
            let data = folder.join(&name);
            Member { name, namespace: Arc::clone(namespace), address: *address, data, process: None }
        });
        let mut etcd = Self { operator: Arc::clone(operator), members: members.collect() };
        etcd.resume();
        etcd
    }

    /// Kills all of it (SIGKILL). What was written stays.
    pub fn kill(&mut self) {
        self.members.iter_mut().for_each(|member| member.process = None);
    }

    /// Kills one member (SIGKILL): 0 is the first.
    pub fn kill_member(&mut self, place: usize) {
        self.members[place].process = None;
    }

    /// Starts again what of it does not run, with what was written before.
    ///
    /// # Panics
    /// When it does not answer within 30 s.
    #[track_caller]
    pub fn resume(&mut self) {
        let urls = self.members.iter().map(|member| format!("{}={}", member.name, member.url(2380)));
        let cluster = urls.collect::<Vec<_>>().join(",");
        self.members.iter_mut().filter(|member| member.process.is_none()).for_each(|member| member.start(&cluster));
        let is_whole =
            || self.etcdctl().args(["endpoint", "health"]).output().is_ok_and(|output| output.status.success());
        wait::until("etcd to be whole", BOUND, || {
            if is_whole() { Ok(()) } else { Err(self.members.iter().map(Member::log).collect::<Vec<_>>()) }
        });
    }

    /// Which member leads the others.
    ///
    /// # Panics
    /// When none does within 30 s.
    #[must_use]
    #[track_caller]
    pub fn leading_member(&self) -> usize {
        wait::until("a member that leads", BOUND, || {
            let output = self.etcdctl().args(["endpoint", "status", "--write-out", "json"]).output();
            let said = output.map_err(|error| error.to_string())?.stdout;
            let status: Value = serde_json::from_slice(&said).map_err(|error| error.to_string())?;
            let leads = |entry: &&Value| entry["Status"]["leader"] == entry["Status"]["header"]["member_id"];
            let endpoint = status.as_array().into_iter().flatten().find(leads).map(|entry| entry["Endpoint"].clone());
            let place = self.members.iter().position(|member| endpoint == Some(Value::from(member.url(2379))));
            place.ok_or_else(|| status.to_string())
        })
    }

    /// What stands at a key; `None` where nothing does, or etcd does not answer.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        let output = self.etcdctl().args(["get", "--print-value-only", "--", key]).output().ok()?;
        let value = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// Where clients reach it.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.url(2379)).collect()
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
        let mut command = self.operator.command("etcdctl");
        command.env("ETCDCTL_API", "3");
        command.args(["--endpoints", &self.endpoints().join(","), "--command-timeout", "3s"]);
        command
    }
}

/// A lease's id.
#[derive(Clone, Debug)]
pub struct Lease(String);
