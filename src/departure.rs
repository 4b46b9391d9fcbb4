//! That this process was ordered to leave, by SIGUSR2 or `fingerpost drain`: when it ends at the latest, and how.

use crate::clock::{Clock, reached};
use fingerpost_core::model::Time;
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
}

impl Departure {
    /// Nothing is ordered yet.
    pub fn new(clock: Clock, drain_time: Duration) -> Self {
        Departure { clock, drain_time, ordered: watch::Sender::new(None) }
    }

    /// Orders it. Of several orders the first says when, and the last how.
    pub fn order(&self, way: Way) -> Leaving {
        let mut leaving = Leaving { at: self.clock.now() + self.drain_time, way };
        self.ordered.send_modify(|ordered| {
            leaving.at = ordered.map_or(leaving.at, |before| before.at);
            *ordered = Some(leaving);
        });
        leaving
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
    pub async fn is_due(&self) -> Way {
        let mut ordered = self.follow();
        loop {
            let leaving = *ordered.borrow_and_update();
            let at = leaving.map(|leaving| self.clock.instant(leaving.at));
            tokio::select! {
                () = reached(at) => if let Some(Leaving { way, .. }) = leaving {
                    return way;
                },
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
        let first = departure.order(Way::Withdrawing);
        let last = departure.order(Way::Keeping);
        assert_eq!((last.at, last.way), (first.at, Way::Keeping));
        assert_eq!(departure.ordered(), Some(last));
    }
}
