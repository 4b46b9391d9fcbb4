//! What a person orders, also while the store is down (P3).

use super::peer::Peer;
use super::until::until;
use super::world::{HOSTS, NONE, World, many};
use fingerpost::admin::proto::holds::Which;
use fingerpost::admin::proto::target::Which as Aim;
use fingerpost::admin::proto::{
    ApproveRequest, ChangeKind, DenyRequest, FreezeRequest, Holds, HoldsOfSource, ListForcedRequest, RestoreRequest,
    Target, UnfreezeRequest, WithdrawRequest,
};
use tonic::Code;

const ALL: [(&str, &str); 3] =
    [("10.244.1.0/24", "node-a1"), ("10.244.2.0/24", "node-b1"), ("10.244.3.0/24", "node-b1")];

async fn approve(world: &World, which: Which) -> u64 {
    let request = ApproveRequest { holds: Some(Holds { which: Some(which) }) };
    world.client.clone().approve(request).await.unwrap().into_inner().count
}

async fn withdraw(world: &World, aim: Aim) -> u64 {
    let request = WithdrawRequest { target: Some(Target { which: Some(aim) }), force: true };
    world.client.clone().withdraw(request).await.unwrap().into_inner().count
}

async fn restore(world: &World, aim: Aim) -> Result<(), Code> {
    let request = RestoreRequest { target: Some(Target { which: Some(aim) }) };
    world.client.clone().restore(request).await.map(|_| ()).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn c51_an_emptied_source_is_held_until_a_person_approves() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some(NONE));
    let holds = world.until_held(3).await;
    for hold in &holds {
        assert_eq!(hold.kind, i32::from(ChangeKind::Withdrawal));
        assert!(hold.needs_person && !hold.denied, "{hold:?}");
        assert_eq!(
            hold.reason,
            "3 of the source's 3 routes are withdrawn or moved: a person must approve while it is most of them"
        );
        assert!(hold.since.is_some() && hold.to.is_none());
    }
    assert_eq!(holds[0].from.as_ref().map(|from| from.next_hop.as_str()), Some("10.168.0.11"));
    world.until_announced(&ALL).await;
    assert_eq!(world.status().await.sources[0].held_withdrawals, 3);

    assert_eq!(approve(&world, Which::Prefix("10.244.3.0/24".into())).await, 1);
    world.until_announced(&ALL[..2]).await;
    assert_eq!(approve(&world, Which::Host("node-b1".into())).await, 1);
    world.until_announced(&ALL[..1]).await;
    assert_eq!(approve(&world, Which::Host("node-b1".into())).await, 0, "nothing of it is held any more");
    assert_eq!(approve(&world, Which::All(true)).await, 1);
    world.until_announced(&[]).await;
    assert!(world.holds().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_stays_and_says_so() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some(NONE));
    world.until_held(3).await;
    let of = |kind: ChangeKind| Which::Source(HoldsOfSource { name: "lab".into(), kind: kind.into() });
    let deny = async |which: Which| {
        let request = DenyRequest { holds: Some(Holds { which: Some(which) }) };
        world.client.clone().deny(request).await.unwrap().into_inner().count
    };
    assert_eq!(deny(of(ChangeKind::Move)).await, 0);
    assert_eq!(deny(of(ChangeKind::Withdrawal)).await, 3);
    assert!(world.holds().await.iter().all(|hold| hold.denied));
    world.until_announced(&ALL).await;
    // A person may think again.
    assert_eq!(approve(&world, of(ChangeKind::Unspecified)).await, 3);
    world.until_announced(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_approval_and_forced_withdrawal_work_while_the_store_is_down() {
    let world = World::ready(HOSTS, "").await;
    world.write_hosts(Some("hosts:\n  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }\n"));
    // Two of three are within the limit of five, and not most of a small source.
    world.until_announced(&ALL[..1]).await;
    world.write_hosts(Some(NONE));
    world.until_held(1).await;
    world.write_hosts(None);
    world.until_stale().await;
    assert_eq!(approve(&world, Which::All(true)).await, 1);
    world.until_announced(&[]).await;

    let world = World::ready(HOSTS, "").await;
    world.write_hosts(None);
    world.until_stale().await;
    assert_eq!(withdraw(&world, Aim::Host("node-b1".into())).await, 2);
    world.until_announced(&ALL[..1]).await;
    assert_eq!(withdraw(&world, Aim::Prefix("10.244.1.0/24".into())).await, 1);
    world.until_announced(&[]).await;
    let forced = world.client.clone().list_forced(ListForcedRequest {}).await.unwrap().into_inner().forced;
    assert_eq!(forced.len(), 2);
    assert_eq!(world.status().await.forced, 2);
    assert_eq!(restore(&world, Aim::Host("node-b1".into())).await, Ok(()));
    assert_eq!(restore(&world, Aim::Prefix("10.244.1.0/24".into())).await, Ok(()));
    world.until_announced(&ALL).await;
    assert_eq!(restore(&world, Aim::Host("node-b1".into())).await, Err(Code::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_nothing_changes_and_what_came_meanwhile_passes_the_guard() {
    let world = World::ready(&many(20), "").await;
    let before = world.announced().await;
    let mut client = world.client.clone();
    let answer = client.freeze(FreezeRequest {}).await.unwrap().into_inner();
    assert!(answer.changed && answer.frozen_since.is_some());
    assert!(!client.freeze(FreezeRequest {}).await.unwrap().into_inner().changed);
    let revision = world.status().await.sources[0].revision;
    world.write_hosts(Some(&many(18)));
    world.until_status("the file as it is now", |status| status.sources[0].revision > revision).await;
    assert_eq!(world.announced().await, before);
    let request = WithdrawRequest { target: Some(Target { which: Some(Aim::Host("node-0".into())) }), force: true };
    assert!(client.withdraw(request).await.unwrap().into_inner().frozen);
    assert_eq!(world.announced().await, before);
    assert!(client.unfreeze(UnfreezeRequest {}).await.unwrap().into_inner().changed);
    assert!(!client.unfreeze(UnfreezeRequest {}).await.unwrap().into_inner().changed);
    let wanted: Vec<_> =
        before.iter().filter(|(_, host)| !["node-0", "node-18", "node-19"].contains(&&**host)).collect();
    let wanted: Vec<_> = wanted.iter().map(|(prefix, host)| (prefix.as_str(), host.as_str())).collect();
    world.until_announced(&wanted).await;

    client.freeze(FreezeRequest {}).await.unwrap();
    let revision = world.status().await.sources[0].revision;
    world.write_hosts(Some(NONE));
    world.until_status("the file as it is now", |status| status.sources[0].revision > revision).await;
    client.unfreeze(UnfreezeRequest {}).await.unwrap();
    world.until_held(17).await;
    world.until_announced(&wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_takes_all_routes_away_waits_for_a_person() {
    let peer = Peer::listen().await;
    let mut world = World::ready(HOSTS, &peer.yaml("core-a")).await;
    let exported = async |world: &World| world.gateway().await.families[0].exported;
    world.reload(&peer.yaml("core-a"), "{ match: {}, then: reject }").await;
    let reload = until("the held reload", async || {
        let answer = world.held().await;
        if answer.reload.is_empty() { Err(answer) } else { Ok(answer.reload) }
    })
    .await;
    assert_eq!((reload[0].what.as_str(), reload[0].withdrawn, reload[0].of), ("policy default", 3, 3));
    assert_eq!(exported(&world).await, 3);
    let deny = DenyRequest { holds: Some(Holds { which: Some(Which::Reload(true)) }) };
    let status = world.client.clone().deny(deny).await.unwrap_err();
    assert!(status.message().contains("write the configuration as it was"), "{status}");
    assert_eq!(approve(&world, Which::Reload(true)).await, 1);
    assert_eq!(exported(&world).await, 0);
    assert!(world.held().await.reload.is_empty());
}
