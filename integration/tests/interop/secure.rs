//! What keeps others out of a session: GTSM.

use std::time::Duration;

use integration::lab::fingerpost::{Fingerpost, Source, configuration_of};
use integration::lab::gateway::Daemon;
use integration::lab::{Peering, wait};

use crate::bench::{BOUND, Bench, Setup};
use crate::cell::Found;

/// Long enough for several attempts to connect.
const ATTEMPTS: Duration = Duration::from_secs(4);

pub(crate) fn gtsm(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.ttl_security = true;
    setup.session.keys = RETRY.to_owned();
    let bench = Bench::start_in(setup.lab());
    if daemon == Daemon::Exabgp {
        await_no_session(&bench);
        return Found::Unsupported("no session came up over a connection that ExaBGP accepts; why was not found out");
    }
    bench.await_home();
    let bench = restart_with(bench, "ttl_security: true", "ttl_security: false");
    // What comes with a lower TTL is dropped.
    await_no_session(&bench);
    Found::Works
}

/// Attempts in quick succession, so that a second without a session says something.
const RETRY: &str = "timers: { hold: 6s, keepalive: 2s, connect_retry: 500ms }";

/// Starts Fingerpost anew with a part of its configuration that does not fit.
fn restart_with(mut bench: Bench, right: &str, wrong: &str) -> Bench {
    let right_text = bench.configuration();
    let wrong_text = right_text.replace(right, wrong);
    assert_ne!(right_text, wrong_text, "{right} is part of the configuration");
    bench.fingerpost.kill();
    wait::until_true("the end of the session", BOUND, || bench.gateway().session().is_none());
    bench.fingerpost = Fingerpost::start_with(&bench.lab, &wrong_text);
    bench
}

/// For the gateway there is no session. (For Fingerpost there may seem to be one: its OPEN may be in the gateway's kernel
/// before the gateway has told that what to drop.)
fn await_no_session(bench: &Bench) {
    wait::throughout("no session", ATTEMPTS, || bench.gateway().session().map_or(Ok(()), Err));
}

impl Bench {
    /// Fingerpost's configuration that fits the gateway's.
    pub(crate) fn configuration(&self) -> String {
        let source = Source::File(self.lab.folder().join("hosts.yaml"));
        configuration_of(&self.lab, &[("file", &source)], self.lab.gateways())
    }
}
