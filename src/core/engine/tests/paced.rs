//! A takeover with a large table: what has changed first, then the rest, not faster than gateways can well take it.

use super::super::{Effect, Engine, Input, Introduction, Role};
use super::lists::{GATEWAY, HOSTS, SESSION, engine, list, ordered, subnet};
use crate::bgp::wire::{Framer, Update, UpdateContext, UpdateOutcome};
use crate::model::{Asn, Instance, PerFamily, Prefix, Replica, SourceId, Time};
use crate::source::Attempt;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is handed out at once, and then in a second.
const OCTETS: usize = 256 << 10;
/// Two chunks are on their way at the most.
const CHUNKS: usize = 2 * (64 << 10);

struct World {
    engine: Engine,
    now: Time,
    effects: Vec<Effect>,
    octets: usize,
    framer: Framer,
    heard: Vec<Prefix>,
    /// The gateway takes nothing; these octets wait.
    stuck: bool,
    waiting: usize,
    /// How often that was said.
    said: usize,
}

impl World {
    /// All that is to be done at this moment; the gateway takes it at once.
    fn work(&mut self) {
        let context = UpdateContext {
            internal: false,
            four_octet_as: true,
            families: PerFamily { ipv4: true, ipv6: false },
            extended_next_hop: PerFamily::default(),
            local_asn: Asn::new(64500).unwrap(),
        };
        loop {
            let due = self.engine.next_deadline().is_some_and(|at| at <= self.now);
            if due {
                self.engine.on_deadline(self.now, &mut self.effects);
            }
            let more = self.engine.work(&mut self.effects) || due;
            for effect in std::mem::take(&mut self.effects) {
                self.said += usize::from(matches!(effect, Effect::TakesNothing(_)));
                let Effect::Send(gateway, session, chunk) = effect else { continue };
                self.octets += chunk.bytes.len();
                self.framer.push(&chunk.bytes);
                self.waiting += chunk.bytes.len();
                if !self.stuck {
                    let written = Input::Written(gateway, session, std::mem::take(&mut self.waiting));
                    self.engine.handle(self.now, written, &mut self.effects);
                }
            }
            while let Some(frame) = self.framer.next().unwrap() {
                let UpdateOutcome::Accept(update) = Update::decode(&frame.body, &context) else { panic!("{frame:?}") };
                self.heard.extend(update.routes().map(|(prefix, _)| prefix));
            }
            if !more {
                return;
            }
        }
    }

    /// As time goes by, the rest of so many routes; how long that takes.
    fn rest(&mut self, routes: usize) -> Duration {
        let begin = self.now;
        self.work();
        while self.heard.len() < routes {
            let at = self.engine.next_deadline().unwrap();
            assert!(at < begin + Duration::from_secs(60), "it does not go on");
            self.now = at.max(self.now);
            self.work();
            let span = self.now.since(begin).as_secs_f64();
            let most = OCTETS as f64 * (1.0 + span) + CHUNKS as f64 + 4096.0;
            assert!((self.octets as f64) <= most, "{} after {span} s", self.octets);
        }
        self.now.since(begin)
    }

    fn take_role(&mut self, role: Role) {
        self.engine.take_role(self.now, role, &mut self.effects);
    }

    /// Some time later its status is asked for, as it is each second: whether somebody is still to be told what it is.
    fn is_awaited_after(&mut self, span: Duration) -> bool {
        self.now = self.now + span;
        self.engine.handle(self.now, Input::Replicas { known: Vec::new(), silent: Vec::new() }, &mut self.effects);
        self.work();
        self.engine.report().unwrap().restamping
    }

    fn forget(&mut self) {
        self.octets = 0;
        self.heard.clear();
    }
}

/// A standby whose gateway has heard it all, and the attempt by which it reads.
fn standby() -> (World, Attempt) {
    let mut effects = Vec::new();
    let engine = engine(&mut effects);
    let attempt = ordered(&effects);
    let (framer, heard) = (Framer::new(), Vec::new());
    let mut world =
        World { engine, now: Time::ZERO, effects, octets: 0, framer, heard, stuck: false, waiting: 0, said: 0 };
    world.engine.handle(world.now, Input::Report(SourceId(0), attempt, list(1, None)), &mut world.effects);
    world.work();
    assert_eq!(world.heard.len(), HOSTS as usize, "a new session is told at once");
    world.forget();
    world.take_role(Role::Standby { term: 3, ordinal: 7 });
    world.rest(HOSTS as usize);
    (world, attempt)
}

#[test]
fn l13_after_a_takeover_what_has_changed_comes_at_once_and_the_rest_in_time() {
    let (mut world, attempt) = standby();
    let source = SourceId(0);
    let all = world.octets;
    assert!(all > 4 * OCTETS, "a table that takes time: {all}");
    world.now = world.now + Duration::from_secs(2);
    // In the leader's term a subnet moves; then this one leads.
    world.engine.handle(world.now, Input::Report(source, attempt, list(2, Some(HOSTS - 1))), &mut world.effects);
    world.work();
    world.forget();
    world.take_role(Role::Leader { term: 4 });
    world.work();
    assert_eq!(world.heard.first(), Some(&subnet(0)));
    let first = world.heard.len();
    assert!(world.octets >= OCTETS && world.octets <= OCTETS + CHUNKS, "{}", world.octets);
    // Another change does not wait.
    world.heard.clear();
    world.engine.handle(world.now, Input::Report(source, attempt, list(3, None)), &mut world.effects);
    world.work();
    assert_eq!(world.heard, [subnet(0)]);
    let span = world.rest(HOSTS as usize - first + 1).as_secs_f64();
    let least = all as f64 / OCTETS as f64 - 2.0;
    assert!(span >= least && span < least + 3.0, "{} of {all} in {span} s", world.octets);
}

/// What the gateway holds of it is the leader's in part, although the standby's stamp was the last to be said.
#[test]
fn p7_what_was_told_anew_by_half_is_told_whole_when_the_same_role_returns() {
    let (mut world, _) = standby();
    world.take_role(Role::Leader { term: 4 });
    world.forget();
    world.rest(HOSTS as usize);
    world.now = world.now + Duration::from_secs(2);
    world.forget();
    world.take_role(Role::Standby { term: 5, ordinal: 7 });
    world.work();
    assert!((1..HOSTS as usize).contains(&world.heard.len()), "in part: {}", world.heard.len());
    // Nothing is said as the leader of term 6.
    world.take_role(Role::Leader { term: 6 });
    world.take_role(Role::Standby { term: 7, ordinal: 7 });
    world.forget();
    world.rest(HOSTS as usize);
    let all: BTreeSet<Prefix> = world.heard.iter().copied().collect();
    assert_eq!(all.len(), HOSTS as usize);
}

/// Who ends waits until the new leader's gateways have been told, and not for one that may never read again.
#[test]
fn p6_a_gateway_that_takes_nothing_is_not_waited_for() {
    let (mut world, _) = standby();
    let replica = Replica { identity: "10.0.3.1".into(), instance: Instance(1) };
    let me = Introduction { replica, version: "1".into(), config: [].into() };
    world.engine.handle(world.now, Input::Introduced(me), &mut world.effects);
    world.now = world.now + Duration::from_secs(2);
    world.forget();
    world.stuck = true;
    world.take_role(Role::Leader { term: 4 });
    world.work();
    assert!(world.is_awaited_after(Duration::from_secs(2)), "it may read on");
    assert!(!world.is_awaited_after(Duration::from_secs(1)));
    assert!(!world.is_awaited_after(Duration::from_secs(60)));
    assert_eq!(world.said, 1);
    // It reads again, and takes its time.
    world.stuck = false;
    let written = Input::Written(GATEWAY, SESSION, std::mem::take(&mut world.waiting));
    world.engine.handle(world.now, written, &mut world.effects);
    assert!(world.is_awaited_after(Duration::ZERO));
    world.rest(HOSTS as usize);
    assert!(!world.is_awaited_after(Duration::from_secs(2)));
    assert_eq!(world.said, 1);
}
