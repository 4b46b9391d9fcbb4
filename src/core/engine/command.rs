//! What a person orders. It takes effect at once, also while every source is lost.

use super::{By, Effect, Engine};
use crate::model::{GatewayId, HostName, Prefix, SourceId, Time};
use crate::table::{Approved, ChangeKind, HeldChange, Table, Target};
use std::sync::Arc;

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// From now on nothing changes at any gateway. Sessions, refreshes and new gateways go on being served.
    Freeze,
    /// Changes again: what came meanwhile is judged like any other change.
    Unfreeze,
    /// Lets these holds pass.
    Approve(Holds),
    /// Keeps these holds until their source says something else; they are not proven by time.
    Deny(Holds),
    /// Withdraws, whatever the sources say.
    Withdraw(Target),
    /// Takes a withdrawal by order back.
    Restore(Target),
    /// Drains the gateway of this name, whatever the configuration says.
    Drain(Arc<str>),
    /// Takes that back.
    Undrain(Arc<str>),
    /// Sends a gateway everything again, as if it had asked for it (RFC 2918); counts the families of its session.
    Refresh(GatewayId),
}

/// Which holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holds {
    /// All.
    All,
    /// That of this prefix.
    Prefix(Prefix),
    /// What is held of the last reload of policies.
    Reload,
    /// Those of prefixes that this host has or would get.
    Host(HostName),
    /// Those of this source, of one kind or all.
    Source(SourceId, Option<ChangeKind>),
}

impl Engine {
    /// Does it, and says how many routes or holds it concerned.
    pub fn command(&mut self, now: Time, command: &Command, effects: &mut Vec<Effect>) -> usize {
        self.command_by(now, command, By::default(), effects)
    }

    /// The same, and who wants it.
    pub fn command_by(&mut self, now: Time, command: &Command, by: By, effects: &mut Vec<Effect>) -> usize {
        let (meant, uid) = (self.meant_for_all(command), by.uid);
        let count = self.obey(now, command, by, effects);
        self.tell_all(now, uid, meant);
        count
    }

    /// Does it here.
    pub(super) fn obey(&mut self, now: Time, command: &Command, by: By, effects: &mut Vec<Effect>) -> usize {
        self.carry_out(now, command, by, effects, |engine, effects| engine.act(now, command, effects))
    }

    /// Has it `done`, notes that, and decides what comes of it.
    pub(super) fn carry_out(
        &mut self,
        now: Time,
        command: &Command,
        by: By,
        effects: &mut Vec<Effect>,
        done: impl FnOnce(&mut Self, &mut Vec<Effect>) -> usize,
    ) -> usize {
        self.latest = now;
        let noted = self.note_order(now, command, by);
        // Also while nobody knows who leads, a person is obeyed: in that, and in nothing else that waits.
        let waits = (self.frozen.is_none() && self.standing.unsure().is_some()).then(|| self.table.park());
        let count = done(self, effects);
        if let Some(waits) = waits {
            self.decide(now, Table::settle, effects);
            self.table.unpark(waits);
        }
        self.settle(now, effects);
        self.order_done(noted, count);
        count
    }

    fn act(&mut self, now: Time, command: &Command, effects: &mut Vec<Effect>) -> usize {
        match command {
            Command::Freeze => usize::from(self.freeze(now)),
            Command::Unfreeze => usize::from(self.unfreeze(now, effects)),
            Command::Approve(Holds::Reload) => self.approve_reload(now, effects),
            Command::Approve(Holds::All) => self.table.approve(|_| true) + self.approve_reload(now, effects),
            Command::Approve(holds) => self.table.approve(|held| holds.contain(held)),
            Command::Deny(holds) => {
                let taken_back = self.table.disapprove(|approved| holds.contain_approved(approved));
                self.table.deny(|held| holds.contain(held)) + taken_back
            }
            Command::Withdraw(target) => self.table.withdraw(target.clone()),
            Command::Restore(target) => usize::from(self.table.restore(target)),
            Command::Drain(gateway) => usize::from(self.drain(now, gateway, true)),
            Command::Undrain(gateway) => usize::from(self.drain(now, gateway, false)),
            Command::Refresh(gateway) => self.outlets.refresh_one(*gateway, &mut self.views),
        }
    }

    /// How many of these holds a person has denied.
    pub fn count_denied(&self, holds: &Holds) -> usize {
        self.table.holds().filter(|held| held.hold.is_denied() && holds.contain(held)).count()
    }

    /// Up to `limit` withdrawals by order that bar some of what this target is about.
    pub fn forced_beside(&self, target: &Target, limit: usize) -> Vec<Target> {
        let claims = |prefix: Prefix| {
            let slot = self.table.slots(prefix.family()).find(prefix);
            slot.into_iter().flat_map(move |slot| self.table.claims(prefix.family(), slot))
        };
        let owns = |prefix: &Prefix, host: &HostName| {
            claims(*prefix).any(|(claim, _)| self.table.owner(claim.owner).host == *host)
        };
        let concerns = |other: &&Target| match (target, other) {
            (Target::Prefix(prefix), Target::Host(host)) | (Target::Host(host), Target::Prefix(prefix)) => {
                owns(prefix, host)
            }
            (Target::Prefix(_), Target::Prefix(_)) | (Target::Host(_), Target::Host(_)) => false,
        };
        self.forced().filter(concerns).take(limit).cloned().collect()
    }

    /// What is withdrawn by order.
    pub fn forced(&self) -> impl Iterator<Item = &Target> {
        self.table.forced().targets()
    }
}

impl Holds {
    /// Of an approval no host is known.
    fn contain_approved(&self, approved: &Approved) -> bool {
        match self {
            Holds::All => true,
            Holds::Reload | Holds::Host(_) => false,
            Holds::Prefix(wanted) => *wanted == approved.prefix,
            Holds::Source(source, kind) => approved.source == *source && kind.is_none_or(|kind| kind == approved.kind),
        }
    }

    pub(super) fn contain(&self, held: &HeldChange<'_>) -> bool {
        match self {
            Holds::All => true,
            Holds::Reload => false,
            Holds::Prefix(wanted) => *wanted == held.prefix,
            Holds::Host(wanted) => [held.from, held.to].into_iter().flatten().any(|owner| owner.host == *wanted),
            Holds::Source(source, kind) => {
                held.hold.source == *source && kind.is_none_or(|kind| kind == held.hold.kind)
            }
        }
    }
}
