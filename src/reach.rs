//! How far orders have come among the replicas: from the task that exchanges them with the store to whoever has given one.

use fingerpost_core::orders::Takers;
use fingerpost_core::replicas::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// See the module; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reach(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicU64,
    nudge: Notify,
    last: watch::Sender<Option<Exchange>>,
}

/// What the last exchange with the store has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// It began after so many had [asked](Reach::ask).
    asked: u64,
    /// Which orders this replica had then.
    pub own: Digest,
    /// Why not all of them stand in the store, if so.
    pub failed: Option<String>,
    /// The other replicas that are there, and which orders they have.
    pub present: BTreeMap<Arc<str>, Option<Digest>>,
    /// Those that have gone.
    pub away: BTreeSet<Arc<str>>,
}

impl Exchange {
    /// Those that are there and have other orders than this replica.
    pub fn behind(&self) -> impl Iterator<Item = &Arc<str>> {
        self.present.iter().filter(|(_, orders)| **orders != Some(self.own)).map(|(identity, _)| identity)
    }

    fn is_done(&self) -> bool {
        self.failed.is_none() && self.behind().next().is_none()
    }
}

impl Reach {
    /// Has orders exchanged at once, and waits until all who are there have them, or the store fails, or for so long. What was known
    /// then; none without others.
    pub async fn spread(&self, patience: Duration) -> Option<Exchange> {
        self.wait(patience, |exchange| exchange.failed.is_some() || exchange.is_done()).await
    }

    /// Has them exchanged at once, and waits until what stands in the store is known, for so long at the most.
    pub async fn refresh(&self, patience: Duration) {
        self.wait(patience, |exchange| exchange.failed.is_none()).await;
    }

    async fn wait(&self, patience: Duration, enough: impl Fn(&Exchange) -> bool) -> Option<Exchange> {
        let deadline = Instant::now() + patience;
        let mut last = self.0.last.subscribe();
        let asked = self.ask();
        let answered = |exchange: &Option<Exchange>| {
            exchange.as_ref().is_none_or(|exchange| exchange.asked >= asked && enough(exchange))
        };
        let waited = timeout_at(deadline, last.wait_for(answered)).await.is_ok();
        let mut exchange = last.borrow().clone()?;
        if !waited && exchange.asked < asked {
            let silent = format!("the store has not answered for {} s", patience.as_secs());
            exchange.failed.get_or_insert(silent);
        }
        Some(exchange)
    }

    /// There are others: from now on exchanges are told.
    pub fn begin(&self) {
        let failed = Some("the store has not been asked yet".to_owned());
        let (own, present, away) = (Digest::default(), BTreeMap::new(), BTreeSet::new());
        self.0.last.send_replace(Some(Exchange { asked: 0, own, failed, present, away }));
    }

    fn ask(&self) -> u64 {
        let asked = self.0.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.nudge.notify_one();
        asked
    }

    /// How many have asked: whoever begins an exchange notes it.
    pub fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// Completes when somebody asks.
    pub async fn nudged(&self) {
        self.0.nudge.notified().await;
    }

    /// An exchange is over that began after so many had asked; whether all who are there have all orders.
    pub fn tell(&self, asked: u64, own: Digest, look: Result<(Option<String>, Takers), String>) -> bool {
        let mut done = false;
        self.0.last.send_modify(|last| {
            let before = last.take().map(|Exchange { present, away, .. }| Takers { present, away });
            let (failed, Takers { present, away }) = match look {
                Ok(look) => look,
                Err(why) => (Some(why), before.unwrap_or_default()),
            };
            let exchange = Exchange { asked, own, failed, present, away };
            done = exchange.is_done();
            *last = Some(exchange);
        });
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    fn others(orders: u64) -> Takers {
        Takers { present: [("b".into(), Some(Digest(orders)))].into(), away: BTreeSet::new() }
    }

    #[tokio::test]
    async fn without_others_nobody_waits_for_them() {
        assert_eq!(Reach::default().spread(LONG).await, None);
    }

    #[tokio::test]
    async fn an_order_waits_until_all_have_it_and_no_longer_than_the_store_fails_p3() {
        let reach = Reach::default();
        reach.begin();
        let waiting = tokio::spawn({
            let reach = reach.clone();
            async move { reach.spread(LONG).await.unwrap() }
        });
        reach.nudged().await;
        // What began before it was given says nothing of it.
        assert!(reach.tell(0, Digest(1), Ok((None, others(1)))));
        assert!(!reach.tell(reach.asked(), Digest(2), Ok((None, others(1)))));
        assert!(reach.tell(reach.asked(), Digest(2), Ok((None, others(2)))));
        assert_eq!(waiting.await.unwrap().behind().count(), 0);
        let failing = tokio::spawn({
            let reach = reach.clone();
            async move { reach.spread(LONG).await.unwrap() }
        });
        reach.nudged().await;
        reach.tell(reach.asked(), Digest(3), Err("nobody answers".into()));
        let exchange = failing.await.unwrap();
        assert_eq!((exchange.failed.as_deref(), exchange.behind().count()), (Some("nobody answers"), 1));
    }

    #[tokio::test]
    async fn a_store_that_says_nothing_is_not_taken_for_one_that_has_the_order_p3() {
        let reach = Reach::default();
        reach.begin();
        reach.tell(0, Digest(1), Ok((None, others(1))));
        assert!(reach.spread(SOON).await.unwrap().failed.is_some());
        reach.tell(reach.asked() + 1, Digest(2), Ok((None, others(1))));
        let exchange = reach.spread(SOON).await.unwrap();
        assert_eq!((exchange.failed.clone(), exchange.behind().count()), (None, 1));
    }
}
