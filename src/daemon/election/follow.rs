//! How what the election says reaches the engine and the writers.

use super::board::{self, Heard, Noticed};
use super::{Farewell, Leaving, Told, identity, orders};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::daemon::transport;
use crate::election::{self, Board, ElectionConfig, ElectionHandle, Standing};
use crate::engine::EngineHandle;
use crate::troubles::Wrong;
use fingerpost_core::election::Trouble;
use fingerpost_core::engine::{Engine, Input, Introduction, Role};
use fingerpost_core::model::{Leadership, Replica, Term};
use fingerpost_core::replicas::{Digest, Others, ReplicaReport, Resigning, Resigns, Succession, leader_has_read};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

/// For so long after it has seen that nobody leads a replica leaves it to the others, if it has not read its sources yet, and who led last had:
/// who knows nothing yet should not lead those who do; but not for ever, if nobody can read. A process is started anew in that time.
const READING: Duration = Duration::from_secs(30);
/// So long a replica that knows who leads again may wait for what people have ordered meanwhile.
const ORDERED: Duration = Duration::from_secs(5);
/// A replica that has not for so long says so.
const SILENT: Duration = Duration::from_secs(3);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn settings(config: &Config, election: &config::Election, state_dir: &Path) -> Option<ElectionConfig> {
    Some(ElectionConfig {
        etcd: transport::etcd_config(election.etcd(&config.sources)?),
        key: election.key.clone(),
        identity: identity(config, election),
        ttl: election.ttl,
        margin: election.margin(),
        reading: READING,
        state_dir: state_dir.to_owned(),
    })
}

pub(super) async fn take_part(
    config: ElectionConfig,
    wanted: u32,
    clock: Clock,
    engine: EngineHandle,
    Told { mut leave, mut configured, file, departure }: Told,
) {
    engine.reach().begin();
    let exchanging = orders::keep(election::order_board(&config), engine.clone(), file);
    let _exchanging = AbortOnDropHandle::new(tokio::spawn(exchanging));
    let (handle, task) = election::spawn(config.clone());
    let _task = AbortOnDropHandle::new(task);
    let board = Arc::new(election::board(&config, handle.me()));
    introduce(handle.me(), configured.borrow_and_update().agreed.clone(), &engine);
    let (noticed, mut others) = watch::channel(None);
    let soon = Arc::new(Notify::new());
    let told = Heard {
        standing: handle.standing(),
        configured: configured.clone(),
        soon: Arc::clone(&soon),
        departure: departure.clone(),
    };
    let keeping = board::keep(Arc::clone(&board), engine.clone(), clock, told, noticed);
    let keeping = AbortOnDropHandle::new(tokio::spawn(keeping));
    let mut standing = handle.standing();
    let (mut ordinal, mut resigning) = (wanted, Resigning::default());
    let mut reading = AbortOnDropHandle::new(tokio::spawn(sources_are_read(engine.clone())));
    let mut departing = departure.follow();
    departing.mark_changed();
    let (mut has_read, mut given_way, mut said) = (false, None, Role::Unsure { ordinal });
    let mut was_sure = false;
    loop {
        if !std::mem::replace(&mut was_sure, !standing.borrow().leadership.is_frozen()) && was_sure {
            // What was ordered while it was away comes before everything that changes from now on.
            engine.reach().refresh(ORDERED).await;
            was_sure = !standing.borrow().leadership.is_frozen();
        }
        let now = standing.borrow_and_update().clone();
        // The election says so a little later, and perhaps after another has begun to lead.
        given_way = given_way.filter(|given_way| Role::of(&now.leadership, ordinal) == *given_way);
        match given_way {
            Some(_) => silence(ordinal, &engine),
            None => tell(&now.leadership, ordinal, &engine),
        }
        let role = Role::of(&now.leadership, ordinal);
        if std::mem::replace(&mut said, role) != role {
            soon.notify_one();
        }
        let wrong = |trouble: Trouble| Wrong { kind: trouble.name(), message: trouble.to_string() };
        engine.troubles().of_election(now.trouble.map(wrong));
        tokio::select! {
            changed = standing.changed() => if changed.is_err() {
                tracing::error!("the election has ended, which is a defect: ending");
                break;
            },
            changed = others.changed() => {
                if changed.is_err() {
                    break; // with the engine
                }
                let Some(Noticed { own, others }) = others.borrow_and_update().clone() else { continue };
                ordinal = numbered(ordinal, wanted, &others);
                if let Some(has_read) = leader_has_read(&own, others.known()) {
                    handle.leader_has_read(has_read);
                }
                if let Some(why) = resigning.step(clock.now(), &own, others.known()) {
                    let lacks = match why {
                        Resigns::Unheard => "has no session with any gateway, another one has",
                        Resigns::Unread => "has not read all that its sources say, another one has",
                        Resigns::Lost => "has lost a source, another one reads all",
                    };
                    tracing::warn!("this replica leads and {lacks}: it leaves the lead to that one");
                    given_way = Some(role).filter(|role| matches!(role, Role::Leader { .. }));
                    if given_way.is_some() {
                        silence(ordinal, &engine);
                    }
                    handle.give_way();
                }
            }
            _ = &mut reading, if !has_read => {
                has_read = true;
                handle.has_read();
            }
            Ok(()) = departing.changed() => if departing.borrow_and_update().is_some() {
                handle.departs();
            },
            Ok(()) = configured.changed() => {
                introduce(handle.me(), configured.borrow_and_update().agreed.clone(), &engine);
            },
            left = &mut leave => {
                silence(ordinal, &engine);
                let Ok(Farewell { mut handed_over, closed }) = left else { return };
                if let Some(term) = led(&now.leadership) {
                    tokio::select! {
                        () = hand_over(term, &handle, &mut others, &soon) => {}
                        () = handed_over.closed() => {}
                    }
                }
                let _ = handed_over.send(());
                // The others are to know it gone no earlier than its gateways: only then its keys go.
                let closed = closed.await;
                drop(keeping);
                // The lease first: for the record the store may take its time.
                handle.leave().await;
                let last = others.borrow().as_ref().map(|noticed| noticed.own.clone());
                if closed == Ok(Leaving::ForGood) {
                    retire(&board, last).await;
                }
                return;
            }
        }
    }
    silence(ordinal, &engine);
}

/// In which term it leads or, as far as it knows, led last.
fn led(leadership: &Leadership) -> Option<Term> {
    match leadership {
        Leadership::Leading { term, .. } | Leadership::Lapsed { term } => Some(*term),
        Leadership::Standby { .. } | Leadership::Unsure { .. } => None,
    }
}

/// Lets another lead, and waits until one does and its gateways know. Not for ever: who has ordered that gives up some time.
async fn hand_over(term: Term, handle: &ElectionHandle, others: &mut watch::Receiver<Option<Noticed>>, soon: &Notify) {
    let (mut standing, mut look) = (handle.standing(), interval(LOOK));
    handle.give_way();
    loop {
        tokio::select! {
            changed = others.changed() => {
                if changed.is_err() {
                    return; // with the engine
                }
                let noticed = others.borrow_and_update();
                let known = noticed.iter().flat_map(|noticed| noticed.others.known());
                if Succession::of(term, known) != Succession::Awaited {
                    return;
                }
            }
            changed = standing.changed() => {
                if changed.is_err() {
                    return;
                }
                // Nobody wanted to for so long that it was to lead again.
                if let Standing { leadership: Leadership::Leading { term: again, .. }, .. } = &*standing.borrow_and_update()
                    && *again != term
                {
                    handle.give_way();
                }
            }
            _ = look.tick() => soon.notify_one(),
        }
    }
}

/// Says for good what it says last, if it has ever said anything.
async fn retire(board: &Board, last: Option<ReplicaReport>) {
    let said = match last {
        Some(last) => board.retire(last).await,
        None => return,
    };
    let why = match said {
        Ok(true) => return,
        Ok(false) => "its key is still there, or is another process's".to_owned(),
        Err(fault) => fault.to_string(),
    };
    tracing::warn!("the others will wait for this replica: its status record does not say that it retires: {why}");
}

fn introduce(me: &Replica, config: BTreeMap<String, Digest>, engine: &EngineHandle) {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    engine.send(Input::Introduced(Introduction { replica: me.clone(), version, config }), None);
}

/// This replica's number as a standby, now that the others are known.
fn numbered(before: u32, wanted: u32, others: &Others) -> u32 {
    let ordinal = others.ordinal(wanted, Role::ORDINALS);
    if ordinal != before {
        tracing::warn!(
            before,
            ordinal,
            "another replica has this one's number as a standby, which would make their paths equal: this one takes the next"
        );
    }
    ordinal
}

async fn sources_are_read(engine: EngineHandle) {
    let began = Instant::now();
    let mut is_told = false;
    while engine.look(Engine::has_read_all).await == Some(false) {
        if began.elapsed() >= SILENT && !std::mem::replace(&mut is_told, true) {
            let because = match engine.look(|engine| engine.frozen().is_some()).await {
                Some(true) => "it is frozen by order: nothing that its sources say counts",
                _ => "see its sources",
            };
            tracing::info!(
                "this replica has not taken in all that its sources say and leaves it to the others to lead; if none of them does for {} s, it does: {because}",
                READING.as_secs()
            );
        }
        sleep(LOOK).await;
    }
}

/// The writers first: what they may not say any more they refuse, whatever the engine hands out meanwhile.
fn tell(leadership: &Leadership, ordinal: u32, engine: &EngineHandle) {
    engine.lead().follow(Some(leadership.clone()));
    engine.take_role(Role::of(leadership, ordinal));
}

/// The election says nothing any more, or is not to be heard.
fn silence(ordinal: u32, engine: &EngineHandle) {
    engine.lead().follow(None);
    engine.take_role(Role::Unsure { ordinal });
}
