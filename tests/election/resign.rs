//! A leader that nobody hears, and who leaves the lead to others.

use crate::log::Log;
use crate::replicas::{Replica, put};
use crate::server::{Cluster, Etcd, free_port};
use crate::until::until;
use fingerpost_core::engine::{Role, SourceRow};
use fingerpost_core::source::sync::Seen;
use std::sync::Arc;
use tempfile::TempDir;

on_each_etcd!(
    p10_a_leader_without_gateways_leaves_the_lead_to_one_that_has_some,
    p5_a_leader_that_has_lost_a_source_leaves_the_lead_to_one_that_has_not,
    who_has_read_nothing_says_that_it_leaves_the_lead_to_others,
);

async fn p10_a_leader_without_gateways_leaves_the_lead_to_one_that_has_some(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    // Nobody listens where its gateway is to be.
    let unheard = Replica::start_as(&cluster, 1, |text| {
        let (before, after) = text.split_once("port: ").unwrap();
        let (_, after) = after.split_once(',').unwrap();
        format!("{before}port: {},{after}", free_port())
    });
    let unheard = unheard.await;
    let term = unheard.until_leads().await;
    let heard = Replica::start(&cluster, 2).await;
    heard.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    assert_eq!(heard.until_leads().await, term + 1);
    heard.until_told(&["10.244.1.0/24"], "the new leader's path", |med| med == 1_000_000 - term - 1).await;
    let standby = unheard.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    assert_eq!(standby.term(), Some(term + 1), "it takes part as before");
}

async fn p5_a_leader_that_has_lost_a_source_leaves_the_lead_to_one_that_has_not(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    put(&cluster, "a", "10.168.0.11", r#""10.244.1.0/24""#).await;
    let with_file =
        |text: String| text.replacen("sources:\n", "sources:\n  lab: { file: { path: hosts.yaml, poll: 100ms } }\n", 1);
    let start = async |number| {
        let directory = Arc::new(TempDir::new().unwrap());
        let hosts = "hosts: { b: { addresses: [10.168.0.12], subnets: [10.244.2.0/24] } }\n";
        std::fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        Replica::start_in(&cluster, number, directory, with_file).await
    };
    let (first, log) = (start(1).await, Log::kept());
    let term = first.until_leads().await;
    let second = start(2).await;
    second.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    let both = ["10.244.1.0/24", "10.244.2.0/24"];
    second.until_told(&both, "a standby's paths", |_| true).await;
    std::fs::remove_file(first.directory().join("hosts.yaml")).unwrap();
    until("the first to have lost it", async || {
        let rows = first.service.engine().look(|engine| engine.source_rows()).await.unwrap();
        let lost = |row: &SourceRow| row.name == "lab" && matches!(row.seen, Seen::Lost { .. });
        if rows.iter().any(lost) { Ok(()) } else { Err(rows) }
    })
    .await;
    until("it to leave the lead", async || {
        let said = log.with("this replica leads and has lost a source, another one reads all: it leaves");
        if said.len() == 1 { Ok(()) } else { Err(said) }
    })
    .await;
    assert_eq!(second.until_leads().await, term + 1);
    second.until_told(&both, "the new leader's paths", |med| med == 1_000_000 - term - 1).await;
    first.until_told(&both, "what it knew of the source", |med| med > 1_000_000).await;
}

async fn who_has_read_nothing_says_that_it_leaves_the_lead_to_others(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    let log = Log::kept();
    // A list without any record is not believed.
    let _replica = Replica::start(&cluster, 1).await;
    until("a line that says so", async || {
        let said = log.with("leaves it to the others to lead");
        if said.len() == 1 && said[0].contains("if none of them does for 30 s, it does: see its sources") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
}
