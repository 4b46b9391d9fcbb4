//! Where the orders of people stand: `KEY/orders/…`, and beside them in `KEY/taken/IDENTITY` which of them each replica has. A
//! connection of its own: what is read here delays neither a renewal nor a status record.

use super::board::named;
use crate::source::etcd::EtcdConfig;
use crate::source::etcd::fault::{self, Failure};
use crate::source::etcd::line::{self, Access, Line};
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse, TxnResponse};
use fingerpost_core::election::{Keys, PresenceRecord};
use fingerpost_core::orders::{Book, Number, Order, Receipt, Register, Unreadable, What};
use fingerpost_core::replicas::Digest;
use fingerpost_core::source::{Fault, KeyRange};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Orders that are read at the most.
const MOST: i64 = 10_000;
/// Replicas.
const REPLICAS: i64 = 128;
/// Records that are fetched at once: together they stay below what etcd takes for one answer.
const AT_ONCE: usize = 8;
/// So many times one after the other: then what is there of a freeze is looked at again.
const FETCHES: usize = 50;
/// How long an endpoint's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub struct OrderBoard {
    line: Line,
    keys: Keys,
    identity: Arc<str>,
    /// What stands there, by what its key has behind the prefix.
    known: BTreeMap<Vec<u8>, Known>,
    /// How often that has changed.
    changes: u64,
    /// What was read and not handed out yet.
    unseen: Vec<Order>,
    /// What the own receipt says.
    said: Option<Digest>,
}

struct Known {
    revision: i64,
    order: Result<Order, Unreadable>,
}

/// What stands below a key.
struct Answer {
    records: Vec<KeyValue>,
    /// And more that was not asked for.
    more: bool,
}

/// What one look has shown.
#[derive(Debug, Default)]
pub struct Look {
    /// What is new. While there is more to read a freeze, and nothing else: what lifts one, or lets something pass, may have been
    /// taken back by what is not read yet.
    pub orders: Vec<Order>,
    /// Whether all that stands there is read.
    pub whole: bool,
    /// Why it cannot be.
    pub beyond: Option<String>,
    /// The other replicas that are there, and which orders they have.
    pub present: BTreeMap<Arc<str>, Option<Digest>>,
    /// Those that have gone.
    pub away: BTreeSet<Arc<str>>,
}

impl OrderBoard {
    pub(super) fn new(etcd: EtcdConfig, key: &str, identity: &str) -> Self {
        let line = Line::new(etcd, KeyRange::of_prefix(key.as_bytes()), Access::ReadAndWrite);
        let (keys, identity) = (Keys::new(key, identity), identity.into());
        OrderBoard { line, keys, identity, known: BTreeMap::new(), changes: 0, unseen: Vec::new(), said: None }
    }

    fn prefix(&self) -> String {
        Keys::all_orders(&self.keys.leader)
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        [self.prefix().as_bytes(), name].concat()
    }

    /// Looks what stands there now. If that fails, what is known stays as it is.
    pub async fn look(&mut self) -> Result<Look, Fault> {
        let all = |most| GetOptions::new().with_prefix().with_limit(most);
        let get = |prefix: String, most| TxnOp::get(prefix, Some(all(most)));
        let names = |prefix: String, most| TxnOp::get(prefix, Some(all(most).with_keys_only()));
        let leader = &self.keys.leader;
        let freeze = Register::Freeze.to_string().into_bytes();
        let asked = [
            // It waits behind nothing.
            TxnOp::get(self.key(&freeze), None),
            names(self.prefix(), MOST),
            get(Keys::all_presences(leader), REPLICAS),
            get(Keys::all_receipts(leader), REPLICAS),
            names(Keys::all_statuses(leader), REPLICAS),
        ];
        let answers = self.get(Txn::new().and_then(asked)).await?;
        let [freezes, orders, presences, receipts, statuses] = <[_; 5]>::try_from(answers)
            .map_err(|_| fault::malformed(&self.prefix(), "an answer to five questions that answers less").fault())?;
        let too_many = |answer: &Answer, below: String, most| {
            answer.more.then(|| format!("more than {most} keys begin with {below}: delete what no replica has written"))
        };
        let beyond = too_many(&orders, self.prefix(), MOST)
            .or_else(|| too_many(&presences, Keys::all_presences(leader), REPLICAS))
            .or_else(|| too_many(&receipts, Keys::all_receipts(leader), REPLICAS))
            .or_else(|| too_many(&statuses, Keys::all_statuses(leader), REPLICAS));
        let mut look = self.others(&presences.records, &receipts.records, &statuses.records);
        let prefix = self.prefix();
        let there: BTreeMap<Vec<u8>, i64> = [&freezes, &orders]
            .into_iter()
            .flat_map(|answer| &answer.records)
            .filter_map(|record| Some((record.key().strip_prefix(prefix.as_bytes())?.to_vec(), record.mod_revision())))
            .collect();
        let before = self.known.len();
        // What was not listed may be there nevertheless.
        self.known.retain(|name, _| orders.more || there.contains_key(name));
        self.changes += u64::from(self.known.len() != before);
        freezes.records.iter().for_each(|record| self.read(&prefix, record));
        let is_new = |(name, revision): &(&Vec<u8>, &i64)| {
            self.known.get(*name).is_none_or(|known| known.revision != **revision)
        };
        let mut new: Vec<Vec<u8>> = there.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
        // Of decisions the latest first.
        new.reverse();
        for names in new.chunks(AT_ONCE).take(FETCHES) {
            let gets: Vec<TxnOp> = names.iter().map(|name| TxnOp::get(self.key(name), None)).collect();
            for answer in self.get(Txn::new().and_then(gets)).await? {
                answer.records.iter().for_each(|record| self.read(&prefix, record));
            }
        }
        look.whole = beyond.is_none() && new.len() <= AT_ONCE * FETCHES;
        look.beyond = beyond;
        look.orders = if look.whole { std::mem::take(&mut self.unseen) } else { self.unseen_freeze() };
        Ok(look)
    }

    /// What stands in this record now.
    fn read(&mut self, prefix: &str, record: &KeyValue) {
        let Some(name) = record.key().strip_prefix(prefix.as_bytes()) else { return };
        let revision = record.mod_revision();
        if self.known.get(name).is_some_and(|known| known.revision == revision) {
            return;
        }
        let order = Order::decode(name, record.value());
        self.unseen.extend(order.clone().ok());
        self.known.insert(name.to_vec(), Known { revision, order });
        self.changes += 1;
    }

    fn unseen_freeze(&mut self) -> Vec<Order> {
        let (freezes, others) =
            std::mem::take(&mut self.unseen).into_iter().partition(|order| order.what == What::Freeze);
        self.unseen = others;
        freezes
    }

    fn others(&mut self, presences: &[KeyValue], receipts: &[KeyValue], statuses: &[KeyValue]) -> Look {
        let leader = &self.keys.leader;
        let digest = |record: &KeyValue| Receipt::decode(record.value()).map(|receipt| receipt.orders);
        let taken: BTreeMap<Arc<str>, Option<Digest>> =
            named(receipts, &Keys::all_receipts(leader)).map(|(identity, record)| (identity, digest(record))).collect();
        self.said = taken.get(&self.identity).copied().flatten();
        let mut look = Look::default();
        for (identity, record) in named(presences, &Keys::all_presences(leader)) {
            if identity != self.identity && PresenceRecord::decode(record.value()).is_some() {
                let digest = taken.get(&identity).copied().flatten();
                look.present.insert(identity, digest);
            }
        }
        for (identity, _) in named(statuses, &Keys::all_statuses(leader)) {
            if identity != self.identity && !look.present.contains_key(&identity) {
                look.away.insert(identity);
            }
        }
        look
    }

    /// Another number than before: something else stands there.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What is known to stand there.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.known.values().filter_map(|known| known.order.as_ref().ok())
    }

    /// Which order stands there about each thing.
    pub fn numbers(&self) -> BTreeMap<Register, Number> {
        self.orders().map(|order| (order.register(), order.number)).collect()
    }

    /// The order that stands there about this.
    pub fn order(&self, register: &Register) -> Option<Order> {
        self.known.get(register.to_string().as_bytes())?.order.clone().ok()
    }

    /// What stands there that is no order, by its whole key.
    pub fn unreadable(&self) -> impl Iterator<Item = (String, Unreadable)> {
        self.known.iter().filter_map(|(name, known)| {
            let why = *known.order.as_ref().err()?;
            Some((String::from_utf8_lossy(&self.key(name)).into_owned(), why))
        })
    }

    /// Writes an order, unless something else stands there by now: then false. What a newer version has written is left.
    pub async fn write(&mut self, order: &Order) -> Result<bool, Fault> {
        let name = order.register().to_string().into_bytes();
        let known = self.known.get(&name);
        if known.is_some_and(|known| known.order == Err(Unreadable::Unknown)) {
            return Ok(true);
        }
        let revision = known.map_or(0, |known| known.revision);
        let key = self.key(&name);
        let unchanged = Compare::mod_revision(&key[..], CompareOp::Equal, revision);
        let put = TxnOp::put(key, &order.encode()[..], None);
        let (answer, _) = self.transact(Txn::new().when([unchanged]).and_then([put])).await.map_err(Failure::fault)?;
        if let Some(header) = answer.header().filter(|_| answer.succeeded()) {
            self.known.insert(name, Known { revision: header.revision(), order: Ok(order.clone()) });
            self.changes += 1;
        }
        Ok(answer.succeeded())
    }

    /// Takes an order away, unless it is not there or somebody has written there since: then false.
    pub async fn remove(&mut self, register: &Register) -> Result<bool, Fault> {
        let name = register.to_string().into_bytes();
        let Some(known) = self.known.get(&name) else { return Ok(false) };
        let key = self.key(&name);
        let unchanged = Compare::mod_revision(&key[..], CompareOp::Equal, known.revision);
        let delete = TxnOp::delete(key, None);
        let (answer, _) =
            self.transact(Txn::new().when([unchanged]).and_then([delete])).await.map_err(Failure::fault)?;
        if answer.succeeded() {
            self.known.remove(&name);
            self.changes += 1;
        }
        Ok(answer.succeeded())
    }

    /// Says that this replica has these orders, unless it stands there.
    pub async fn confirm(&mut self, orders: Digest) -> Result<(), Fault> {
        if self.said != Some(orders) {
            let put = TxnOp::put(self.keys.receipt.as_str(), &Receipt { orders }.encode()[..], None);
            self.transact(Txn::new().and_then([put])).await.map_err(Failure::fault)?;
            self.said = Some(orders);
        }
        Ok(())
    }

    /// What stands in the book and not here.
    pub fn lacking(numbers: &BTreeMap<Register, Number>, book: &Book) -> Vec<Order> {
        let orders = book.entries().map(|entry| &entry.order);
        orders
            .filter(|order| numbers.get(&order.register()).is_none_or(|there| *there < order.number))
            .cloned()
            .collect()
    }

    async fn get(&self, transaction: Txn) -> Result<Vec<Answer>, Fault> {
        let (answer, _) = self.transact(transaction).await.map_err(Failure::fault)?;
        let answers = answer.op_responses().into_iter().filter_map(|answer| match answer {
            TxnOpResponse::Get(mut get) => Some(Answer { more: get.more(), records: get.take_kvs() }),
            _ => None,
        });
        Ok(answers.collect())
    }

    async fn transact(&self, transaction: Txn) -> Result<(TxnResponse, String), Failure> {
        let asked = self.line.ask(PATIENCE, |client| {
            let (mut kv, transaction) = (line::kv(client), transaction.clone());
            async move { kv.txn(transaction).await }
        });
        asked.await
    }
}
