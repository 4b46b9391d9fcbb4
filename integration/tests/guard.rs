//! A store that is emptied by mistake costs no packet: what it lacks is held until a person decides, also over a restart and
//! while the store is down (P3, L15, c50–c52).

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::fingerpost::{Fingerpost, Source, UNGUARDED, configuration};
use integration::lab::gateway::Daemon;
use integration::lab::ping::Ping;
use integration::lab::record::NATIVE_PREFIX;
use integration::lab::route::PodRoutes;
use integration::lab::skip::{self, Need};
use integration::lab::stage::Stage;
use integration::lab::topology::Subnet;
use integration::lab::{record, routes, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(10);
/// Answers that are awaited at each step: more than a second.
const STEP: usize = 120;

/// Nineteen records: the lab's four hosts, and fifteen more that lead to one of them.
fn nineteen(stage: &Stage) -> (Vec<String>, PodRoutes) {
    let a1 = stage.lab.host("node-a1");
    let mut keys: Vec<String> = Vec::new();
    let mut all = stage.lab.home_routes();
    for n in 100..115 {
        let key = format!("{NATIVE_PREFIX}/hosts/more-{n}");
        stage.etcd.put(&key, &record::native_value(a1, &[Subnet(n)]));
        all.extend(routes(a1.routes_of(Subnet(n))));
        keys.push(key);
    }
    // Last: what the limit lets go first is not what pods talk over.
    keys.extend(stage.lab.hosts().iter().map(record::native_key));
    assert_eq!(keys.len(), 19);
    (keys, all)
}

fn holds(fingerpost: &Fingerpost) -> Vec<serde_json::Value> {
    let answer = fingerpost.get("/api/v1/holds?limit=1000").expect("it answers").json();
    answer["holds"].as_array().cloned().unwrap_or_default()
}

fn emptied_store_is_held(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut stage = Stage::native(daemon);
    let (keys, all) = nineteen(&stage);
    stage.await_routes(&all);
    let unguarded = configuration(&stage.lab, &Source::Native);
    let socket = stage.lab.folder().join("admin.sock");
    let instead = format!("startup: {{ snapshot_after: 1s }}\nadmin: {{ listen: \"unix:{}\" }}", socket.display());
    let guarded = unguarded.replace(UNGUARDED, &instead);
    stage.fingerpost.terminate();
    stage.fingerpost = Fingerpost::start_with(&stage.lab, &guarded);
    stage.await_routes(&all);
    let snapshot = stage.lab.folder().join("state/snapshot-lab");
    let complete = || std::fs::read_to_string(&snapshot).is_ok_and(|text| text.lines().count() == 19 + 2);
    wait::until_true("the snapshot has all records", BOUND, complete);

    let (from, to) = (stage.lab.host("node-a1"), stage.lab.host("node-b2"));
    let traffic = [to.subnet().pod_v4(), to.subnet().pod_v6()].map(|target| Ping::start(from.pod(), target, INTERVAL));
    let go_on = || traffic.iter().for_each(|ping| ping.await_more(STEP));
    keys.iter().for_each(|key| stage.etcd.delete(key));
    // One record after the other: what its limit allows goes, the rest is held.
    wait::until_true("most of it is held", BOUND, || holds(&stage.fingerpost).len() >= 2 * 15);
    let kept = holds(&stage.fingerpost);
    assert!(kept.iter().all(|hold| hold["kind"] == "withdrawal" && hold["to"].is_null()), "{kept:#?}");
    let at_gateway = stage.lab.gateways()[0].routes();
    assert_eq!(at_gateway.len(), kept.len(), "what is held is what the gateway has");
    go_on();

    // A restart forgets nothing, with the store down or up.
    stage.etcd.kill();
    stage.fingerpost.kill();
    stage.fingerpost.resume();
    stage.lab.gateways()[0].await_session();
    go_on();
    stage.etcd.resume();
    wait::until_true("it is held again", BOUND, || holds(&stage.fingerpost).len() >= kept.len());
    assert!(stage.lab.gateways()[0].routes().len() >= kept.len());
    go_on();
    for ping in traffic {
        ping.stop().assert_lossless(STEP as u64);
    }

    // A person decides, with the store down again.
    stage.etcd.kill();
    let said = stage.fingerpost.command(&["approve", "--all"]);
    assert!(said.starts_with("approved "), "{said}");
    stage.await_routes(&PodRoutes::new());
    assert!(holds(&stage.fingerpost).is_empty());
    stage.etcd.resume();
}

#[test]
fn l15_bird_keeps_an_emptied_stores_routes_until_a_person_decides_p3() {
    emptied_store_is_held(Daemon::Bird);
}

#[test]
fn l15_frr_keeps_an_emptied_stores_routes_until_a_person_decides_p3() {
    emptied_store_is_held(Daemon::Frr);
}
