//! What happens to a session in its life: refresh, restart, silence, two connections at once.

use integration::lab::gateway::Daemon;
use integration::lab::namespace::Namespace;
use integration::lab::rib::{Mark, next_hops};
use integration::lab::topology::Vlan;
use integration::lab::{Lab, Peering, wait};
use serde_json::Value;

use crate::bench::{BOUND, Bench, Setup, WHILE, home};
use crate::cell::Found;

/// Its number in an OPEN (RFC 9494).
const LLGR_CAPABILITY: u64 = 71;

pub(crate) fn refresh(daemon: Daemon) -> Found {
    let bench = Setup::new(daemon, Peering::Ebgp).start();
    let session = bench.gateway().session();
    let expected = bench.table(&home());
    let sent = bench.messages("sent", "update");
    bench.gateway().refresh();
    if matches!(daemon, Daemon::Gobgp3 | Daemon::Gobgp4) {
        wait::throughout("the number of refreshes", WHILE, || match bench.messages("received", "route_refresh") {
            0 => Ok(()),
            other => Err(other),
        });
        return Found::Unsupported("GoBGP never asks: it applies its policy anew to what it has kept");
    }
    wait::until("a ROUTE-REFRESH of either family, and its answer", BOUND, || {
        // No route may be missing meanwhile.
        assert_eq!(bench.gateway().routes(), expected);
        let (asked, sent_now) = (bench.messages("received", "route_refresh"), bench.messages("sent", "update"));
        // One UPDATE for each of the four next hops in each family.
        if asked >= 2 && sent_now >= sent + 8 { Ok(()) } else { Err((asked, sent, sent_now)) }
    });
    if bench.status()["negotiated"]["enhanced_refresh"] == true {
        wait::until("BoRR and EoRR of either family", BOUND, || match bench.messages("sent", "route_refresh") {
            4 => Ok(()),
            other => Err(other),
        });
    }
    wait::throughout("the table", WHILE, || {
        let seen = bench.gateway().routes();
        if seen == expected { Ok(()) } else { Err(seen) }
    });
    assert_eq!(bench.gateway().session(), session, "the session stayed");
    Found::Works
}

pub(crate) fn gr_restart(daemon: Daemon) -> Found {
    let mut bench = Setup::new(daemon, Peering::Ebgp).start();
    let all = bench.table(&home());
    let mut left = home();
    left.pop();
    bench.fingerpost.kill();
    bench.own(&left);
    if daemon == Daemon::Exabgp {
        wait::until_true("ExaBGP to report the session's end", BOUND, || bench.gateway().rib().is_empty());
        bench.fingerpost.resume();
        bench.await_owners(&left);
        return Found::Unsupported(
            "ExaBGP keeps no routes; it reports the end of the session, and all routes again after it",
        );
    }
    wait::until_true("the end of the session", BOUND, || bench.gateway().session().is_none());
    wait::throughout("the table without Fingerpost", WHILE, || {
        let seen = bench.gateway().routes();
        if seen == all { Ok(()) } else { Err(seen) }
    });
    bench.fingerpost.resume();
    let expected = bench.table(&left);
    wait::until("what was deleted to go, and nothing else", BOUND, || {
        let seen = bench.gateway().routes();
        for (prefix, via) in &expected {
            assert_eq!(seen.get(prefix), Some(via), "{prefix} was lost");
        }
        if seen == expected { Ok(()) } else { Err(seen) }
    });
    Found::Works
}

pub(crate) fn llgr(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.keys = "graceful_restart: { restart_time: 0s, long_lived: 10m }".to_owned();
    let mut bench = setup.start();
    let capabilities = bench.status()["negotiated"]["peer_capabilities"].clone();
    let codes = capabilities.as_array().into_iter().flatten().map(|capability| capability["code"].as_u64());
    if !codes.into_iter().any(|code| code == Some(LLGR_CAPABILITY)) {
        return Found::Unsupported("its OPEN lacks the capability of long-lived graceful restart");
    }
    let all = bench.table(&home());
    bench.fingerpost.kill();
    wait::until("every route to be marked as long-lived stale", BOUND, || {
        let seen = bench.gateway().rib();
        assert_eq!(next_hops(&seen), all, "a route was lost");
        let marked = seen.values().all(|path| path.marks.contains(&Mark::LongLivedStale));
        if marked { Ok(()) } else { Err(seen) }
    });
    wait::throughout("the table without Fingerpost", WHILE, || {
        let seen = bench.gateway().routes();
        if seen == all { Ok(()) } else { Err(seen) }
    });
    bench.fingerpost.resume();
    wait::until("every route to be fresh", BOUND, || {
        let seen = bench.gateway().rib();
        let fresh = next_hops(&seen) == all && seen.values().all(|path| path.marks.is_empty());
        if fresh { Ok(()) } else { Err(seen) }
    });
    Found::Works
}

pub(crate) fn hold_expiry(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.keys = "timers: { hold: 3s, keepalive: 1s }".to_owned();
    let bench = setup.start();
    assert_eq!(bench.status()["negotiated"]["hold_time_seconds"], 3);
    bench.lab.cut_speaker();
    wait::until_true("the daemon to end the session", BOUND, || bench.gateway().session().is_none());
    await_end(&bench, "hold_timer_expired");
    bench.lab.mend_speaker();
    bench.await_session();
    bench.await_home();
    Found::Works
}

/// Waits until Fingerpost says that a session ended for `reason`.
fn await_end(bench: &Bench, reason: &str) {
    let name = format!("reason=\"{reason}\"");
    wait::until(&format!("a session's end: {reason}"), BOUND, || {
        let page = bench.fingerpost.get("/metrics").map_err(|error| error.to_string())?.body;
        let ends: Vec<&str> = page.lines().filter(|line| line.contains("last_end_timestamp_seconds{")).collect();
        if ends.iter().any(|line| line.contains(&name)) { Ok(()) } else { Err(ends.join("\n")) }
    });
}

pub(crate) fn collision(daemon: Daemon) -> Found {
    let mut setup = Setup::new(daemon, Peering::Ebgp);
    setup.session.listens = true;
    let mut lab = setup.lab();
    // Both sides connect while the path loses everything. Then both sleep, the path is mended, and their kernels complete
    // both connections. What they see when they wake up is a simultaneous open.
    lab.gateways_mut()[0].kill();
    pin_neighbours(&lab);
    lab.cut_speaker();
    lab.gateways_mut()[0].start();
    let mut bench = Bench::start_in(lab);
    wait::until("both sides to connect", BOUND, || match [bench.connecting(false), bench.connecting(true)] {
        [own, other] if own > 0 && other > 0 => Ok(()),
        other => Err(other),
    });
    bench.fingerpost.pause();
    bench.gateway_mut().pause();
    bench.lab.mend_speaker();
    wait::until("two connections", BOUND, || match bench.connections() {
        2 => Ok(()),
        other => Err(other),
    });
    bench.gateway_mut().unpause();
    bench.fingerpost.unpause();
    bench.await_home();
    wait::until("one connection", BOUND, || match bench.connections() {
        1 => Ok(()),
        other => Err(other),
    });
    let session = bench.await_session();
    wait::throughout("the session", WHILE, || {
        let seen = bench.gateway().session();
        if seen.as_ref() == Some(&session) { Ok(()) } else { Err(seen) }
    });
    bench.await_home();
    Found::Works
}

/// Tells Fingerpost's and the gateway's machine each other's link address: without it connecting over a path that loses
/// everything fails at once.
fn pin_neighbours(lab: &Lab) {
    let (control, gateway) = (lab.control(), &lab.gateways()[0]);
    let device = Vlan::Control170.bridge();
    let link_address = |namespace: &Namespace| {
        let text = namespace.ip(&format!("-j link show dev {device}"));
        let parsed: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        parsed[0]["address"].as_str().expect("a link has an address").to_owned()
    };
    for (namespace, address, other) in [
        (&**control, gateway.address(), gateway.namespace()),
        (gateway.namespace(), gateway.peering().speaker, control),
    ] {
        let link = link_address(other);
        namespace.ip(&format!("neigh replace {address} lladdr {link} dev {device} nud permanent"));
    }
}

impl Bench {
    /// BGP connections of Fingerpost's machine, as its kernel sees them.
    fn connections(&self) -> usize {
        count(self.lab.control(), "established")
    }

    /// Connections that the gateway, or Fingerpost, is trying to make.
    fn connecting(&self, gateway: bool) -> usize {
        count(if gateway { self.gateway().namespace() } else { self.lab.control() }, "syn-sent")
    }
}

fn count(namespace: &Namespace, state: &str) -> usize {
    let text = namespace.run("ss", &["-H", "-t", "-n", "state", state, "( sport = :179 or dport = :179 )"]);
    text.lines().count()
}
