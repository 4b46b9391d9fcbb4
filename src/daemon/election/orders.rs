//! Orders of people, between the engine and the store: what was given to another replica is carried out here, what was given here
//! is written there, and nothing that is not there says anything.

use crate::clock::wall;
use crate::election::{Look, OrderBoard};
use crate::engine::EngineHandle;
use crate::reach::Reach;
use crate::snapshot::OrdersFile;
use crate::telemetry::AUDIT;
use crate::troubles::{ORDERS, Wrong};
use fingerpost_core::engine::Engine;
use fingerpost_core::orders::{Number, Order, Refused, Register};
use fingerpost_core::source::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked …
const EVERY: Duration = Duration::from_secs(1);
/// … and while somebody waits for the others.
const SOON: Duration = Duration::from_millis(100);
/// So many times more, if somebody else writes in between.
const AGAIN: usize = 3;
/// For so long somebody does.
const WAITING: Duration = Duration::from_secs(5);
/// What was taken out of the store, and is written back by nobody for so long, nobody there knows.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Lines for the log about what stands in the store, after one look.
const NAMED: usize = 20;
/// So far ahead of this one's clock no clock should be.
const AHEAD: Duration = Duration::from_secs(3600);

/// Until the engine ends.
pub(super) async fn keep(board: OrderBoard, engine: EngineHandle, file: OrdersFile) {
    let reach = engine.reach().clone();
    let (refused, gone, named) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    let mut keeper = Keeper { board, engine, file, equal: None, refused, gone, displaced: 0, named, failing: false };
    let (mut asked, mut since) = (0, Instant::now());
    loop {
        if std::mem::replace(&mut asked, reach.asked()) != asked {
            since = Instant::now();
        }
        let Some(done) = keeper.exchange(&reach, asked).await else { return };
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
    /// What book and board were when both had the same.
    equal: Option<(u64, u64)>,
    /// What is not taken.
    refused: BTreeMap<Register, Refused>,
    /// What was taken out of the store as spent, and when that was or it was seen to be back.
    gone: BTreeMap<(Register, Number), Instant>,
    /// How many decisions had to go for later ones.
    displaced: u64,
    /// What was named to the log.
    named: BTreeSet<String>,
    /// Whether the last exchange has failed.
    failing: bool,
}

impl Keeper {
    /// Whether all who are there have all orders; none once the engine has ended.
    async fn exchange(&mut self, reach: &Reach, asked: u64) -> Option<bool> {
        let mut exchanged = self.exchange_once().await;
        for _ in 0..AGAIN {
            // Somebody else has written in between.
            if let Ok(Some((_, false))) = exchanged {
                exchanged = self.exchange_once().await;
            }
        }
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
        let fault = match &exchanged {
            Err(fault) => Some(fault.message.clone()),
            Ok(look) => look.as_ref().and_then(|(look, _)| look.beyond.clone()),
        };
        self.tell(fault.as_deref());
        let look = match exchanged {
            Ok(None) => return None,
            Ok(Some((Look { present, away, whole, .. }, done))) => {
                let failed = fault.or_else(|| {
                    let why =
                        if whole { "the store's orders change all the time" } else { "there are many orders to read" };
                    (!done).then(|| why.to_owned())
                });
                Ok((failed, (present, away)))
            }
            Err(fault) => Err(fault.message),
        };
        Some(reach.tell(asked, own, look))
    }

    /// What it has shown, and whether everything was written; none once the engine has ended.
    async fn exchange_once(&mut self) -> Result<Option<(Look, bool)>, Fault> {
        let Some(look) = self.take().await? else { return Ok(None) };
        let written = self.write(look.whole).await?;
        Ok(written.map(|written| (look, written)))
    }

    /// Reads what stands there, and has it carried out.
    async fn take(&mut self) -> Result<Option<Look>, Fault> {
        let mut look = self.board.look().await?;
        let mut orders = std::mem::take(&mut look.orders);
        // There may be room now.
        orders.extend(self.refused.keys().filter_map(|register| self.board.order(register)));
        let Some(taken) = self.engine.take_orders(orders).await else { return Ok(None) };
        for (order, count) in &taken.carried_out {
            let (uid, what) = (order.giver.uid.map_or(-1, i64::from), &order.what);
            let replica = &*order.giver.replica;
            tracing::info!(target: AUDIT, uid, replica, order = %what, count, "done, as ordered at another replica");
        }
        for order in &taken.ended {
            let (replica, what) = (&*order.giver.replica, &order.what);
            tracing::warn!(replica, order = %what, "not done: {}", Refused::Ended);
        }
        // All that stand there were offered again.
        self.refused = taken.refused.into_iter().collect();
        if !taken.carried_out.is_empty() || !taken.ended.is_empty() {
            // It says itself when it fails; what is in force is in force.
            let _ = self.file.keep().await;
        }
        self.clear(taken.spent).await?;
        Ok(Some(look))
    }

    /// Writes what does not stand there, takes out what is spent, and says what this replica has; false if something else stands there by
    /// now, or may: not the whole is known. Then a freeze is written, and nothing else.
    async fn write(&mut self, whole: bool) -> Result<Option<bool>, Fault> {
        let numbers = self.board.numbers();
        let known = self.equal.filter(|(_, board)| *board == self.board.changes()).map(|(book, _)| book);
        let look = move |engine: &Engine| {
            let book = engine.book()?;
            let (mut lacking, mut spent) = (Vec::new(), Vec::new());
            if known != Some(book.changes()) {
                lacking = OrderBoard::lacking(&numbers, book);
                lacking.retain(|order| whole || order.register() == Register::Freeze);
                spent = numbers.into_iter().filter(|(register, number)| book.is_spent(register, *number)).collect();
            }
            Some((book.changes(), book.digest(), lacking, spent))
        };
        let Some((book, own, lacking, spent)) = self.engine.look(look).await.flatten() else { return Ok(None) };
        for order in &lacking {
            if !self.board.write(order).await? {
                return Ok(Some(false));
            }
        }
        self.clear(spent.into_iter().map(|(register, _): (Register, _)| register)).await?;
        self.board.confirm(own).await?;
        self.equal = whole.then(|| (book, self.board.changes()));
        Ok(Some(whole))
    }

    /// Takes out of the store what is spent, each once: whoever writes it back knows something else, and has the last word.
    async fn clear(&mut self, spent: impl IntoIterator<Item = Register>) -> Result<(), Fault> {
        for register in spent {
            let Some(number) = self.board.order(&register).map(|order| order.number) else { continue };
            let one = (register, number);
            if !self.gone.contains_key(&one) && self.board.remove(&one.0).await? {
                self.gone.insert(one, Instant::now());
            }
        }
        Ok(())
    }

    /// What was taken out, and is there again.
    fn returned(&mut self) -> Vec<Register> {
        if self.gone.is_empty() {
            return Vec::new();
        }
        let (numbers, now) = (self.board.numbers(), Instant::now());
        let mut returned = Vec::new();
        self.gone.retain(|(register, number), at| {
            if numbers.get(register) == Some(number) {
                *at = now;
                returned.push(register.clone());
            }
            now.duration_since(*at) < REMEMBERED
        });
        returned
    }

    fn tell(&mut self, fault: Option<&str>) {
        let returned = self.returned();
        let returned = returned.iter().map(|register| {
            format!(
                "{register} is spent, was taken out of the store, and is there again: a replica does not take what this one knows \
                 (see its trouble `orders`), or is of another version"
            )
        });
        let unreadable = self.board.unreadable().map(|(key, why)| format!("{key} is ignored: {why}"));
        let refused = self.refused.iter().map(|(register, why)| format!("{register} is not taken: {why}"));
        let latest = self.board.orders().max_by_key(|order| order.number);
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
    use fingerpost_core::orders::{Giver, What};

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
