//! One leads, the others stand by, and it is followed however it ends.

use crate::elector::{Elector, Judge, KEY, leader, value};
use crate::log::Log;
use crate::server::{Cluster, Etcd};
use fingerpost_core::model::Leadership;

on_each_etcd!(
    c41_one_of_three_leads_and_is_followed_when_it_is_killed_p7,
    c41_who_gives_way_or_leaves_is_followed_at_once,
    a_restart_within_its_own_lease_waits_for_it_to_end,
);

async fn c41_one_of_three_leads_and_is_followed_when_it_is_killed_p7(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let mut electors: Vec<_> = (1..=3).map(|number| Elector::start(&cluster, number)).collect();
    let judge = Judge::of(&electors);
    let mut before = None;
    while electors.len() > 1 {
        let (at, term) = leader(&electors).await;
        assert_eq!(Some(term), before.map_or(Some(term), |before: fingerpost_core::model::Term| before.next()));
        let dead = electors.remove(at);
        for standby in &electors {
            standby.until_follows(&dead.me(), term).await;
        }
        before = Some(term);
    }
    let (_, term) = leader(&electors).await;
    assert_eq!(term.get(), 3);
    judge.says_nothing();
}

async fn c41_who_gives_way_or_leaves_is_followed_at_once(etcd: Etcd) {
    let log = Log::kept();
    let cluster = Cluster::one(etcd).await;
    let mut client = cluster.client().await;
    let mut electors: Vec<_> = (1..=2).map(|number| Elector::start(&cluster, number)).collect();
    let judge = Judge::of(&electors);
    let (first, term) = leader(&electors).await;
    let second = 1 - first;
    electors[second].until_follows(&electors[first].me(), term).await;
    let presence = format!("{KEY}/replicas/{}", electors[first].me().identity);
    let lease = client.get(&*presence, None).await.unwrap().kvs()[0].lease();
    electors[first].handle.give_way();
    let newer = electors[second].until_leads().await;
    assert_eq!(Some(newer), term.next());
    electors[first].until_follows(&electors[second].me(), newer).await;
    let roles = electors[first].roles();
    assert!(roles.contains(&Leadership::Lapsed { term }), "who gives way knows of no leader at first: {roles:?}");
    // It takes part all the while, and nobody has waited for its lease to end.
    assert_eq!(client.get(&*presence, None).await.unwrap().kvs()[0].lease(), lease);

    let left = electors.remove(second);
    let identity = left.me().identity;
    left.handle.leave().await;
    let leader = value(&mut client, KEY).await.unwrap_or_default();
    assert!(!leader.contains(&*identity), "its key went with it, long before its lease would have ended: {leader}");
    assert_eq!(value(&mut client, &format!("{KEY}/replicas/{identity}")).await, None);
    // It has held off since it gave way, at most for a lease's time.
    electors[0].until_leads().await;
    judge.says_nothing();
    // Both were told to: that is nothing to be warned of.
    let said = log.with("this replica has given the lead back");
    assert!(said.len() == 2 && said.iter().all(|line| line.contains(" INFO ")), "{said:?}");
    assert_eq!(log.with("leads no more and does not know who does"), [""; 0]);
}

async fn a_restart_within_its_own_lease_waits_for_it_to_end(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let first = Elector::start(&cluster, 1);
    let term = first.until_leads().await;
    let old = first.me();
    let again = first.killed_and_started_again();
    assert_eq!((again.me().identity, again.me().instance == old.instance), (old.identity, false));
    assert_eq!(Some(again.until_leads().await), term.next());
    // A second process with its identity would be told in time; a predecessor is none.
    assert!(again.roles().iter().all(|role| !matches!(role, Leadership::Standby { .. })), "{:?}", again.roles());
}
