//! etcd frozen, killed, without a quorum, under elections of its own, and wiped.

use crate::elector::{Elector, Judge, KEY, TTL, etcd, leader, value};
use crate::server::{Cluster, Etcd};
use crate::until::until;
use fingerpost_core::model::Leadership;
use std::time::Instant;

on_each_etcd!(
    c43_a_frozen_etcd_lets_the_leader_lapse_before_its_lease_ends,
    c44_a_revoked_lease_ends_the_leadership_and_the_next_one_has_a_newer_term,
    c45_elections_of_etcd_itself_never_make_two_leaders,
    c45_a_lost_quorum_lapses_the_leader_until_it_is_back,
    c36_a_wiped_store_does_not_lose_the_terms,
);

async fn c43_a_frozen_etcd_lets_the_leader_lapse_before_its_lease_ends(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let electors: Vec<_> = (1..=2).map(|number| Elector::start(&cluster, number)).collect();
    let judge = Judge::of(&electors);
    let (at, term) = leader(&electors).await;
    let (first, second) = (&electors[at], &electors[1 - at]);
    second.until_follows(&first.me(), term).await;
    let mut client = cluster.client().await;
    let stored = value(&mut client, KEY).await;
    cluster.members[0].freeze();
    let frozen = Instant::now();
    // Nobody tells it.
    first.until_role("lapsed", |role| *role == Leadership::Lapsed { term }).await;
    assert!(frozen.elapsed() < TTL, "its lease may have ended before it stopped");
    first.until_trouble("no answer").await;
    second.until_role("unsure", |role| matches!(role, Leadership::Unsure { .. })).await;
    let roles = first.roles();
    cluster.members[0].thaw();
    assert!(stored.is_some());
    let (_, newer) = leader(&electors).await;
    assert!(newer >= term);
    for elector in &electors {
        elector.until_well().await;
    }
    assert!(!roles.iter().any(|role| matches!(role, Leadership::Standby { .. })), "{roles:?}");
    judge.says_nothing();
}

async fn c44_a_revoked_lease_ends_the_leadership_and_the_next_one_has_a_newer_term(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let elector = Elector::start(&cluster, 1);
    let term = elector.until_leads().await;
    let mut client = cluster.client().await;
    let lease = client.get(KEY, None).await.unwrap().kvs()[0].lease();
    client.lease_revoke(lease).await.unwrap();
    elector.until_role("lapsed", |role| *role == Leadership::Lapsed { term }).await;
    assert_eq!(Some(elector.until_leads().await), term.next());
}

async fn c45_elections_of_etcd_itself_never_make_two_leaders(version: Etcd) {
    let mut cluster = Cluster::start(version, 3, "http", &[]).await;
    let electors: Vec<_> = (1..=3).map(|number| Elector::start(&cluster, number)).collect();
    let judge = Judge::of(&electors);
    leader(&electors).await;
    let mut moved = 0;
    for _ in 0..4 {
        let mut client = cluster.client().await;
        let status = client.status().await.unwrap();
        let members = client.member_list().await.unwrap();
        let other = members.members().iter().find(|member| member.id() != status.leader()).unwrap().id();
        // Only the members' leader can be asked for that.
        for member in &cluster.members {
            if member.client().await.move_leader(other).await.is_ok() {
                moved += 1;
                break;
            }
        }
        leader(&electors).await;
    }
    assert!(moved > 0, "etcd has never elected another leader");
    // The one that they are all connected to first.
    cluster.members[0].kill();
    until("a new leader, or the same", async || {
        let standings: Vec<_> = electors.iter().map(Elector::standing).collect();
        let known = standings.iter().filter(|standing| !standing.leadership.is_frozen() && standing.trouble.is_none());
        if known.count() == 3 { Ok(()) } else { Err(standings) }
    })
    .await;
    judge.says_nothing();
}

async fn c45_a_lost_quorum_lapses_the_leader_until_it_is_back(version: Etcd) {
    let mut cluster = Cluster::start(version, 3, "http", &[]).await;
    let electors: Vec<_> = (1..=2).map(|number| Elector::start(&cluster, number)).collect();
    let judge = Judge::of(&electors);
    let (at, term) = leader(&electors).await;
    cluster.members[1].kill();
    cluster.members[2].kill();
    electors[at].until_role("lapsed", |role| *role == Leadership::Lapsed { term }).await;
    electors[1 - at].until_role("unsure", |role| matches!(role, Leadership::Unsure { .. })).await;
    electors[at].until_trouble("etcd at").await;
    cluster.run(1);
    cluster.run(2);
    let (_, newer) = leader(&electors).await;
    assert!(newer >= term);
    judge.says_nothing();
}

async fn c36_a_wiped_store_does_not_lose_the_terms(version: Etcd) {
    let mut cluster = Cluster::one(version).await;
    let mut first = Elector::start(&cluster, 1);
    for _ in 0..2 {
        first.until_leads().await;
        first = first.killed_and_started_again();
    }
    let term = first.until_leads().await;
    let second = Elector::start_with(etcd(&cluster), 2);
    second.until_follows(&first.me(), term).await;
    until("the term in the standby's directory", async || {
        let text = std::fs::read_to_string(second.state_dir().join("term")).unwrap_or_default();
        if text.contains(&format!("\"term\":{term}}}")) { Ok(()) } else { Err(text) }
    })
    .await;
    cluster.members[0].kill();
    cluster.members[0].wipe();
    cluster.run(0);
    cluster.members[0].ready().await;
    drop(first);
    // It has never led, and its store has never heard of any term.
    assert_eq!(Some(second.until_leads().await), term.next());
    let mut client = cluster.client().await;
    assert_eq!(value(&mut client, &format!("{KEY}/term")).await, term.next().map(|term| term.to_string()));
}
