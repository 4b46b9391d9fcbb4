//! A leader that is taken out of service.

use crate::gateway::{Gateway, Heard};
use crate::orders::{command, spread, two, until_standby};
use crate::replicas::{Replica, put};
use crate::server::{Cluster, Etcd};
use crate::until::until;
use fingerpost_core::engine::{Command as Ordered, Engine, Role};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

on_each_etcd!(
    c12_a_leader_that_is_drained_leaves_lead_and_routes_to_another_p7_p10,
    c12_who_is_drained_does_not_begin_to_lead_where_another_could,
    c12_a_gateway_that_is_drained_at_one_replica_is_drained_by_all_and_after_a_restart,
);

/// `fingerpost run`, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn c12_a_leader_that_is_drained_leaves_lead_and_routes_to_another_p7_p10(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let with_socket = |text: String, directory: &TempDir| {
        let text = text.replace("replicas: 2", "replicas: 2, drain_time: 3s");
        format!("{text}admin: {{ listen: \"unix:{}/admin.sock\" }}\n", directory.path().display())
    };
    let (directory, gateway) = (TempDir::new().unwrap(), Gateway::listen().await);
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, with_socket(Replica::text(&cluster, 1, &gateway), &directory)).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    let first = process.args(["run", "--config"]).arg(&file).stderr(Stdio::null()).spawn().unwrap();
    let mut first = Running(first);
    until("the leader's path", async || {
        let told = gateway.table();
        if told.values().any(|med| *med < 1_000_000) { Ok(()) } else { Err(told) }
    })
    .await;
    let place = Arc::new(TempDir::new().unwrap());
    let second = Replica::start_in(&cluster, 2, Arc::clone(&place), |text| with_socket(text, &place)).await;
    second.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    // Until the leader has heard that the other one has read the source, and has a session.
    until("that there is somebody to take over", async || match command(directory.path(), &["drain"]).await {
        (Some(0), _) => Ok(()),
        refused => Err(refused),
    })
    .await;
    let route = "10.244.1.0/24".parse().unwrap();
    until("GRACEFUL_SHUTDOWN", async || {
        let heard = gateway.heard();
        if heard.contains(&Heard::Drained(route)) { Ok(()) } else { Err(heard) }
    })
    .await;
    until("that the other one knows", async || {
        let leaves =
            |engine: &Engine| engine.replicas().iter().any(|known| known.report.leaving || known.gone.is_some());
        if second.service.engine().look(leaves).await == Some(true) { Ok(()) } else { Err("it does not") }
    })
    .await;
    let (code, said) = command(place.path(), &["drain"]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("no other replica is there that could take over"), "{said}");
    let ended = until("its end", async || first.0.try_wait().unwrap().ok_or("it runs")).await;
    assert_eq!(ended.code(), Some(0));
    assert!(!gateway.heard().iter().any(|heard| matches!(heard, Heard::Withdrawn(_) | Heard::Notification)));
    let role = second.service.engine().look(|engine| engine.role().0).await.unwrap();
    assert!(matches!(role, Role::Leader { .. }), "by then: {role}");
    second.until_told(&["10.244.1.0/24"], "the new leader's path", |med| med < 1_000_000).await;
    assert!(!second.gateway.heard().contains(&Heard::Drained(route)));
}

async fn c12_who_is_drained_does_not_begin_to_lead_where_another_could(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let first = Replica::start(&cluster, 1).await;
    let term = first.until_leads().await;
    let place = Arc::new(TempDir::new().unwrap());
    let socket = place.path().join("admin.sock");
    let with_socket = |text| format!("{text}admin: {{ listen: \"unix:{}\" }}\n", socket.display());
    let drained = Replica::start_in(&cluster, 2, Arc::clone(&place), with_socket).await;
    until("that there is somebody to take over", async || match command(place.path(), &["drain"]).await {
        (Some(0), _) => Ok(()),
        refused => Err(refused),
    })
    .await;
    until("that the leader knows", async || {
        let leaves = |engine: &Engine| engine.replicas().iter().any(|known| known.report.leaving);
        if first.service.engine().look(leaves).await == Some(true) { Ok(()) } else { Err("it does not") }
    })
    .await;
    let third = Replica::start(&cluster, 3).await;
    until_standby(&third).await;
    first.hand_over().await;
    assert_eq!(third.until_leads().await, term + 1);
    drained
        .until_role("a standby of it", |role| matches!(role, Role::Standby { .. }) && role.term() == Some(term + 1))
        .await;
}

async fn until_drained(replica: &Replica, wanted: usize) {
    until("so many routes with GRACEFUL_SHUTDOWN", async || {
        let (told, drained) = (replica.gateway.table().len(), replica.gateway.drained().len());
        if (told, drained) == (12, wanted) { Ok(()) } else { Err((told, drained)) }
    })
    .await;
}

async fn c12_a_gateway_that_is_drained_at_one_replica_is_drained_by_all_and_after_a_restart(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let (first, second) = two(&cluster).await;
    let (code, said) = command(first.directory(), &["drain", "--gateway", "core"]).await;
    assert_eq!((code, said.as_str()), (Some(0), ""), "everywhere");
    for replica in [&first, &second] {
        until_drained(replica, 12).await;
    }
    let directory = second.hand_over().await;
    let second = Replica::start_in(&cluster, 2, directory, |text| text).await;
    until_drained(&second, 12).await;
    until_standby(&second).await;
    let exchange = spread(&second, Ordered::Undrain("core".into())).await;
    assert_eq!((exchange.failed.as_deref(), exchange.behind().count()), (None, 0));
    for replica in [&first, &second] {
        until_drained(replica, 0).await;
        assert!(!replica.gateway.heard().iter().any(|heard| matches!(heard, Heard::Withdrawn(_))));
    }
}
