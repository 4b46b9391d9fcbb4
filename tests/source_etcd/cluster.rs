//! Three members that are restarted, die, are cut off, and lose their quorum, while records are written.

use crate::follower::{Follower, current, failed_as, lost_as};
use crate::server::{Cluster, Etcd, Member, PATIENCE};
use crate::{plain, put};
use etcd_client::{Client, DeleteOptions, GetOptions};
use fingerpost_core::source::FaultKind;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

on_each_etcd!(
    c34_members_restarted_one_by_one_under_writes_lose_no_route_p2,
    c34_a_killed_leader_is_left_for_its_successor,
    c34_a_killed_leader_elsewhere_changes_nothing,
    c34_a_member_cut_off_from_the_others_is_left_for_them_within_ten_seconds,
    c34_a_member_cut_off_and_alone_keeps_its_routes_until_it_is_back,
    c34_a_lost_quorum_keeps_every_route_until_it_is_back_p2,
);

/// Within this another member has taken over.
const SOON: Duration = Duration::from_secs(10);

/// Records that nobody touches.
const QUIET: [(&str, &str); 2] = [("10.244.250.0/24", "10.168.0.50"), ("10.244.251.0/24", "10.168.0.51")];

/// Three members, two records that stay, and who knows them. The members in this order are whom he asks.
async fn three(etcd: Etcd, order: impl AsyncFnOnce(&Cluster) -> Vec<usize>) -> (Cluster, Follower) {
    let cluster = Cluster::start(etcd, 3, "http", &[]).await;
    for (number, (subnet, next_hop)) in QUIET.iter().enumerate() {
        put(&mut cluster.client().await, &format!("quiet{number}"), next_hop, subnet).await;
    }
    let order = order(&cluster).await;
    let endpoints = order.into_iter().map(|number| cluster.members[number].endpoint()).collect();
    let mut follower = Follower::start(plain(endpoints)).await;
    follower.until_table(&QUIET).await;
    follower.until("current", current).await;
    (cluster, follower)
}

async fn in_order(_: &Cluster) -> Vec<usize> {
    vec![0, 1, 2]
}

/// Makes this member the leader of the others.
async fn lead(cluster: &Cluster, number: usize) -> usize {
    let name = cluster.members[number].name();
    let mut client = cluster.client().await;
    let members = client.member_list().await.unwrap();
    let id = |name: &str| members.members().iter().find(|member| member.name() == name).unwrap().id();
    let (wanted, started) = (id(name), Instant::now());
    loop {
        let leader = client.status().await.unwrap().leader();
        if leader == wanted {
            return number;
        }
        assert!(started.elapsed() < PATIENCE, "member {name} does not become the leader");
        // Only the leader does it, and it may be another by now.
        if let Some(leader) = cluster.members.iter().find(|member| id(member.name()) == leader) {
            let mut of_leader = Client::connect([leader.endpoint()], None).await.unwrap();
            let _ = of_leader.move_leader(wanted).await;
        }
    }
}

/// Writes, by whichever member takes it.
async fn write(endpoints: &[String], host: &str, address: Option<&str>, subnet: &str) {
    let started = Instant::now();
    for endpoint in endpoints.iter().cycle() {
        assert!(started.elapsed() < PATIENCE, "no member takes a write");
        let written = async {
            let mut client = Client::connect([endpoint], None).await?;
            let key = format!("/fp/hosts/{host}");
            match address {
                Some(address) => {
                    let value = format!(r#"{{"addresses": ["{address}"], "subnets": ["{subnet}"]}}"#);
                    client.put(key, value, None).await.map(|_| ())
                }
                None => client.delete(key, None::<DeleteOptions>).await.map(|_| ()),
            }
        };
        match tokio::time::timeout(Duration::from_secs(1), written).await {
            Ok(Ok(())) => return,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A host after the other, written and deleted, until it is told to stop.
fn writer(endpoints: Vec<String>) -> (watch::Sender<bool>, JoinHandle<usize>) {
    let (stop, stopped) = watch::channel(false);
    let writing = tokio::spawn(async move {
        let mut writes = 0;
        while !*stopped.borrow() {
            let number = writes % 20;
            let address = format!("10.168.1.{}", writes % 200 + 1);
            let address = (writes % 3 != 2).then_some(&*address);
            write(&endpoints, &format!("busy{number}"), address, &format!("10.244.{number}.0/24")).await;
            writes += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        writes
    });
    (stop, writing)
}

/// The table is what the store says, and the quiet records were never gone.
async fn assert_equal_at_the_end(cluster: &Cluster, follower: &mut Follower) {
    let mut client = cluster.client().await;
    let all = client.get("/fp/hosts/", Some(GetOptions::new().with_prefix())).await.unwrap();
    let text = |value: &serde_json::Value| value[0].as_str().unwrap().to_owned();
    let records = all.kvs().iter().map(|record| serde_json::from_slice::<serde_json::Value>(record.value()).unwrap());
    let stored: BTreeMap<String, String> =
        records.map(|record| (text(&record["subnets"]), text(&record["addresses"]))).collect();
    assert!(stored.len() >= QUIET.len());
    follower.until("what the store says", |follower| follower.table() == stored).await;
    follower.until("current", current).await;
    for (subnet, _) in QUIET {
        assert!(!follower.removed.iter().any(|removed| removed == subnet), "{subnet} was withdrawn");
    }
}

async fn c34_members_restarted_one_by_one_under_writes_lose_no_route_p2(etcd: Etcd) {
    let (mut cluster, mut follower) = three(etcd, in_order).await;
    let (stop, writing) = writer(cluster.endpoints());
    // By the watch: it stands.
    follower.until("a write", |follower| follower.table().len() > QUIET.len() + 1).await;
    for number in 0..3 {
        cluster.members[number].shut_down();
        let (subnet, next_hop) = (format!("10.244.{}.0/24", 100 + number), format!("10.168.2.{number}"));
        write(&cluster.endpoints(), &format!("mark{number}"), Some(&next_hop), &subnet).await;
        let started = Instant::now();
        follower.until("the write", |follower| follower.table().contains_key(&subnet)).await;
        assert!(started.elapsed() < SOON, "{:?}: {:?}", started.elapsed(), follower.notes);
        if number == 0 {
            // Whom it asks.
            follower.until("a fault that names the member", told_of(&cluster.members[0])).await;
        }
        follower.until("current", current).await;
        cluster.members[number].ended().await;
        cluster.run(number);
        cluster.members[number].ready().await;
    }
    stop.send_replace(true);
    assert!(writing.await.unwrap() > 20, "too few writes to show anything");
    assert_equal_at_the_end(&cluster, &mut follower).await;
}

fn told_of(member: &Member) -> impl Fn(&Follower) -> bool + use<> {
    let says = format!("etcd at {}: ", member.endpoint());
    move |follower| failed_as(FaultKind::Unreachable, &says)(follower)
}

async fn c34_a_killed_leader_is_left_for_its_successor(etcd: Etcd) {
    let (mut cluster, mut follower) = three(etcd, in_order).await;
    // On a busy machine the members may elect anew at any moment.
    let leader = lead(&cluster, 0).await;
    let started = Instant::now();
    cluster.members[leader].kill();
    follower.until("a fault that names the member", told_of(&cluster.members[leader])).await;
    write(&cluster.endpoints(), "a1", Some("10.168.0.11"), "10.244.1.0/24").await;
    follower.until("the write", |follower| follower.table().len() == 3).await;
    follower.until("current", current).await;
    assert!(started.elapsed() < SOON, "{:?}: {:?}", started.elapsed(), follower.notes);
    cluster.run(leader);
    cluster.members[leader].ready().await;
    assert_equal_at_the_end(&cluster, &mut follower).await;
    assert!(follower.proofs.is_empty());
}

async fn c34_a_killed_leader_elsewhere_changes_nothing(etcd: Etcd) {
    let (mut cluster, mut follower) = three(etcd, in_order).await;
    let leader = lead(&cluster, 2).await;
    cluster.members[leader].kill();
    write(&cluster.endpoints(), "a1", Some("10.168.0.11"), "10.244.1.0/24").await;
    follower.until("the write", |follower| follower.table().len() == 3).await;
    cluster.run(leader);
    cluster.members[leader].ready().await;
    assert_equal_at_the_end(&cluster, &mut follower).await;
    assert!(follower.proofs.is_empty());
}

async fn c34_a_member_cut_off_from_the_others_is_left_for_them_within_ten_seconds(etcd: Etcd) {
    let (cluster, mut follower) = three(etcd, in_order).await;
    let started = Instant::now();
    cluster.cut_off(Some(0));
    // Its clients reach it as before; only it can tell that it speaks for nobody.
    follower.until("told", failed_as(FaultKind::Unreachable, "this member is cut off from its cluster")).await;
    follower.until("current", current).await;
    assert!(started.elapsed() < SOON, "{:?}: {:?}", started.elapsed(), follower.notes);
    write(&cluster.endpoints()[1..], "a1", Some("10.168.0.11"), "10.244.1.0/24").await;
    follower.until("the write", |follower| follower.table().len() == 3).await;
    cluster.cut_off(None);
    cluster.members[0].ready().await;
    assert_equal_at_the_end(&cluster, &mut follower).await;
    assert!(follower.proofs.is_empty());
}

async fn c34_a_member_cut_off_and_alone_keeps_its_routes_until_it_is_back(etcd: Etcd) {
    let (cluster, mut follower) = three(etcd, async |_| vec![0]).await;
    cluster.cut_off(Some(0));
    follower.until("lost", lost_as(FaultKind::Unreachable, "this member is cut off from its cluster")).await;
    write(&cluster.endpoints()[1..], "a1", Some("10.168.0.11"), "10.244.1.0/24").await;
    follower.go_on(Duration::from_secs(1)).await;
    assert!(!current(&follower) && follower.table().len() == 2, "{:?}", follower.notes);
    cluster.cut_off(None);
    follower.until("the write", |follower| follower.table().len() == 3).await;
    assert_equal_at_the_end(&cluster, &mut follower).await;
    assert!(follower.proofs.is_empty());
}

async fn c34_a_lost_quorum_keeps_every_route_until_it_is_back_p2(etcd: Etcd) {
    let (mut cluster, mut follower) = three(etcd, in_order).await;
    cluster.members[1].kill();
    cluster.members[2].kill();
    follower.until("lost", lost_as(FaultKind::Unreachable, "no endpoint answers")).await;
    follower.until("told", lost_as(FaultKind::Unreachable, "this member is cut off from its cluster")).await;
    assert!(lost_as(FaultKind::Unreachable, &cluster.members[1].endpoint())(&follower), "{:?}", follower.notes);
    assert_eq!(follower.table().len(), 2);
    cluster.run(2);
    follower.until("current", current).await;
    write(&cluster.endpoints(), "a1", Some("10.168.0.11"), "10.244.1.0/24").await;
    follower.until("the write", |follower| follower.table().len() == 3).await;
    assert_equal_at_the_end(&cluster, &mut follower).await;
    assert!(follower.proofs.is_empty());
}
