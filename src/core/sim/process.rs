//! Our process: the engine, its transports, and a session with each gateway. What a process loses when it is killed is here.

use super::settings::{self, Shape};
use crate::bgp::neighbour::{ConnectionId, Neighbour};
use crate::engine::{Effect, Engine, Orders, Place, Remembers, SessionNumber};
use crate::model::{Prefix, SourceId, Time};
use crate::source::sync::Snapshot;
use crate::table::Spent;
use crate::testing::store::Transport;
use crate::view::Chunk;
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub(super) struct Process {
    pub(super) engine: Engine,
    pub(super) transports: Vec<Transport>,
    pub(super) peers: Vec<Peer>,
    pub(super) sessions: u64,
    pub(super) effects: Vec<Effect>,
    /// Of what the snapshots on disk are.
    pub(super) saved: Vec<Option<u64>>,
}

/// What a process may say, also once it is gone and its words are still on their way.
pub(super) struct Knows {
    pub(super) started: Time,
    /// What it announces was true since then.
    pub(super) since: Time,
    pub(super) read: Arc<Read>,
    /// Whether it had a snapshot of each.
    pub(super) remembers: Vec<bool>,
    /// What its guard kept back when it ended.
    pub(super) held: BTreeSet<Prefix>,
}

/// What a process has read.
#[derive(Clone, Default)]
pub(super) struct Read {
    /// Whether each source was, completely.
    pub(super) listed: Vec<bool>,
    /// All were at a moment at which it could decide what they say: nothing was frozen, and it knew who leads.
    pub(super) is_taken_in: bool,
}

/// What is on the disk of one source.
#[derive(Clone)]
pub(super) struct Left {
    pub(super) snapshot: Snapshot,
    /// What was spent of its limits, and when.
    pub(super) spent: (Spent, Time),
    /// Since when what it says may be.
    pub(super) since: Time,
}

/// One gateway as the process sees it.
pub(super) struct Peer {
    pub(super) neighbour: Neighbour,
    pub(super) session: Option<(SessionNumber, ConnectionId)>,
    pub(super) control: VecDeque<(ConnectionId, Control)>,
    pub(super) chunks: VecDeque<Writing>,
    /// Octets that were written and that the engine was not told of, as a speaker does it.
    pub(super) unreported: usize,
    /// Octets of the session that were written or refused.
    pub(super) done: u64,
    /// Something was refused, and the engine has not heard of it: nothing of the session is written until then.
    pub(super) refusing: bool,
    pub(super) dials: bool,
}

pub(super) enum Control {
    Send(Bytes),
    Close,
}

/// A chunk on its way.
pub(super) struct Writing {
    pub(super) chunk: Arc<Chunk>,
    /// See [`Sent`].
    pub(super) read: Arc<Read>,
    /// Messages that went.
    pub(super) written: usize,
}

/// Octets for a gateway.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) octets: Bytes,
    /// What the process had read when it decided to say this. That may be long before it is heard.
    pub(super) read: Arc<Read>,
}

impl Writing {
    /// The next message of it.
    pub(super) fn next(&self) -> Option<Sent> {
        let end = *self.chunk.ends.get(self.written)? as usize;
        let start = self.written.checked_sub(1).map_or(0, |last| self.chunk.ends[last] as usize);
        Some(Sent { octets: self.chunk.bytes.slice(start..end), read: Arc::clone(&self.read) })
    }
}

impl Process {
    pub(super) fn start(
        now: Time,
        shape: &Shape,
        variant: u8,
        disk: &[Option<Left>],
        orders: Orders,
        restarting: bool,
        seed: u64,
    ) -> Self {
        let mut effects = Vec::new();
        let mut engine = Engine::new(now, settings::settings(now, shape, variant, disk, seed), &mut effects);
        engine.resume(now, orders);
        let peer = |(n, kind)| Peer {
            neighbour: Neighbour::new(settings::neighbours(n, kind).0, restarting, seed + n as u64),
            session: None,
            control: VecDeque::new(),
            chunks: VecDeque::new(),
            unreported: 0,
            done: 0,
            refusing: false,
            dials: false,
        };
        Process {
            engine,
            transports: (0..shape.sources).map(|_| Transport::new()).collect(),
            peers: shape.gateways.iter().enumerate().map(peer).collect(),
            sessions: 0,
            effects,
            saved: vec![None; shape.sources],
        }
    }

    /// Whether what a process that starts now finds on disk is what this one knows.
    pub(super) fn is_saved(&self, disk: &[Option<Left>]) -> bool {
        disk.iter().enumerate().all(|(n, left)| {
            let remembers = self.engine.remembers(SourceId(n as u16));
            left.is_some() && remembers.is_some_and(|remembers| self.saved[n] == Some(remembers.changes))
        })
    }

    /// Writes down what the sources said, as far as it may be written and is new.
    /// `since`: since when what it knows may be.
    pub(super) fn save(&mut self, disk: &mut [Option<Left>], since: Time) {
        for (n, kept) in disk.iter_mut().enumerate() {
            let source = SourceId(n as u16);
            let Some(remembers) = self.engine.remembers(source) else { continue };
            if self.saved[n].replace(remembers.changes) == Some(remembers.changes) {
                kept.iter_mut().for_each(|left| left.since = since);
                continue;
            }
            let (mut records, mut place) = (Vec::new(), Some(Place::START));
            while let Some(from) = place {
                let (more, next) = self.engine.known_records(source, from, usize::MAX);
                records.extend(more);
                place = next;
            }
            let Remembers { cluster, at, suspect, passed, .. } = remembers;
            let snapshot = Snapshot { cluster, at, records, suspect, passed };
            *kept = Some(Left { snapshot, spent: (remembers.spent, remembers.spent_at), since });
        }
    }
}
