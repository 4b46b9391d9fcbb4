//! Users and permissions.

use crate::elector::{Elector, KEY, etcd, value};
use crate::server::{Cluster, Etcd};
use etcd_client::{Client, ConnectOptions, Permission, PermissionType};
use fingerpost::source::etcd::{Auth, EtcdConfig};
use fingerpost_core::model::Leadership;

on_each_etcd!(
    a_wrong_password_is_told_and_not_shown_p9,
    c66_permission_on_the_elections_keys_is_all_it_takes,
    c66_a_certificate_that_is_missing_is_told,
);

/// An etcd with users: root, and replica, who may do nothing yet.
async fn with_users(version: Etcd) -> (Cluster, Client) {
    // Quick logins: on a machine that does much else, the usual ones take longer than a short lease's answers may.
    let cluster = Cluster::start(version, 1, "http", &["--bcrypt-cost=4".to_owned()]).await;
    let mut client = cluster.client().await;
    client.role_add("root").await.unwrap();
    client.user_add("root", "rootpw", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.role_add("replica").await.unwrap();
    client.user_add("replica", "replicapw", None).await.unwrap();
    client.user_grant_role("replica", "replica").await.unwrap();
    client.auth_enable().await.unwrap();
    let root = ConnectOptions::new().with_user("root", "rootpw").with_auto_token_refresh(true);
    let client = Client::connect(cluster.endpoints(), Some(root)).await.unwrap();
    (cluster, client)
}

fn login(cluster: &Cluster, password: &str) -> EtcdConfig {
    let password_file = cluster.members[0].folder().join("password");
    std::fs::write(&password_file, password).unwrap();
    EtcdConfig { auth: Some(Auth { user: "replica".into(), password_file }), ..etcd(cluster) }
}

async fn a_wrong_password_is_told_and_not_shown_p9(version: Etcd) {
    let (cluster, _root) = with_users(version).await;
    let elector = Elector::start_with(login(&cluster, "hunter2"), 1);
    let trouble = elector.until_trouble("check user and password").await;
    assert!(!trouble.contains("hunter2"), "{trouble}");
    assert!(matches!(elector.standing().leadership, Leadership::Unsure { .. }));
    let elector = Elector::start(&cluster, 2);
    elector.until_trouble("set user and password_file").await;
}

async fn c66_permission_on_the_elections_keys_is_all_it_takes(version: Etcd) {
    let (cluster, mut root) = with_users(version).await;
    let elector = Elector::start_with(login(&cluster, "replicapw"), 1);
    let command = format!("etcdctl role grant-permission ROLE readwrite --prefix {KEY}");
    elector.until_trouble(&command).await;
    let reads = Permission::new(PermissionType::Read, KEY).with_prefix();
    root.role_grant_permission("replica", reads).await.unwrap();
    elector.until_trouble(&command).await;
    assert_eq!(value(&mut root, KEY).await, None);
    let both = Permission::new(PermissionType::Readwrite, KEY).with_prefix();
    root.role_grant_permission("replica", both).await.unwrap();
    let term = elector.until_leads().await;
    elector.until_well().await;
    // All that an elector does, but for what a wiped store takes.
    let second = Elector::start_with(login(&cluster, "replicapw"), 2);
    second.until_follows(&elector.me(), term).await;
    elector.handle.give_way();
    second.until_leads().await;
    let identity = second.me().identity;
    second.handle.leave().await;
    assert_eq!(value(&mut root, &format!("{KEY}/replicas/{identity}")).await, None, "the lease was given back");
    elector.until_leads().await;
    elector.until_well().await;
}

async fn c66_a_certificate_that_is_missing_is_told(version: Etcd) {
    let cluster = Cluster::one(version).await;
    let mut config = etcd(&cluster);
    config.tls = Some(fingerpost::source::etcd::Tls {
        ca: cluster.members[0].folder().join("ca.crt"),
        cert: None,
        key: None,
        server_name: None,
    });
    config.endpoints = config.endpoints.iter().map(|endpoint| endpoint.replace("http:", "https:")).collect();
    let elector = Elector::start_with(config, 1);
    elector.until_trouble("ca.crt").await;
}
