//! Members and stores that die, hang, come back and are replaced: the routes stay.

use crate::follow::many;
use crate::follower::{Follower, brisk, current, lost_as};
use crate::server::{Cluster, Etcd, Relay, free_port};
use crate::{delete, plain, put};
use fingerpost_core::source::sync::{Note, Proof};
use fingerpost_core::source::{Fault, FaultKind};
use std::time::{Duration, Instant};

on_each_etcd!(
    c34_a_store_killed_and_restarted_is_resumed_where_it_was_left_p2,
    c34_a_member_frozen_in_the_middle_of_a_list_is_left_for_another,
    c34_a_frozen_store_without_another_member_keeps_its_routes_p2,
    behind_a_grpc_proxy_changes_come_and_a_quiet_watch_is_made_anew_p2,
    c34_a_watch_that_a_proxy_ends_is_resumed_where_it_was_left_p2,
    c31_a_compaction_while_disconnected_relists_and_withdraws_only_what_is_gone,
    a_dead_first_endpoint_is_passed_over,
    c34_a_frozen_member_is_left_for_another_within_ten_seconds,
    c36_a_wiped_store_that_passes_the_old_revision_withdraws_nothing_p2,
    c36_a_store_wiped_and_written_on_before_it_is_asked_again_withdraws_nothing_p2,
    c36_all_hosts_deleted_while_nobody_watched_are_withdrawn,
    c36_a_store_that_went_back_is_not_believed_p2,
);

/// A store with two records that was killed, seen to be lost, and runs again. The follower stands still: it asks when it goes
/// on.
async fn restarted(etcd: Etcd) -> (Cluster, Follower) {
    let mut cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("current", current).await;
    cluster.members[0].kill();
    follower.until("lost", lost_as(FaultKind::Unreachable, "")).await;
    cluster.run(0);
    cluster.members[0].ready().await;
    (cluster, follower)
}

async fn c34_a_store_killed_and_restarted_is_resumed_where_it_was_left_p2(etcd: Etcd) {
    let (cluster, mut follower) = restarted(etcd).await;
    assert_eq!(follower.table().len(), 2, "a lost source removes nothing");
    let lost = follower.notes.iter().find_map(|note| match note {
        Note::Lost(fault) => Some(fault.message.clone()),
        _ => None,
    });
    let lost = lost.unwrap();
    assert!(!lost.contains("plain HTTP") && !lost.contains("broken pipe"), "it did speak HTTP: {lost}");
    let mut client = cluster.client().await;
    delete(&mut client, "a1").await;
    put(&mut client, "a3", "10.168.0.13", "10.244.3.0/24").await;
    follower.until_table(&[("10.244.2.0/24", "10.168.0.12"), ("10.244.3.0/24", "10.168.0.13")]).await;
    follower.until("current", current).await;
    // By the watch, not by another list.
    assert!(matches!(follower.proofs[..], [Proof::Deleted(_)]), "{:?}", follower.proofs);
}

async fn c34_a_watch_that_a_proxy_ends_is_resumed_where_it_was_left_p2(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let proxy = Relay::new();
    let port = proxy.join(0, cluster.members[0].client_port());
    let mut follower = Follower::start(plain(vec![format!("http://127.0.0.1:{port}")])).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]).await;
    proxy.cut_off(Some(0));
    follower.until("lost", lost_as(FaultKind::Unreachable, "the connection was closed")).await;
    assert_eq!(follower.table().len(), 2);
    delete(&mut client, "a1").await;
    proxy.cut_off(None);
    follower.until_table(&[("10.244.2.0/24", "10.168.0.12")]).await;
    follower.until("current", current).await;
    assert!(matches!(follower.proofs[..], [Proof::Deleted(_)]), "{:?}", follower.proofs);
}

async fn c31_a_compaction_while_disconnected_relists_and_withdraws_only_what_is_gone(etcd: Etcd) {
    let (cluster, mut follower) = restarted(etcd).await;
    let mut client = cluster.client().await;
    delete(&mut client, "a1").await;
    let now = client.put("/elsewhere", "", None).await.unwrap().header().unwrap().revision();
    client.compact(now, None).await.unwrap();
    follower.until_table(&[("10.244.2.0/24", "10.168.0.12")]).await;
    assert!(matches!(follower.proofs[..], [Proof::MissingFrom { .. }]), "{:?}", follower.proofs);
    assert!(follower.notes.iter().any(|note| matches!(note, Note::Compacted { .. })), "{:?}", follower.notes);
}

async fn a_dead_first_endpoint_is_passed_over(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&mut cluster.client().await, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let mut endpoints = vec![format!("http://127.0.0.1:{}", free_port())];
    endpoints.extend(cluster.endpoints());
    let mut follower = Follower::start(plain(endpoints)).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    assert!(matches!(follower.notes[..], [Note::Current { .. }]), "{:?}", follower.notes);
}

#[tokio::test]
async fn unreachable_says_where_and_what_to_do() {
    let port = free_port();
    let mut follower = Follower::start(plain(vec![format!("http://user:hunter2@127.0.0.1:{port}")])).await;
    follower.until("a fault", |follower| !follower.notes.is_empty()).await;
    let [Note::Failing(Fault { kind: FaultKind::Unreachable, message })] = &follower.notes[..] else {
        panic!("{:?}", follower.notes)
    };
    assert!(message.starts_with(&format!("etcd at http://127.0.0.1:{port}: ")), "{message}");
    assert!(message.contains("refused") && message.contains("reachable"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

async fn c34_a_frozen_member_is_left_for_another_within_ten_seconds(etcd: Etcd) {
    let cluster = Cluster::start(etcd, 3, "http", &[]).await;
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("current", current).await;
    // Told by the watch: it stands.
    put(&mut cluster.client().await, "a1", "10.168.0.11", "10.244.1.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    cluster.members[0].freeze();
    let frozen = Instant::now();
    follower.until("lost", |follower| !current(follower)).await;
    assert!(frozen.elapsed() < Duration::from_secs(10), "noticed after {:?}", frozen.elapsed());
    assert_eq!(follower.table().len(), 1);
    put(&mut cluster.members[1].client().await, "a2", "10.168.0.12", "10.244.2.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]).await;
    follower.until("current", current).await;
    cluster.members[0].thaw();
    assert!(follower.proofs.is_empty());
}

async fn c34_a_member_frozen_in_the_middle_of_a_list_is_left_for_another(etcd: Etcd) {
    let cluster = Cluster::start(etcd, 3, "http", &[]).await;
    let many = many(&mut cluster.client().await).await;
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.reported().await;
    cluster.members[0].freeze();
    let frozen = Instant::now();
    // Of the same revision, so that the list goes on where it was.
    follower.until("all", |follower| follower.table().len() == many).await;
    follower.until("current", current).await;
    assert!(frozen.elapsed() < Duration::from_secs(15), "after {:?}", frozen.elapsed());
    cluster.members[0].thaw();
    assert!(matches!(follower.notes[..], [Note::Current { .. }]), "{:?}", follower.notes);
}

async fn c34_a_frozen_store_without_another_member_keeps_its_routes_p2(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("current", current).await;
    // Told by the watch: it stands.
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    cluster.members[0].freeze();
    let frozen = Instant::now();
    follower.until("lost", lost_as(FaultKind::Unreachable, "is it up, reachable and not overloaded?")).await;
    assert!(frozen.elapsed() < Duration::from_secs(10), "noticed after {:?}", frozen.elapsed());
    assert_eq!(follower.table().len(), 1);
    cluster.members[0].thaw();
    follower.until("current", current).await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]).await;
    assert!(follower.proofs.is_empty());
}

/// It does not pass on the question for progress ("not supported request type"), so that a watch without events looks stuck:
/// docs/configuration.md advises against it.
async fn behind_a_grpc_proxy_changes_come_and_a_quiet_watch_is_made_anew_p2(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let (_proxy, endpoint) = cluster.grpc_proxy();
    let mut follower = Follower::start(plain(vec![endpoint])).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    put(&mut client, "a2", "10.168.0.12", "10.244.2.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11"), ("10.244.2.0/24", "10.168.0.12")]).await;
    follower.until("quiet", lost_as(FaultKind::Stuck, "does an etcd grpc-proxy stand between?")).await;
    assert_eq!(follower.table().len(), 2);
    delete(&mut client, "a1").await;
    follower.until_table(&[("10.244.2.0/24", "10.168.0.12")]).await;
    follower.until("current", current).await;
}

/// A store with five records is wiped, and written to before it is asked again.
async fn wiped(etcd: Etcd, write: impl AsyncFnOnce(&Cluster)) -> (Cluster, Follower) {
    let mut cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    for number in 1..=5 {
        put(&mut client, &format!("a{number}"), "10.168.0.11", &format!("10.244.{number}.0/24")).await;
    }
    let mut follower = Follower::start_with(plain(cluster.endpoints()), brisk()).await;
    follower.until("current", current).await;
    cluster.members[0].kill();
    cluster.members[0].wipe();
    cluster.run(0);
    cluster.members[0].ready().await;
    write(&cluster).await;
    follower.notes.clear();
    follower.until("replaced", lost_as(FaultKind::Replaced, "")).await;
    (cluster, follower)
}

async fn unrelated_writes(cluster: &Cluster, writes: usize) {
    let mut client = cluster.client().await;
    for _ in 0..writes {
        client.put("/elsewhere", "", None).await.unwrap();
    }
}

/// Never current, and nothing withdrawn, also after it was asked many times.
async fn assert_never_believed(follower: &mut Follower) {
    follower.go_on(Duration::from_secs(2)).await;
    assert!(lost_as(FaultKind::Replaced, "")(follower), "{:?}", follower.notes);
    assert!(!follower.notes.iter().any(|note| matches!(note, Note::Current { .. })), "{:?}", follower.notes);
    assert_eq!(follower.table().len(), 5);
    assert!(follower.proofs.is_empty());
}

async fn c36_a_wiped_store_that_passes_the_old_revision_withdraws_nothing_p2(etcd: Etcd) {
    let (cluster, mut follower) = wiped(etcd, async |_| {}).await;
    unrelated_writes(&cluster, 12).await;
    assert_never_believed(&mut follower).await;
    // Also one that has records again, of the same name and of another.
    put(&mut cluster.client().await, "a1", "10.168.0.99", "10.244.9.0/24").await;
    put(&mut cluster.client().await, "b1", "10.168.0.99", "10.244.10.0/24").await;
    assert_never_believed(&mut follower).await;
}

async fn c36_a_store_wiped_and_written_on_before_it_is_asked_again_withdraws_nothing_p2(etcd: Etcd) {
    let (cluster, mut follower) = wiped(etcd, async |cluster| unrelated_writes(cluster, 20).await).await;
    assert_never_believed(&mut follower).await;
    // Nor does it help that what was before is compacted away.
    let mut client = cluster.client().await;
    let now = client.put("/elsewhere", "", None).await.unwrap().header().unwrap().revision();
    client.compact(now, None).await.unwrap();
    assert_never_believed(&mut follower).await;
}

async fn c36_all_hosts_deleted_while_nobody_watched_are_withdrawn(etcd: Etcd) {
    let (cluster, mut follower) = restarted(etcd).await;
    let mut client = cluster.client().await;
    delete(&mut client, "a1").await;
    delete(&mut client, "a2").await;
    follower.until_table(&[]).await;
    assert!(matches!(follower.proofs[..], [Proof::Deleted(_), Proof::Deleted(_)]), "{:?}", follower.proofs);
    follower.until("current", current).await;
}

async fn c36_a_store_that_went_back_is_not_believed_p2(etcd: Etcd) {
    let rewritten = async |cluster: &Cluster| {
        put(&mut cluster.client().await, "a1", "10.168.0.99", "10.244.1.0/24").await;
    };
    let (_cluster, follower) = wiped(etcd, rewritten).await;
    assert_eq!(follower.table().len(), 5);
    assert_eq!(follower.table()["10.244.1.0/24"], "10.168.0.11");
    assert!(follower.proofs.is_empty());
}
