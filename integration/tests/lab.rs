//! The lab keeps its own promises: it leaves nothing behind, however it ends, and its instruments can tell.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use integration::lab::capture::Capture;
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, cleanup, ping, routes, wait};
use rustix::process::{Pid, Signal, kill_process};

const NEEDS: [Need; 4] = [Need::Root, Need::Tools, Need::Bird, Need::Frr];
const BOUND: Duration = Duration::from_secs(20);

/// What a lab has on the machine.
#[derive(Debug, Default)]
struct Traces {
    namespaces: Vec<String>,
    processes: Vec<u32>,
    folders: Vec<PathBuf>,
}

impl Traces {
    fn of(lab: &Lab) -> Self {
        let folders = vec![lab.folder().to_owned()];
        Self { namespaces: lab.namespaces(), processes: lab.processes(), folders }
    }

    /// What of it is still there.
    fn left(&self) -> Vec<String> {
        let namespaces = self.namespaces.iter().map(|name| Path::new("/run/netns").join(name));
        let paths = namespaces.chain(self.folders.iter().cloned()).filter(|path| path.exists());
        let processes = self.processes.iter().filter(|pid| is_running(**pid));
        paths.map(|path| path.display().to_string()).chain(processes.map(ToString::to_string)).collect()
    }

    fn assert_present(&self) {
        let all = self.namespaces.len() + self.processes.len() + self.folders.len();
        assert_eq!(self.left().len(), all, "not all of {self:?} is there");
        assert!(self.namespaces.len() > 10 && self.processes.len() == 4, "too little to prove anything: {self:?}");
    }

    fn await_gone(&self) {
        wait::until("a lab's traces to be gone", BOUND, || {
            let left = self.left();
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }
}

/// True for a process that has not ended; one that only waits to be reaped has.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A lab in a process of its own.
fn lab_process() -> (Child, Traces) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["bird", "frr"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the lab's binary can be started");
    let mut traces = Traces::default();
    let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    for line in output.lines() {
        let line = line.expect("its output can be read");
        match line.split_once(' ') {
            Some(("namespace", name)) => traces.namespaces.push(name.to_owned()),
            Some(("process", pid)) => traces.processes.push(pid.parse().expect("a pid is a number")),
            Some(("folder", path)) => traces.folders.push(path.into()),
            _ => break,
        }
    }
    traces.assert_present();
    (child, traces)
}

fn ended_by(signal: Signal) -> Traces {
    let (mut child, traces) = lab_process();
    kill_process(Pid::from_child(&child), signal).expect("it runs");
    child.wait().expect("it ends");
    traces
}

#[test]
fn a_dropped_lab_leaves_nothing_behind() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::EbgpMultihop).gateway(Daemon::Bird).gateway(Daemon::Frr).build();
    let traces = Traces::of(&lab);
    traces.assert_present();
    drop(lab);
    traces.await_gone();
}

#[test]
fn a_failed_test_leaves_nothing_behind() {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut traces = Traces::default();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).gateway(Daemon::Frr).build();
        traces = Traces::of(&lab);
        traces.assert_present();
        panic!("a test fails (this one on purpose)");
    }));
    assert!(failed.is_err());
    traces.await_gone();
}

#[test]
fn an_interrupted_lab_leaves_nothing_behind() {
    if skip::unless(&NEEDS) {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        ended_by(signal).await_gone();
    }
}

#[test]
fn a_killed_lab_takes_its_processes_along_and_the_janitor_the_rest() {
    if skip::unless(&NEEDS) {
        return;
    }
    let traces = ended_by(Signal::KILL);
    let processes = Traces { processes: traces.processes.clone(), ..Traces::default() };
    processes.await_gone();
    cleanup::janitor();
    traces.await_gone();
}

#[test]
fn the_janitor_spares_the_labs_of_the_living() {
    if skip::unless(&NEEDS) {
        return;
    }
    let (child, traces) = lab_process();
    cleanup::janitor();
    traces.assert_present();
    drop(child.stdin);
    traces.await_gone();
}

#[test]
fn a_capture_tells_encapsulated_from_plain_traffic() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).build();
    let gateway = lab.gateways()[0].namespace();
    for (prefix, via) in lab.home_routes() {
        let via = via.first().expect("every subnet has a host");
        gateway.ip(&format!("route add {prefix} via {via}"));
    }
    let [a, b] = ["node-a1", "node-b1"].map(|name| lab.host(name));
    let plain = Capture::start(lab.switch());
    for target in [b.subnet().pod_v4(), b.subnet().pod_v6()] {
        ping::burst(a.pod(), target, 3, 100).assert_lossless(3);
    }
    plain.stop().assert_no_encapsulation();

    let wrapped = Capture::start(lab.switch());
    for target in [b.subnet().pod_v4(), b.subnet().pod_v6()] {
        ping::burst(a.pod(), target, 3, 100).assert_lossless(3);
    }
    let vxlan = (b.v4(), 8472);
    a.namespace().enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket can be bound");
        socket.send_to(&[8, 0, 0, 0, 0, 0, 1, 0], vxlan).expect("a datagram can be sent");
    });
    let wrapped = wrapped.stop();
    assert!(catch_unwind(AssertUnwindSafe(|| wrapped.assert_no_encapsulation())).is_err(), "VXLAN was not noticed");
}

#[test]
fn a_lost_packet_and_a_changed_route_are_noticed() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).build();
    let gateway = &lab.gateways()[0];
    let host = lab.host("node-b1");
    let (prefix, via) = (host.subnet().v4(), host.v4());
    gateway.namespace().ip(&format!(
        "route add {} via {}",
        lab.host("node-a1").subnet().v4(),
        lab.host("node-a1").v4()
    ));
    gateway.namespace().ip(&format!("route add {prefix} via {via}"));
    // The gateway's own discard route would drop without a word.
    gateway.namespace().ip("route add unreachable 10.244.0.0/17");
    let monitor = gateway.watch_routes();
    let traffic = ping::Ping::start(lab.host("node-a1").pod(), host.subnet().pod_v4(), Duration::from_millis(10));
    traffic.await_more(10);
    gateway.namespace().ip(&format!("route del {prefix}"));
    traffic.await_complaint();
    gateway.namespace().ip(&format!("route add {prefix} via {via}"));
    traffic.await_more(10);
    let report = traffic.stop();
    let changes = monitor.stop();
    assert!(!report.complaints.is_empty() && !report.lost.is_empty(), "the loss was not noticed: {report}");
    assert_eq!(changes.len(), 2, "one removal and one addition: {changes:#?}");
    assert!(changes[0].starts_with("Deleted"), "{changes:#?}");
    let home = lab.home_routes();
    gateway.namespace().ip("route del unreachable 10.244.0.0/17");
    assert_ne!(gateway.routes(), home, "the table lacks most of the routes");
    let pairs = [lab.host("node-a1"), host].map(|host| host.routes_of(host.subnet())[0].clone());
    gateway.await_routes(&routes(pairs));
}
