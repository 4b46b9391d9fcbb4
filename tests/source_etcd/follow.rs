//! Lists, watches, leases, reconciles.

use crate::follower::Follower;
use crate::server::{Cluster, Etcd};
use crate::{delete, plain, put};
use etcd_client::{CompactionOptions, PutOptions, Txn, TxnOp};
use fingerpost_core::source::sync::{Note, Proof, Timing};
use std::time::Duration;

on_each_etcd!(
    c29_lists_then_follows_every_change,
    a_lease_that_runs_out_withdraws_and_a_renewed_one_stays,
    c30_a_list_of_several_pages_survives_a_compaction_in_its_middle,
    c33_a_reconcile_heals_what_the_watch_lost,
    an_idle_store_is_not_taken_for_a_stuck_one,
);

async fn c29_lists_then_follows_every_change(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    client.put("/fp/hostsXX", "beside the range", None).await.unwrap();
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    put(&mut client, "a1", "10.168.0.42", "10.244.1.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.42"), ("10.244.2.0/24", "10.168.0.12")]).await;
    delete(&mut client, "a1").await;
    follower.until_table(&[("10.244.2.0/24", "10.168.0.12")]).await;
    assert!(matches!(follower.proofs[..], [Proof::Deleted(_)]));
}

async fn a_lease_that_runs_out_withdraws_and_a_renewed_one_stays(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    let value = |subnet: &str| format!(r#"{{"addresses": ["10.168.0.11"], "subnets": ["{subnet}"]}}"#);
    let short = client.lease_grant(1, None).await.unwrap().id();
    let long = client.lease_grant(3600, None).await.unwrap().id();
    let lease = |id| Some(PutOptions::new().with_lease(id));
    client.put("/fp/hosts/gone", value("10.244.1.0/24"), lease(short)).await.unwrap();
    client.put("/fp/hosts/renewed", value("10.244.2.0/24"), lease(short)).await.unwrap();
    // As flannel renews: the same value under a new lease.
    client.put("/fp/hosts/renewed", value("10.244.2.0/24"), lease(long)).await.unwrap();
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("both", |follower| follower.table().len() == 2).await;
    follower.until_table(&[("10.244.2.0/24", "10.168.0.11")]).await;
    assert!(matches!(follower.proofs[..], [Proof::Deleted(_)]));
}

/// Enough records for five pages.
pub(crate) async fn many(client: &mut etcd_client::Client) -> usize {
    const MANY: usize = 7_000;
    let bulk = "x".repeat(1_000);
    for chunk in (0..MANY).collect::<Vec<_>>().chunks(120) {
        let puts: Vec<TxnOp> = chunk
            .iter()
            .map(|number| {
                let subnet = format!("10.{}.{}.0/24", number / 256, number % 256);
                let value = format!(
                    r#"{{"addresses": ["10.168.0.11"], "subnets": ["{subnet}"], "labels": {{"bulk": "{bulk}"}}}}"#
                );
                TxnOp::put(format!("/fp/hosts/host-{number:06}"), value, None)
            })
            .collect();
        client.txn(Txn::new().and_then(puts)).await.unwrap();
    }
    MANY
}

async fn c30_a_list_of_several_pages_survives_a_compaction_in_its_middle(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    let many = many(&mut client).await;
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    // The first page waits in the channel, the second before it, the third is on its way, the fourth cannot be asked for yet.
    tokio::time::timeout(Duration::from_secs(10), follower.reported()).await.unwrap();
    let response = client.put("/elsewhere", "", None).await.unwrap();
    let now = response.header().unwrap().revision();
    client.compact(now, Some(CompactionOptions::new().with_physical())).await.unwrap();
    follower.until("all", |follower| follower.table().len() == many).await;
    let compacted = |note: &Note| matches!(note, Note::Failing(fault) if fault.message.contains("compacted"));
    assert!(follower.notes.iter().any(compacted), "{:?}", follower.notes);
    assert!(follower.proofs.is_empty());
}

async fn c33_a_reconcile_heals_what_the_watch_lost(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    let timing = Timing { reconcile: Duration::from_millis(500), ..Timing::default() };
    let mut follower = Follower::start_with(plain(cluster.endpoints()), timing).await;
    follower.deaf_to_events = true;
    follower.until("both", |follower| follower.table().len() == 2).await;
    delete(&mut client, "a1").await;
    put(&mut client, "a2", "10.168.0.42", "10.244.2.0/24").await;
    put(&mut client, "a3", "10.168.0.13", "10.244.3.0/24").await;
    follower.until_table(&[("10.244.2.0/24", "10.168.0.42"), ("10.244.3.0/24", "10.168.0.13")]).await;
    assert!(matches!(follower.proofs[..], [Proof::MissingFrom { .. }]));
}

async fn an_idle_store_is_not_taken_for_a_stuck_one(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&mut cluster.client().await, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let timing =
        Timing { ask_progress: Duration::from_millis(300), stuck: Duration::from_millis(900), ..Timing::default() };
    let mut follower = Follower::start_with(plain(cluster.endpoints()), timing).await;
    follower.go_on(Duration::from_secs(3)).await;
    assert!(matches!(follower.notes[..], [Note::Current { records: 1, .. }]), "{:?}", follower.notes);
}
