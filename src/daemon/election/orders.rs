//! Orders of people, between the engine and the store: what was given to another replica is carried out here, what was given here
//! is written there, and nothing that is not there says anything.

use crate::election::{Look, OrderBoard};
use crate::engine::EngineHandle;
use crate::reach::Reach;
use crate::snapshot::OrdersFile;
use crate::telemetry::AUDIT;
use crate::troubles::{ORDERS, Wrong};
use fingerpost_core::engine::Engine;
use fingerpost_core::orders::{Book, Order, Refused, Register};
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

/// Until the engine ends.
pub(super) async fn keep(board: OrderBoard, engine: EngineHandle, file: OrdersFile) {
    let reach = engine.reach().clone();
    let mut keeper = Keeper { board, engine, file, equal: None, refused: BTreeMap::new(), named: BTreeSet::new() };
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
    /// What was named to the log.
    named: BTreeSet<String>,
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
        let own = self.engine.look(|engine| engine.book().map(Book::digest)).await??;
        let fault = exchanged.as_ref().err().cloned();
        self.tell(fault.as_ref());
        let look = match exchanged {
            Ok(None) => return None,
            Ok(Some((Look { present, away, .. }, done))) => {
                let failed = (!done).then(|| "the store's orders change all the time".to_owned());
                Ok((failed, (present, away)))
            }
            Err(fault) => Err(fault.message),
        };
        Some(reach.tell(asked, own, look))
    }

    /// What it has shown, and whether everything was written; none once the engine has ended.
    async fn exchange_once(&mut self) -> Result<Option<(Look, bool)>, Fault> {
        let Some(look) = self.take().await? else { return Ok(None) };
        let written = self.write().await?;
        Ok(written.map(|written| (look, written)))
    }

    /// Reads what stands there, and has it carried out.
    async fn take(&mut self) -> Result<Option<Look>, Fault> {
        let mut look = self.board.look().await?;
        let mut orders = std::mem::take(&mut look.orders);
        // There may be room now.
        orders.extend(self.refused.keys().filter_map(|register| self.board.order(register)));
        let read: Vec<Register> = orders.iter().map(Order::register).collect();
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
        self.refused.retain(|register, _| !read.contains(register));
        self.refused.extend(taken.refused);
        if !taken.carried_out.is_empty() {
            // It says itself when it fails; what is in force is in force.
            let _ = self.file.keep().await;
        }
        for register in &taken.spent {
            self.board.remove(register).await?;
        }
        Ok(Some(look))
    }

    /// Writes what does not stand there, and says what this replica has; false if something else stands there by now.
    async fn write(&mut self) -> Result<Option<bool>, Fault> {
        let numbers = self.board.numbers();
        let known = self.equal.filter(|(_, board)| *board == self.board.changes()).map(|(book, _)| book);
        let look = move |engine: &Engine| {
            let book = engine.book()?;
            let lacking = if known == Some(book.changes()) { Vec::new() } else { OrderBoard::lacking(&numbers, book) };
            Some((book.changes(), book.digest(), lacking))
        };
        let Some((book, own, lacking)) = self.engine.look(look).await.flatten() else { return Ok(None) };
        for order in &lacking {
            if !self.board.write(order).await? {
                return Ok(Some(false));
            }
        }
        self.board.confirm(own).await?;
        self.equal = Some((book, self.board.changes()));
        Ok(Some(true))
    }

    fn tell(&mut self, fault: Option<&Fault>) {
        let unreadable = self.board.unreadable().map(|(key, why)| format!("{key} is ignored: {why}"));
        let refused = self.refused.iter().map(|(register, why)| format!("{register} is not taken: {why}"));
        let ignored: BTreeSet<String> = unreadable.chain(refused).collect();
        for line in ignored.difference(&self.named) {
            tracing::warn!("orders: {}", line.escape_debug());
        }
        let first = ignored.first().map(|first| match ignored.len() {
            1 => first.clone(),
            more => format!("{first}; and {} more", more - 1),
        });
        self.named = ignored;
        let failing =
            fault.map(|fault| format!("orders cannot be exchanged with the other replicas: {}", fault.message));
        let wrong = failing.or(first).map(|message| Wrong { kind: ORDERS, message });
        let before = self.engine.troubles().of_orders(wrong);
        match (before, fault) {
            (None, Some(fault)) => tracing::warn!(
                "orders cannot be exchanged with the other replicas; what is given here holds here, give it to each: {}",
                fault.message
            ),
            (Some(_), None) => tracing::info!("orders are exchanged with the other replicas again"),
            _ => {}
        }
    }
}
