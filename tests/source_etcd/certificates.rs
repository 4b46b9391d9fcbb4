//! Certificates: wrong ones are refused, and renewed ones are used by the next connection.

use crate::follower::{Follower, brisk, current, failed_as, lost_as};
use crate::pki::{Lifetime, NAMES, Pki};
use crate::plain;
use crate::server::{Cluster, Etcd};
use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use fingerpost::source::etcd::{EtcdConfig, Tls};
use fingerpost_core::source::FaultKind;

on_each_etcd!(
    tls_checks_etcd_and_shows_our_certificate,
    c66_a_wrong_certificate_of_etcd_is_refused_and_its_routes_stay_p2,
    c35_a_renewed_certificate_of_either_side_is_used_by_the_next_connection,
    c35_an_authority_is_rotated_without_a_restart,
);

fn tls(pki: &Pki) -> Tls {
    Tls {
        ca: pki.file("ca.crt"),
        cert: Some(pki.file("client.crt")),
        key: Some(pki.file("client.key")),
        server_name: None,
    }
}

fn config(cluster: &Cluster, tls: Tls) -> EtcdConfig {
    EtcdConfig { tls: Some(tls), ..plain(cluster.endpoints()) }
}

/// An etcd that trusts `trusted.crt`, one record in it, and a follower that knows it.
async fn followed(etcd: Etcd, pki: &Pki) -> (Cluster, Follower) {
    pki.bundle(&["ca.crt"], "trusted.crt");
    let cluster = Cluster::start(etcd, 1, "https", &pki.server_args("trusted.crt")).await;
    let read = |name| std::fs::read(pki.file(name)).unwrap();
    let options = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(read("ca.crt")))
        .identity(Identity::from_pem(read("client.crt"), read("client.key")));
    cluster.members[0].log_says("ready to serve client requests").await;
    let mut client = Client::connect(cluster.endpoints(), Some(ConnectOptions::new().with_tls(options))).await.unwrap();
    crate::put(&mut client, "a1", "10.168.0.11", "10.244.1.0/24").await;
    let mut follower = Follower::start_with(config(&cluster, tls(pki)), brisk()).await;
    follower.until_table(&[("10.244.1.0/24", "10.168.0.11")]).await;
    follower.until("current", current).await;
    (cluster, follower)
}

/// etcd restarts, so that there is a new connection.
async fn reconnect(cluster: &mut Cluster, follower: &mut Follower) {
    cluster.members[0].kill();
    follower.until("lost", |follower| !current(follower)).await;
    cluster.run(0);
}

async fn tls_checks_etcd_and_shows_our_certificate(etcd: Etcd) {
    let pki = Pki::new();
    pki.authority("other");
    let cluster = Cluster::start(etcd, 1, "https", &pki.server_args("ca.crt")).await;
    let tls = tls(&pki);

    let mut follower = Follower::start(config(&cluster, tls.clone())).await;
    follower.until("current", current).await;

    let wrong_ca = Tls { ca: pki.file("other.crt"), ..tls.clone() };
    let mut follower = Follower::start(config(&cluster, wrong_ca)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "the file that ca names")).await;

    let wrong_name = Tls { server_name: Some("other.example".into()), ..tls.clone() };
    let mut follower = Follower::start(config(&cluster, wrong_name)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "set server_name")).await;

    let right_name = Tls { server_name: Some("etcd.example".into()), ..tls.clone() };
    let mut follower = Follower::start(config(&cluster, right_name)).await;
    follower.until("current", current).await;

    let no_certificate = Tls { cert: None, key: None, ..tls.clone() };
    let mut follower = Follower::start(config(&cluster, no_certificate)).await;
    follower.until("a fault that names the certificate", refused_by_etcd).await;

    let no_file = Tls { ca: pki.file("missing.crt"), ..tls };
    let mut follower = Follower::start(config(&cluster, no_file)).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "missing.crt")).await;

    let mut follower = Follower::start(plain(cluster.endpoints())).await;
    follower.until("a fault of TLS", failed_as(FaultKind::Tls, "the file that ca names")).await;
}

/// The server's alert comes after the handshake (TLS 1.3), and may be lost with the connection.
fn refused_by_etcd(follower: &Follower) -> bool {
    let alert = failed_as(FaultKind::Tls, "cert and key");
    let closed = failed_as(FaultKind::Unreachable, "client certificate");
    alert(follower) || closed(follower)
}

async fn c66_a_wrong_certificate_of_etcd_is_refused_and_its_routes_stay_p2(etcd: Etcd) {
    let pki = Pki::new();
    pki.authority("other");
    pki.certificate("good", "ca");
    pki.certificate("of-another-authority", "other");
    pki.certificate_for("of-another-name", "ca", "DNS:other.example", Lifetime::Now);
    pki.certificate_for("expired", "ca", NAMES, Lifetime::Past);
    let (mut cluster, mut follower) = followed(etcd, &pki).await;
    for (wrong, says) in [
        ("of-another-authority", "add etcd's authority to the file that ca names"),
        ("of-another-name", "set server_name"),
        ("expired", "renew etcd's certificate"),
    ] {
        pki.install(wrong, "server");
        reconnect(&mut cluster, &mut follower).await;
        follower.until(says, lost_as(FaultKind::Tls, says)).await;
        assert_eq!(follower.table().len(), 1, "{wrong}");
        // Mended, it is taken: etcd reads its certificate for each connection, too.
        pki.install("good", "server");
        follower.until("current", current).await;
    }
    assert!(follower.proofs.is_empty());
}

async fn c35_a_renewed_certificate_of_either_side_is_used_by_the_next_connection(etcd: Etcd) {
    let pki = Pki::new();
    pki.authority("next");
    let (mut cluster, mut follower) = followed(etcd, &pki).await;
    pki.certificate("server", "ca");
    reconnect(&mut cluster, &mut follower).await;
    follower.until("current", current).await;

    // etcd does not take the old one of ours any more.
    pki.bundle(&["next.crt"], "trusted.crt");
    follower.notes.clear();
    reconnect(&mut cluster, &mut follower).await;
    follower.until("refused", refused_by_etcd).await;
    pki.certificate("renewed", "next");
    pki.install("renewed", "client");
    follower.until("current", current).await;
    assert_eq!(follower.table().len(), 1);
    assert!(follower.proofs.is_empty());
}

async fn c35_an_authority_is_rotated_without_a_restart(etcd: Etcd) {
    let pki = Pki::new();
    pki.authority("next");
    pki.bundle(&["ca.crt"], "old.crt");
    let (mut cluster, mut follower) = followed(etcd, &pki).await;
    // Both are trusted on both sides, then etcd's and our certificates change, then the old authority goes.
    pki.bundle(&["old.crt", "next.crt"], "ca.crt");
    pki.bundle(&["old.crt", "next.crt"], "trusted.crt");
    reconnect(&mut cluster, &mut follower).await;
    follower.until("current", current).await;

    pki.certificate("server", "next");
    pki.certificate("client", "next");
    reconnect(&mut cluster, &mut follower).await;
    follower.until("current", current).await;

    pki.bundle(&["next.crt"], "ca.crt");
    pki.bundle(&["next.crt"], "trusted.crt");
    reconnect(&mut cluster, &mut follower).await;
    follower.until("current", current).await;
    assert!(!failed_as(FaultKind::Tls, "")(&follower), "{:?}", follower.notes);

    // The old one is out of use.
    pki.bundle(&["old.crt"], "ca.crt");
    reconnect(&mut cluster, &mut follower).await;
    follower.until("refused", lost_as(FaultKind::Tls, "the file that ca names")).await;
    assert_eq!(follower.table().len(), 1);
    assert!(follower.proofs.is_empty());
}
