//! What a person has ordered and the next process shall go on with.

use super::{Effect, Engine};
use crate::model::Time;
use crate::orders::{Book, Entry};
use crate::table::{Approved, Denied, Target};
use std::sync::Arc;
use std::time::Duration;

/// Orders that stand.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Orders {
    /// For how long nothing has changed, by order.
    pub frozen: Option<Duration>,
    /// Why, where no person has ordered that.
    pub frozen_because: Option<String>,
    /// What is withdrawn by order.
    pub forced: Vec<Target>,
    /// Gateways that are drained by order.
    pub drained: Vec<Arc<str>>,
    /// What the guard holds and no proof lets pass.
    pub denied: Vec<Denied>,
    /// What a person has let pass while everything was frozen: it waits for the end of that.
    pub approved: Vec<Approved>,
    /// What all replicas have in common of it.
    pub shared: Vec<Entry>,
    /// See [`Book::latest`](crate::orders::Book::latest).
    pub latest: u64,
    /// See [`Book::ended`](crate::orders::Book::ended).
    pub ended: u64,
    /// What was ordered before this (milliseconds since 1970) cannot be known, and may have been a freeze; 0: it is known.
    pub unknown_before: u64,
}

/// A freeze.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frozen {
    /// Since when in this process.
    pub(super) since: Time,
    /// For how long an earlier process was before, if this one has it from there.
    pub(super) before: Option<Duration>,
}

impl Engine {
    /// What stands now.
    pub fn orders(&self, now: Time) -> Orders {
        let ago = |frozen: Frozen| now.since(frozen.since) + frozen.before.unwrap_or_default();
        let mut orders = Orders {
            frozen: self.frozen.map(ago),
            frozen_because: self.frozen_because().map(str::to_owned),
            forced: self.forced().cloned().collect(),
            drained: self.drained().cloned().collect(),
            denied: self.table.denied(),
            approved: self.table.approved(),
            ..Orders::default()
        };
        self.shared.keep(&mut orders);
        orders
    }

    /// Another number than before: other orders stand.
    pub fn order_changes(&self) -> u64 {
        self.freezes + self.drains.changes() + self.table.order_changes() + self.shared.changes()
    }

    /// Since when nothing changes, if so; for how long it was so before this process: see [`Engine::frozen_before`].
    pub fn frozen(&self) -> Option<Time> {
        self.frozen.map(|frozen| frozen.since)
    }

    /// Why it is frozen, where no person has ordered that.
    pub fn frozen_because(&self) -> Option<&str> {
        self.frozen.and(self.frozen_because.as_deref())
    }

    /// For how long an earlier process was frozen when this one took that over.
    pub fn frozen_before(&self) -> Duration {
        self.frozen.and_then(|frozen| frozen.before).unwrap_or_default()
    }

    /// Goes on with what an earlier process was ordered; to be called before the first input.
    pub fn resume(&mut self, now: Time, orders: Orders) {
        self.note_resumed(now, &orders);
        let Orders { frozen, frozen_because, forced, drained, denied, approved, shared, latest, ended, unknown_before } =
            orders;
        self.shared.recall(now, Book::recalled(shared, latest, ended), unknown_before);
        // Nobody may have written that down yet.
        self.freezes += u64::from(frozen_because.is_some());
        self.frozen = frozen.map(|before| Frozen { since: now, before: Some(before) });
        self.frozen_because = frozen_because;
        for target in forced {
            self.table.withdraw(target);
        }
        self.table.recall(denied, approved);
        for gateway in drained {
            self.drain(now, &gateway, true);
        }
    }

    pub(super) fn freeze(&mut self, now: Time) -> bool {
        let was_frozen = self.frozen.is_some();
        if !was_frozen {
            self.frozen = Some(Frozen { since: now, before: None });
            self.freezes += 1;
        }
        !was_frozen
    }

    pub(super) fn unfreeze(&mut self, now: Time, effects: &mut Vec<Effect>) -> bool {
        let was_frozen = self.frozen.take().is_some();
        self.frozen_because = None;
        self.freezes += u64::from(was_frozen);
        self.go_on(now, effects);
        was_frozen
    }
}
