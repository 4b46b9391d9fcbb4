//! A gateway: a real session on its side, and a table fed with octets that outlives it as RFC 4724 says.

use super::settings::{self, Kind};
use crate::bgp::neighbour::{ConnectionId, Neighbour};
use crate::bgp::wire::{Framer, MessageKind};
use crate::model::{PerFamily, Prefix, Time};
use crate::testing::{Gateway, Heard, Said};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a gateway keeps routes whose session is gone.
pub(super) const RESTART_TIME: Duration = Duration::from_secs(120);
/// How long it keeps them least preferred, where it can.
pub(super) const STALE_TIME: Duration = Duration::from_secs(600);

pub(super) struct Model {
    pub(super) kind: Kind,
    pub(super) neighbour: Neighbour,
    pub(super) table: Gateway,
    /// The connection of its session.
    pub(super) session: Option<ConnectionId>,
    framers: BTreeMap<ConnectionId, Framer>,
    /// It does not read.
    pub(super) is_stuck: bool,
    /// It is off.
    pub(super) is_down: bool,
    pub(super) is_dialling: bool,
    /// When the routes of a session that is gone are dropped.
    pub(super) expires: Option<Time>,
    pub(super) connections: u64,
}

impl Model {
    pub(super) fn new(n: usize, kind: &Kind, seed: u64) -> Self {
        let (_, config) = settings::neighbours(n, kind);
        Model {
            kind: kind.clone(),
            neighbour: Neighbour::new(config, false, seed),
            table: empty(kind),
            session: None,
            framers: BTreeMap::new(),
            is_stuck: false,
            is_down: false,
            is_dialling: false,
            expires: None,
            connections: 0,
        }
    }

    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// The session stands: what an earlier one told is dropped with the End-of-RIB, unless it is told again.
    pub(super) fn up(&mut self, connection: ConnectionId) {
        self.session = Some(connection);
        self.expires = None;
        self.table.restart();
    }

    pub(super) fn down(&mut self, now: Time, connection: ConnectionId) {
        if self.session == Some(connection) {
            self.session = None;
            if self.kind.keeps {
                self.table.restart();
                self.expires = Some(now + if self.kind.lingers { STALE_TIME } else { RESTART_TIME });
            } else {
                self.table = empty(&self.kind);
            }
        }
    }

    /// Whether what it holds of this prefix is kept from an earlier session, least preferred (RFC 9494).
    pub(super) fn is_long_lived_stale(&self, prefix: Prefix) -> bool {
        self.kind.lingers && !self.table.keeps(prefix) && !self.table.is_refreshing(prefix.family())
    }

    /// What a machine loses that is switched off.
    pub(super) fn lose_everything(&mut self) {
        self.session = None;
        self.expires = None;
        self.framers.clear();
        self.table = empty(&self.kind);
    }

    pub(super) fn expire(&mut self) {
        self.expires = None;
        self.table.expire();
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.framers.remove(&connection);
    }

    /// Octets that its session's state machine has taken. What it held before and what it heard, if it heard anything.
    pub(super) fn hear(
        &mut self,
        connection: ConnectionId,
        octets: &[u8],
    ) -> Option<(BTreeMap<Prefix, Said>, Vec<Heard>)> {
        let framer = self.framers.entry(connection).or_default();
        framer.push(octets);
        let (mut before, mut heard) = (None, Vec::new());
        while let Some(frame) = framer.next().unwrap() {
            let concerns = matches!(frame.kind, MessageKind::Update | MessageKind::RouteRefresh);
            if concerns && self.session == Some(connection) {
                before.get_or_insert_with(|| self.table.routes());
                self.table.hear_message(frame.kind, &frame.body, &mut heard);
            }
        }
        before.map(|before| (before, heard))
    }
}

fn empty(kind: &Kind) -> Gateway {
    Gateway::new(PerFamily { ipv4: true, ipv6: true }, &settings::encoding(kind))
}
