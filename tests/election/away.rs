//! A replica that comes back after a time away.

use crate::replicas::{Replica, put};
use crate::server::{Cluster, Etcd};
use crate::until::until;
use fingerpost_core::engine::{Engine, Role, RouteRow, Wanted};
use fingerpost_core::model::Family;
use std::sync::Arc;
use tempfile::TempDir;

on_each_etcd!(p10_what_came_bit_by_bit_while_a_replica_was_away_passes_there_once_another_has_said_so);

const HOSTS: u8 = 12;

/// Any number of moves may pass, one by one; but not most of a source at once.
fn guarded(text: String) -> String {
    text + "guard: { at_least: 100 }\n"
}

fn next_hop(host: u8, has_moved: bool) -> String {
    format!("10.168.{}.{host}", u8::from(has_moved))
}

async fn put_host(cluster: &Cluster, host: u8, has_moved: bool) {
    put(cluster, &format!("h{host}"), &next_hop(host, has_moved), &format!(r#""10.244.{host}.0/24""#)).await;
}

/// Waits until it announces all of them, and the first so many at their new addresses.
async fn until_moved(replica: &Replica, moved: u8) {
    let wanted: Vec<String> = (1..=HOSTS).map(|host| next_hop(host, host <= moved)).collect();
    until("so many hosts at their new addresses", async || {
        let rows = |engine: &Engine| engine.route_rows(Family::Ipv4, 0, 100, |_| true).0;
        let rows = replica.service.engine().look(rows).await.unwrap();
        let hop = |row: &RouteRow| Some((row.prefix, row.announced.as_ref()?.1.to_string()));
        let mut hops: Vec<_> = rows.iter().filter_map(hop).collect();
        hops.sort();
        if hops.iter().map(|(_, hop)| hop).eq(&wanted) { Ok(()) } else { Err(hops) }
    })
    .await;
}

async fn p10_what_came_bit_by_bit_while_a_replica_was_away_passes_there_once_another_has_said_so(etcd: Etcd) {
    let cluster = Cluster::one(etcd).await;
    for host in 1..=HOSTS {
        put_host(&cluster, host, false).await;
    }
    let there = Replica::start_as(&cluster, 1, guarded).await;
    there.until_leads().await;
    let away = Replica::start_in(&cluster, 2, Arc::new(TempDir::new().unwrap()), guarded).await;
    away.until_role("a standby", |role| matches!(role, Role::Standby { .. })).await;
    until_moved(&away, 0).await;
    let snapshot = away.directory().join("state/snapshot-prod");
    until("a snapshot by one that knew who led", async || {
        let text = std::fs::read_to_string(&snapshot).unwrap_or_default();
        if text.contains(r#""passed":"#) && !text.contains(r#""passed":0"#) { Ok(()) } else { Err(text) }
    })
    .await;
    let directory = away.hand_over().await;
    for host in 1..=8 {
        put_host(&cluster, host, true).await;
        until_moved(&there, host).await;
    }
    // It finds eight of twelve moved: without the other a person would have to approve that.
    let away = Replica::start_in(&cluster, 2, directory, guarded).await;
    until_moved(&away, 8).await;
    let events = |engine: &Engine| format!("{:?}", engine.newest_events(None, 1000, &Wanted::default()).events);
    let events = away.service.engine().look(events).await.unwrap();
    for said in ["a person must approve", "another replica has seen it change bit by bit, and let it pass"] {
        assert!(events.contains(said), "{said}: {events}");
    }
    // It could lead now.
    there.service.hand_over().await;
    away.until_leads().await;
    until_moved(&away, 8).await;
}
