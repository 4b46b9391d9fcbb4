//! The election's requests as etcd takes them: leases, and one transaction over the three keys.

use crate::source::etcd::EtcdConfig;
use crate::source::etcd::fault::{self, Failure};
use crate::source::etcd::line::{self, Access, Line};
use etcd_client::{
    Compare, CompareOp, Error, KeyValue, LeaseClient, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse,
};
use fingerpost_core::election::{
    Expect, Held, Keys, LeaderRecord, LeaseId, MemberId, PresenceRecord, Reply, Request, Seal, Settings, StoredTerm,
    View,
};
use fingerpost_core::source::{Fault, KeyRange};
use std::time::Duration;
use tokio::sync::Notify;

/// Before a watch that has ended is opened anew.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// A way to the store, not shared with any source.
#[derive(Clone)]
pub(super) struct Store {
    line: Line,
    /// The watch's own: its failures move no renewal to another member.
    watching: Line,
    keys: Keys,
    /// For one endpoint's answer.
    patience: Duration,
}

impl Store {
    /// `ttl`: the lease's, within which it has to be renewed whoever answers.
    pub(super) fn new(config: EtcdConfig, keys: Keys, ttl: Duration) -> Self {
        let patience = Settings::patience_with_each(ttl, config.endpoints.len());
        let range = KeyRange::of_prefix(keys.leader.as_bytes());
        let line = || Line::new(config.clone(), range.clone(), Access::ReadAndWrite);
        Store { line: line(), watching: line(), keys, patience }
    }

    /// Asks one endpoint after another. Requests may be sent again: see [`Request`].
    pub(super) async fn perform(&self, request: Request) -> Result<Reply, Fault> {
        self.request(request).await.map_err(Failure::fault)
    }

    async fn request(&self, request: Request) -> Result<Reply, Failure> {
        match request {
            Request::Grant { ttl } => self.grant(ttl).await,
            Request::KeepAlive(lease) => self.keep_alive(lease).await,
            Request::Revoke(lease) => self.revoke(lease).await,
            transaction => self.transact(self.transaction(transaction)).await,
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Reply, Failure> {
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let asked = self.line.ask(self.patience, |client| {
            let mut leases = client.lease_client();
            async move { leases.grant(seconds, None).await }
        });
        let (granted, _) = asked.await?;
        let ttl = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or_default());
        Ok(Reply::Granted { lease: LeaseId(granted.id()), ttl })
    }

    /// On a stream of its own, so that no answer to an earlier renewal can be taken for this one's.
    async fn keep_alive(&self, LeaseId(lease): LeaseId) -> Result<Reply, Failure> {
        let asked = self.line.ask(self.patience, |client| {
            let leases = client.lease_client();
            async move { unless_gone(renew(leases, lease).await) }
        });
        match asked.await? {
            (None, _) => Ok(Reply::NoLease),
            (Some(Some(member)), _) => Ok(Reply::KeptAlive(member)),
            (Some(None), endpoint) => Err(fault::malformed(&endpoint, "a renewal without a header")),
        }
    }

    async fn revoke(&self, LeaseId(lease): LeaseId) -> Result<Reply, Failure> {
        let asked = self.line.ask(self.patience, |client| {
            let mut leases = client.lease_client();
            async move { unless_gone(leases.revoke(lease).await) }
        });
        let (revoked, _) = asked.await?;
        Ok(revoked.map_or(Reply::NoLease, |_| Reply::Done))
    }

    /// What the request says, or else a look at the keys.
    fn transaction(&self, request: Request) -> Txn {
        let Keys { leader, term, presence, .. } = &self.keys;
        let put = |key: &str, value: &[u8], lease: Option<LeaseId>| {
            TxnOp::put(key, value, lease.map(|LeaseId(lease)| PutOptions::new().with_lease(lease)))
        };
        let (compares, operations) = match request {
            Request::Register { record, lease } => {
                (vec![is(presence, &Expect::Absent)], vec![put(presence, &record.encode(), Some(lease))])
            }
            Request::Acquire { record, leader: held, term: stored, presence: present } => {
                let present = is(presence, &Expect::Value(present.encode()));
                let number = StoredTerm::encode(record.term);
                (
                    vec![is(leader, &held), is(term, &stored), present],
                    vec![put(leader, &record.encode(), Some(record.lease)), put(term, &number, None)],
                )
            }
            Request::Release(record) => {
                (vec![is(leader, &Expect::Value(record.encode()))], vec![TxnOp::delete(leader.as_str(), None)])
            }
            Request::Raise { term: higher, expect } => {
                (vec![is(term, &expect)], vec![put(term, &StoredTerm::encode(higher), None)])
            }
            // The keys are looked at whatever they hold.
            Request::Look | Request::Grant { .. } | Request::KeepAlive(_) | Request::Revoke(_) => {
                return Txn::new().and_then(self.look());
            }
        };
        Txn::new().when(compares).and_then(operations).or_else(self.look())
    }

    fn look(&self) -> Vec<TxnOp> {
        let Keys { leader, term, presence, .. } = &self.keys;
        [leader, term, presence].map(|key| TxnOp::get(key.as_str(), None)).to_vec()
    }

    async fn transact(&self, transaction: Txn) -> Result<Reply, Failure> {
        let asked = self.line.ask(self.patience, |client| {
            let (mut kv, transaction) = (line::kv(client), transaction.clone());
            async move { unless_gone(kv.txn(transaction).await) }
        });
        let (answer, endpoint) = asked.await?;
        answer.map_or(Ok(Reply::NoLease), |answer| self.understand(&answer, &endpoint))
    }

    fn understand(&self, answer: &TxnResponse, endpoint: &str) -> Result<Reply, Failure> {
        let mut found: Vec<KeyValue> = Vec::new();
        let mut looked = false;
        for response in answer.op_responses() {
            if let TxnOpResponse::Get(mut get) = response {
                looked = true;
                found.extend(get.take_kvs());
            }
        }
        if !looked {
            return Ok(Reply::Done);
        }
        let header = answer.header().ok_or_else(|| fault::malformed(endpoint, "an answer without a header"))?;
        let seal =
            Seal { cluster: header.cluster_id(), member: MemberId(header.member_id()), term: header.raft_term() };
        let value = |key: &str| {
            let record = found.iter().find(|record| record.key() == key.as_bytes())?;
            Some((record.value(), Some(LeaseId(record.lease())).filter(|lease| lease.0 != 0)))
        };
        Ok(Reply::View(View {
            seal,
            leader: Held::read(value(&self.keys.leader), LeaderRecord::decode),
            term: StoredTerm::read(value(&self.keys.term).map(|(value, _)| value)),
            presence: Held::read(value(&self.keys.presence), PresenceRecord::decode),
        }))
    }

    /// Says when something may have changed at the leader key, for as long as it is polled. Nothing depends on it: the keys
    /// are looked at without it too, only later.
    pub(super) async fn watch(&self, changed: &Notify) {
        let line = &self.watching;
        loop {
            let key = self.keys.leader.as_str();
            let opened = line.ask(self.patience, |client| {
                let mut watches = client.watch_client();
                async move { watches.watch(key, None).await }
            });
            if let Ok((mut stream, _)) = opened.await {
                while let Ok(Some(response)) = stream.message().await
                    && !response.canceled()
                {
                    changed.notify_one();
                }
                line.leave().await;
            }
            tokio::time::sleep(WATCH_AGAIN).await;
        }
    }
}

/// The comparison that holds if the key is as expected.
fn is(key: &str, expect: &Expect) -> Compare {
    match expect {
        Expect::Absent => Compare::create_revision(key, CompareOp::Equal, 0),
        Expect::Value(value) => Compare::value(key, CompareOp::Equal, &value[..]),
    }
}

/// Renews the lease: which member says so. The client keeps the first answer of a stream to itself, so it is renewed twice; by one
/// stream, and so by one member, also where a name or a balancer stands for several.
async fn renew(mut leases: LeaseClient, lease: i64) -> Result<Option<MemberId>, Error> {
    let (mut keeper, mut answers) = leases.keep_alive(lease).await?;
    keeper.keep_alive().await?;
    let failed = |why: &str| Error::LeaseKeepAliveError(why.into());
    let again = answers.message().await?.ok_or_else(|| failed("the stream has ended"))?;
    if again.ttl() <= 0 {
        return Err(failed(GONE));
    }
    Ok(again.header().map(|header| MemberId(header.member_id())))
}

/// What the client says of a lease that has ended.
const GONE: &str = "lease not found";

/// The answer; none if the lease has ended.
fn unless_gone<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if is_gone(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The lease has ended: the client says so of a renewal, etcd of everything else.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::GRpcStatus(status) => status.message().contains("requested lease not found"),
        Error::LeaseKeepAliveError(message) => message == GONE,
        _ => false,
    }
}
