//! How many packets between two pods are lost when Fingerpost, the path to it or its source fails, or an operator does
//! something: a stream in each family through a gateway's kernel while it happens, counted by sequence number.
//!
//! ```text
//!  pod a1 ──► host a1 ──► gateway's kernel ──► host b2 ──► pod b2      a request every 10 ms, and its answer back
//!                             ▲ routes
//!                         BIRD or FRR ◄── session ── Fingerpost ◄── etcd
//! ```
//!
//! `cases` is the list, `page` makes docs/losses.md of it (`make losses`); scenarios take single cases.

mod cases;
mod page;

pub use cases::CASES;
pub use page::{Measured, render, run};

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::lab::fingerpost::{Source, configuration};
use crate::lab::gateway::Daemon;
use crate::lab::stage::Stage;
use crate::lab::stream::{Report, Stream};
use crate::lab::{Lab, Peering};

/// Between two requests.
const INTERVAL: Duration = Duration::from_millis(10);
/// For how long the traffic's return is awaited.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Answers that show that traffic flows: a second's.
const FLOWS: usize = 100;

/// What happens while pods talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and started again so many seconds later.
    Kill(u64),
    /// SIGTERM, and started again so many seconds later.
    Terminate(u64),
    /// SIGSTOP, and SIGCONT so many seconds later.
    Pause(u64),
    /// Every frame from and to Fingerpost is lost for so many seconds, without a link going down.
    Cut(u64),
    /// etcd is killed, and started again so many seconds later.
    Etcd(u64),
    /// etcd and Fingerpost are killed; Fingerpost is started at once, etcd so many seconds after the session is back.
    EtcdAndKill(u64),
    /// A reload with another MED for every route.
    Policy,
    /// A reload with another hold time: the session is opened anew.
    Parameters,
    /// A reload with `drain: true`, and another one without it so many seconds later.
    Drain(u64),
    /// The gateway asks for all routes again.
    Refresh,
    /// An operator of the gateway resets the session.
    Reset,
    /// A reload without the gateway, and another one with it so many seconds later.
    Removed(u64),
    /// SIGUSR2; once Fingerpost has ended, it is started again so many seconds later.
    Decommission(u64),
}

/// Something to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What happens, for people.
    pub title: &'static str,
    /// How the session is configured, for people.
    pub session: &'static str,
    /// The same as keys of the gateway's entry.
    pub keys: &'static str,
    /// What happens.
    pub fault: Fault,
    /// Why packets are lost with BIRD and with FRR; empty where none may be.
    pub why: [&'static str; 2],
}

/// What became of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What was sent and lost.
    pub report: Report,
    /// Whether traffic flowed again at the end.
    pub back: bool,
}

/// Measures a case with a gateway that runs `daemon`: IPv4, IPv6.
///
/// # Panics
/// When the lab cannot be built, or traffic does not flow before the fault.
#[must_use]
#[track_caller]
pub fn measure(case: &Case, daemon: Daemon) -> [Loss; 2] {
    let mut session = Peering::Ebgp.session();
    session.keys = case.keys.to_owned();
    let lab = Lab::builder(Peering::Ebgp).gateway_with(daemon, session).build();
    let mut stage = Stage::native_in(lab);
    let (from, to) = (stage.lab.host("node-a1"), stage.lab.host("node-b2"));
    let traffic = [to.subnet().pod_v4(), to.subnet().pod_v6()];
    let traffic = traffic.map(|target| Stream::start(from.pod(), to.pod(), target, INTERVAL));
    let flow = traffic.iter().all(|stream| flows_by(stream, Instant::now() + PATIENCE));
    assert!(flow, "traffic flows before the fault");

    // For whoever has to explain a figure.
    let explain = std::env::var_os("FINGERPOST_LOSSES_LOGS").is_some();
    let gateway = stage.lab.gateways()[0].namespace();
    let monitor = explain.then(|| gateway.spawn("ip-monitor", "ip", &["-ts", "monitor", "route"]));
    case.fault.strike(&mut stage);
    let begin = Instant::now();
    await_whole(&stage.lab, begin);
    let back = traffic.each_ref().map(|stream| flows_by(stream, begin + PATIENCE));
    let mut back = back.into_iter();
    let losses = traffic.map(|mut stream| Loss { report: stream.stop(), back: back.next() == Some(true) });
    if monitor.is_some() {
        stage.lab.print_logs();
    }
    losses
}

impl Fault {
    fn strike(self, stage: &mut Stage) {
        let wait = |seconds| sleep(Duration::from_secs(seconds));
        let plain = configuration(&stage.lab, &Source::Native);
        match self {
            Self::Kill(away) => {
                stage.fingerpost.kill();
                wait(away);
                stage.fingerpost.resume();
            }
            Self::Terminate(away) => {
                stage.fingerpost.terminate();
                wait(away);
                stage.fingerpost.resume();
            }
            Self::Pause(away) => {
                stage.fingerpost.pause();
                wait(away);
                stage.fingerpost.unpause();
            }
            Self::Cut(away) => {
                stage.lab.cut_speaker();
                wait(away);
                stage.lab.mend_speaker();
            }
            Self::Etcd(away) => {
                stage.etcd.kill();
                wait(away);
                stage.etcd.resume();
            }
            Self::EtcdAndKill(away) => {
                stage.fingerpost.kill();
                stage.etcd.kill();
                stage.fingerpost.resume();
                stage.lab.gateways()[0].await_session();
                wait(away);
                stage.etcd.resume();
            }
            Self::Policy => {
                let other = plain.replace("match: {}, then", "match: {}, set: { med: 7 }, then");
                reload(stage, &plain, &other);
                wait(1);
            }
            Self::Parameters => {
                let other = plain.replace("policy: default,", "policy: default, timers: { hold: 9s, keepalive: 3s },");
                let before = stage.lab.gateways()[0].await_session();
                reload(stage, &plain, &other);
                await_another_session(&stage.lab, &before);
            }
            Self::Drain(away) => {
                reload(stage, &plain, &plain.replace("policy: default,", "policy: default, drain: true,"));
                wait(away);
                stage.fingerpost.reload(&plain);
                wait(1);
            }
            Self::Refresh => {
                stage.lab.gateways()[0].refresh();
                wait(1);
            }
            Self::Reset => {
                let before = stage.lab.gateways()[0].await_session();
                assert!(stage.lab.gateways()[0].reset(), "the gateway cannot be told to reset its session");
                await_another_session(&stage.lab, &before);
            }
            Self::Removed(away) => {
                let (without, _) = plain.split_once("gateways:").expect("there are gateways");
                let (_, rest) = plain.split_once("policies:").expect("there are policies");
                reload(stage, &plain, &format!("{without}gateways: {{}}\npolicies:{rest}"));
                wait(away);
                stage.fingerpost.reload(&plain);
            }
            Self::Decommission(away) => {
                stage.fingerpost.begin_decommission();
                assert!(stage.fingerpost.await_end().success(), "decommissioning is a request, not a fault");
                wait(away);
                stage.fingerpost.resume();
            }
        }
    }
}

fn reload(stage: &mut Stage, before: &str, after: &str) {
    assert_ne!(before, after, "the reload changes something");
    stage.fingerpost.reload(after);
}

/// Until the gateway has another session than this one, or patience ends.
fn await_another_session(lab: &Lab, before: &str) {
    let begin = Instant::now();
    while lab.gateways()[0].session().is_none_or(|now| now == before) && begin.elapsed() < PATIENCE {
        sleep(INTERVAL);
    }
}

/// Until the gateway has a session and every route again, or patience ends.
fn await_whole(lab: &Lab, begin: Instant) {
    let gateway = &lab.gateways()[0];
    while begin.elapsed() < PATIENCE {
        if gateway.session().is_some() && gateway.routes() == lab.home_routes() {
            return;
        }
        sleep(INTERVAL);
    }
}

/// Whether a second's answers more come before `end`.
fn flows_by(stream: &Stream, end: Instant) -> bool {
    let goal = stream.answers() + FLOWS;
    loop {
        if stream.answers() >= goal {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        sleep(INTERVAL);
    }
}
