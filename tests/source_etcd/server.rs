//! Real etcds, old and new, on free loopback ports, in directories of their own, gone when dropped.

use etcd_client::{Client, ConnectOptions};
pub(crate) use relay::Relay;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "relay.rs"]
mod relay;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Which etcd.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Etcd {
    /// What Debian 12 and Ubuntu 24.04 have.
    V3_4,
    /// The newest, built from its Go modules.
    V3_6,
}

impl Etcd {
    /// Whether it is there. Without it the test is skipped loudly, and in CI it fails.
    pub(crate) fn is_available(self, test: &str) -> bool {
        let Err(why) = self.programs() else { return true };
        let line = format!("SKIP {test}: {}\n", why.replace('\n', " "));
        eprint!("{line}");
        if let Ok(file) = std::env::var("FINGERPOST_SKIPS") {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert!(std::env::var("CI").is_err(), "{line}");
        false
    }

    /// The server, and what restores a snapshot; or why there are none.
    fn programs(self) -> Result<&'static [PathBuf; 2], &'static str> {
        static V3_4: OnceLock<Result<[PathBuf; 2], String>> = OnceLock::new();
        static V3_6: OnceLock<Result<[PathBuf; 2], String>> = OnceLock::new();
        let found = match self {
            Etcd::V3_4 => V3_4.get_or_init(packaged),
            Etcd::V3_6 => V3_6.get_or_init(built),
        };
        found.as_ref().map_err(String::as_str)
    }

    fn program(self) -> Command {
        let [server, _] = self.programs().unwrap();
        Command::new(server)
    }

    fn server(self) -> Command {
        let mut command = self.program();
        if self == Etcd::V3_6 {
            command.arg("--unsafe-no-fsync");
        }
        command
    }

    /// `snapshot restore …`, to be completed.
    fn restore(self) -> Command {
        let [_, restores] = self.programs().unwrap();
        let mut command = Command::new(restores);
        command.args(["snapshot", "restore"]);
        command
    }
}

fn packaged() -> Result<[PathBuf; 2], String> {
    let output = Command::new("etcd").arg("--version").output();
    let output = output.map_err(|_| "no etcd in the path (install etcd-server and etcd-client)".to_owned())?;
    let version = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
    match version.starts_with("etcd Version: 3.4.") {
        true => Ok(["etcd".into(), "etcdctl".into()]),
        false => Err(format!("the etcd in the path is not of 3.4: {version}")),
    }
}

fn built() -> Result<[PathBuf; 2], String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/integration/go-tools.sh");
    let output = Command::new(script).arg("etcd").output().map_err(|error| format!("{script}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    Ok([folder.join("server"), folder.join("etcdutl")])
}

/// A cluster's members.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
    relay: Relay,
}

/// One etcd.
pub(crate) struct Member {
    etcd: Etcd,
    name: String,
    scheme: &'static str,
    client_port: u16,
    peer_port: u16,
    /// Where the others reach it: the relay.
    relay_port: u16,
    args: Vec<String>,
    dir: TempDir,
    process: Option<Child>,
}

impl Cluster {
    /// One etcd.
    pub(crate) async fn one(etcd: Etcd) -> Self {
        Self::start(etcd, 1, "http", &[]).await
    }

    /// So many members with these further arguments; all of them answer.
    pub(crate) async fn start(etcd: Etcd, members: usize, scheme: &'static str, args: &[String]) -> Self {
        let relay = Relay::new();
        let members = (0..members).map(|number| Member::new(etcd, number, scheme, args, &relay)).collect();
        let mut cluster = Cluster { members, relay };
        for number in 0..cluster.members.len() {
            cluster.run(number);
        }
        if scheme == "http" {
            for member in &cluster.members {
                member.ready().await;
            }
            cluster.introduce().await;
        }
        cluster
    }

    /// The relay learns who is who.
    async fn introduce(&self) {
        let Ok(all) = self.client().await.member_list().await else { return };
        for (number, member) in self.members.iter().enumerate() {
            let found = all.members().iter().find(|found| found.name() == member.name);
            self.relay.name(found.unwrap().id(), number);
        }
    }

    /// `etcd grpc-proxy` before it, as some have it. Ended when dropped.
    pub(crate) fn grpc_proxy(&self) -> (Proxy, String) {
        let (address, mut command) = (format!("127.0.0.1:{}", free_port()), self.members[0].etcd.program());
        command.args(["grpc-proxy", "start", "--listen-addr", &address, "--advertise-client-url", &address]);
        command.args(["--endpoints", &self.endpoints().join(",")]);
        (Proxy(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()), format!("http://{address}"))
    }

    /// Cuts a member off from the others, or none any more.
    pub(crate) fn cut_off(&self, member: Option<usize>) {
        self.relay.cut_off(member);
    }

    /// A member that does not run holds what the backup holds. What it held is put aside.
    pub(crate) fn restore(&mut self, number: usize, backup: &Path, args: &[&str]) {
        let peers = self.peers();
        self.members[number].restore(&peers, backup, args);
    }

    /// Starts a member that does not run.
    pub(crate) fn run(&mut self, number: usize) {
        let peers = self.peers();
        self.members[number].run(&peers);
    }

    fn peers(&self) -> String {
        let peers: Vec<_> = self
            .members
            .iter()
            .map(|member| format!("{}=http://127.0.0.1:{}", member.name, member.relay_port))
            .collect();
        peers.join(",")
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(Member::endpoint).collect()
    }

    /// A client of the first member.
    pub(crate) async fn client(&self) -> Client {
        self.members[0].client().await
    }
}

impl Member {
    fn new(etcd: Etcd, number: usize, scheme: &'static str, args: &[String], relay: &Relay) -> Self {
        let peer_port = free_port();
        Member {
            etcd,
            name: format!("m{number}"),
            scheme,
            client_port: free_port(),
            peer_port,
            relay_port: relay.join(number, peer_port),
            args: args.to_vec(),
            dir: tempfile::tempdir().unwrap(),
            process: None,
        }
    }

    pub(crate) fn client_port(&self) -> u16 {
        self.client_port
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A folder that goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.client_port)
    }

    fn run(&mut self, cluster: &str) {
        let loopback = |port| format!("http://127.0.0.1:{port}");
        let (client, peer, relay) = (self.endpoint(), loopback(self.peer_port), loopback(self.relay_port));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        // Alone it waits for nobody to stand up against it.
        let (heartbeat, election) = if cluster.contains(',') { ("50", "500") } else { ("10", "100") };
        let process = self
            .etcd
            .server()
            .args(["--name", &self.name, "--initial-cluster", cluster, "--data-dir"])
            .arg(self.dir.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &relay])
            .args(["--heartbeat-interval", heartbeat, "--election-timeout", election])
            .args(&self.args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&self) {
        let asked = async {
            loop {
                let mut client = self.client().await;
                if client.get("ready", None).await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, asked).await.is_err() {
            panic!("etcd did not start: {}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
        }
    }

    /// Waits until it has said this.
    pub(crate) async fn log_says(&self, what: &str) {
        let log = self.dir.path().join("log");
        let said = async {
            while !std::fs::read_to_string(&log).unwrap_or_default().contains(what) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, said).await.is_ok(), "etcd never said {what}");
    }

    pub(crate) async fn client(&self) -> Client {
        let options =
            ConnectOptions::new().with_connect_timeout(Duration::from_secs(1)).with_timeout(Duration::from_secs(5));
        Client::connect([self.endpoint()], Some(options)).await.unwrap()
    }

    /// How many requests and streams it has been asked for.
    pub(crate) async fn requests(&self) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.client_port)).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let started = text.lines().filter(|line| line.starts_with("grpc_server_started_total{"));
        started.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// SIGTERM: for some seconds it goes on with what it is asked already, then it closes its connections.
    pub(crate) fn shut_down(&self) {
        self.signal("TERM");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) {
        let process = self.process.as_mut().unwrap();
        while process.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.process = None;
    }

    /// SIGSTOP: it answers nothing, and its connections stay open.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Loses all that it had stored.
    pub(crate) fn wipe(&self) {
        std::fs::remove_dir_all(self.dir.path().join("data")).unwrap();
    }

    /// Saves what the cluster holds now, in a file.
    pub(crate) async fn back_up(&self) -> PathBuf {
        let mut client = self.client().await;
        let (mut stream, mut all) = (client.snapshot().await.unwrap(), Vec::new());
        while let Some(part) = stream.message().await.unwrap() {
            all.extend_from_slice(part.blob());
        }
        let file = self.dir.path().join("backup");
        std::fs::write(&file, all).unwrap();
        file
    }

    fn restore(&self, cluster: &str, backup: &Path, args: &[&str]) {
        let data = self.dir.path().join("data");
        std::fs::rename(&data, self.dir.path().join("aside")).unwrap();
        let mut command = self.etcd.restore();
        command.arg(backup).arg("--data-dir").arg(data).args(["--name", &self.name, "--initial-cluster", cluster]);
        let relay = format!("http://127.0.0.1:{}", self.relay_port);
        let output = command.args(["--initial-advertise-peer-urls", &relay]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a restore put aside is what it holds.
    pub(crate) fn take_back(&self) {
        self.wipe();
        std::fs::rename(self.dir.path().join("aside"), self.dir.path().join("data")).unwrap();
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &process]).status().unwrap().success());
    }
}

/// A running `etcd grpc-proxy`.
pub(crate) struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of this test's own. Below those that the kernel gives to clients, or one of them might have it by then.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + std::process::id() as u16 % 200 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
