//! Where the orders of people stand: `KEY/orders/…`, and beside them in `KEY/taken/IDENTITY` which of them each replica has. A
//! connection of its own: what is read here delays neither a renewal nor a status record.

use super::board::named;
use crate::source::etcd::EtcdConfig;
use crate::source::etcd::fault::{self, Failure};
use crate::source::etcd::line::{self, Access, Line};
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse, TxnResponse};
use fingerpost_core::election::{Keys, PresenceRecord};
use fingerpost_core::orders::{Book, Number, Order, Receipt, Register, Unreadable};
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

/// What one look has shown.
#[derive(Debug, Default)]
pub struct Look {
    /// What is new.
    pub orders: Vec<Order>,
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
        let asked = [
            names(self.prefix(), MOST),
            get(Keys::all_presences(leader), REPLICAS),
            get(Keys::all_receipts(leader), REPLICAS),
            names(Keys::all_statuses(leader), REPLICAS),
        ];
        let answers = self.get(Txn::new().and_then(asked)).await?;
        let [orders, presences, receipts, statuses] = <[_; 4]>::try_from(answers)
            .map_err(|_| fault::malformed(&self.prefix(), "an answer to four questions that answers less").fault())?;
        let mut look = self.others(&presences, &receipts, &statuses);
        let prefix = self.prefix();
        let there: BTreeMap<Vec<u8>, i64> = orders
            .iter()
            .filter_map(|record| Some((record.key().strip_prefix(prefix.as_bytes())?.to_vec(), record.mod_revision())))
            .collect();
        let before = self.known.len();
        self.known.retain(|name, _| there.contains_key(name));
        self.changes += u64::from(self.known.len() != before);
        let is_new = |(name, revision): &(&Vec<u8>, &i64)| {
            self.known.get(*name).is_none_or(|known| known.revision != **revision)
        };
        let new: Vec<Vec<u8>> = there.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
        for names in new.chunks(AT_ONCE) {
            let gets: Vec<TxnOp> = names.iter().map(|name| TxnOp::get(self.key(name), None)).collect();
            for record in self.get(Txn::new().and_then(gets)).await?.into_iter().flatten() {
                let Some(name) = record.key().strip_prefix(prefix.as_bytes()) else { continue };
                let order = Order::decode(name, record.value());
                self.unseen.extend(order.clone().ok());
                self.known.insert(name.to_vec(), Known { revision: record.mod_revision(), order });
                self.changes += 1;
            }
        }
        look.orders = std::mem::take(&mut self.unseen);
        Ok(look)
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

    /// Which order stands there about each thing.
    pub fn numbers(&self) -> BTreeMap<Register, Number> {
        let orders = self.known.values().filter_map(|known| known.order.as_ref().ok());
        orders.map(|order| (order.register(), order.number)).collect()
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

    /// Takes an order away that nobody has written since.
    pub async fn remove(&mut self, register: &Register) -> Result<(), Fault> {
        let name = register.to_string().into_bytes();
        let Some(known) = self.known.get(&name) else { return Ok(()) };
        let key = self.key(&name);
        let unchanged = Compare::mod_revision(&key[..], CompareOp::Equal, known.revision);
        let delete = TxnOp::delete(key, None);
        self.transact(Txn::new().when([unchanged]).and_then([delete])).await.map_err(Failure::fault)?;
        Ok(())
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

    async fn get(&self, transaction: Txn) -> Result<Vec<Vec<KeyValue>>, Fault> {
        let (answer, _) = self.transact(transaction).await.map_err(Failure::fault)?;
        let records = answer.op_responses().into_iter().filter_map(|answer| match answer {
            TxnOpResponse::Get(mut get) => Some(get.take_kvs()),
            _ => None,
        });
        Ok(records.collect())
    }

    async fn transact(&self, transaction: Txn) -> Result<(TxnResponse, String), Failure> {
        let asked = self.line.ask(PATIENCE, |client| {
            let (mut kv, transaction) = (line::kv(client), transaction.clone());
            async move { kv.txn(transaction).await }
        });
        asked.await
    }
}
