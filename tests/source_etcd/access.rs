//! Users and permissions.

use crate::follower::{Follower, brisk, current, failed_as};
use crate::server::{Cluster, Etcd};
use crate::{plain, put};
use etcd_client::{Client, ConnectOptions, Permission, PermissionType, RoleRevokePermissionOptions};
use fingerpost::source::etcd::{Auth, EtcdConfig};
use fingerpost_core::source::FaultKind;
use fingerpost_core::source::sync::{Note, Seen, Timing};
use std::time::Duration;

on_each_etcd!(
    a_wrong_password_is_denied_and_not_shown_p9,
    c66_permission_to_read_the_records_is_all_it_takes,
    c35_a_revoked_permission_never_means_empty_p2,
    c35_a_changed_password_is_taken_from_its_file,
    c35_a_token_that_has_run_out_is_renewed,
);

/// An etcd with users: root, and reader, who may read `/fp/hosts/`.
async fn with_users(etcd: Etcd, args: &[&str]) -> (Cluster, Client) {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let cluster = Cluster::start(etcd, 1, "http", &args).await;
    let mut client = cluster.client().await;
    put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    client.role_add("root").await.unwrap();
    client.user_add("root", "rootpw", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.role_add("reader").await.unwrap();
    client.user_add("reader", "readerpw", None).await.unwrap();
    client.user_grant_role("reader", "reader").await.unwrap();
    client.role_grant_permission("reader", permission()).await.unwrap();
    client.auth_enable().await.unwrap();
    let root = ConnectOptions::new().with_user("root", "rootpw").with_auto_token_refresh(true);
    let client = Client::connect(cluster.endpoints(), Some(root)).await.unwrap();
    (cluster, client)
}

fn permission() -> Permission {
    Permission::new(PermissionType::Read, "/fp/hosts/").with_prefix()
}

fn login(cluster: &Cluster, user: &str, password: &str) -> EtcdConfig {
    let password_file = cluster.members[0].folder().join(format!("password-of-{user}"));
    std::fs::write(&password_file, password).unwrap();
    let auth = Some(Auth { user: user.into(), password_file });
    EtcdConfig { auth, ..plain(cluster.endpoints()) }
}

async fn a_wrong_password_is_denied_and_not_shown_p9(etcd: Etcd) {
    let (cluster, _root) = with_users(etcd, &[]).await;
    let mut follower = Follower::start(login(&cluster, "reader", "hunter2")).await;
    follower.until("denied", failed_as(FaultKind::Denied, "check user and password")).await;
    assert!(!format!("{:?}", follower.notes).contains("hunter2"));
    assert!(!format!("{:?}", login(&cluster, "reader", "hunter2")).contains("hunter2"));
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("denied", failed_as(FaultKind::Denied, "set user and password_file")).await;
}

async fn c66_permission_to_read_the_records_is_all_it_takes(etcd: Etcd) {
    let (mut cluster, mut root) = with_users(etcd, &[]).await;
    let mut follower = Follower::start_with(login(&cluster, "reader", "readerpw"), brisk()).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    // The watch, the comparison and what it fetches, and a return.
    put(&mut root, "a2", "10.168.0.12", "10.244.2.0/24").await;
    follower.until("the watch", |follower| follower.table().len() == 2).await;
    follower.deaf_to_events = true;
    put(&mut root, "a3", "10.168.0.13", "10.244.3.0/24").await;
    follower.until("the comparison", |follower| follower.table().len() == 3).await;
    cluster.members[0].kill();
    follower.until("lost", |follower| !current(follower)).await;
    cluster.run(0);
    follower.until("current", current).await;
    assert!(!failed_as(FaultKind::Denied, "")(&follower), "{:?}", follower.notes);
}

async fn c35_a_revoked_permission_never_means_empty_p2(etcd: Etcd) {
    let (mut cluster, mut root) = with_users(etcd, &[]).await;
    let mut follower = Follower::start_with(login(&cluster, "reader", "readerpw"), brisk()).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    // Not in the list, so told by the watch: it stands.
    put(&mut root, "a1", "10.168.0.42", "10.244.1.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.42")]).await;
    let all = RoleRevokePermissionOptions::new().with_prefix();
    root.role_revoke_permission("reader", "/fp/hosts/", Some(all)).await.unwrap();
    // The watch that stands goes on; the comparison is refused.
    let refused = |note: &Note| matches!(note, Note::ReconcileFailed(fault) if fault.kind == FaultKind::Denied);
    follower.until("refused", |follower| follower.notes.iter().any(refused)).await;
    // A new watch is refused, too.
    cluster.members[0].kill();
    cluster.run(0);
    follower.until("denied", failed_as(FaultKind::Denied, "permission")).await;
    assert!(matches!(follower.sync.seen(), Seen::Lost { .. }));
    assert_eq!(follower.table().len(), 1);
    let options = ConnectOptions::new().with_user("root", "rootpw");
    let mut root = Client::connect(cluster.endpoints(), Some(options)).await.unwrap();
    root.role_grant_permission("reader", permission()).await.unwrap();
    follower.until("current", |follower| follower.sync.seen().is_current()).await;
    assert!(follower.proofs.is_empty());
}

async fn c35_a_changed_password_is_taken_from_its_file(etcd: Etcd) {
    let (mut cluster, mut root) = with_users(etcd, &[]).await;
    let config = login(&cluster, "reader", "readerpw");
    let mut follower = Follower::start(config.clone()).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    root.user_change_password("reader", "another").await.unwrap();
    cluster.members[0].kill();
    cluster.run(0);
    follower.until("denied", failed_as(FaultKind::Denied, "check user and password")).await;
    login(&cluster, "reader", "another");
    follower.until("current", |follower| follower.sync.seen().is_current()).await;
    assert!(follower.proofs.is_empty() && follower.table().len() == 1);
    // A file that is gone is said, and is no reason to forget anything.
    std::fs::remove_file(config.auth.unwrap().password_file).unwrap();
    cluster.members[0].kill();
    cluster.run(0);
    follower.until("no password", failed_as(FaultKind::Denied, "password-of-reader")).await;
    assert_eq!(follower.table().len(), 1);
}

async fn c35_a_token_that_has_run_out_is_renewed(etcd: Etcd) {
    // etcd counts a token's life from its last use, in whole seconds.
    let (cluster, mut root) = with_users(etcd, &["--auth-token-ttl", "1"]).await;
    let (reconcile, reconcile_pause) = (Duration::from_secs(5), Duration::from_secs(5));
    let timing = Timing { reconcile, reconcile_pause, ..Timing::default() };
    let mut follower = Follower::start_with(login(&cluster, "reader", "readerpw"), timing).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    follower.until("current", |follower| follower.sync.seen().is_current()).await;
    // Connection and watch stand, and use no token. Only the comparison can tell this, and its token has run out by then.
    follower.deaf_to_events = true;
    put(&mut root, "a1", "10.168.0.42", "10.244.1.0/24").await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.42")]).await;
    let refused = |note: &Note| matches!(note, Note::ReconcileFailed(_) | Note::Lost(_) | Note::Failing(_));
    assert!(!follower.notes.iter().any(refused), "{:?}", follower.notes);
}
