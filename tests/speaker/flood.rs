//! The log of a real process, in lines: neither a store full of the same mistake nor a range full of strangers fills it.

use super::peer::{dial, range};
use super::until::until;
use super::world::{HOSTS, configuration, subnet, within};
use bytes::Bytes;
use std::fmt::Write;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// As a record's first few lines.
const FIRST: usize = 5;
/// As a range's lines in a minute.
const OF_RANGE: usize = 100;

/// A process of its own.
struct Running {
    process: Child,
    listens: SocketAddr,
    _directory: TempDir,
}

impl Running {
    async fn start(hosts: &str, gateways: &str) -> Running {
        let directory = TempDir::new().unwrap();
        let own = subnet();
        let (http, listens) = (SocketAddr::new(within(own, 1), 9179), SocketAddr::new(within(own, 1), 1790));
        std::fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        let file = directory.path().join("config.yaml");
        std::fs::write(&file, configuration(http, listens, gateways)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        command.args(["run", "--config"]).arg(file).env_remove("FINGERPOST_LOG");
        let process = command.stderr(Stdio::piped()).spawn().unwrap();
        let running = Running { process, listens, _directory: directory };
        until("the source to be read", async || match super::client::request(http, "GET", "/api/v1/sources").await {
            Ok(answer) if answer.json()["sources"][0]["state"] == "current" => Ok(()),
            other => Err(other),
        })
        .await;
        running
    }

    /// Ends it as an operator does, so that it writes every line it has; what it has said, line by line.
    fn said(mut self) -> Vec<String> {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said.lines().map(str::to_owned).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn count(lines: &[String], words: &str) -> usize {
    lines.iter().filter(|line| line.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_with_the_same_mistake_are_a_few_lines() {
    let mut hosts = String::from("hosts:\n");
    for n in 0..4_000 {
        let [.., b, c] = u32::to_be_bytes(n);
        // Each has a subnet of a family that it has no address of.
        writeln!(hosts, "  node-{n}: {{ addresses: [\"fd00::{n:x}\"], subnets: [10.244.{b}.{c}/32] }}").unwrap();
    }
    let lines = Running::start(&hosts, "").await.said();
    assert_eq!(count(&lines, " is not announced: "), FIRST, "{lines:#?}");
    assert!(lines.len() < 40, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c62_strangers_of_a_range_share_its_lines() {
    let own = subnet();
    let running = Running::start(HOSTS, &range(own, 24, "listen_limit: 300")).await;
    for last in 2..=254 {
        let mut stranger = dial(running.listens, within(own, last), None).await.unwrap();
        // No BGP: the answer is a NOTIFICATION, and the end.
        stranger.send(Bytes::from_static(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")).await;
        while stranger.next().await.is_some() {}
    }
    // Who belongs there is served as ever.
    let _session = dial(running.listens, within(own, 2), None).await.unwrap().establish().await;
    let lines = running.said();
    let about = count(&lines, "gateway=\"hosts/");
    assert!(count(&lines, "no session: ") < OF_RANGE && about <= OF_RANGE, "{about}: {lines:#?}");
    assert_eq!(count(&lines, "too many lines about gateways of its range"), 1, "{lines:#?}");
}
