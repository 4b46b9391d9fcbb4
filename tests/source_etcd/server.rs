//! A real etcd on free loopback ports, in a directory of its own, gone when dropped.

use etcd_client::{Client, ConnectOptions};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether there is an etcd. Without one the test is skipped loudly, and in CI it fails.
pub(crate) fn available(test: &str) -> bool {
    if Command::new("etcd").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let line = format!("SKIP {test}: no etcd in the path (install etcd-server)\n");
    eprint!("{line}");
    if let Ok(file) = std::env::var("FINGERPOST_SKIPS") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    assert!(std::env::var("CI").is_err(), "{line}");
    false
}

/// A cluster's members.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Member>,
}

/// One etcd.
pub(crate) struct Member {
    name: String,
    scheme: &'static str,
    client_port: u16,
    peer_port: u16,
    args: Vec<String>,
    dir: TempDir,
    process: Option<Child>,
}

impl Cluster {
    /// One etcd.
    pub(crate) async fn one() -> Self {
        Self::start(1, "http", &[]).await
    }

    /// So many members with these further arguments; all of them answer.
    pub(crate) async fn start(members: usize, scheme: &'static str, args: &[String]) -> Self {
        let members = (0..members).map(|number| Member::new(format!("m{number}"), scheme, args));
        let mut cluster = Cluster { members: members.collect() };
        for number in 0..cluster.members.len() {
            cluster.run(number);
        }
        if scheme == "http" {
            for member in &cluster.members {
                member.ready().await;
            }
        }
        cluster
    }

    /// Starts a member that does not run.
    pub(crate) fn run(&mut self, number: usize) {
        let peers: Vec<_> = self
            .members
            .iter()
            .map(|member| format!("{}=http://127.0.0.1:{}", member.name, member.peer_port))
            .collect();
        self.members[number].run(&peers.join(","));
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
    fn new(name: String, scheme: &'static str, args: &[String]) -> Self {
        Member {
            name,
            scheme,
            client_port: free_port(),
            peer_port: free_port(),
            args: args.to_vec(),
            dir: tempfile::tempdir().unwrap(),
            process: None,
        }
    }

    /// A folder that goes with it.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.client_port)
    }

    fn run(&mut self, cluster: &str) {
        let (client, peer) = (self.endpoint(), format!("http://127.0.0.1:{}", self.peer_port));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let process = Command::new("etcd")
            .args(["--name", &self.name, "--initial-cluster", cluster, "--data-dir"])
            .arg(self.dir.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
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

    pub(crate) async fn client(&self) -> Client {
        let options =
            ConnectOptions::new().with_connect_timeout(Duration::from_secs(1)).with_timeout(Duration::from_secs(5));
        Client::connect([self.endpoint()], Some(options)).await.unwrap()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
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

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &process]).status().unwrap().success());
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
