//! Where the orders of people stand: `KEY/orders/…`, and beside them in `KEY/taken/IDENTITY` which of them each replica has. What is
//! asked of it an [`Exchange`](fingerpost_core::orders::Exchange) says. A connection of its own: what is read here delays neither a
//! renewal nor a status record.

use super::board::named;
use crate::source::etcd::EtcdConfig;
use crate::source::etcd::fault::{self, Failure};
use crate::source::etcd::line::{self, Access, Line};
use bytes::Bytes;
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, ResponseHeader, Txn, TxnOp, TxnOpResponse, TxnResponse};
use fingerpost_core::election::{Keys, PresenceRecord};
use fingerpost_core::orders::{Answer, Listing, Question, Receipt, Record, Register, Takers};
use fingerpost_core::replicas::Digest;
use fingerpost_core::source::{ClusterId, Fault, KeyRange, Rev};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Orders that are listed at the most.
const MOST: i64 = 10_000;
/// Replicas.
const REPLICAS: i64 = 128;
/// How long an endpoint's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub struct OrderBoard {
    line: Line,
    keys: Keys,
    identity: Arc<str>,
}

/// What stands below a key.
struct Found {
    records: Vec<KeyValue>,
    /// And more that was not asked for.
    more: bool,
}

impl OrderBoard {
    pub(super) fn new(etcd: EtcdConfig, key: &str, identity: &str) -> Self {
        let line = Line::new(etcd, KeyRange::of_prefix(key.as_bytes()), Access::ReadAndWrite);
        OrderBoard { line, keys: Keys::new(key, identity), identity: identity.into() }
    }

    fn prefix(&self) -> String {
        Keys::all_orders(&self.keys.leader)
    }

    /// The whole key, by what it has behind the prefix.
    pub fn key(&self, name: &[u8]) -> Vec<u8> {
        [self.prefix().as_bytes(), name].concat()
    }

    /// Does what is asked for.
    pub async fn perform(&self, question: Question) -> Result<Answer, Fault> {
        Ok(match question {
            Question::List => Answer::Listed(self.list().await?),
            Question::Read(names) => {
                let gets: Vec<TxnOp> = names.iter().map(|name| TxnOp::get(self.key(name), None)).collect();
                let (_, found) = self.get(gets).await?;
                Answer::Read(found.iter().flat_map(|found| &found.records).filter_map(|it| self.record(it)).collect())
            }
            Question::Write(name, value, revision) => {
                let put = TxnOp::put(self.key(&name), &value[..], None);
                let answer = self.change(&name, revision, put).await?;
                let written = answer.header().filter(|_| answer.succeeded());
                Answer::Written(written.map(|header| Rev(header.revision().unsigned_abs())))
            }
            Question::Remove(name, revision) => {
                let delete = TxnOp::delete(self.key(&name), None);
                Answer::Removed(self.change(&name, revision, delete).await?.succeeded())
            }
            Question::Confirm(orders) => {
                let put = TxnOp::put(self.keys.receipt.as_str(), &Receipt { orders }.encode()[..], None);
                self.transact(Txn::new().and_then([put])).await?;
                Answer::Confirmed
            }
        })
    }

    async fn list(&self) -> Result<Listing, Fault> {
        let all = |most| GetOptions::new().with_prefix().with_limit(most);
        let get = |prefix: String, most| TxnOp::get(prefix, Some(all(most)));
        let names = |prefix: String, most| TxnOp::get(prefix, Some(all(most).with_keys_only()));
        let leader = &self.keys.leader;
        let freeze = Register::Freeze.to_string().into_bytes();
        let asked = [
            TxnOp::get(self.key(&freeze), None),
            names(self.prefix(), MOST),
            get(Keys::all_presences(leader), REPLICAS),
            get(Keys::all_receipts(leader), REPLICAS),
            names(Keys::all_statuses(leader), REPLICAS),
        ];
        let (header, found) = self.get(asked).await?;
        let (Some(header), Ok([freezes, orders, presences, receipts, statuses])) = (header, <[_; 5]>::try_from(found))
        else {
            return Err(fault::malformed(&self.prefix(), "an answer to five questions that answers less").fault());
        };
        let too_many = |found: &Found, below: String, most| {
            found.more.then(|| format!("more than {most} keys begin with {below}: delete what no replica has written"))
        };
        let beyond = too_many(&orders, self.prefix(), MOST)
            .or_else(|| too_many(&presences, Keys::all_presences(leader), REPLICAS))
            .or_else(|| too_many(&receipts, Keys::all_receipts(leader), REPLICAS))
            .or_else(|| too_many(&statuses, Keys::all_statuses(leader), REPLICAS));
        let digest = |record: &KeyValue| Receipt::decode(record.value()).map(|receipt| receipt.orders);
        let taken: BTreeMap<Arc<str>, Option<Digest>> = named(&receipts.records, &Keys::all_receipts(leader))
            .map(|(identity, record)| (identity, digest(record)))
            .collect();
        Ok(Listing {
            cluster: ClusterId(header.cluster_id()),
            at: Rev(header.revision().unsigned_abs()),
            freeze: freezes.records.first().and_then(|record| self.record(record)),
            names: orders.records.iter().filter_map(|it| Some((self.name(it)?.to_vec(), revision(it)))).collect(),
            more: orders.more,
            beyond,
            said: taken.get(&self.identity).copied().flatten(),
            takers: self.takers(&presences.records, &statuses.records, &taken),
        })
    }

    fn takers(
        &self,
        presences: &[KeyValue],
        statuses: &[KeyValue],
        taken: &BTreeMap<Arc<str>, Option<Digest>>,
    ) -> Takers {
        let leader = &self.keys.leader;
        let mut takers = Takers::default();
        for (identity, record) in named(presences, &Keys::all_presences(leader)) {
            if identity != self.identity && PresenceRecord::decode(record.value()).is_some() {
                let digest = taken.get(&identity).copied().flatten();
                takers.present.insert(identity, digest);
            }
        }
        for (identity, _) in named(statuses, &Keys::all_statuses(leader)) {
            if identity != self.identity && !takers.present.contains_key(&identity) {
                takers.away.insert(identity);
            }
        }
        takers
    }

    fn name<'a>(&self, record: &'a KeyValue) -> Option<&'a [u8]> {
        record.key().strip_prefix(self.prefix().as_bytes())
    }

    fn record(&self, record: &KeyValue) -> Option<Record> {
        let value = Bytes::copy_from_slice(record.value());
        Some(Record { name: self.name(record)?.to_vec(), revision: revision(record), value })
    }

    /// Unless the record has another revision by now.
    async fn change(&self, name: &[u8], Rev(revision): Rev, change: TxnOp) -> Result<TxnResponse, Fault> {
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        let unchanged = Compare::mod_revision(self.key(name), CompareOp::Equal, revision);
        self.transact(Txn::new().when([unchanged]).and_then([change])).await
    }

    async fn get(&self, asked: impl Into<Vec<TxnOp>>) -> Result<(Option<ResponseHeader>, Vec<Found>), Fault> {
        let answer = self.transact(Txn::new().and_then(asked)).await?;
        let answers = answer.op_responses().into_iter().filter_map(|answer| match answer {
            TxnOpResponse::Get(mut get) => Some(Found { more: get.more(), records: get.take_kvs() }),
            _ => None,
        });
        Ok((answer.header().cloned(), answers.collect()))
    }

    async fn transact(&self, transaction: Txn) -> Result<TxnResponse, Fault> {
        let asked = self.line.ask(PATIENCE, |client| {
            let (mut kv, transaction) = (line::kv(client), transaction.clone());
            async move { kv.txn(transaction).await }
        });
        Ok(asked.await.map_err(Failure::fault)?.0)
    }
}

fn revision(record: &KeyValue) -> Rev {
    Rev(record.mod_revision().unsigned_abs())
}
