//! Orders of people, between the engine and the store: what was given to another replica is carried out here, what was given here
//! is written there, and nothing that is not there says anything. In which sequence, [`Exchange`] says.

use crate::clock::{since_boot, wall};
use crate::election::OrderBoard;
use crate::engine::EngineHandle;
use crate::reach::Reach;
use crate::snapshot::OrdersFile;
use crate::telemetry::AUDIT;
use crate::troubles::{ORDERS, Wrong};
use fingerpost_core::orders::{End, Exchange, Order, Refused, Register, Step};
use fingerpost_core::source::Fault;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked …
const EVERY: Duration = Duration::from_secs(1);
/// … and while somebody waits for the others.
const SOON: Duration = Duration::from_millis(100);
/// For so long somebody does.
const WAITING: Duration = Duration::from_secs(5);
/// Lines for the log about what stands in the store, after one look.
const NAMED: usize = 20;
/// So far ahead of this one's clock no clock should be.
const AHEAD: Duration = Duration::from_secs(3600);

/// Until the engine ends.
pub(super) async fn keep(board: OrderBoard, engine: EngineHandle, file: OrdersFile) {
    let reach = engine.reach().clone();
    let (exchange, named) = (Exchange::default(), BTreeSet::new());
    let mut keeper = Keeper { board, engine, file, exchange, displaced: 0, named, failing: false };
    let (mut asked, mut since) = (0, Instant::now());
    loop {
        if std::mem::replace(&mut asked, reach.asked()) != asked {
            since = Instant::now();
        }
        let Some(done) = keeper.keep(&reach, asked).await else { return };
        let pause = if !done && since.elapsed() < WAITING { SOON } else { EVERY };
        tokio::select! {
            () = sleep(pause) => {}
            () = reach.nudged() => {}
        }
    }
}

struct Keeper {
    board: OrderBoard,
    engine: EngineHandle,
    file: OrdersFile,
    exchange: Exchange,
    /// How many decisions had to go for later ones.
    displaced: u64,
    /// What was named to the log.
    named: BTreeSet<String>,
    /// Whether the last exchange has failed.
    failing: bool,
}

impl Keeper {
    /// Whether all who are there have all orders; none once the engine has ended.
    async fn keep(&mut self, reach: &Reach, asked: u64) -> Option<bool> {
        let end = self.run().await?;
        let (own, displaced) =
            self.engine.look(|engine| engine.book().map(|book| (book.digest(), book.displaced()))).await??;
        let before = std::mem::replace(&mut self.displaced, displaced);
        if displaced > before {
            tracing::warn!(
                decisions = displaced - before,
                "of so many decisions there are that the earliest are not handed on any more: a replica that has not taken them goes on \
                 holding what they were about"
            );
        }
        let fault = match &end {
            Err(fault) => Some(&*fault.message),
            Ok(End::Beyond(why)) => Some(&**why),
            Ok(_) => None,
        };
        self.tell(fault);
        let failed = |end| match end {
            End::Equal => None,
            End::Overtaken => Some("the store's orders change all the time".to_owned()),
            End::Unread => Some("there are many orders to read".to_owned()),
            End::Beyond(why) => Some(why),
        };
        let takers = self.exchange.takers();
        let look = end.map(|end| (failed(end), takers.clone())).map_err(|fault| fault.message);
        Some(reach.tell(asked, own, look))
    }

    /// What has become of it; none once the engine has ended.
    async fn run(&mut self) -> Option<Result<End, Fault>> {
        let mut step = self.exchange.begin(since_boot());
        loop {
            step = match step {
                Step::Ask(question) => match self.board.perform(question).await {
                    Ok(answer) => self.exchange.answered(answer),
                    Err(fault) => return Some(Err(fault)),
                },
                Step::Take(orders) => {
                    let refused = self.take(orders).await?;
                    self.exchange.taken(refused)
                }
                Step::Compare(comparison) => {
                    let compared = self.engine.look(move |engine| engine.book().map(|book| comparison.with(book)));
                    let compared = compared.await??;
                    self.exchange.compared(compared)
                }
                Step::Over(end) => return Some(Ok(end)),
            }
        }
    }

    /// Has them carried out; gives those that are not taken.
    async fn take(&self, orders: Vec<Order>) -> Option<Vec<(Register, Refused)>> {
        let taken = self.engine.take_orders(orders).await?;
        for (order, count) in &taken.carried_out {
            let (uid, what) = (order.giver.uid.map_or(-1, i64::from), &order.what);
            let replica = &*order.giver.replica;
            tracing::info!(target: AUDIT, uid, replica, order = %what, count, "done, as ordered at another replica");
        }
        for order in &taken.ended {
            let (replica, what) = (&*order.giver.replica, &order.what);
            tracing::warn!(replica, order = %what, "not done: {}", Refused::Ended);
        }
        if !taken.carried_out.is_empty() || !taken.ended.is_empty() {
            // It says itself when it fails; what is in force is in force.
            let _ = self.file.keep().await;
        }
        Some(taken.refused)
    }

    fn tell(&mut self, fault: Option<&str>) {
        let returned = self.exchange.returned().map(|register| {
            format!(
                "{register} is spent, was taken out of the store, and is there again: a replica does not take what this one knows \
                 (see its trouble `orders`), or is of another version"
            )
        });
        let key = |name| String::from_utf8_lossy(&self.board.key(name)).into_owned();
        let unreadable = self.exchange.unreadable().map(|(name, why)| format!("{} is ignored: {why}", key(name)));
        let refused = self.exchange.refused().map(|(register, why)| format!("{register} is not taken: {why}"));
        let latest = self.exchange.orders().max_by_key(|order| order.number);
        let ahead = latest.and_then(|order| ahead_of(wall(), order));
        let lines = unreadable.chain(refused).chain(returned).chain(ahead);
        // Keys are anybody's words: they make no lines of their own.
        let ignored: BTreeSet<String> = lines.map(|line| line.replace(char::is_control, "?")).collect();
        for line in ignored.difference(&self.named).take(NAMED) {
            tracing::warn!("orders: {line}");
        }
        let first = ignored.first().map(|first| match ignored.len() {
            1 => first.clone(),
            more => format!("{first}; and {} more", more - 1),
        });
        self.named = ignored;
        let failing = fault.map(|fault| format!("orders cannot be exchanged with the other replicas: {fault}"));
        let wrong = failing.or(first).map(|message| Wrong { kind: ORDERS, message });
        self.engine.troubles().of_orders(wrong);
        match (std::mem::replace(&mut self.failing, fault.is_some()), fault) {
            (false, Some(fault)) => tracing::warn!(
                "orders cannot be exchanged with the other replicas; what is given here holds here, give it to each: {fault}"
            ),
            (true, None) => tracing::info!("orders are exchanged with the other replicas again"),
            _ => {}
        }
    }
}

/// What is to be said of an order that is far ahead of this clock.
fn ahead_of(wall: u64, order: &Order) -> Option<String> {
    let ahead = Duration::from_millis(order.number.at.saturating_sub(wall));
    (ahead > AHEAD).then(|| {
        format!(
            "the latest one ({}) is of a moment more than an hour ahead of this replica's clock: a clock is wrong, here or where one was \
             given ({} gave this one): set it. Until then approvals wait for longer or shorter for a replica that lags",
            order.register(),
            order.giver.replica
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fingerpost_core::model::Instance;
    use fingerpost_core::orders::{Giver, Number, What};

    #[test]
    fn a_clock_that_is_hours_off_is_said() {
        let giver = Giver { replica: "10.0.3.2".into(), uid: None };
        let of = |at| Order { number: Number { at, by: Instance(1) }, giver: giver.clone(), what: What::Freeze };
        let (now, hour) = (1_800_000_000_000, 3_600_000);
        assert_eq!(ahead_of(now, &of(now + hour)), None);
        assert_eq!(ahead_of(now, &of(now - hour * 500)), None, "it was given then");
        let said = ahead_of(now, &of(now + hour * 5)).unwrap();
        assert!(said.contains("(freeze)") && said.contains("10.0.3.2 gave"), "{said}");
    }
}
