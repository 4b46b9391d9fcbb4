//! What this replica says of itself to the others and what they say, kept going beside the election: nothing here delays a renewal.

use super::Configured;
use super::placement::Placement;
use crate::clock::Clock;
use crate::departure::Departure;
use crate::election::{Board, Standing};
use crate::engine::EngineHandle;
use crate::troubles::{STATUS, Troubles, Wrong};
use fingerpost_core::engine::{Engine, Input};
use fingerpost_core::model::Time;
use fingerpost_core::replicas::{KnownReplica, Others, Reading, ReplicaReport, Saying};
use fingerpost_core::source::Fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// By how much longer than its lease the process before may be in the way after its end: the store ends leases late, and then it is looked.
const LATE: Duration = Duration::from_secs(5);

/// More records than any cluster has replicas.
const TOO_MANY: &str = "more than 64 replicas have status records, of whom the last are not looked at or waited for: give each replica the \
                        identity that it had before when it starts anew; who is gone is forgotten after a week";

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
    pub(super) departure: Departure,
}

/// Until the engine ends, or whoever wants to know.
pub(super) async fn keep(
    board: Arc<Board>,
    engine: EngineHandle,
    clock: Clock,
    Heard { standing, configured, soon, departure }: Heard,
    noticed: watch::Sender<Option<Noticed>>,
) {
    let (mut placement, mut leaves) = (Placement::default(), departure.follow());
    let mut others = Others::of(board.me().clone());
    let mut saying = Saying::new(clock.now());
    while let Some(own) = engine.look(Engine::report).await {
        if let Some(mut own) = own {
            own.trouble = standing.borrow().trouble.is_some();
            own.leaving = departure.ordered().is_some();
            let gateways = configured.borrow().gateways.clone();
            own.routers = placement.routers(&gateways).await;
            let now = exchange(&board, &own, &mut saying, &clock, &mut others).await;
            let wrong = match &now {
                Err(fault) => Some(fault.message.clone()),
                Ok(reading) if reading.too_many => Some(TOO_MANY.to_owned()),
                Ok(_) => is_kept_from_it(&board, saying.unsaid(), clock.now()),
            };
            tell(engine.troubles(), wrong);
            if let Ok(reading) = now {
                warn(&reading);
                let known: Vec<KnownReplica> = others.known().cloned().collect();
                placement.compare(&own, &known, engine.troubles());
                engine.send(Input::Replicas { known, silent: reading.silent.clone() }, None);
                forget(&board, &reading).await;
                if noticed.send(Some(Noticed { own, others: Arc::new(others.clone()) })).is_err() {
                    return;
                }
            }
        }
        // Nothing to be said waits long, nor anybody who wants to know.
        tokio::select! {
            _ = timeout(EVERY, soon.notified()) => {}
            // The others should not leave at the same time.
            Ok(()) = leaves.changed() => {}
        }
    }
}

/// Says what is new and reads what the others say. If either fails, what is known stays as it is.
async fn exchange(
    board: &Board,
    own: &ReplicaReport,
    saying: &mut Saying,
    clock: &Clock,
    others: &mut Others,
) -> Result<Reading, Fault> {
    if saying.is_due(clock.now(), own) {
        let is_said = board.say(own).await?;
        saying.written(clock.now(), own, is_said);
    }
    let reading = others.take(clock.now(), board.read().await?);
    saying.read(&reading);
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

/// Why it says nothing for longer than it takes to take part, also after a process of this identity that was killed.
fn is_kept_from_it(board: &Board, unsaid: Option<Time>, now: Time) -> Option<String> {
    waits_too_long(unsaid, board.ttl(), now).then(|| {
        let key = board.presence_key();
        format!(
            "this replica says nothing, since {key} is not there or is another process's: the others do not know it"
        )
    })
}

fn waits_too_long(unsaid: Option<Time>, ttl: Duration, now: Time) -> bool {
    unsaid.is_some_and(|since| now.since(since) > ttl + LATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_started_again_within_its_own_lease_is_not_told_to_say_nothing() {
        let (at, ttl) = (|seconds| Time::since_start(Duration::from_secs(seconds)), Duration::from_secs(10));
        assert!(!waits_too_long(Some(at(100)), ttl, at(114)));
        assert!(waits_too_long(Some(at(100)), ttl, at(116)));
        assert!(!waits_too_long(None, ttl, at(999)));
    }
}
