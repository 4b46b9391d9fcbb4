//! Users, permissions, certificates.

use crate::follower::Follower;
use crate::server::{Cluster, available};
use crate::{plain, put};
use etcd_client::{Client, ConnectOptions, Permission, PermissionType, RoleRevokePermissionOptions};
use fingerpost::source::etcd::{Auth, EtcdConfig, Tls};
use fingerpost_core::source::FaultKind;
use fingerpost_core::source::sync::{Note, Seen, Timing};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// An etcd with users: root, and reader, who may read `/fp/hosts/`.
async fn with_users(args: &[&str]) -> (Cluster, Client) {
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let cluster = Cluster::start(1, "http", &args).await;
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

fn failed_as(kind: FaultKind, says: &str) -> impl Fn(&Follower) -> bool {
    move |follower| {
        follower.notes.iter().any(|note| {
            matches!(note, Note::Failing(fault) | Note::Lost(fault)
                if fault.kind == kind && fault.message.contains(says))
        })
    }
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_not_shown_p9() {
    if !available("a_wrong_password_is_denied_and_not_shown_p9") {
        return;
    }
    let (cluster, _root) = with_users(&[]).await;
    let mut follower = Follower::start(login(&cluster, "reader", "hunter2")).await;
    follower.until("denied", failed_as(FaultKind::Denied, "check user and password")).await;
    assert!(!format!("{:?}", follower.notes).contains("hunter2"));
    assert!(!format!("{:?}", login(&cluster, "reader", "hunter2")).contains("hunter2"));
    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("denied", failed_as(FaultKind::Denied, "set user and password_file")).await;
}

#[tokio::test]
async fn c35_a_revoked_permission_never_means_empty_p2() {
    if !available("c35_a_revoked_permission_never_means_empty_p2") {
        return;
    }
    let (mut cluster, mut root) = with_users(&[]).await;
    let timing = Timing {
        reconcile: Duration::from_millis(300),
        reconcile_pause: Duration::from_millis(300),
        ..Timing::default()
    };
    let mut follower = Follower::start_with(login(&cluster, "reader", "readerpw"), timing).await;
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

#[tokio::test]
async fn c35_a_changed_password_is_taken_from_its_file() {
    if !available("c35_a_changed_password_is_taken_from_its_file") {
        return;
    }
    let (mut cluster, mut root) = with_users(&[]).await;
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

#[tokio::test]
async fn c35_a_token_that_has_run_out_is_renewed() {
    if !available("c35_a_token_that_has_run_out_is_renewed") {
        return;
    }
    // etcd counts a token's life from its last use, in whole seconds.
    let (cluster, mut root) = with_users(&["--auth-token-ttl", "1"]).await;
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

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").current_dir(dir).args(args.split(' ')).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority `NAME.crt`.
fn authority(dir: &Path, name: &str) {
    openssl(dir, &format!("ecparam -name prime256v1 -genkey -noout -out {name}.key"));
    openssl(dir, &format!("req -x509 -new -key {name}.key -subj /CN={name} -days 2 -out {name}.crt"));
}

/// A certificate for 127.0.0.1 and etcd.example, signed by `by`.
fn certificate(dir: &Path, name: &str, by: &str) {
    let extensions = "subjectAltName=IP:127.0.0.1,DNS:etcd.example\nextendedKeyUsage=serverAuth,clientAuth\n";
    std::fs::write(dir.join("extensions"), extensions).unwrap();
    openssl(dir, &format!("ecparam -name prime256v1 -genkey -noout -out {name}.sec1"));
    openssl(dir, &format!("pkcs8 -topk8 -nocrypt -in {name}.sec1 -out {name}.key"));
    openssl(dir, &format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
    openssl(
        dir,
        &format!(
            "x509 -req -in {name}.csr -CA {by}.crt -CAkey {by}.key -CAcreateserial -days 2 -extfile extensions -out {name}.crt"
        ),
    );
}

#[tokio::test]
async fn tls_checks_etcd_and_shows_our_certificate() {
    if !available("tls_checks_etcd_and_shows_our_certificate") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    authority(path, "ca");
    authority(path, "other");
    certificate(path, "server", "ca");
    certificate(path, "client", "ca");
    let file = |name: &str| path.join(name);
    let args = [
        format!("--cert-file={}", file("server.crt").display()),
        format!("--key-file={}", file("server.key").display()),
        format!("--trusted-ca-file={}", file("ca.crt").display()),
        "--client-cert-auth".into(),
    ];
    let cluster = Cluster::start(1, "https", &args).await;
    let tls =
        Tls { ca: file("ca.crt"), cert: Some(file("client.crt")), key: Some(file("client.key")), server_name: None };
    let config = |tls: Tls| EtcdConfig { tls: Some(tls), ..plain(cluster.endpoints()) };

    let mut follower = Follower::start(config(tls.clone())).await;
    follower.until("current", |follower| follower.sync.seen().is_current()).await;

    let wrong_ca = Tls { ca: file("other.crt"), ..tls.clone() };
    let mut follower = Follower::start(config(wrong_ca)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "check ca")).await;

    let wrong_name = Tls { server_name: Some("other.example".into()), ..tls.clone() };
    let mut follower = Follower::start(config(wrong_name)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "name")).await;

    let right_name = Tls { server_name: Some("etcd.example".into()), ..tls.clone() };
    let mut follower = Follower::start(config(right_name)).await;
    follower.until("current", |follower| follower.sync.seen().is_current()).await;

    let no_certificate = Tls { cert: None, key: None, ..tls.clone() };
    let mut follower = Follower::start(config(no_certificate)).await;
    // The server's alert comes after the handshake (TLS 1.3), and may be lost with the connection.
    let alert = failed_as(FaultKind::Tls, "cert");
    let closed = failed_as(FaultKind::Unreachable, "client certificate");
    follower.until("a fault that names the certificate", |follower| alert(follower) || closed(follower)).await;

    let no_file = Tls { ca: file("missing.crt"), ..tls.clone() };
    let mut follower = Follower::start(config(no_file)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "missing.crt")).await;

    let mut follower = Follower::start(EtcdConfig { tls: None, ..config(tls) }).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "check ca")).await;
}
