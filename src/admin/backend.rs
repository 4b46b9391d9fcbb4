//! What the methods work with: the engine, the sessions, the file of orders.

use super::events;
use super::listener::Peer;
use super::orders::Wanted;
use super::proto;
use crate::clock::Clock;
use crate::departure::Departure;
use crate::engine::EngineHandle;
use crate::look::frozen_since;
use crate::snapshot::OrdersFile;
use crate::speaker::{GatewayReport, Speaker};
use fingerpost_core::engine::{By, Command, Engine, GatewayRow, Holds, Unheard};
use fingerpost_core::model::GatewayId;
use fingerpost_core::orders::{Giver, What};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tonic::Status;

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an order's answer waits for the other replicas.
const SPREADING: Duration = Duration::from_secs(3);
/// Requests that look at once.
const AT_ONCE: usize = 4;

/// What the service works with.
#[derive(Clone)]
pub struct Admin {
    pub(super) clock: Clock,
    engine: EngineHandle,
    pub(super) speaker: Arc<Mutex<Speaker>>,
    pub(super) config_loaded: Arc<AtomicBool>,
    orders: OrdersFile,
    departure: Departure,
    turns: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

impl Admin {
    /// The service of these parts. `config_loaded`: whether the configuration on disk is the one in force; `orders`:
    /// where they are kept; `departure`: by which this process leaves.
    pub fn new(
        clock: Clock,
        engine: EngineHandle,
        speaker: Arc<Mutex<Speaker>>,
        config_loaded: Arc<AtomicBool>,
        orders: OrdersFile,
        departure: Departure,
    ) -> Self {
        let (turns, followers) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(events::FOLLOWERS)));
        Admin { clock, engine, speaker, config_loaded, orders, departure, turns, followers }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is wrong with this replica's part among the others.
    pub(super) fn troubles(&self) -> &crate::troubles::Troubles {
        self.engine.troubles()
    }

    pub(super) fn departure(&self) -> &Departure {
        &self.departure
    }

    /// The number of the newest event, as it grows.
    pub(super) fn newest_event(&self) -> tokio::sync::watch::Receiver<u64> {
        self.engine.newest_event()
    }

    /// Who follows the timeline.
    pub(super) fn followers(&self) -> &Arc<Semaphore> {
        &self.followers
    }

    /// Waits until few enough others look.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.turns.acquire().await.map_err(|_| Status::internal("the turns have ended, which is a defect"))
    }

    /// What the engine says. Keep it short: the engine does nothing else meanwhile.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Status> {
        match timeout(PATIENCE, self.engine.look(look)).await {
            Ok(answer) => answer.ok_or_else(ended),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the engine has not answered for {} s: ask again, and see the log if that lasts",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Has it done; how much it concerned.
    pub(super) async fn order(&self, command: Command, peer: Peer) -> Result<usize, Status> {
        let by = By { uid: peer.uid, pid: peer.pid, replica: None };
        match timeout(PATIENCE, self.engine.command(command, by)).await {
            Ok(count) => count.ok_or_else(ended),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the engine has not answered for {} s; the order may still be carried out: look, then order again",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Orders what is decided about holds.
    pub(super) async fn decide(
        &self,
        wanted: &Wanted,
        peer: Peer,
        command: fn(Holds) -> Command,
    ) -> Result<usize, Status> {
        let which = wanted.clone();
        let holds = self.look(move |engine| which.find(engine)).await??;
        self.order(command(holds), peer).await
    }

    pub(super) async fn frozen(&self) -> Result<Option<u64>, Status> {
        let clock = self.clock;
        self.look(move |engine| frozen_since(engine, &clock)).await
    }

    /// Why the next process will not know what was ordered; empty where it will.
    pub(super) async fn not_kept(&self) -> String {
        match timeout(PATIENCE, self.orders.keep()).await {
            Ok(kept) => kept.err().unwrap_or_default(),
            Err(_) => format!("state_dir has not taken it for {} s", PATIENCE.as_secs()),
        }
    }

    /// How far an order has come that was just given, and is about this; none without other replicas.
    pub(super) async fn reach(&self, what: &[What]) -> Result<Option<proto::Reach>, Status> {
        let Some(exchange) = self.engine.reach().spread(SPREADING).await else { return Ok(None) };
        let what = what.to_vec();
        let stands = move |engine: &Engine| {
            let later = |what: &What| {
                let stands = engine.book()?.order(&what.register()?)?;
                let Giver { replica, .. } = &stands.giver;
                (stands.what != *what)
                    .then(|| format!("{}, ordered at replica {replica} at the same time", stands.what))
            };
            let known = engine.replicas().iter().map(|known| known.report.replica.identity.to_string());
            (what.iter().find_map(later).unwrap_or_default(), known.collect::<Vec<_>>())
        };
        let (overruled, known) = self.look(stands).await?;
        let text = |identity: &Arc<str>| identity.to_string();
        let mut behind: Vec<String> = exchange.behind().map(text).collect();
        let mut away: Vec<String> = exchange.away.iter().map(text).collect();
        if exchange.failed.is_some() {
            // Who is there is not known, but who was.
            away.retain(|identity| !behind.contains(identity));
            let others = known.into_iter().filter(|identity| !away.contains(identity));
            behind = others.chain(behind.iter().cloned()).collect();
            behind.sort_unstable();
            behind.dedup();
        }
        let taken = exchange.present.keys().map(text).filter(|identity| !behind.contains(identity)).collect();
        let not_stored = exchange.failed.clone().unwrap_or_default();
        Ok(Some(proto::Reach { not_stored, taken, behind, away, overruled, unheard: String::new() }))
    }

    /// What of decisions the other replicas do not hear of, so far.
    pub(super) async fn unheard(&self) -> Result<Unheard, Status> {
        self.look(Engine::unheard).await
    }

    /// How far a decision has come that was just given, and what of it, or of earlier ones, will not: `before` is what it was then.
    pub(super) async fn reach_of_decision(&self, before: Unheard) -> Result<Option<proto::Reach>, Status> {
        let Some(mut reach) = self.reach(&[]).await? else { return Ok(None) };
        let now = self.unheard().await?;
        let is_missed = !(reach.behind.is_empty() && reach.away.is_empty() && reach.not_stored.is_empty());
        reach.unheard = unheard(before, now, is_missed);
        Ok(Some(reach))
    }

    /// Rows, and reports by name.
    pub(super) async fn gateways(&self) -> Result<(HashMap<GatewayId, GatewayRow>, Vec<GatewayReport>), Status> {
        let rows = self.look(Engine::gateway_rows).await?;
        let (reports, _) = self.speaker.lock().await.report().await;
        Ok((rows.into_iter().map(|row| (row.id, row)).collect(), reports))
    }
}

/// What is to be said of it. `is_missed`: somebody has not taken what was given until now.
fn unheard(before: Unheard, now: Unheard, is_missed: bool) -> String {
    let (changes, displaced) =
        (now.changes.saturating_sub(before.changes), now.displaced.saturating_sub(before.displaced));
    if changes > 0 {
        return format!(
            "{changes} of these changes cannot be handed on, since their source has not been read or there are too many: decide about \
             them at every replica (fingerpost holds there)"
        );
    }
    if displaced > 0 && is_missed {
        return format!(
            "{displaced} earlier decisions of this week had to go for it, as there are too many: the replicas that have not taken those \
             go on holding what they were about (fingerpost holds there)"
        );
    }
    String::new()
}

fn ended() -> Status {
    Status::unavailable("the engine has ended: the process is about to end, see its log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_others_do_not_hear_of_is_said_p3() {
        let of = |changes, displaced| Unheard { changes, displaced };
        assert_eq!(unheard(of(7, 7), of(7, 7), true), "");
        assert_eq!(unheard(of(7, 7), of(7, 9), false), "", "all have taken those");
        assert!(unheard(of(7, 7), of(7, 9), true).starts_with("2 earlier decisions"));
        for is_missed in [false, true] {
            assert!(unheard(of(7, 7), of(8, 9), is_missed).starts_with("1 of these changes"));
        }
    }
}
