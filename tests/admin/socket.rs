//! The socket, the health service, and the audit line.

use super::client::channel;
use super::until::{BOUND, until};
use super::world::{HOSTS, World};
use fingerpost::admin::proto::FreezeRequest;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_for_owner_and_group_and_goes_with_the_process() {
    let world = World::ready(HOSTS, "").await;
    let socket = world.socket.clone();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o660);
    let directory = world.end().await;
    until("the socket's end", async || if socket.exists() { Err("it is there") } else { Ok(()) }).await;
    drop(directory);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_somebody_removes_comes_back() {
    let world = World::ready(HOSTS, "").await;
    std::fs::remove_file(&world.socket).unwrap();
    let again = until("the socket", async || channel(&world.socket).await).await;
    HealthClient::new(again).check(HealthCheckRequest::default()).await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_service_answers_for_all_and_for_ours() {
    let world = World::ready(HOSTS, "").await;
    let mut health = HealthClient::new(channel(&world.socket).await.unwrap());
    for service in ["", "fingerpost.v1.Fingerpost"] {
        let request = HealthCheckRequest { service: service.into() };
        let status = health.check(request).await.unwrap().into_inner().status;
        assert_eq!(status, i32::from(ServingStatus::Serving), "{service:?}");
    }
}

/// A running `fingerpost run`, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it in this directory; with what it says.
fn run(directory: &Path) -> (Running, mpsc::Receiver<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(["run", "--config", "config.yaml"]).current_dir(directory).env_remove("FINGERPOST_LOG");
    let mut running = Running(command.stderr(Stdio::piped()).spawn().unwrap());
    let (says, said) = mpsc::channel();
    let lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| says.send(line)));
    (running, said)
}

/// The first line that holds this.
fn line(said: &mpsc::Receiver<String>, wanted: &str) -> String {
    let mut all = String::new();
    loop {
        let line = said.recv_timeout(BOUND).unwrap_or_else(|_| panic!("{wanted:?} was not said, but: {all}"));
        if line.contains(wanted) {
            return line;
        }
        all = all + &line + "\n";
    }
}

fn write_config(directory: &Path) {
    let text = format!(
        "router: {{ asn: 64512, id: 10.0.3.10 }}
sources: {{ lab: {{ file: {{ path: hosts.yaml, poll: 100ms }} }} }}
fence: {{ prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }} ], next_hops: [ 10.168.0.0/16 ] }}
admin: {{ listen: \"unix:{}\" }}
log: {{ level: error }}
",
        directory.join("admin.sock").display()
    );
    std::fs::write(directory.join("config.yaml"), text).unwrap();
    std::fs::write(directory.join("hosts.yaml"), HOSTS).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c67_each_order_is_a_line_in_the_log_whatever_its_level() {
    let directory = tempfile::tempdir().unwrap();
    write_config(directory.path());
    let (_running, said) = run(directory.path());
    let socket = directory.path().join("admin.sock");
    let channel = until("the admin API", async || channel(&socket).await).await;
    let mut client = super::client::Client::new(channel);
    client.freeze(FreezeRequest {}).await.unwrap();
    let line = line(&said, "audit: ");
    let uid = std::fs::metadata(directory.path()).map(|found| std::os::unix::fs::MetadataExt::uid(&found)).unwrap();
    let pid = std::process::id();
    for part in [format!("uid={uid} "), format!("pid={pid} "), "order=\"freeze\"".into(), "count=1".into()] {
        assert!(line.contains(&part), "{part} is not in {line}");
    }
}

#[test]
fn a_second_process_says_that_the_socket_is_in_use_and_takes_it_over_at_the_first_ones_end() {
    let directory = tempfile::tempdir().unwrap();
    write_config(directory.path());
    let socket = directory.path().join("admin.sock");
    let first = run(directory.path());
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(
            first.1.recv_timeout(std::time::Duration::from_millis(10)) != Err(mpsc::RecvTimeoutError::Disconnected)
        );
    }
    let (_second, said) = run(directory.path());
    let line = line(&said, "admin.listen: ");
    assert!(line.contains("another process answers on") && line.contains("end it, or name another socket"), "{line}");
    // Killed, it leaves its socket behind.
    drop(first);
    assert!(socket.exists());
    let start = std::time::Instant::now();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(start.elapsed() < BOUND, "the socket that was left over is not taken");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
