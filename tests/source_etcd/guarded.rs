//! The whole service on an etcd that is put back to a backup: what was announced stays until a person says otherwise.

use crate::address::address;
use crate::client::get;
use crate::server::{Cluster, Etcd};
use crate::until::until;
use crate::{put, service};
use fingerpost::config;
use fingerpost::daemon::Service;
use fingerpost::speaker::Tcp;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

on_each_etcd!(c36_a_restart_on_a_restored_backup_holds_what_it_lacks_until_a_person_approves_p3);

/// Hosts that are in the backup, and all hosts.
const HOSTS: (usize, usize) = (3, 12);

async fn c36_a_restart_on_a_restored_backup_holds_what_it_lacks_until_a_person_approves_p3(etcd: Etcd) {
    let mut cluster = Cluster::one(etcd).await;
    let write = async |cluster: &Cluster, hosts: std::ops::Range<usize>| {
        for number in hosts {
            let (host, subnet) = (format!("a{number}"), format!("10.244.{number}.0/24"));
            put(&mut cluster.client().await, &host, &format!("10.168.0.{}", number + 1), &subnet).await;
        }
    };
    write(&cluster, 0..HOSTS.0).await;
    let backup = cluster.members[0].back_up().await;
    write(&cluster, HOSTS.0..HOSTS.1).await;

    let directory = tempfile::tempdir().unwrap();
    let http = SocketAddr::new(address(), 9179);
    let endpoint = cluster.endpoints().remove(0);
    let service = start(directory.path(), &endpoint, http).await;
    until_source(http, |source| source["state"] == "current").await;
    let snapshot = directory.path().join("state/snapshot-lab");
    until("the snapshot", async || {
        let lines = std::fs::read_to_string(&snapshot).unwrap_or_default().lines().count();
        // A head and a sum.
        if lines == HOSTS.1 + 2 { Ok(()) } else { Err(lines) }
    })
    .await;

    cluster.members[0].kill();
    cluster.restore(0, &backup, &[]);
    cluster.run(0);
    let why = until_source(http, |source| source["why"]["kind"] == "replaced").await["why"].to_string();
    assert!(why.contains("every difference is held until a person approves it"), "{why}");
    assert_eq!(list(http, "routes").await.len(), HOSTS.1);
    assert_eq!(list(http, "holds").await, Vec::<Value>::new());

    service.hand_over().await;
    let _service = start(directory.path(), &endpoint, http).await;
    until_source(http, |source| source["state"] == "current").await;
    let holds = list(http, "holds").await;
    assert_eq!(holds.len(), HOSTS.1 - HOSTS.0);
    let waits = |hold: &Value| hold["kind"] == "withdrawal" && hold["needs_person"] == true;
    assert!(holds.iter().all(waits), "{holds:?}");
    let routes = list(http, "routes").await;
    assert_eq!(routes.len(), HOSTS.1, "{routes:?}");
}

async fn start(directory: &Path, endpoint: &str, http: SocketAddr) -> Service {
    let text = service(endpoint, http, "gateways: {}\npolicies: {}\nstate_dir: state\n");
    std::fs::create_dir_all(directory.join("state")).unwrap();
    let config = config::parse(&text, &directory.join("config.yaml")).unwrap_or_else(|faults| panic!("{faults}"));
    Service::start(config, Arc::new(Tcp)).await.unwrap()
}

/// The source, once it is so.
async fn until_source(http: SocketAddr, is_so: impl Fn(&Value) -> bool) -> Value {
    until("the source", async || match crate::client::request(http, "GET", "/api/v1/sources").await {
        Ok(answer) => {
            let source = answer.json()["sources"][0].clone();
            if is_so(&source) { Ok(source) } else { Err(source.to_string()) }
        }
        Err(error) => Err(error.to_string()),
    })
    .await
}

async fn list(http: SocketAddr, what: &str) -> Vec<Value> {
    get(http, &format!("/api/v1/{what}?limit=1000")).await.json()[what].as_array().unwrap().clone()
}
