//! How a gateway is left for good: drained first, then so that it drops the routes.

use std::time::Duration;

use integration::lab::capture::{Capture, Captured};
use integration::lab::gateway::Daemon;
use integration::lab::rib::{Mark, next_hops};
use integration::lab::{Peering, wait};

use crate::bench::{BOUND, Bench, Setup, home, replaced};
use crate::cell::Found;

/// Below the restart time of 120 s: routes that are gone by then were not kept as stale ones are.
const FLUSHED: Duration = Duration::from_secs(90);
/// The text of Fingerpost's shutdown communication (RFC 9003).
const GOODBYE: &str = "this Fingerpost is being decommissioned";
/// The subcode 2 and the length of that text.
const PLAIN: [u8; 2] = [2, GOODBYE.len() as u8];

pub(crate) fn drain(daemon: Daemon) -> Found {
    // Without the N bit the end is the plain 6/2.
    let mut bench = start(daemon, "graceful_restart: { notification: false }");
    let session = bench.await_session();
    let all = bench.table(&home());
    let plain = leaving(&bench.configuration());
    let drained = replaced(&plain, "policy: default,", "policy: default, drain: true,");
    for (configuration, marked) in [(&drained, true), (&plain, false)] {
        bench.fingerpost.reload(configuration);
        wait::until(&format!("GRACEFUL_SHUTDOWN on every route: {marked}"), BOUND, || {
            let seen = bench.gateway().rib();
            assert_eq!(next_hops(&seen), all, "a route was lost");
            // ExaBGP chooses no paths, and has no filter.
            let last = if daemon == Daemon::Exabgp { None } else { Some(Mark::LastChoice) };
            let due = [Some(Mark::GracefulShutdown), last];
            let mut marks = due.iter().flatten();
            let all = marks.all(|mark| seen.values().all(|path| path.marks.contains(mark) == marked));
            if all { Ok(()) } else { Err(seen) }
        });
    }
    assert_eq!(bench.gateway().session(), Some(session), "the session stayed");
    let captured = bench.decommission();
    assert!(cease(&captured, &PLAIN), "NOTIFICATION 6/2 with a text");
    let words = match daemon {
        Daemon::Bird | Daemon::Gobgp3 | Daemon::Gobgp4 | Daemon::Openbgpd => GOODBYE,
        Daemon::Frr => "Notification received (Cease/Administrative Shutdown)",
        // Where there is a text it mixes up Python's kinds of strings.
        Daemon::Exabgp => "can not decode update message of type",
    };
    wait::until(&format!("the daemon to say: {words}"), BOUND, || {
        let said = bench.gateway().diagnosis() + &bench.gateway().log();
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
    Found::Works
}

pub(crate) fn hard_reset(daemon: Daemon) -> Found {
    let mut bench = start(daemon, "");
    let notification = bench.status()["negotiated"]["graceful_restart"]["notification"] == true;
    let captured = bench.decommission();
    let (plain, hard) = (cease(&captured, &PLAIN), cease(&captured, &[&[9, 6], &PLAIN[..]].concat()));
    if notification {
        assert!(hard && !plain, "NOTIFICATION 6/9 around 6/2");
        return Found::Works;
    }
    assert!(plain && !hard, "NOTIFICATION 6/2");
    Found::Unsupported("its OPEN lacks the N bit: it is sent a plain 6/2, and drops the routes at that")
}

fn start(daemon: Daemon, keys: &str) -> Bench {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.keys = keys.to_owned();
    let bench = Bench::start_as(setup.lab(), |_, configuration| leaving(&configuration));
    bench.await_home();
    bench
}

/// A configuration with which Fingerpost leaves without waiting for its gateways to choose other paths.
fn leaving(configuration: &str) -> String {
    replaced(configuration, "drain_time: 3s", "drain_time: 0s")
}

impl Bench {
    /// Ends Fingerpost for good; what was on the wire. The gateway drops the routes at once and keeps none as stale.
    #[track_caller]
    fn decommission(&mut self) -> Captured {
        let capture = Capture::start(self.lab.switch());
        self.fingerpost.begin_decommission();
        let status = self.fingerpost.await_end();
        wait::until("every route to go", FLUSHED, || {
            let seen = self.gateway().rib();
            let stale = |mark: &Mark| matches!(mark, Mark::Stale | Mark::LongLivedStale);
            assert!(!seen.values().any(|path| path.marks.iter().any(stale)), "kept as stale: {seen:#?}");
            if seen.is_empty() && self.gateway().routes().is_empty() { Ok(()) } else { Err(seen) }
        });
        let captured = capture.stop();
        assert!(status.success(), "{status}");
        captured
    }
}

/// Whether a Cease NOTIFICATION went from Fingerpost to the gateway, with these octets from its subcode on.
fn cease(captured: &Captured, octets: &[u8]) -> bool {
    // The TCP payload begins with 16 octets of marker and 2 of length; then come type and error code.
    let octets = (18..).zip([&[3, 6], octets].concat());
    let octets = octets.map(|(place, octet)| format!("tcp[((tcp[12] & 0xf0) >> 2) + {place}] = {octet}"));
    let filter = octets.collect::<Vec<_>>().join(" and ");
    !captured.frames(&format!("src host 10.170.0.10 and {filter}")).is_empty()
}
