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
use std::sync::Arc;
use std::time::Duration;

/// Keys of one sort that are read at the most.
const MOST: i64 = 128;
/// How long an endpoint's answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module.
pub struct Board {
    line: Line,
    keys: Keys,
    /// As it stands in the presence key.
    presence: PresenceRecord,
}

impl Board {
    pub(super) fn new(etcd: EtcdConfig, keys: Keys, me: Replica, ttl: Duration) -> Self {
        let range = KeyRange::of_prefix(keys.leader.as_bytes());
        let line = Line::new(etcd, range, Access::ReadAndWrite);
        Board { line, keys, presence: PresenceRecord { replica: me, ttl } }
    }

    /// This process.
    pub fn me(&self) -> &Replica {
        &self.presence.replica
    }

    /// Says it, unless this process does not take part: then another one of its identity may. Whether it was said.
    pub async fn say(&self, report: &ReplicaReport) -> Result<bool, Fault> {
        let is_ours = Compare::value(self.keys.presence.as_str(), CompareOp::Equal, &self.presence.encode()[..]);
        let put = TxnOp::put(self.keys.status.as_str(), &report.encode()[..], None);
        let (answer, _) = self.transact(Txn::new().when([is_ours]).and_then([put])).await.map_err(Failure::fault)?;
        Ok(answer.succeeded())
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
        let delete = TxnOp::delete(key, None);
        self.transact(Txn::new().when([unchanged]).and_then([delete])).await.map_err(Failure::fault)?;
        Ok(())
    }

    /// Says for the last time what it is: it is not coming back. Others take the record away once all have read that.
    pub async fn retire(&self, report: ReplicaReport) -> Result<(), Fault> {
        let last = ReplicaReport { retired: true, ..report };
        let put = TxnOp::put(self.keys.status.as_str(), &last.encode()[..], None);
        self.transact(Txn::new().and_then([put])).await.map_err(Failure::fault)?;
        Ok(())
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
fn named<'a>(records: &'a [KeyValue], prefix: &str) -> impl Iterator<Item = (Arc<str>, &'a KeyValue)> {
    let identity = move |record: &'a KeyValue| {
        let key = std::str::from_utf8(record.key()).ok()?;
        Some((Arc::from(key.strip_prefix(prefix)?), record))
    };
    records.iter().filter_map(identity)
}
