//! Stores that are put back to a backup: nothing that one lacks is withdrawn because it lacks it.

use crate::follower::{Follower, brisk, current, lost_as};
use crate::server::{Cluster, Etcd};
use crate::{delete, plain, put};
use fingerpost_core::source::FaultKind;
use fingerpost_core::source::sync::{Note, Proof, Timing};
use std::path::PathBuf;
use std::time::Duration;

on_each_etcd!(
    c36_a_backup_restored_into_the_same_cluster_is_not_believed_and_the_right_data_is_p2,
    c36_a_backup_restored_into_another_cluster_is_not_believed_and_the_right_data_is_p2,
    c36_a_backup_that_lacks_nothing_of_ours_is_believed_once_its_revision_is_where_it_was,
    c36_a_store_that_stays_another_is_followed_and_whatever_differs_is_suspect_p3,
    c36_a_restart_takes_a_restored_store_as_a_difference_to_what_was_known,
);

/// What the store says at the end, and what Fingerpost goes on announcing.
const LATEST: &[(&str, &str)] =
    &[("10.244.2.0/24", "10.168.0.12"), ("10.244.3.0/24", "10.168.0.13"), ("10.244.4.0/24", "10.168.0.14")];

/// What the backup says.
const BACKUP: &[(&str, &str)] =
    &[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12"), ("10.244.3.0/24", "10.168.0.13")];

/// A store of which there is a backup, and what was written after that: a1 is gone since, and a4 has come.
struct Store {
    cluster: Cluster,
    backup: PathBuf,
}

impl Store {
    async fn with_backup(etcd: Etcd) -> (Store, Follower) {
        Self::with_backup_and_patience(etcd, Timing::default().replaced).await
    }

    /// Another store is followed after so long.
    async fn with_backup_and_patience(etcd: Etcd, replaced: Duration) -> (Store, Follower) {
        let cluster = Cluster::one(etcd).await;
        let mut client = cluster.client().await;
        for number in 1..=3 {
            put(&mut client, &format!("a{number}"), &format!("10.168.0.1{number}"), &format!("10.244.{number}.0/24"))
                .await;
        }
        let backup = cluster.members[0].back_up().await;
        let timing = Timing { replaced, ..brisk() };
        let mut follower = Follower::start_with(plain(cluster.endpoints()), timing).await;
        follower.until_table(BACKUP).await;
        delete(&mut client, "a1").await;
        put(&mut client, "a4", "10.168.0.14", "10.244.4.0/24").await;
        follower.until_table(LATEST).await;
        follower.until("current", current).await;
        assert!(matches!(follower.proofs[..], [Proof::Deleted(_)]));
        follower.proofs.clear();
        (Store { cluster, backup }, follower)
    }

    /// The store holds what the backup holds. What it held is put aside.
    async fn restore(&mut self, args: &[&str]) {
        self.cluster.members[0].kill();
        self.cluster.restore(0, &self.backup, args);
        self.cluster.run(0);
        self.cluster.members[0].ready().await;
    }

    /// The store holds again what was put aside.
    async fn undo(&mut self) {
        self.cluster.members[0].kill();
        self.cluster.members[0].take_back();
        self.cluster.run(0);
    }

    async fn unrelated_writes(&self, writes: usize) {
        let mut client = self.cluster.client().await;
        for _ in 0..writes {
            client.put("/elsewhere", "", None).await.unwrap();
        }
    }
}

/// Not believed, however often it is asked.
async fn assert_all_stays(follower: &mut Follower) {
    follower.go_on(Duration::from_secs(2)).await;
    assert!(lost_as(FaultKind::Replaced, "All routes stay")(follower), "{:?}", follower.notes);
    follower.until_table(LATEST).await;
    assert!(follower.proofs.is_empty());
}

async fn c36_a_backup_restored_into_the_same_cluster_is_not_believed_and_the_right_data_is_p2(etcd: Etcd) {
    let (mut store, mut follower) = Store::with_backup(etcd).await;
    store.restore(&[]).await;
    follower
        .until("its revision went back", lost_as(FaultKind::Replaced, "restored from a backup: it answers at"))
        .await;
    assert!(lost_as(FaultKind::Replaced, "every difference is held until a person approves it")(&follower));
    assert_all_stays(&mut follower).await;
    // Nor when its revision is beyond the one known.
    store.unrelated_writes(12).await;
    follower
        .until(
            "a4 was never in it",
            lost_as(FaultKind::Replaced, "a4 was written at revision 6, but that revision has it not"),
        )
        .await;
    assert_all_stays(&mut follower).await;
    store.undo().await;
    follower.until("current", current).await;
    follower.until_table(LATEST).await;
    assert!(follower.proofs.is_empty());
}

async fn c36_a_backup_restored_into_another_cluster_is_not_believed_and_the_right_data_is_p2(etcd: Etcd) {
    let (mut store, mut follower) = Store::with_backup(etcd).await;
    store.restore(&["--initial-cluster-token", "another"]).await;
    follower.until("another cluster", lost_as(FaultKind::Replaced, "another cluster answers: its ID is")).await;
    assert_all_stays(&mut follower).await;
    store.undo().await;
    follower.until("current", current).await;
    follower.until_table(LATEST).await;
    assert!(follower.proofs.is_empty());
}

async fn c36_a_backup_that_lacks_nothing_of_ours_is_believed_once_its_revision_is_where_it_was(etcd: Etcd) {
    let (mut store, mut follower) = Store::with_backup(etcd).await;
    store.backup = store.cluster.members[0].back_up().await;
    store.unrelated_writes(5).await;
    // What was written elsewhere is known by the progress of the comparison.
    follower.go_on(Duration::from_secs(1)).await;
    store.restore(&[]).await;
    follower.until("its revision went back", lost_as(FaultKind::Replaced, "it answers at")).await;
    assert_all_stays(&mut follower).await;
    store.unrelated_writes(6).await;
    follower.until("current", current).await;
    follower.until_table(LATEST).await;
    assert!(follower.proofs.is_empty());
}

async fn c36_a_store_that_stays_another_is_followed_and_whatever_differs_is_suspect_p3(etcd: Etcd) {
    for token in ["etcd-cluster", "another"] {
        let (mut store, mut follower) = Store::with_backup_and_patience(etcd, Duration::from_secs(1)).await;
        store.restore(&["--initial-cluster-token", token]).await;
        follower.until("replaced", lost_as(FaultKind::Replaced, "")).await;
        follower.until("current", current).await;
        follower.until_table(BACKUP).await;
        assert!(follower.suspect, "what the engine then has the guard hold");
        assert!(follower.notes.iter().any(|note| matches!(note, Note::TakenForAnother { .. })), "{:?}", follower.notes);
        // From now on its changes are changes like any other.
        put(&mut store.cluster.client().await, "a5", "10.168.0.15", "10.244.5.0/24").await;
        follower.until_table(&[BACKUP, &[("10.244.5.0/24", "10.168.0.15")]].concat()).await;
    }
}

async fn c36_a_restart_takes_a_restored_store_as_a_difference_to_what_was_known(etcd: Etcd) {
    for token in ["etcd-cluster", "another"] {
        let (mut store, mut follower) = Store::with_backup(etcd).await;
        store.restore(&["--initial-cluster-token", token]).await;
        follower.until("replaced", lost_as(FaultKind::Replaced, "")).await;
        let mut follower = Follower::restart(plain(store.cluster.endpoints()), &follower).await;
        follower.until("current", current).await;
        follower.until_table(BACKUP).await;
        // What was known comes first, so that the guard judges the difference.
        assert_eq!(follower.remembered.as_ref(), Some(&Follower::expected(LATEST)));
        assert!(matches!(follower.proofs[..], [Proof::MissingFrom { .. }]), "{:?}", follower.proofs);
        let told = follower.notes.iter().any(|note| matches!(note, Note::SnapshotOfAnother { .. }));
        assert_eq!(told, token == "another", "{:?}", follower.notes);
    }
}

/// As etcd's documentation has it for stores that are watched; 3.4 cannot.
#[tokio::test]
async fn c36_a_backup_restored_with_a_higher_revision_heals_by_itself_on_3_6() {
    if !Etcd::V3_6.is_available("c36_a_backup_restored_with_a_higher_revision_heals_by_itself_on_3_6") {
        return;
    }
    let (mut store, mut follower) = Store::with_backup(Etcd::V3_6).await;
    store.restore(&["--bump-revision", "1000000", "--mark-compacted"]).await;
    follower.until_table(BACKUP).await;
    follower.until("current", current).await;
    // One complete list, and nothing else, tells what is gone: the guard judges it.
    assert!(matches!(follower.proofs[..], [Proof::MissingFrom { .. }]), "{:?}", follower.proofs);
}
