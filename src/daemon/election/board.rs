//! What this replica says of itself to the others and what they say, kept going beside the election: nothing here delays a renewal.

use super::Configured;
use super::placement::Placement;
use crate::clock::Clock;
use crate::election::{Board, Standing};
use crate::engine::EngineHandle;
use crate::troubles::{STATUS, Troubles, Wrong};
use bytes::Bytes;
use fingerpost_core::engine::{Engine, Input};
use fingerpost_core::model::{Term, Time};
use fingerpost_core::replicas::{KnownReplica, Others, Reading, ReplicaReport, ReportedRole};
use fingerpost_core::source::Fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
/// So many records may be written one a look after the other, and from then on one each so often: each is a revision more for a store
/// whose history nobody may compact. What it is in the election is said at once.
const BURST: u32 = 10;
const PACE: Duration = Duration::from_secs(5);

/// By how much longer than its lease the process before may be in the way after its end: the store ends leases late, and then it is looked.
const LATE: Duration = Duration::from_secs(5);

/// What was seen last.
#[derive(Clone, Debug)]
pub(super) struct Noticed {
    /// What this replica says of itself.
    pub(super) own: ReplicaReport,
    /// The others.
    pub(super) others: Arc<Others>,
}

/// What it is told while it goes on.
pub(super) struct Heard {
    /// What the election says.
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) configured: watch::Receiver<Configured>,
    /// It is to look now.
    pub(super) soon: Arc<Notify>,
}

/// Until the engine ends, or whoever wants to know.
pub(super) async fn keep(
    board: Arc<Board>,
    engine: EngineHandle,
    clock: Clock,
    Heard { standing, configured, soon }: Heard,
    noticed: watch::Sender<Option<Noticed>>,
) {
    let mut placement = Placement::default();
    let mut others = Others::of(board.me().clone());
    let mut saying = Saying { said: None, part: None, unsaid: None, pace: Pace::full(clock.now()) };
    while let Some(own) = engine.look(Engine::report).await {
        if let Some(mut own) = own {
            own.trouble = standing.borrow().trouble.is_some();
            let gateways = configured.borrow().gateways.clone();
            own.routers = placement.routers(&gateways).await;
            let now = exchange(&board, &own, &mut saying, &clock, &mut others).await;
            let wrong = match &now {
                Err(fault) => Some(fault.message.clone()),
                Ok(_) => saying.is_kept_from_it(&board, clock.now()),
            };
            tell(engine.troubles(), wrong);
            if let Ok(reading) = now {
                warn(&reading);
                let known: Vec<KnownReplica> = others.known().cloned().collect();
                placement.compare(&own, &known, engine.troubles());
                engine.send(Input::Replicas(known), None);
                forget(&board, &reading).await;
                if noticed.send(Some(Noticed { own, others: Arc::new(others.clone()) })).is_err() {
                    return;
                }
            }
        }
        // Nothing to be said waits long, nor anybody who wants to know.
        let _ = timeout(EVERY, soon.notified()).await;
    }
}

/// Says what is new and reads what the others say. If either fails, what is known stays as it is.
async fn exchange(
    board: &Board,
    own: &ReplicaReport,
    Saying { said, part, unsaid, pace }: &mut Saying,
    clock: &Clock,
    others: &mut Others,
) -> Result<Reading, Fault> {
    let record = own.encode();
    // One that ends waits for it, and so does what only another may withdraw.
    let is_urgent = *part != Some(RoleSaid::of(own));
    if said.as_ref() != Some(&record) && (is_urgent || pace.take(clock.now())) {
        *said = board.say(own).await?.then_some(record);
        *part = said.is_some().then(|| RoleSaid::of(own));
        *unsaid = if said.is_some() { None } else { Some(unsaid.unwrap_or(clock.now())) };
    }
    let reading = others.take(clock.now(), board.read().await?);
    // Somebody has written it over, or the store was put back to a backup: it is said again.
    said.take_if(|said| reading.own.as_ref().map(ReplicaReport::encode).as_ref() != Some(said));
    Ok(reading)
}

fn tell(troubles: &Troubles, wrong: Option<String>) {
    match (troubles.of_status(wrong.clone().map(|message| Wrong { kind: STATUS, message })), wrong) {
        (None, Some(message)) => tracing::warn!(
            "what the replicas say of themselves cannot be written or read, what is known of them stays: {message}"
        ),
        (Some(_), None) => tracing::info!("what the replicas say of themselves can be written and read again"),
        _ => {}
    }
}

fn warn(reading: &Reading) {
    for (identity, why) in &reading.refused {
        let replica: String = identity.escape_debug().take(80).collect();
        tracing::warn!(
            replica,
            "the status record of a replica is ignored: {why}. If it is of another version, bring all to one; if nobody \
             runs by that name, delete the record"
        );
    }
}

/// Nobody depends on it: it is tried again with the next reading.
async fn forget(board: &Board, reading: &Reading) {
    for (identity, revision) in &reading.forgotten {
        if board.forget(identity, *revision).await.is_ok() {
            tracing::info!(replica = &**identity, "a replica that is not coming back is forgotten");
        }
    }
}

/// What it is in the election, and whether all its gateways know.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RoleSaid {
    role: ReportedRole,
    term: Term,
    restamping: bool,
}

impl RoleSaid {
    fn of(own: &ReplicaReport) -> Self {
        RoleSaid { role: own.role, term: own.term, restamping: own.restamping }
    }
}

/// How far this replica has come with saying what it is.
struct Saying {
    /// What stands there of it.
    said: Option<Bytes>,
    /// And of its part.
    part: Option<RoleSaid>,
    /// Since when it has not got it said.
    unsaid: Option<Time>,
    pace: Pace,
}

impl Saying {
    /// Why it says nothing for longer than it takes to take part, also after a process of this identity that was killed.
    fn is_kept_from_it(&self, board: &Board, now: Time) -> Option<String> {
        self.waits_too_long(board.ttl(), now).then(|| {
            let key = board.presence_key();
            format!(
                "this replica says nothing, since {key} is not there or is another process's: the others do not know it"
            )
        })
    }

    fn waits_too_long(&self, ttl: Duration, now: Time) -> bool {
        self.unsaid.is_some_and(|since| now.since(since) > ttl + LATE)
    }
}

/// How many records may be written now.
struct Pace {
    left: u32,
    since: Time,
}

impl Pace {
    fn full(now: Time) -> Self {
        Pace { left: BURST, since: now }
    }

    /// Whether one may be written now; then it counts.
    fn take(&mut self, now: Time) -> bool {
        while self.left < BURST && now.since(self.since) >= PACE {
            self.left += 1;
            self.since = self.since + PACE;
        }
        if self.left == BURST {
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_started_again_within_its_own_lease_is_not_told_to_say_nothing() {
        let (at, ttl) = (|seconds| Time::since_start(Duration::from_secs(seconds)), Duration::from_secs(10));
        let saying = Saying { said: None, part: None, unsaid: Some(at(100)), pace: Pace::full(at(100)) };
        assert!(!saying.waits_too_long(ttl, at(114)));
        assert!(saying.waits_too_long(ttl, at(116)));
        assert!(!Saying { unsaid: None, ..saying }.waits_too_long(ttl, at(999)));
    }

    #[test]
    fn a_store_that_changes_all_the_time_is_not_filled_with_status_records() {
        let at = |seconds| Time::since_start(Duration::from_secs(seconds));
        let mut pace = Pace::full(at(0));
        let written: Vec<u64> = (1000..1060).filter(|second| pace.take(at(*second))).collect();
        assert_eq!(&written[..10], &(1000..1010).collect::<Vec<_>>()[..], "one a second at first");
        assert_eq!(written.len(), 10 + 11, "then one every five: {written:?}");
        let rested: Vec<u64> = (2000..2010).filter(|second| pace.take(at(*second))).collect();
        assert_eq!(rested.len(), 10);
    }
}
