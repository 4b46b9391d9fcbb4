//! The shell of the election ([`fingerpost_core::election`]): a client of its own, a clock that counts on, and a file for the term.
//!
//! ```text
//!  etcd ◄── Store (own connection) ◄── Ask ── run ── StoreTerm ──► state_dir/term
//!   │                              ── Answer ─►│
//!   └── watch of the leader key ── Changed ───►│──► Standing (watch channel) ──► whoever announces
//! ```
//!
//! [`Board`] is apart from that: what replicas say of themselves, over another connection, so that it delays no renewal. So is
//! [`OrderBoard`]: what people have ordered all of them.
//!
//! One task owns the election; what it spawns ends with it. Nothing here is shared with a source, be it in the same etcd: a
//! source that reads a million records delays no renewal.

mod board;
mod clock;
mod etcd;
mod orders;
mod term;

pub use board::Board;
pub use orders::OrderBoard;

use crate::clock::since_boot;
use crate::source::etcd::EtcdConfig;
use etcd::Store;
use fingerpost_core::election::{Effect, Election, Input, Keys, Settings, Trouble};
use fingerpost_core::model::{Instance, Leadership, Replica, Term};
use fingerpost_core::source::{Attempt, Fault};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use term::TermFile;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// What an election is told.
#[derive(Clone, Debug)]
pub struct ElectionConfig {
    /// The store: that of a source, or another one.
    pub etcd: EtcdConfig,
    /// The key under which the leader stands. Term and replicas stand in keys that begin with it.
    pub key: String,
    /// What this replica is called; no other one may have the same. It stands in a key.
    pub identity: String,
    /// How long after its last sign of life a leader may be followed by another. etcd counts in whole seconds.
    pub ttl: Duration,
    /// By how much earlier it stops by itself.
    pub margin: Duration,
    /// For so long after it has seen that nobody leads it leaves the lead to others, if it has not read its sources yet, and who led last had.
    pub reading: Duration,
    /// Where the term is kept.
    pub state_dir: PathBuf,
}

/// What the election makes of this process, and what is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// What is known of the leadership.
    pub leadership: Leadership,
    /// What keeps it from leading, or from knowing who does.
    pub trouble: Option<Trouble>,
}

/// A running election. Dropping it ends the task and leaves the lease to run out, as the process's end would.
#[derive(Debug)]
pub struct ElectionHandle {
    me: Replica,
    orders: mpsc::UnboundedSender<Order>,
    standing: watch::Receiver<Standing>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Read,
    LeaderHasRead(bool),
    Departs,
    Yield,
    Leave,
}

impl ElectionHandle {
    /// This process.
    pub fn me(&self) -> &Replica {
        &self.me
    }

    /// The standing now, and every change of it; where several follow each other, the last one. Its sender is gone once the
    /// election has ended.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// The sources have been read: before, another one should lead.
    pub fn has_read(&self) {
        // Ended: it leads no more.
        let _ = self.orders.send(Order::Read);
    }

    /// Whether who leads, this one or another, has read its sources.
    pub fn leader_has_read(&self, has_read: bool) {
        // Ended: it leads no more.
        let _ = self.orders.send(Order::LeaderHasRead(has_read));
    }

    /// It is about to leave: another one should be the next to lead.
    pub fn departs(&self) {
        // Ended: it leads no more.
        let _ = self.orders.send(Order::Departs);
    }

    /// Lets another lead, if one wants to; for a lease's time this one does not. Nothing if it does not lead.
    pub fn give_way(&self) {
        // Ended: it leads no more.
        let _ = self.orders.send(Order::Yield);
    }

    /// Takes part no more: gives the leadership back, so that another can lead at once. Done when the store knows, or does not
    /// answer; then the lease runs out by itself.
    pub async fn leave(mut self) {
        let _ = self.orders.send(Order::Leave);
        while self.standing.changed().await.is_ok() {}
    }
}

/// Where this process says what it is, and reads what the others are.
pub fn board(config: &ElectionConfig, me: &Replica) -> Board {
    let keys = Keys::new(&config.key, &config.identity);
    Board::new(config.etcd.clone(), keys, me.clone(), config.ttl)
}

/// Where the orders stand that all replicas have in common.
pub fn order_board(config: &ElectionConfig) -> OrderBoard {
    OrderBoard::new(config.etcd.clone(), &config.key, &config.identity)
}

/// Starts taking part. The task ends after [`ElectionHandle::leave`] or when the handle is dropped; if it ends otherwise, its
/// owner must not take the last standing for true any longer.
pub fn spawn(config: ElectionConfig) -> (ElectionHandle, JoinHandle<()>) {
    let me = Replica { identity: config.identity.as_str().into(), instance: draw() };
    let keys = Keys::new(&config.key, &config.identity);
    let seed = RandomState::new().hash_one(());
    let ElectionConfig { ttl, margin, reading, .. } = config;
    let settings = Settings { me: me.clone(), keys: keys.clone(), ttl, margin, reading, seed };
    let store = Store::new(config.etcd, keys, ttl);
    let election = Election::new(settings);
    let start = Standing { leadership: election.leadership(since_boot()), trouble: None };
    let (orders, ordered) = mpsc::unbounded_channel();
    let (said, standing) = watch::channel(start);
    let file = TermFile::new(config.state_dir);
    let task = tokio::spawn(run(election, store, file, ordered, said));
    (ElectionHandle { me, orders, standing }, task)
}

/// What the store says to a question.
type Answering = Pin<Box<dyn Future<Output = (Attempt, Result<fingerpost_core::election::Reply, Fault>)> + Send>>;

async fn run(
    mut election: Election,
    store: Store,
    file: TermFile,
    mut orders: mpsc::UnboundedReceiver<Order>,
    said: watch::Sender<Standing>,
) {
    let changed = Arc::new(Notify::new());
    let _watch = {
        let (store, changed) = (store.clone(), Arc::clone(&changed));
        AbortOnDropHandle::new(tokio::spawn(async move { store.watch(&changed).await }))
    };
    let mut answering: Answering = Box::pin(std::future::pending());
    let mut storing: Option<JoinHandle<Result<Term, String>>> = None;
    let mut effects = Vec::new();
    let mut input = Input::Clock;
    let mut given_up = false;
    loop {
        election.handle(since_boot(), input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Ask(attempt, request) => {
                    let store = store.clone();
                    // What is not polled any more is given up.
                    answering = Box::pin(async move { (attempt, store.perform(request).await) });
                }
                Effect::StoreTerm(term) => {
                    let file = file.clone();
                    storing = Some(tokio::task::spawn_blocking(move || file.raise(term)));
                }
                Effect::Leadership(leadership) => {
                    tell_log(&said.borrow().leadership, &leadership, given_up);
                    given_up &= !matches!(leadership, Leadership::Leading { .. });
                    said.send_modify(|standing| standing.leadership = leadership);
                }
                Effect::Trouble(trouble) => {
                    match &trouble {
                        Some(trouble) => tracing::warn!("election: {trouble}"),
                        None => tracing::info!("election: nothing is wrong any more"),
                    }
                    said.send_modify(|standing| standing.trouble = trouble);
                }
                Effect::Left => return,
            }
        }
        input = tokio::select! {
            // In this order: what has run out is not put off by what comes in.
            biased;
            () = clock::reached(election.next_deadline()) => Input::Clock,
            order = orders.recv() => match order {
                Some(Order::Read) => Input::Read,
                Some(Order::LeaderHasRead(has_read)) => Input::LeaderHasRead(has_read),
                Some(Order::Departs) => Input::Departs,
                Some(Order::Yield) => {
                    given_up = true;
                    Input::Yield
                }
                Some(Order::Leave) => {
                    given_up = true;
                    Input::Leave
                }
                None => return,
            },
            (attempt, answer) = &mut answering => {
                answering = Box::pin(std::future::pending());
                Input::Answer(attempt, answer)
            }
            stored = written(&mut storing) => {
                storing = None;
                Input::TermStored(stored)
            }
            () = changed.notified() => Input::Changed,
        };
    }
}

/// What became of the term that is being written; never, if none is.
async fn written(storing: &mut Option<JoinHandle<Result<Term, String>>>) -> Result<Term, String> {
    match storing {
        Some(task) => task.await.unwrap_or_else(|error| Err(error.to_string())),
        None => std::future::pending().await,
    }
}

/// A line for every change that is not a renewal; `given_up`: it was told to lead no more.
fn tell_log(before: &Leadership, now: &Leadership, given_up: bool) {
    match now {
        Leadership::Leading { term, .. } if matches!(before, Leadership::Leading { term: same, .. } if same == term) => {
        }
        Leadership::Leading { term, .. } => tracing::info!(%term, "election: this replica leads"),
        Leadership::Standby { leader, term } => {
            tracing::info!(%term, leader = &*leader.identity, "election: this replica stands by");
        }
        Leadership::Lapsed { term } if given_up => {
            tracing::info!(%term, "election: this replica has given the lead back: another may take it");
        }
        Leadership::Lapsed { term } => {
            tracing::warn!(%term, "election: this replica leads no more and does not know who does: nothing is changed");
        }
        Leadership::Unsure { newest } => {
            tracing::info!(%newest, "election: it is not known who leads: nothing is changed");
        }
    }
}

/// 128 bits that no other process has: the hasher's keys come from the system's source of randomness.
pub fn draw() -> Instance {
    let [high, low] = [0u8, 1].map(|n| u128::from(RandomState::new().hash_one((n, std::process::id()))));
    Instance(high << 64 | low)
}
