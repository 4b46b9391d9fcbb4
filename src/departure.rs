//! That this process was ordered to leave, by SIGUSR2 or `fingerpost drain`: when it ends at the latest, and how.

mod successor;

pub(crate) use successor::lacks_successor;

use crate::clock::{Clock, reached};
use fingerpost_core::model::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// What a process leaves at its gateways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Its routes, for their restart time: another replica's are better.
    Keeping,
    /// Nothing: they drop its routes.
    Withdrawing,
}

/// What was ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaving {
    /// When it ends at the latest; until then every route carries GRACEFUL_SHUTDOWN (RFC 8326).
    pub at: Time,
    /// How.
    pub way: Way,
}

/// For who orders it, and who carries it out; cheap to clone.
#[derive(Clone, Debug)]
pub struct Departure {
    clock: Clock,
    drain_time: Duration,
    ordered: watch::Sender<Option<Leaving>>,
    /// It ends now: nothing changes how.
    sealed: Arc<AtomicBool>,
}

impl Departure {
    /// Nothing is ordered yet.
    pub fn new(clock: Clock, drain_time: Duration) -> Self {
        Departure { clock, drain_time, ordered: watch::Sender::new(None), sealed: Arc::default() }
    }

    /// Orders it. Of several orders the first says when, and the last how. None: too late, it is ending.
    pub fn order(&self, way: Way) -> Option<Leaving> {
        let mut leaving = Leaving { at: self.clock.now() + self.drain_time, way };
        let is_ordered = self.ordered.send_if_modified(|ordered| {
            if self.sealed.load(Ordering::SeqCst) {
                return false;
            }
            leaving.at = ordered.map_or(leaving.at, |before| before.at);
            *ordered = Some(leaving);
            true
        });
        is_ordered.then_some(leaving)
    }

    /// It stays for this long more.
    pub fn put_off(&self, span: Duration) {
        let at = self.clock.now() + span;
        self.ordered.send_modify(|ordered| ordered.iter_mut().for_each(|leaving| leaving.at = at));
    }

    /// It ends now, and so: this way, or as was ordered last.
    pub fn seal(&self, way: Option<Way>) -> Way {
        let mut ordered = None;
        // Nobody orders anything in between.
        self.ordered.send_if_modified(|leaving| {
            self.sealed.store(true, Ordering::SeqCst);
            ordered = leaving.map(|leaving| leaving.way);
            false
        });
        way.or(ordered).unwrap_or(Way::Keeping)
    }

    /// What was ordered.
    pub fn ordered(&self) -> Option<Leaving> {
        *self.ordered.borrow()
    }

    /// The same, as it changes.
    pub fn follow(&self) -> watch::Receiver<Option<Leaving>> {
        self.ordered.subscribe()
    }

    /// Completes at that moment; never, as long as nothing is ordered.
    pub async fn is_due(&self) {
        let mut ordered = self.follow();
        loop {
            let leaving = *ordered.borrow_and_update();
            let at = leaving.map(|leaving| self.clock.instant(leaving.at));
            tokio::select! {
                () = reached(at) => return,
                // It cannot fail: the sender is here.
                _ = ordered.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_orders_the_first_says_when_and_the_last_how() {
        let departure = Departure::new(Clock::start(), Duration::from_secs(30));
        assert_eq!(departure.ordered(), None);
        let first = departure.order(Way::Withdrawing).unwrap();
        let last = departure.order(Way::Keeping).unwrap();
        assert_eq!((last.at, last.way), (first.at, Way::Keeping));
        assert_eq!(departure.ordered(), Some(last));
    }

    #[test]
    fn what_comes_too_late_is_not_answered_as_if_it_were_done() {
        let departure = Departure::new(Clock::start(), Duration::ZERO);
        departure.order(Way::Withdrawing).unwrap();
        assert_eq!(departure.seal(None), Way::Withdrawing);
        assert_eq!(departure.order(Way::Keeping), None);
        assert_eq!(departure.ordered().map(|leaving| leaving.way), Some(Way::Withdrawing));
        assert_eq!(departure.seal(Some(Way::Keeping)), Way::Keeping, "SIGTERM");
        assert_eq!(Departure::new(Clock::start(), Duration::ZERO).seal(None), Way::Keeping);
    }

    #[tokio::test]
    async fn it_is_due_when_its_time_has_come_and_not_while_it_is_put_off() {
        let departure = Departure::new(Clock::start(), Duration::ZERO);
        departure.order(Way::Keeping).unwrap();
        departure.is_due().await;
        departure.put_off(Duration::from_secs(3600));
        tokio::select! {
            biased;
            () = departure.is_due() => panic!("it was put off"),
            () = std::future::ready(()) => {}
        }
    }
}
