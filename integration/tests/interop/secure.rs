//! What keeps others out of a session: TCP MD5 and GTSM.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use integration::lab::fingerpost::Fingerpost;
use integration::lab::gateway::Daemon;
use integration::lab::namespace::Namespace;
use integration::lab::{Lab, Peering, wait};

use crate::bench::{BOUND, Bench, Setup, replaced};
use crate::cell::Found;

/// Attempts in quick succession, so that a second without a session says something.
const RETRY: &str = "timers: { hold: 6s, keepalive: 2s, connect_retry: 500ms }";
/// What both sides sign with.
const KEY: &str = "a-shared-key";

/// Several attempts to connect, at least.
const ATTEMPTS: Duration = Duration::from_secs(4);

pub(crate) fn md5(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.password = Some(KEY);
    setup.session.keys = RETRY.to_owned();
    let bench = Bench::start_as(setup.lab(), |lab, configuration| with_another_key(lab, &configuration));
    wait::until("a hint at the keys", BOUND, || {
        assert_eq!(bench.gateway().session(), None, "a session with two keys");
        let status = bench.status();
        let hint = status["hint"].as_str().is_some_and(|hint| hint.contains("MD5"));
        if hint { Ok(()) } else { Err(status) }
    });
    assert_ne!(bench.status()["state"], "Established");
    assert_ne!(counter(bench.gateway().namespace(), "TCPMD5Failure"), 0, "the gateway's kernel drops what we sign");
    write_key(&bench.lab, KEY);
    bench.await_session();
    bench.await_home();
    assert_eq!(bench.status()["hint"], serde_json::Value::Null);
    Found::Works
}

pub(crate) fn md5_range(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::EbgpOverV6);
    setup.session.password = Some(KEY);
    setup.session.listens = true;
    setup.session.listen_range = Some("fd00:10:170::/64");
    let mut lab = setup.lab();
    // Fingerpost is there first, as where the daemon dials without a key.
    lab.gateways_mut()[0].kill();
    let mut bench = Bench::start_as(lab, |lab, configuration| with_another_key(lab, &configuration));
    bench.gateway_mut().start();
    let dropped = || counter(bench.lab.control(), "TCPMD5Failure");
    wait::until_true("our kernel to drop what the gateway signs", BOUND, || dropped() > 0);
    let page = bench.fingerpost.get("/metrics").expect("Fingerpost answers").body;
    let counted =
        page.lines().find(|line| line.starts_with("fingerpost_tcp_md5_dropped_segments_total{kind=\"failure\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 0")), "and Fingerpost to say so: {counted:?}");
    assert_eq!(bench.gateway().session(), None, "a session with two keys");
    write_key(&bench.lab, KEY);
    bench.await_session();
    bench.await_home();
    Found::Works
}

/// Lets Fingerpost sign with a key of its own file, and another one than the gateway's.
fn with_another_key(lab: &Lab, configuration: &str) -> String {
    write_key(lab, "another-key");
    let name = lab.gateways()[0].name();
    replaced(configuration, &format!("{name}.key"), "ours.key")
}

/// What Fingerpost signs with. It looks every second.
fn write_key(lab: &Lab, key: &str) {
    let path = lab.folder().join("ours.key");
    std::fs::write(&path, key).expect("a file can be written into the lab's folder");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
}

pub(crate) fn gtsm(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.ttl_security = true;
    setup.session.keys = RETRY.to_owned();
    let mut bench = Bench::start_in(setup.lab());
    bench.await_home();
    let right = bench.configuration();
    let wrong = replaced(&right, "ttl_security: true", "ttl_security: false");
    // How long it takes where nothing is wrong.
    let begin = restart(&mut bench, &right);
    bench.await_session();
    let window = ATTEMPTS.max(begin.elapsed() * 2);
    restart(&mut bench, &wrong);
    if daemon == Daemon::Exabgp {
        bench.await_home();
        return Found::Unsupported(
            "ExaBGP sends with TTL 255, so Fingerpost can demand it; it takes whatever comes: Python has no IP_MINTTL",
        );
    }
    // For the gateway there is no session. (For Fingerpost there may seem to be one: its OPEN may be in the gateway's
    // kernel before the gateway has told that what to drop.)
    wait::throughout("no session", window, || bench.gateway().session().map_or(Ok(()), Err));
    assert_ne!(counter(bench.gateway().namespace(), "TCPMinTTLDrop"), 0, "its kernel drops what comes, for its TTL");
    restart(&mut bench, &right);
    bench.await_session();
    bench.await_home();
    Found::Works
}

pub(crate) fn gtsm_passive(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::EbgpOverV6);
    setup.session.listens = true;
    setup.session.ttl_security = true;
    setup.session.keys = "passive: true".to_owned();
    let mut lab = setup.lab();
    lab.gateways_mut()[0].kill();
    let mut bench = Bench::start_in(lab);
    // It sends with whatever it sends with otherwise.
    bench.gateway_mut().peer_otherwise(|session| session.ttl_security = false);
    bench.gateway_mut().start();
    wait::until("Fingerpost to refuse it for its TTL", BOUND, || {
        assert_eq!(bench.gateway().session(), None, "a session with a low TTL");
        let log = bench.fingerpost.log();
        if log.contains("ttl_security takes 255 or more") { Ok(()) } else { Err(log) }
    });
    bench.gateway_mut().kill();
    bench.gateway_mut().peer_otherwise(|session| session.ttl_security = true);
    bench.gateway_mut().start();
    bench.await_session();
    bench.await_home();
    assert_eq!(bench.status()["direction"], "incoming");
    Found::Works
}

/// Starts both sides anew, so that none of them waits because of what was before; when Fingerpost's start began.
fn restart(bench: &mut Bench, configuration: &str) -> Instant {
    bench.fingerpost.kill();
    bench.gateway_mut().kill();
    bench.gateway_mut().start();
    let begin = Instant::now();
    bench.fingerpost = Fingerpost::start_with(&bench.lab, configuration);
    begin
}

/// What a machine's kernel has counted (`TcpExt`).
fn counter(machine: &Namespace, name: &str) -> u64 {
    let text = machine.run("nstat", &["-asz", &format!("TcpExt{name}")]);
    let line = text.lines().find(|line| line.contains(name));
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    value.unwrap_or_else(|| panic!("no counter {name} in {text}"))
}
