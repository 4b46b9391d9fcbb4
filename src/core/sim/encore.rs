//! What chance alone brings about too rarely: after its last rest a seed's world meets one of these, by its number. Which seed has
//! which does not move what befalls it before.

use super::gateway::Model;
use super::settings::{self, all_prefixes, is_admitted};
use super::world::{Event, World};
use crate::engine::{Command, Holds, Input};
use crate::model::{Family, Prefix, SourceId};
use crate::source::{FaultKind, Report};
use std::collections::BTreeSet;
use std::time::Duration;

/// A host of no other record.
const NEW: [u8; 2] = [40, 41];
/// More than a limit of a source with all hosts lets come at once.
const MANY: usize = 12;
/// With what so many requests are answered, a gateway has no credit any more, by far.
const REQUESTS: usize = 120;

impl World {
    /// And a last rest.
    pub(super) fn encore(&mut self) {
        match self.seed % 8 {
            0 => self.cut_a_list(),
            1 => self.overtake(),
            2 if self.shape.guarded => self.deny_and_restart(),
            3 if self.shape.guarded && self.stores.len() > 1 => self.hide_and_restart(),
            4 => self.ask_without_reading(),
            _ => return,
        }
        self.rest(true);
    }

    /// A watch that ends while the store goes on and forgets; the list that it is read by anew is compacted away in its middle.
    fn cut_a_list(&mut self) {
        let (n, host) = (self.dice.place(self.stores.len()), self.any_host());
        self.say(|| format!("source {n} is compacted, and once more in the middle of a list"));
        self.fail(n, FaultKind::Unreachable);
        self.put(n, host, 0, &[2 * host, 2 * host + 1]);
        self.stores[n].compact();
        self.faults[n].cuts = true;
        self.wait(Duration::from_secs(5));
    }

    /// Progress is told before the events that it is of (etcd#15220), and they never come: the connection ends.
    fn overtake(&mut self) {
        let n = self.dice.place(self.stores.len());
        self.say(|| format!("source {n}: progress overtakes two events, which never come"));
        for host in [self.any_host(), self.any_host()] {
            self.put(n, host, 1, &[2 * host, 2 * host + 1]);
        }
        let attempt = self.process.as_ref().and_then(|process| process.transports[n].watches());
        if let Some(attempt) = attempt {
            let at = self.stores[n].rev;
            self.engine(Input::Report(SourceId(n as u16), attempt, Report::Progress { at }));
        }
        self.fail(n, FaultKind::Unreachable);
    }

    /// What a person has denied stays as it is, however long the store says so to the next process.
    fn deny_and_restart(&mut self) {
        for host in 0..self.shape.hosts.div_ceil(3) {
            self.delete(0, host);
        }
        self.wait(Duration::from_secs(5));
        self.order(&Command::Deny(Holds::All));
        self.wait(Duration::from_secs(10));
        self.restart();
        self.wait(Duration::from_secs(1500));
    }

    /// What an earlier process announced of a record that cannot be read now is stated by another source, whose additions are held;
    /// then the record can be read, and states it no longer.
    fn hide_and_restart(&mut self) {
        let [hidden, other] = NEW;
        let stated = self.winners();
        let numbers = (0u8..).zip(all_prefixes()).filter(|(_, prefix)| !stated.contains_key(prefix));
        let is_free = |prefix| settings::addresses(hidden, 0).into_iter().any(|by| is_admitted(prefix, by));
        let free: Vec<u8> = numbers.filter(|(_, prefix)| is_free(*prefix)).map(|(n, _)| n).take(MANY).collect();
        if free.len() < MANY {
            return;
        }
        self.say(|| format!("source 1: host {hidden} has {free:?}"));
        self.put(1, hidden, 0, &free);
        self.rest(true);
        let before = self.kept_of(&free);
        self.say(|| format!("source 1: host {hidden} cannot be read, and the process loses its disk"));
        self.skip_revisions(1, hidden);
        self.stores[1].put(hidden, None);
        self.wrote(1);
        self.disk.fill(None);
        self.restart();
        self.wait(Duration::from_secs(10));
        self.say(|| format!("source 0: host {other} has the same"));
        self.put(0, other, 0, &free);
        self.wait(Duration::from_secs(2));
        self.say(|| format!("source 1: host {hidden} has nothing"));
        self.put(1, hidden, 0, &[]);
        self.wait(Duration::from_secs(5));
        // By the moments alone the judge could not tell: each source lacked them for a while, and never both.
        for ((n, before), now) in (0..).zip(before).zip(self.kept_of(&free)) {
            let lost: Vec<_> = before.difference(&now).collect();
            assert!(lost.is_empty(), "P4: gateway {n} has lost {lost:?}, which a source has stated at every moment");
        }
    }

    /// What of these every gateway holds, if it keeps it over the end of a session.
    fn kept_of(&self, numbers: &[u8]) -> Vec<BTreeSet<Prefix>> {
        let of = |gateway: &Model| -> BTreeSet<Prefix> {
            let held = gateway.table.routes();
            let wanted = numbers.iter().map(|n| settings::prefix(*n)).filter(|prefix| held.contains_key(prefix));
            wanted.filter(|_| gateway.kind.keeps).collect()
        };
        self.gateways.iter().map(of).collect()
    }

    /// A gateway asks for everything again and again, and reads nothing of it.
    fn ask_without_reading(&mut self) {
        let n = self.dice.place(self.gateways.len());
        self.say(|| format!("gateway {n} asks for everything {REQUESTS} times, and does not read"));
        self.gateways[n].is_stuck = true;
        self.judge.gateways[n].healthy_since = None;
        for _ in 0..REQUESTS {
            Family::ALL.into_iter().for_each(|family| self.ask_refresh(n, family));
            self.wait(Duration::from_millis(100));
        }
    }

    fn restart(&mut self) {
        self.say(|| "the process is killed".into());
        self.kill();
        self.agenda.put(self.now + Duration::from_secs(1), Event::Start);
    }
}
