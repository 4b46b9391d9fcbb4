//! What is measured, and why packets are lost where they are: what the gateways' logs say, and Fingerpost's.

use super::{Case, Fault};

/// All cases, in the order of the page.
pub const CASES: &[Case] = &[
    case(Fault::Kill(3), KILL_3, PLAIN, [ENDS, ENDS]),
    case(Fault::Kill(3), KILL_3, RESTART, NOTHING),
    case(Fault::Kill(3), KILL_3, LONG_LIVED, NOTHING),
    case(Fault::Terminate(3), TERM_3, PLAIN, [ENDS, ENDS]),
    case(Fault::Terminate(3), TERM_3, RESTART, NOTHING),
    case(Fault::Terminate(3), TERM_3, LONG_LIVED, NOTHING),
    case(Fault::Kill(12), KILL_12, SHORT, [RESTART_TIME, RESTART_TIME]),
    case(Fault::Kill(12), KILL_12, SHORT_LIVED, [STALE_TIME, STALE_TIME]),
    case(Fault::Kill(12), KILL_12, SHORT_THEN_LONG, NOTHING),
    case(Fault::Kill(12), KILL_12, LONG_LIVED, NOTHING),
    case(Fault::Pause(12), STOP, QUICK_PLAIN, [HOLD, HOLD]),
    case(Fault::Pause(12), STOP, QUICK_WITHOUT_N, [HOLD_BIRD, HOLD_FRR]),
    case(Fault::Pause(12), STOP, QUICK_RESTART, [HOLD_BIRD, ""]),
    case(Fault::Pause(12), STOP, QUICK_LONG_LIVED, NOTHING),
    case(Fault::Pause(12), STOP, QUICK_BOTH, NOTHING),
    case(Fault::Cut(12), CUT, QUICK_PLAIN, [HOLD, HOLD]),
    case(Fault::Cut(12), CUT, QUICK_WITHOUT_N, [HOLD_BIRD, HOLD_FRR]),
    case(Fault::Cut(12), CUT, QUICK_RESTART, [HOLD_BIRD, ""]),
    case(Fault::Cut(12), CUT, QUICK_LONG_LIVED, NOTHING),
    case(Fault::Cut(12), CUT, QUICK_BOTH, NOTHING),
    case(Fault::Cut(3), "path cut for 3 s, hold time 6 s", QUICK_PLAIN, NOTHING),
    case(Fault::Etcd(3), "etcd killed, back after 3 s", PLAIN, NOTHING),
    case(Fault::EtcdAndKill(3), "both killed; Fingerpost back at once, etcd 3 s later", RESTART, NOTHING),
    case(Fault::Policy, "reload: another MED on every route", PLAIN, NOTHING),
    case(Fault::Parameters, "reload: another hold time", RESTART, NOTHING),
    case(Fault::Drain(3), "drain for 3 s, and back", PLAIN, NOTHING),
    case(Fault::Refresh, "the gateway asks for all routes again", PLAIN, NOTHING),
    case(Fault::Reset, RESET, PLAIN, [RESET_BIRD, RESET_FRR]),
    case(Fault::Reset, RESET, RESTART, [RESET_BIRD, RESET_FRR]),
    case(Fault::Removed(3), "removed by a reload, and back after 3 s", RESTART, [HARD_RESET, HARD_RESET]),
    case(Fault::Decommission(3), "SIGUSR2, back 3 s after its end", RESTART, [HARD_RESET, HARD_RESET]),
];

const KILL_3: &str = "SIGKILL, back after 3 s";
const KILL_12: &str = "SIGKILL, back after 12 s";
const TERM_3: &str = "SIGTERM as in an upgrade, back after 3 s";
const STOP: &str = "SIGSTOP for 12 s, hold time 6 s";
const CUT: &str = "path cut for 12 s, hold time 6 s";
const RESET: &str = "an operator of the gateway resets the session";

/// Words for graceful restart, and the keys that make it so.
type Session = (&'static str, &'static str);

const PLAIN: Session = ("none", "graceful_restart: false");
const RESTART: Session = ("120 s, N", "graceful_restart: { restart_time: 120s, notification: true }");
const LONG_LIVED: Session =
    ("0 s, N, long-lived 600 s", "graceful_restart: { restart_time: 0s, notification: true, long_lived: 10m }");
const SHORT: Session = ("5 s, N", "graceful_restart: { restart_time: 5s, notification: true }");
const SHORT_THEN_LONG: Session =
    ("5 s, N, long-lived 600 s", "graceful_restart: { restart_time: 5s, notification: true, long_lived: 10m }");
const SHORT_LIVED: Session =
    ("0 s, N, long-lived 5 s", "graceful_restart: { restart_time: 0s, notification: true, long_lived: 5s }");

macro_rules! quick {
    ($keys:literal) => {
        concat!("timers: { hold: 6s, keepalive: 2s }, graceful_restart: ", $keys)
    };
}

const QUICK_PLAIN: Session = ("none", quick!("false"));
const QUICK_WITHOUT_N: Session = ("120 s", quick!("{ restart_time: 120s, notification: false }"));
const QUICK_RESTART: Session = ("120 s, N", quick!("{ restart_time: 120s, notification: true }"));
const QUICK_LONG_LIVED: Session =
    ("0 s, N, long-lived 600 s", quick!("{ restart_time: 0s, notification: true, long_lived: 10m }"));
const QUICK_BOTH: Session =
    ("120 s, N, long-lived 600 s", quick!("{ restart_time: 120s, notification: true, long_lived: 10m }"));

/// No packet may be lost.
const NOTHING: [&str; 2] = ["", ""];
const ENDS: &str = "Without graceful restart the routes end with the connection, and are back with the session: what is lost \
                    is the time without Fingerpost.";
const RESTART_TIME: &str = "The restart time is over before Fingerpost is back (BIRD: `Neighbor graceful restart timeout`, FRR: \
                            `graceful restart timer expired`), and the routes are dropped until it is: by FRR at that moment, by \
                            BIRD 2.0.12 some 3 s later, as the kernel's table shows.";
const STALE_TIME: &str = "The same at the end of the long-lived time.";
const HOLD: &str = "The gateway's own hold timer expires and it drops the routes: FRR at that moment, BIRD 2.0.12 up to 3 s later. They \
                    are back with the session: Fingerpost tries every `connect_retry` (5 s, less up to a quarter), so up to that \
                    much after the path, or Fingerpost, is back.";
const HOLD_BIRD: &str = "BIRD 2.0.12 does not set N. To it the end of its own hold timer is an error (`Error: Hold timer expired`) and no \
                         restart of the neighbour: it drops the routes, unless they may live long. Back as above.";
const HOLD_FRR: &str = "FRR, too, drops them at the end of its own hold timer, unless both sides set N.";
const RESET_BIRD: &str = "`birdc restart` drops the routes of the session and sends Cease 6/4: what was agreed on is about restarts of \
                          the other side. They are back once Fingerpost tries again, within one `connect_retry`.";
const RESET_FRR: &str = "`clear bgp *` does the same on FRR.";
const HARD_RESET: &str = "This is meant to end the routes: Fingerpost sends Cease, inside a Hard Reset (6/9, RFC 8538) where both sides \
                          set N, and the gateway drops them at once. SIGTERM instead of SIGUSR2 leaves them.";

const fn case(fault: Fault, title: &'static str, (session, keys): Session, why: [&'static str; 2]) -> Case {
    Case { title, session, keys, fault, why }
}
