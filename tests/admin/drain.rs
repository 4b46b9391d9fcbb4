//! Taking a process out of service: what its gateways hear, and how it ends.

use super::address::address;
use super::commands::{Done, fingerpost};
use super::http::get;
use super::peer::{Peer, Session};
use super::until::until;
use super::update::accepted;
use super::world::{ACCEPT, HOSTS, World, parse};
use fingerpost_core::bgp::wire::{Capability, GracefulRestart, MessageKind, RestartFamily};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// 65535:0 (RFC 8326).
const GRACEFUL_SHUTDOWN: u32 = 0xFFFF_0000;

/// `fingerpost run`, ended with the test.
struct Running {
    process: Child,
    directory: TempDir,
    http: SocketAddr,
}

impl Running {
    fn start(peer: &Peer, drain_time: &str) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("hosts.yaml"), HOSTS).unwrap();
        let http = SocketAddr::new(address(), 9179);
        parse(directory.path(), &peer.yaml("core-a"), ACCEPT, &format!("http: {{ listen: \"{http}\" }}"));
        let config = directory.path().join("config.yaml");
        replace(&config, "id: 10.0.3.10", &format!("id: 10.0.3.10, drain_time: {drain_time}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        let process = command.args(["run", "--config"]).arg(config).stderr(Stdio::null()).spawn().unwrap();
        Running { process, directory, http }
    }

    /// What `/api/v1/replicas` says of whether it is to end.
    async fn leaving(&self) -> Value {
        get(self.http, "/api/v1/replicas").await.json()["leaving"].take()
    }

    async fn run(&self, line: &str) -> Done {
        fingerpost(&self.directory.path().join("admin.sock"), line).await
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended; its exit code.
    async fn until_ended(&mut self) -> Option<i32> {
        until("its end", async || self.process.try_wait().unwrap().ok_or("it runs")).await.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn replace(file: &PathBuf, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

/// As a gateway that keeps routes behind a NOTIFICATION (RFC 8538).
async fn establish(peer: &Peer) -> Session {
    let families = vec![RestartFamily { afi: 1, safi: 1, forwarding: true }];
    let restart = GracefulRestart { restarting: false, notification: true, restart_time: 120, families };
    let ipv4 = Capability::MultiProtocol { afi: 1, safi: 1 };
    peer.establish(vec![ipv4, Capability::FourOctetAs(64500), Capability::GracefulRestart(restart)]).await
}

/// Reads until it was told all three routes with this MED, and with GRACEFUL_SHUTDOWN or without.
async fn until_told(session: &mut Session, med: u32, drained: bool) {
    let mut told = BTreeSet::new();
    while told.len() < 3 {
        let update = accepted(&session.expect(MessageKind::Update).await.body);
        let is_drained = update.attributes.communities.contains(&GRACEFUL_SHUTDOWN);
        let is_it = update.attributes.med == Some(med) && is_drained == drained;
        told.extend(update.routes().filter(|_| is_it).map(|(prefix, _)| prefix));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_drain_withdraw_drains_the_gateways_and_makes_them_drop_the_routes() {
    let peer = Peer::listen().await;
    let mut running = Running::start(&peer, "1s");
    let mut session = establish(&peer).await;
    until_told(&mut session, 50, false).await;
    let done = running.run("drain --withdraw").await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert!(done.out.starts_with("drains until 20") && done.out.contains("the gateways drop its routes"), "{done:?}");
    until_told(&mut session, 50, true).await;
    let last = session.closed().await.expect("a NOTIFICATION");
    assert_eq!(last.body[..4], [6, 9, 6, 2], "Administrative Shutdown inside a Hard Reset");
    assert_eq!(running.until_ended().await, Some(0));
}

/// The answer gets out, although the process has nothing to wait for.
#[tokio::test(flavor = "multi_thread")]
async fn c12_who_orders_a_drain_without_sessions_gets_an_answer() {
    let peer = Peer::listen().await;
    let mut running = Running::start(&peer, "0s");
    until("the admin API", async || {
        let done = running.run("status").await;
        if done.code == Some(0) { Ok(()) } else { Err(done) }
    })
    .await;
    let done = running.run("drain --withdraw").await;
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    assert_eq!(running.until_ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_a_decommissioning_is_shown_outlasts_a_reload_and_sigterm_ends_it_the_other_way() {
    let peer = Peer::listen().await;
    let mut running = Running::start(&peer, "1h");
    let mut session = establish(&peer).await;
    until_told(&mut session, 50, false).await;
    assert!(!running.run("status").await.out.contains("\nleaving "));
    assert_eq!(running.leaving().await, Value::Null);
    running.signal("USR2");
    until_told(&mut session, 50, true).await;
    let status = running.run("status").await.out;
    let leaving = status.lines().find(|line| line.starts_with("leaving   drains until 20"));
    assert!(leaving.is_some_and(|line| line.contains("the gateways drop its routes")), "{status}");
    let page = running.leaving().await;
    assert_eq!(page["withdraws"], true, "{page}");
    assert!(leaving.unwrap().contains(page["ends_at"].as_str().unwrap()), "{status}{page}");
    replace(&running.directory.path().join("config.yaml"), "med: 50", "med: 60");
    running.signal("HUP");
    until_told(&mut session, 60, true).await;
    running.signal("TERM");
    assert_eq!(session.closed().await, None, "no NOTIFICATION");
    assert_eq!(running.until_ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_leaves_gateways_to_nobody_is_refused_and_says_what_to_do_p10() {
    let peer = Peer::listen().await;
    let running = Running::start(&peer, "1h");
    let mut session = establish(&peer).await;
    until_told(&mut session, 50, false).await;
    let done = running.run("drain").await;
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
    assert!(done.err.starts_with("fingerpost: no other replica is there that could take over: "), "{done:?}");
    assert!(done.err.contains("--withdraw") && done.err.contains("SIGTERM"), "{done:?}");
    assert!(!running.run("status").await.out.contains("\nleaving "));
}

#[tokio::test(flavor = "multi_thread")]
async fn c12_a_gateway_is_drained_by_order_until_that_is_taken_back() {
    let peer = Peer::listen().await;
    let gateway = peer.yaml("core-a");
    let world = World::ready(HOSTS, &gateway).await;
    let mut session = establish(&peer).await;
    until_told(&mut session, 50, false).await;
    let unknown = world.run("drain --gateway core-b").await;
    let said = "fingerpost: no gateway is named \"core-b\": there are core-a\n";
    assert_eq!((unknown.code, unknown.err.as_str()), (Some(3), said));
    let until = "drained, with GRACEFUL_SHUTDOWN on every route, until fingerpost undrain --gateway core-a\n";
    assert_eq!(world.prints("drain --gateway core-a").await, format!("core-a is {until}"));
    until_told(&mut session, 50, true).await;
    assert_eq!(world.prints("drain --gateway core-a").await, format!("core-a was already {until}"));
    assert!(world.prints("status").await.contains("\ndrained   core-a\n"));
    assert!(world.prints("gateways -o wide").await.contains(" default (drained) "));
    let world = world.restart(&gateway).await;
    let mut session = establish(&peer).await;
    until_told(&mut session, 50, true).await;
    assert_eq!(world.prints("undrain --gateway core-a").await, "core-a is not drained any more\n");
    until_told(&mut session, 50, false).await;
    let again = world.run("undrain --gateway core-a").await;
    assert!(again.code == Some(3) && again.err.contains("was not drained by order"), "{again:?}");
    let drained = gateway.replace("policy: default", "policy: default, drain: true");
    world.run("drain --gateway core-a").await;
    let world = world.restart(&drained).await;
    let said = "core-a is still drained: the configuration says so\n";
    assert_eq!(world.prints("undrain --gateway core-a").await, said);
    let events = world.prints("events --kind order").await;
    assert!(events.contains("drain gateway core-a") && events.contains("undrain gateway core-a"), "{events}");
}
