//! The timers of one connection as a small table of moments.

use crate::model::Time;

/// Timers of RFC 4271 §10 (and RFC 9687) that belong to a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    /// Nothing was heard.
    Hold,
    /// A KEEPALIVE is due.
    Keepalive,
    /// Nothing could be sent (RFC 9687).
    SendHold,
}

impl Timer {
    /// In the order in which they are looked at: what ends the connection comes first.
    const ALL: [Timer; 3] = [Timer::Hold, Timer::SendHold, Timer::Keepalive];
}

#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Deadlines {
    hold: Option<Time>,
    keepalive: Option<Time>,
    send_hold: Option<Time>,
}

impl Deadlines {
    pub(super) fn set(&mut self, timer: Timer, at: Option<Time>) {
        match timer {
            Timer::Hold => self.hold = at,
            Timer::Keepalive => self.keepalive = at,
            Timer::SendHold => self.send_hold = at,
        }
    }

    pub(super) fn get(&self, timer: Timer) -> Option<Time> {
        match timer {
            Timer::Hold => self.hold,
            Timer::Keepalive => self.keepalive,
            Timer::SendHold => self.send_hold,
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        Timer::ALL.into_iter().filter_map(|timer| self.get(timer)).min()
    }

    /// A timer that has run out, if any; it is not stopped by this.
    pub(super) fn due(&self, now: Time) -> Option<Timer> {
        Timer::ALL.into_iter().find(|&timer| self.get(timer).is_some_and(|at| at <= now))
    }
}
