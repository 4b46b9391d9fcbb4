//! Why a connection or a session ended, in words for people and a reason for metrics.

use super::Stop;
use crate::bgp::wire::Notification;

/// Why it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// The gateway cannot be reached; what the system said.
    ConnectFailed(String),
    /// The gateway did not answer.
    TimedOut,
    /// The secret that the connection needs cannot be used; why.
    NoPassword(String),
    /// The TCP connection broke or was closed by the gateway.
    Closed(String),
    /// We refused something it sent.
    Refused {
        /// What we told it.
        notification: Notification,
        /// What people should know.
        why: String,
    },
    /// It sent a NOTIFICATION; what else was wrong with it, if anything.
    NotificationReceived(Notification),
    /// Nothing was heard for the hold time (RFC 4271 event 10).
    HoldTimerExpired,
    /// Nothing could be sent for a long time (RFC 9687).
    SendHoldTimerExpired,
    /// The other one of two connections stays (RFC 4271 §6.8).
    Collision,
    /// The gateway opened a new connection: it has restarted (RFC 4724 §4.2).
    PeerRestarted,
    /// We stopped it.
    Stopped(Stop),
    /// It read too slowly to be kept up to date.
    TooSlow,
}

impl End {
    /// A short fixed name, for metric labels.
    pub fn reason(&self) -> &'static str {
        match self {
            End::ConnectFailed(_) => "connect_failed",
            End::TimedOut => "timed_out",
            End::NoPassword(_) => "no_password",
            End::Closed(_) => "closed",
            End::Refused { .. } => "notification_sent",
            End::NotificationReceived(_) => "notification_received",
            End::HoldTimerExpired => "hold_timer_expired",
            End::SendHoldTimerExpired => "send_hold_timer_expired",
            End::Collision => "collision",
            End::PeerRestarted => "peer_restarted",
            End::Stopped(_) => "stopped",
            End::TooSlow => "too_slow",
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::ConnectFailed(why) => write!(f, "cannot connect: {why}"),
            End::TimedOut => write!(f, "cannot connect: no answer (time-out)"),
            End::NoPassword(why) => write!(f, "no password, so no connection: {why}"),
            End::Closed(why) => write!(f, "the connection ended: {why}"),
            End::Refused { notification, why } => write!(f, "{why} (NOTIFICATION {notification} sent)"),
            End::NotificationReceived(notification) => write!(f, "the gateway sent NOTIFICATION {notification}"),
            End::HoldTimerExpired => write!(f, "nothing heard from the gateway for the hold time"),
            End::SendHoldTimerExpired => write!(f, "the gateway took nothing for the send hold time (RFC 9687)"),
            End::Collision => write!(f, "the other of two simultaneous connections stays"),
            End::PeerRestarted => write!(f, "the gateway restarted and opened a new connection"),
            End::Stopped(Stop::Handover) => write!(f, "stopped; the gateway keeps the routes"),
            End::Stopped(Stop::Deconfigured) => write!(f, "removed from the configuration"),
            End::Stopped(Stop::Decommissioned) => write!(f, "decommissioned; the gateway drops the routes"),
            End::TooSlow => write!(f, "the gateway reads too slowly to be kept up to date"),
        }
    }
}
