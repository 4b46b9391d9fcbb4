//! What a restart must not forget (P3).

use super::peer::Peer;
use super::until::until;
use super::world::{HOSTS, World, many};
use fingerpost::admin::proto::target::Which as Aim;
use fingerpost::admin::proto::{
    ApproveRequest, DenyRequest, FreezeRequest, Holds, RestoreRequest, Target, UnfreezeRequest, WithdrawRequest,
    holds::Which,
};

#[tokio::test(flavor = "multi_thread")]
async fn c51_restarts_do_not_let_a_source_be_emptied_a_limits_worth_each_time_p3() {
    let mut world = World::ready(&many(100), "").await;
    world.until_kept(100).await;
    // A tenth of them each time: a fifth may go in an hour.
    for (hosts, announced) in [(90, 90), (81, 81), (73, 81)] {
        world.write_hosts(Some(&many(hosts)));
        world = world.restart("").await;
        world.until_listed().await;
        assert_eq!(world.announced().await.len(), announced, "of {hosts}");
        world.until_kept(announced).await;
    }
    assert_eq!(world.holds().await.len(), 8);
    world.write_hosts(Some(&many(81)));
    world.until_held(0).await;
}

const ALL: [(&str, &str); 3] =
    [("10.244.1.0/24", "node-a1"), ("10.244.2.0/24", "node-b1"), ("10.244.3.0/24", "node-b1")];

/// What is left of these hosts: the first.
const LEFT: &str = "hosts:
  node-a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] }
";

fn host(name: &str) -> Option<Target> {
    Some(Target { which: Some(Aim::Host(name.into())) })
}

#[tokio::test(flavor = "multi_thread")]
async fn c52_orders_outlive_the_process_that_was_given_them_p3() {
    let world = World::ready(HOSTS, "").await;
    let mut client = world.client.clone();
    let request = WithdrawRequest { target: host("node-a1"), force: true };
    assert_eq!(client.withdraw(request).await.unwrap().into_inner().not_kept, "");
    world.until_kept(2).await;
    world.write_hosts(Some(LEFT));
    world.until_held(2).await;
    let request = DenyRequest { holds: Some(Holds { which: Some(Which::Prefix("10.244.3.0/24".into())) }) };
    assert_eq!(client.deny(request).await.unwrap().into_inner().not_kept, "");
    let frozen = client.freeze(FreezeRequest {}).await.unwrap().into_inner();
    assert_eq!((frozen.not_kept.as_str(), frozen.changed), ("", true));

    let world = world.restart("").await;
    let mut client = world.client.clone();
    world.until_listed().await;
    let status = world.status().await;
    assert_eq!((status.forced, status.sources[0].held_withdrawals), (1, 0), "frozen, nothing is judged");
    let apart = status.frozen_since.unwrap().seconds - frozen.frozen_since.unwrap().seconds;
    assert!(apart.abs() <= 1, "{apart}");
    world.until_announced(&ALL[1..]).await;

    assert!(client.unfreeze(UnfreezeRequest {}).await.unwrap().into_inner().changed);
    let holds = world.until_held(2).await;
    let denied: Vec<_> = holds.iter().filter(|hold| hold.denied).map(|hold| hold.prefix.as_str()).collect();
    assert_eq!(denied, ["10.244.3.0/24"]);
    let world = world.restart("").await;
    world.until_held(2).await;
    assert!(world.status().await.frozen_since.is_none(), "nor does it forget that this was taken back");
    world.client.clone().restore(RestoreRequest { target: host("node-a1") }).await.unwrap();
    world.write_hosts(Some(HOSTS));
    world.until_announced(&ALL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c50_a_process_that_cannot_know_its_orders_starts_frozen_and_says_how_to_go_on_p3() {
    let world = World::ready(HOSTS, "").await;
    world.until_kept(2).await;
    std::fs::write(world.path().join("state/orders"), "{\"fingerpost_orders\":1,\"frozen_since\":0}\n").unwrap();
    let world = world.restart("").await;
    world.until_listed().await;
    world.until_announced(&ALL).await;
    let status = world.prints("status").await;
    let frozen = status.lines().find(|line| line.starts_with("frozen ")).unwrap();
    assert!(frozen.contains("state/orders.refused") && frozen.ends_with("then fingerpost unfreeze"), "{status}");
    let world = world.restart("").await;
    world.until_listed().await;
    let status = world.status().await;
    assert!(status.frozen_since.is_some() && status.frozen_because.contains("cannot be known"), "{status:?}");
    assert!(world.client.clone().unfreeze(UnfreezeRequest {}).await.unwrap().into_inner().changed);
    let world = world.restart("").await;
    world.until_listed().await;
    let status = world.status().await;
    assert_eq!((status.frozen_since, status.frozen_because.as_str()), (None, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn c59_an_order_that_cannot_be_written_is_carried_out_and_says_that_a_restart_will_not_know_it() {
    let world = World::ready(HOSTS, "").await;
    // A directory where the new file would be: also root cannot write it.
    let wall = world.path().join("state/.orders.new");
    std::fs::create_dir_all(&wall).unwrap();
    let done = world.run("withdraw --force --host node-a1").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.starts_with("in force, but a restart will not know it: "), "{done:?}");
    world.until_announced(&ALL[1..]).await;
    std::fs::remove_dir(&wall).unwrap();
    let file = world.path().join("state/orders");
    until("the order on disk", async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.contains("node-a1") { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(world.prints("withdraw --force --host node-b1").await.lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_another_policy_is_judged_like_a_reload_p3() {
    const REJECT: &str = "{ match: {}, then: reject }";
    let peer = Peer::listen().await;
    let gateway = &peer.yaml("core-a");
    let world = World::ready(HOSTS, gateway).await;
    world.until_kept(2).await;
    let kept = async |world: &World, text: &str| {
        let file = world.path().join("state/config");
        until("the configuration on disk", async || {
            let found = std::fs::read_to_string(&file).unwrap_or_default();
            if found.contains(text) { Ok(()) } else { Err(found) }
        })
        .await;
    };
    kept(&world, "accept").await;
    let world = world.restart_with(gateway, REJECT).await;
    world.until_listed().await;
    // As long as nobody approves it, it is held again.
    let world = world.restart_with(gateway, REJECT).await;
    world.until_listed().await;
    let reload = world.held().await.reload;
    assert_eq!((reload.len(), reload[0].what.as_str(), reload[0].withdrawn), (1, "policy default", 3));
    let holds = Some(Holds { which: Some(Which::Reload(true)) });
    assert_eq!(world.client.clone().approve(ApproveRequest { holds }).await.unwrap().into_inner().count, 1);
    kept(&world, "reject").await;
    let world = world.restart_with(gateway, REJECT).await;
    world.until_listed().await;
    assert!(world.held().await.reload.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn c51_what_a_source_under_another_name_lacks_is_held_p3() {
    let world = World::ready(HOSTS, "").await;
    world.until_kept(2).await;
    let file = world.path().join("state/config");
    until("the configuration on disk", async || if file.exists() { Ok(()) } else { Err("it is not there") }).await;
    world.write_hosts(Some("hosts: { node-c1: { addresses: [10.168.0.31], subnets: [10.244.9.0/24] } }\n"));
    let world = world.restart_renamed("renamed").await;
    world.until_listed().await;
    let holds = world.until_held(3).await;
    assert!(holds.iter().all(|hold| hold.source == "renamed"), "{holds:?}");
    // What is decided about it goes on, too. (What is not has room in the limits by then, for the source has one more.)
    for (prefix, _) in ALL {
        let request = DenyRequest { holds: Some(Holds { which: Some(Which::Prefix(prefix.into())) }) };
        assert_eq!(world.client.clone().deny(request).await.unwrap().into_inner().not_kept, "");
    }
    until("the name on disk", async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if text.contains("renamed") { Ok(()) } else { Err(text) }
    })
    .await;
    let world = world.restart_renamed("once-more").await;
    world.until_listed().await;
    let holds = world.until_held(3).await;
    assert!(holds.iter().all(|hold| hold.source == "once-more" && hold.denied), "{holds:?}");
    assert_eq!(world.announced().await[..3], ALL.map(|(prefix, host)| (prefix.into(), host.into())));
}
