//! Every state and every event of RFC 4271 §8.1 that can occur here: the next state, and all that is done about it.

use super::*;
use crate::bgp::neighbour::deadlines::Timer;

/// What happens, by the RFC's number of the event.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Event {
    /// 1.
    ManualStart,
    /// 4: of a neighbour that never dials.
    PassiveStart,
    /// 2, because the gateway is no longer configured.
    ManualStop,
    /// 2, because another process goes on.
    HandOver,
    /// 9.
    ConnectRetryTimerExpires,
    /// 10.
    HoldTimerExpires,
    /// 11.
    KeepaliveTimerExpires,
    /// 16.
    TcpConfirmed,
    /// 17: the gateway's connection, 2.
    TcpAccepted,
    /// 18, of the attempt to connect.
    TcpConnectFails,
    /// 18, of connection 1.
    TcpFails,
    /// 19.
    Open,
    /// 21.
    HeaderError,
    /// 22.
    OpenError,
    /// 23: the gateway's own connection is on, and is the one that stays.
    CollisionDump,
    /// 24.
    NotificationVersionError,
    /// 25.
    Notification,
    /// 26.
    Keepalive,
    /// 27.
    Update,
    /// 28.
    UpdateError,
    /// Without a number: RFC 2918.
    RouteRefresh,
    /// Without a number: RFC 9687 (its event 29).
    SendHoldTimerExpires,
    /// Not a BGP event: the engine gives up on a gateway that reads too slowly.
    TooSlow,
}

use Event::*;
use State::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};

/// Whether ConnectRetryTimer runs afterwards, within three quarters to the whole of its five seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Retry {
    Runs,
    Stopped,
}
use Retry::{Runs, Stopped};

type Row = (State, Event, State, &'static str, Retry);

/// Events that a state is not shown with cannot occur in it (no timer, no connection that it could come from); they are
/// given to it all the same, and must do nothing.
#[rustfmt::skip]
const GRID: &[Row] = &[
    // Idle refuses every connection and starts on request only.
    (Idle, ManualStart, Connect, "dial", Runs),
    (Idle, PassiveStart, Active, "", Stopped),
    (Idle, TcpAccepted, Idle, "6/5>2, close 2", Stopped),
    (Idle, TcpConfirmed, Idle, "close 3", Stopped),
    (Idle, CollisionDump, Idle, "6/5>2, close 2", Stopped),

    (Connect, ManualStop, Idle, "abort", Stopped),
    (Connect, HandOver, Idle, "abort", Stopped),
    (Connect, ConnectRetryTimerExpires, Connect, "abort, failed timed_out, dial", Runs),
    (Connect, TcpConfirmed, OpenSent, "open>1", Stopped),
    (Connect, TcpAccepted, OpenSent, "open>2", Runs),
    (Connect, TcpConnectFails, Active, "failed connect_failed", Runs),
    (Connect, CollisionDump, OpenConfirm, "open>2, keepalive>2", Runs), // nothing to collide with yet

    (Active, ManualStop, Idle, "", Stopped),
    (Active, HandOver, Idle, "", Stopped),
    (Active, ConnectRetryTimerExpires, Connect, "dial", Runs),
    (Active, TcpAccepted, OpenSent, "open>2", Runs),
    (Active, TcpConfirmed, Active, "close 3", Runs), // of an attempt that was given up
    (Active, CollisionDump, OpenConfirm, "open>2, keepalive>2", Runs),

    (OpenSent, ManualStop, Idle, "6/3>1, close 1, failed stopped", Stopped),
    (OpenSent, HandOver, Idle, "close 1, failed stopped", Stopped),
    (OpenSent, HoldTimerExpires, Active, "4/0>1, close 1, failed hold_timer_expired", Runs),
    (OpenSent, TcpConfirmed, OpenSent, "close 3", Stopped),
    (OpenSent, TcpAccepted, OpenSent, "open>2", Stopped),
    (OpenSent, TcpFails, Active, "close 1, failed closed", Runs),
    (OpenSent, Open, OpenConfirm, "keepalive>1", Stopped),
    (OpenSent, HeaderError, Active, "1/1>1, close 1, failed notification_sent", Runs),
    (OpenSent, OpenError, Active, "2/2>1, close 1, failed notification_sent", Runs),
    (OpenSent, CollisionDump, OpenConfirm, "open>2, keepalive>2", Stopped), // connection 1 has no OPEN to compare with
    (OpenSent, NotificationVersionError, Active, "close 1, failed notification_received", Runs),
    (OpenSent, Notification, Active, "close 1, failed notification_received", Runs),
    (OpenSent, Keepalive, Active, "5/1>1, close 1, failed notification_sent", Runs),
    (OpenSent, Update, Active, "5/1>1, close 1, failed notification_sent", Runs),
    (OpenSent, UpdateError, Active, "5/1>1, close 1, failed notification_sent", Runs),
    (OpenSent, RouteRefresh, Active, "5/1>1, close 1, failed notification_sent", Runs),

    (OpenConfirm, ManualStop, Idle, "6/3>1, close 1, failed stopped", Stopped),
    (OpenConfirm, HandOver, Idle, "close 1, failed stopped", Stopped),
    (OpenConfirm, HoldTimerExpires, Active, "4/0>1, close 1, failed hold_timer_expired", Runs),
    (OpenConfirm, KeepaliveTimerExpires, OpenConfirm, "keepalive>1", Stopped),
    (OpenConfirm, TcpConfirmed, OpenConfirm, "close 3", Stopped),
    (OpenConfirm, TcpAccepted, OpenConfirm, "open>2", Stopped),
    (OpenConfirm, TcpFails, Active, "close 1, failed closed", Runs),
    (OpenConfirm, Open, Active, "5/2>1, close 1, failed notification_sent", Runs),
    (OpenConfirm, HeaderError, Active, "1/1>1, close 1, failed notification_sent", Runs),
    (OpenConfirm, OpenError, Active, "5/2>1, close 1, failed notification_sent", Runs),
    (OpenConfirm, CollisionDump, OpenConfirm, "open>2, 6/7>1, close 1, failed collision, keepalive>2", Runs),
    (OpenConfirm, NotificationVersionError, Active, "close 1, failed notification_received", Runs),
    (OpenConfirm, Notification, Active, "close 1, failed notification_received", Runs),
    (OpenConfirm, Keepalive, Established, "up 1", Stopped),
    (OpenConfirm, Update, Active, "5/2>1, close 1, failed notification_sent", Runs),
    (OpenConfirm, UpdateError, Active, "5/2>1, close 1, failed notification_sent", Runs),
    (OpenConfirm, RouteRefresh, Active, "5/2>1, close 1, failed notification_sent", Runs),

    (Established, ManualStop, Idle, "6/3>1, close 1, down 1 stopped", Stopped),
    (Established, HandOver, Idle, "close 1, down 1 stopped", Stopped),
    (Established, HoldTimerExpires, Active, "4/0>1, close 1, down 1 hold_timer_expired", Runs),
    (Established, KeepaliveTimerExpires, Established, "keepalive>1", Stopped),
    (Established, TcpConfirmed, Established, "close 3", Stopped),
    (Established, TcpAccepted, Established, "6/7>2, close 2", Stopped),
    (Established, TcpFails, Active, "close 1, down 1 closed", Runs),
    (Established, Open, Active, "5/3>1, close 1, down 1 notification_sent", Runs),
    (Established, HeaderError, Active, "1/1>1, close 1, down 1 notification_sent", Runs),
    (Established, OpenError, Active, "5/3>1, close 1, down 1 notification_sent", Runs),
    (Established, CollisionDump, Established, "6/7>2, close 2", Stopped),
    (Established, NotificationVersionError, Active, "close 1, down 1 notification_received", Runs),
    (Established, Notification, Active, "close 1, down 1 notification_received", Runs),
    (Established, Keepalive, Established, "", Stopped),
    (Established, Update, Established, "update 1", Stopped),
    (Established, UpdateError, Active, "3/1>1, close 1, down 1 notification_sent", Runs),
    (Established, RouteRefresh, Established, "refresh 1 ipv4", Stopped),
    (Established, SendHoldTimerExpires, Active, "close 1, down 1 send_hold_timer_expired", Runs),
    (Established, TooSlow, Active, "close 1, down 1 too_slow", Runs),
];

const STATES: [State; 6] = [Idle, Connect, Active, OpenSent, OpenConfirm, Established];
const EVENTS: [Event; 23] = [
    ManualStart,
    PassiveStart,
    ManualStop,
    HandOver,
    ConnectRetryTimerExpires,
    HoldTimerExpires,
    KeepaliveTimerExpires,
    TcpConfirmed,
    TcpAccepted,
    TcpConnectFails,
    TcpFails,
    Open,
    HeaderError,
    OpenError,
    CollisionDump,
    NotificationVersionError,
    Notification,
    Keepalive,
    Update,
    UpdateError,
    RouteRefresh,
    SendHoldTimerExpires,
    TooSlow,
];

/// The events of RFC 4271 §8.1 that cannot occur, and why: what makes them optional there is not supported, or is no event of
/// its own here. All others stand in the grid by their number.
const ABSENT: [(u8, &str); 10] = [
    (3, "AutomaticStart: Start is one event, whoever gives it"),
    (5, "AutomaticStart_with_PassiveTcpEstablishment: likewise, see 4"),
    (6, "AutomaticStart_with_DampPeerOscillations: peers are not dampened, ConnectRetryTime bounds the attempts"),
    (7, "… with both: likewise"),
    (8, "AutomaticStop: TooSlow is the one of this kind, by another name"),
    (12, "DelayOpenTimer_Expires: an OPEN is never delayed"),
    (13, "IdleHoldTimer_Expires: nothing waits in Idle, see 6"),
    (14, "Tcp_CR_Acked of the incoming kind is told apart by the listener; what it accepts is 17"),
    (15, "Tcp_CR_Invalid: connections from unknown addresses are closed by the listener and never come here"),
    (20, "BGPOpen with DelayOpenTimer running: see 12"),
];

/// The number in RFC 4271 §8.1, of those that have one.
fn number(event: Event) -> Option<u8> {
    Some(match event {
        ManualStart => 1,
        ManualStop | HandOver => 2,
        PassiveStart => 4,
        ConnectRetryTimerExpires => 9,
        HoldTimerExpires => 10,
        KeepaliveTimerExpires => 11,
        TcpConfirmed => 16,
        TcpAccepted => 17,
        TcpConnectFails | TcpFails => 18,
        Open => 19,
        HeaderError => 21,
        OpenError => 22,
        CollisionDump => 23,
        NotificationVersionError => 24,
        Notification => 25,
        Keepalive => 26,
        Update => 27,
        UpdateError => 28,
        RouteRefresh | SendHoldTimerExpires | TooSlow => return None,
    })
}

#[test]
fn every_event_number_of_rfc_4271_is_in_the_grid_or_cannot_occur() {
    let in_grid: Vec<u8> = EVENTS.into_iter().filter_map(number).collect();
    for event in 1..=28 {
        let absent = ABSENT.iter().any(|(number, why)| *number == event && !why.is_empty());
        assert!(in_grid.contains(&event) != absent, "event {event}");
    }
    // Every state meets every event: with a row, or as one about which nothing may be done.
    for event in EVENTS {
        let rows = GRID.iter().filter(|row| row.1 == event).count();
        let nothing = STATES.into_iter().filter(|state| can_do_nothing(*state, event)).count();
        assert!(rows + nothing >= STATES.len(), "{event:?}: {rows} rows and {nothing} of nothing");
    }
}

fn in_state(state: State) -> Rig {
    let open = GatewayOpen::from(HIGHER);
    match state {
        Idle => Rig::new(config()),
        Connect => {
            let mut rig = Rig::new(config());
            assert_eq!(rig.start(), "dial");
            rig
        }
        Active => {
            let mut rig = in_state(Connect);
            rig.input(Input::ConnectFailed("refused".into()));
            rig
        }
        OpenSent => Rig::open_sent(config()),
        OpenConfirm => Rig::open_confirm(config(), &open),
        Established => Rig::established(config(), &open),
    }
}

/// Moves the clock until `wanted` is done.
fn expire(rig: &mut Rig, wanted: &str) -> String {
    for _ in 0..1000 {
        if rig.neighbour.next_deadline().is_none() {
            break;
        }
        let does = rig.next();
        if does.contains(wanted) {
            return does;
        }
    }
    String::new()
}

fn happen(rig: &mut Rig, event: Event) -> String {
    let open = GatewayOpen::from(HIGHER).bytes();
    let wrong_as = GatewayOpen { asn: 64999, ..GatewayOpen::from(HIGHER) }.bytes();
    match event {
        ManualStart => rig.start(),
        PassiveStart => {
            if rig.state() == Idle {
                *rig = Rig::new(NeighbourConfig { passive: true, ..config() });
            }
            rig.start()
        }
        ManualStop => rig.input(Input::Stop(Stop::Deconfigured)),
        HandOver => rig.input(Input::Stop(Stop::Handover)),
        ConnectRetryTimerExpires => expire(rig, "dial"),
        HoldTimerExpires => expire(rig, "4/0"),
        KeepaliveTimerExpires => expire(rig, "keepalive"),
        TcpConfirmed if rig.state() == Connect => rig.connected(1),
        TcpConfirmed => rig.connected(3),
        TcpAccepted => rig.accepted(2),
        TcpConnectFails => rig.input(Input::ConnectFailed("refused".into())),
        TcpFails => rig.closed(1),
        Open => rig.receives(1, &open),
        HeaderError => rig.receives(1, &[0; 19]),
        OpenError => rig.receives(1, &wrong_as),
        CollisionDump => {
            let accepted = rig.accepted(2);
            [accepted, rig.receives(2, &open)]
                .into_iter()
                .filter(|does| !does.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        }
        NotificationVersionError => rig.receives(1, &notification(2, 1)),
        Notification => rig.receives(1, &notification(6, 4)),
        Keepalive => rig.receives(1, &keepalive()),
        Update => rig.receives(1, &wrap(UPDATE, &[0, 0, 0, 0])),
        UpdateError => rig.receives(1, &wrap(UPDATE, &[255, 255, 0, 0])),
        RouteRefresh => rig.receives(1, &wrap(ROUTE_REFRESH, &[0, 1, 0, 1])),
        SendHoldTimerExpires => {
            // The gateway keeps alive and takes nothing.
            for _ in 0..(480 / 20) {
                if rig.state() != Established {
                    return String::new();
                }
                rig.now = rig.now + seconds(20);
                let does = rig.due();
                if does.contains("send_hold") {
                    return does.replace("keepalive>1, ", "");
                }
                rig.receives(1, &keepalive());
            }
            String::new()
        }
        TooSlow => rig.input(Input::TooSlow),
    }
}

#[test]
fn every_event_in_every_state() {
    let mut faults = Vec::new();
    for state in STATES {
        for event in EVENTS {
            let mut rig = in_state(state);
            let row = GRID.iter().find(|row| (row.0, row.1) == (state, event));
            if row.is_none() && !can_do_nothing(state, event) {
                faults.push(format!("{state:?} × {event:?} has no row"));
                continue;
            }
            if let (None, Some(runs)) = (row, timer(&rig, event)) {
                if runs {
                    faults.push(format!("{state:?} × {event:?}: the timer runs, and what it does is not said"));
                }
                continue;
            }
            let retry_before = retries(&rig);
            let (next, does, retry) = row.map_or((state, "", retry_before), |row| (row.2, row.3, row.4));
            let did = happen(&mut rig, event);
            let found = (rig.state(), did.as_str(), retries(&rig));
            if found != (next, does, retry) {
                faults.push(format!("{state:?} × {event:?}: expected {:?}, found {found:?}", (next, does, retry)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let listed = |row: &Row| GRID.iter().filter(|other| (other.0, other.1) == (row.0, row.1)).count();
    assert!(GRID.iter().all(|row| listed(row) == 1), "a row stands twice");
}

/// Whether the event's timer runs, if it is a timer's event.
fn timer(rig: &Rig, event: Event) -> Option<bool> {
    let runs = |timer| rig.neighbour.connections.iter().any(|connection| connection.deadlines.get(timer).is_some());
    match event {
        ConnectRetryTimerExpires => Some(rig.neighbour.connect_retry.is_some()),
        HoldTimerExpires => Some(runs(Timer::Hold)),
        KeepaliveTimerExpires => Some(runs(Timer::Keepalive)),
        SendHoldTimerExpires => Some(runs(Timer::SendHold)),
        _ => None,
    }
}

/// Whether a pair without a row is one that cannot occur or is ignored by the RFC, so that nothing is to be done about it.
/// A timer's event cannot occur where the timer does not run, which is looked at.
fn can_do_nothing(state: State, event: Event) -> bool {
    match event {
        ManualStart | PassiveStart => state != Idle,
        ManualStop | HandOver => state == Idle,
        ConnectRetryTimerExpires | HoldTimerExpires | KeepaliveTimerExpires | SendHoldTimerExpires => true,
        TcpConnectFails => state != Connect,
        TcpConfirmed | TcpAccepted | CollisionDump => false,
        TooSlow => state < Established,
        // What comes from a connection that is not there.
        _ => state < OpenSent,
    }
}

/// Whether the next thing that happens by itself is another attempt to connect, and in time.
fn retries(rig: &Rig) -> Retry {
    match rig.neighbour.connect_retry {
        None => Stopped,
        Some(at) => {
            assert!(at.since(rig.now) <= seconds(5), "the pause is longer than ConnectRetryTime");
            Runs
        }
    }
}
