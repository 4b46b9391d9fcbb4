//! Who may stay. There are so many seats for connections; when all are taken and another client comes, whoever has asked
//! for nothing the longest goes, so that no crowd of silent clients keeps a health probe out.
//!
//! ```text
//!  New ──head complete──► Asked ──answer made──► Answered ──answer taken──► Between ─┐
//!                           ▲                                                        │
//!                           └────────────────────head complete───────────────────────┘
//! ```
//!
//! New and Between may go at any time, Answered once the client has taken nothing of the answer for a while, Asked never:
//! a request takes a bounded time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// A client that has taken nothing of its answer for so long may have to go.
const STALLED: Duration = Duration::from_secs(1);

/// How long a connection on which nothing moves may stay, seats permitting.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Until the head of the first request is complete.
    pub(super) first: Duration,
    /// Later: until the next request is answered, or since an octet of an answer was taken.
    pub(super) idle: Duration,
}

/// All seats.
pub(super) struct Seats {
    limit: usize,
    patience: Patience,
    taken: Mutex<Taken>,
    /// A seat became free, or its holder idle.
    changed: Notify,
}

#[derive(Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, State>,
}

struct State {
    phase: Phase,
    /// When something last moved. Octets that the client sends do not count: they could drip for ever.
    since: Instant,
    /// It was told to go.
    told: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Asked,
    Answered { writing: bool },
    Between,
}

impl Seats {
    pub(super) fn new(limit: usize, patience: Patience) -> Arc<Self> {
        Arc::new(Seats { limit, patience, taken: Mutex::default(), changed: Notify::new() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a client that has come; another goes if need be.
    pub(super) async fn take(self: &Arc<Self>) -> Seat {
        loop {
            if let Some(seat) = self.free() {
                return seat;
            }
            self.make_room();
            // Whoever stalls does so without a word: look again.
            let _ = timeout(STALLED, self.changed.notified()).await;
        }
    }

    fn free(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.seats.len() >= self.limit {
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        let state = State { phase: Phase::New, since: Instant::now(), told: false, waker: None };
        taken.seats.insert(number, state);
        Some(Seat(Client { seats: Arc::clone(self), number }))
    }

    /// Tells one to go, unless somebody is going.
    fn make_room(&self) {
        let mut taken = self.taken();
        if taken.seats.values().any(|state| state.told) {
            return;
        }
        let now = Instant::now();
        let order = |state: &State| match state.phase {
            Phase::New | Phase::Between => Some((0, state.since)),
            Phase::Answered { .. } if state.since + STALLED <= now => Some((1, state.since)),
            Phase::Asked | Phase::Answered { .. } => None,
        };
        let may_go = taken.seats.values_mut().filter_map(|state| order(state).map(|order| (order, state)));
        if let Some((_, state)) = may_go.min_by_key(|(order, _)| *order) {
            state.told = true;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }
}

/// A connection's seat; dropping it frees it.
pub(super) struct Seat(Client);

impl Seat {
    /// Until when it may stay if nothing moves; None if it must go now. The waker is woken when it must go.
    pub(super) fn until(&self, waker: &Waker) -> Option<Instant> {
        let patience = self.0.seats.patience;
        self.0.with(|state| {
            state.waker = Some(waker.clone());
            let patience = if state.phase == Phase::New { patience.first } else { patience.idle };
            (!state.told).then(|| state.since + patience)
        })?
    }

    /// The client took something of an answer.
    pub(super) fn wrote(&self) {
        self.0.with(|state| {
            state.since = Instant::now();
            if let Phase::Answered { writing } = &mut state.phase {
                *writing = true;
            }
        });
    }

    /// The client took all that was to be sent.
    pub(super) fn flushed(&self) {
        let idle = self.0.with(|state| {
            let idle = state.phase == Phase::Answered { writing: true };
            if idle {
                state.phase = Phase::Between;
            }
            idle
        });
        if idle == Some(true) {
            self.0.seats.changed.notify_one();
        }
    }

    /// For what happens in requests.
    pub(super) fn client(&self) -> Client {
        self.0.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.taken().seats.remove(&self.0.number);
        self.0.seats.changed.notify_one();
    }
}

/// Whose request it is.
#[derive(Clone)]
pub(super) struct Client {
    seats: Arc<Seats>,
    number: u64,
}

impl Client {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> Option<T> {
        self.seats.taken().seats.get_mut(&self.number).map(change)
    }

    fn enter(&self, phase: Phase) {
        self.with(|state| {
            state.phase = phase;
            state.since = Instant::now();
        });
    }

    /// The head of a request is complete. Drop what this gives when the answer is made.
    pub(super) fn asks(&self) -> Asking {
        self.enter(Phase::Asked);
        Asking(self.clone())
    }
}

/// A request that is worked on.
pub(super) struct Asking(Client);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.enter(Phase::Answered { writing: false });
    }
}
