//! Where the replicas of one election say what they are: `KEY/status/IDENTITY`, in a connection of its own. That a process is there its
//! presence key says, which is under its lease; what it said stays when it is gone, so that whoever leads knows what its gateways
//! may still hold.

use crate::source::etcd::EtcdConfig;
use crate::source::etcd::fault::{self, Failure};
use crate::source::etcd::line::{self, Access, Line};
use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse, TxnResponse};
use fingerpost_core::election::{Keys, PresenceRecord};
use fingerpost_core::model::{Instance, Replica};
use fingerpost_core::replicas::{Posted, ReplicaReport, Said};
use fingerpost_core::source::{Fault, KeyRange};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keys of one sort that are read at the most.
const MOST: i64 = 128;
/// How long an endpoint's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub struct Board {
    line: Line,
    keys: Keys,
    me: Replica,
    /// How long a lease was asked for.
    ttl: Duration,
    /// What stands in the presence key, as far as is known.
    presence: Mutex<Vec<u8>>,
}

impl Board {
    pub(super) fn new(etcd: EtcdConfig, keys: Keys, me: Replica, ttl: Duration) -> Self {
        let range = KeyRange::of_prefix(keys.leader.as_bytes());
        let line = Line::new(etcd, range, Access::ReadAndWrite);
        let presence = PresenceRecord { replica: me.clone(), ttl }.encode().to_vec();
        Board { line, keys, me, ttl, presence: Mutex::new(presence) }
    }

    /// This process.
    pub fn me(&self) -> &Replica {
        &self.me
    }

    /// After so long without a sign of life a process is not there any more.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The key that says that this process takes part.
    pub fn presence_key(&self) -> &str {
        &self.keys.presence
    }

    /// Says it, unless this process does not take part: then another one of its identity may. Whether it was said.
    pub async fn say(&self, report: &ReplicaReport) -> Result<bool, Fault> {
        let key = self.keys.presence.as_str();
        let put = TxnOp::put(self.keys.status.as_str(), &report.encode()[..], None);
        // The key has the time that was granted, which may be longer than what was asked for: then what it has is looked up once.
        for _ in 0..2 {
            let is_ours = Compare::value(key, CompareOp::Equal, self.presence().clone());
            let look = TxnOp::get(key, None);
            let transaction = Txn::new().when([is_ours]).and_then([put.clone()]).or_else([look]);
            let (answer, _) = self.transact(transaction).await.map_err(Failure::fault)?;
            if answer.succeeded() {
                return Ok(true);
            }
            let found = answer.op_responses().into_iter().find_map(|answer| match answer {
                TxnOpResponse::Get(get) => get.kvs().first().map(|found| found.value().to_vec()),
                _ => None,
            });
            let Some(found) = found.filter(|found| self.is_of_this_process(found)) else { break };
            *self.presence() = found;
        }
        Ok(false)
    }

    fn is_of_this_process(&self, presence: &[u8]) -> bool {
        PresenceRecord::decode(presence).is_some_and(|record| record.replica == self.me)
    }

    /// Whoever panicked with it in hand has not written half of it.
    fn presence(&self) -> MutexGuard<'_, Vec<u8>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that stands there.
    pub async fn read(&self) -> Result<Vec<Posted>, Fault> {
        let all = |prefix: String| TxnOp::get(prefix, Some(GetOptions::new().with_prefix().with_limit(MOST)));
        let looks = [all(Keys::all_presences(&self.keys.leader)), all(Keys::all_statuses(&self.keys.leader))];
        let (answer, endpoint) = self.transact(Txn::new().and_then(looks)).await.map_err(Failure::fault)?;
        let mut answers = answer.op_responses().into_iter().filter_map(|answer| match answer {
            TxnOpResponse::Get(mut get) => Some(get.take_kvs()),
            _ => None,
        });
        let (Some(presences), Some(statuses)) = (answers.next(), answers.next()) else {
            return Err(fault::malformed(&endpoint, "an answer to two questions that answers less").fault());
        };
        Ok(self.posted(&presences, &statuses))
    }

    fn posted(&self, presences: &[KeyValue], statuses: &[KeyValue]) -> Vec<Posted> {
        let mut posted: BTreeMap<Arc<str>, (Option<Said>, Option<Instance>)> = BTreeMap::new();
        for (identity, record) in named(presences, &Keys::all_presences(&self.keys.leader)) {
            let present = PresenceRecord::decode(record.value()).map(|record| record.replica.instance);
            posted.entry(identity).or_default().1 = present;
        }
        for (identity, record) in named(statuses, &Keys::all_statuses(&self.keys.leader)) {
            let said = Said { report: ReplicaReport::decode(record.value()), revision: record.mod_revision() };
            posted.entry(identity).or_default().0 = Some(said);
        }
        posted.into_iter().map(|(identity, (said, present))| Posted { identity, said, present }).collect()
    }

    /// Takes a record away that nobody has written since that revision.
    pub async fn forget(&self, identity: &str, revision: i64) -> Result<(), Fault> {
        let key = Keys::new(&self.keys.leader, identity).status;
        let unchanged = Compare::mod_revision(key.as_str(), CompareOp::Equal, revision);
        let receipt = Keys::new(&self.keys.leader, identity).receipt;
        let delete = [TxnOp::delete(key, None), TxnOp::delete(receipt, None)];
        self.transact(Txn::new().when([unchanged]).and_then(delete)).await.map_err(Failure::fault)?;
        Ok(())
    }

    /// Says for the last time what it is, after it has left, unless another process of its identity has come: it is not coming back.
    /// Others take the record away once all have read that. Whether it is said: not while its key is there.
    pub async fn retire(&self, report: ReplicaReport) -> Result<bool, Fault> {
        let last = ReplicaReport { retired: true, ..report };
        let is_free = Compare::create_revision(self.keys.presence.as_str(), CompareOp::Equal, 0);
        let put = TxnOp::put(self.keys.status.as_str(), &last.encode()[..], None);
        let delete = TxnOp::delete(self.keys.receipt.as_str(), None);
        let (answer, _) =
            self.transact(Txn::new().when([is_free]).and_then([put, delete])).await.map_err(Failure::fault)?;
        Ok(answer.succeeded())
    }

    async fn transact(&self, transaction: Txn) -> Result<(TxnResponse, String), Failure> {
        let asked = self.line.ask(PATIENCE, |client| {
            let (mut kv, transaction) = (line::kv(client), transaction.clone());
            async move { kv.txn(transaction).await }
        });
        asked.await
    }
}

/// Records with what their keys have behind the prefix.
pub(super) fn named<'a>(records: &'a [KeyValue], prefix: &str) -> impl Iterator<Item = (Arc<str>, &'a KeyValue)> {
    let identity = move |record: &'a KeyValue| {
        let key = std::str::from_utf8(record.key()).ok()?;
        Some((Arc::from(key.strip_prefix(prefix)?), record))
    };
    records.iter().filter_map(identity)
}
