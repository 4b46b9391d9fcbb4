//! A gateway's own limit of prefixes ends its session; `max_prefix` stops before it.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::etcd::Etcd;
use integration::lab::fingerpost::{Fingerpost, Source, configuration};
use integration::lab::gateway::{Daemon, Gateway};
use integration::lab::route::PodRoutes;
use integration::lab::skip::{self, Need};
use integration::lab::topology::Subnet;
use integration::lab::{Lab, Peering, record, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];
const BOUND: Duration = Duration::from_secs(30);

/// Tells the gateway to end the session above three routes of a family.
fn limit(lab: &Lab) {
    let gateway = &lab.gateways()[0];
    match gateway.daemon() {
        Daemon::Bird => limit_bird(lab, gateway),
        _ => limit_frr(lab, gateway),
    }
}

fn limit_bird(lab: &Lab, gateway: &Gateway) {
    let [file, socket] =
        ["bird.conf", "bird.ctl"].map(|suffix| lab.folder().join(format!("{}-{suffix}", gateway.name())));
    let text = std::fs::read_to_string(&file).expect("its configuration can be read");
    let limited = text.replace("export none;", "import limit 3 action disable;\n    export none;");
    assert_ne!(text, limited, "the configuration has a place for it");
    std::fs::write(&file, limited).expect("its configuration can be written");
    let said = gateway.namespace().run("birdc", &["-s", &socket.to_string_lossy(), "configure"]);
    assert!(said.contains("Reconfigur"), "{said}");
}

fn limit_frr(lab: &Lab, gateway: &Gateway) {
    let speaker = Peering::Ebgp.speaker_address();
    let sockets = lab.folder().join(format!("{}-frr", gateway.name()));
    for family in ["ipv4", "ipv6"] {
        let asn = format!("router bgp {}", gateway.asn());
        let (family, limit) =
            (format!("address-family {family} unicast"), format!("neighbor {speaker} maximum-prefix 3 restart 1"));
        let mut arguments = vec!["--vty_socket".to_owned(), sockets.to_string_lossy().into_owned()];
        for line in ["configure terminal", &asn, &family, &limit] {
            arguments.extend(["-c".to_owned(), line.to_owned()]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        gateway.namespace().run("vtysh", &arguments);
    }
}

/// Every host has one subnet of each family, so four of each; the gateway ends the session above three.
fn the_cap_stops_below_the_gateways_limit_and_the_session_stays(daemon: Daemon) {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(daemon).build();
    limit(&lab);
    let gateway = &lab.gateways()[0];
    let etcd = Etcd::start(lab.control());
    for host in lab.hosts() {
        etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
    }
    let without = configuration(&lab, &Source::Native);
    let with = without.replace("families: [ipv4, ipv6]", "families: [ipv4, ipv6], max_prefix: 3");
    let home = lab.home_routes();
    let capped = |fingerpost: &Fingerpost| {
        let routes = fingerpost.gateway(gateway.name())["routes"].clone();
        ["ipv4", "ipv6"].map(|family| routes[family]["capped"].as_u64())
    };

    let mut fingerpost = Fingerpost::start_with(&lab, &with);
    let session = gateway.await_session();
    let told = wait::until("three routes of each family", BOUND, || {
        let routes = gateway.routes();
        let fours = routes.keys().filter(|prefix| !prefix.contains("::")).count();
        let whole = (fours, routes.len()) == (3, 6) && capped(&fingerpost) == [Some(1), Some(1)];
        if whole { Ok(routes) } else { Err(routes) }
    });
    assert!(told.iter().all(|(prefix, via)| home.get(prefix) == Some(via)), "{told:#?}");
    assert!(fingerpost.log().contains("max_prefix is reached"), "{}", fingerpost.log());

    // A place that becomes free is taken by who waits.
    let leaves =
        lab.hosts().iter().find(|host| told.contains_key(&host.subnet().v4())).expect("three of four are told");
    etcd.delete(&record::native_key(leaves));
    let mut rest: PodRoutes = home.clone();
    rest.retain(|prefix, _| *prefix != leaves.subnet().v4() && *prefix != leaves.subnet().v6());
    gateway.await_routes(&rest);
    assert_eq!(gateway.session().as_ref(), Some(&session), "the session is the same one");

    // Without the cap the gateway's limit ends it.
    etcd.put(&record::native_key(leaves), &record::native_value(leaves, &[leaves.subnet()]));
    wait::until_true("one route of each family to wait again", BOUND, || capped(&fingerpost) == [Some(1), Some(1)]);
    assert_eq!(gateway.session().as_ref(), Some(&session), "the session is the same one");
    fingerpost.reload(&without);
    if daemon == Daemon::Frr {
        // FRR 8.4 looks at its count when the next UPDATE comes.
        gateway.await_routes(&home);
        etcd.put(&record::native_key(leaves), &record::native_value(leaves, &[leaves.subnet(), Subnet(9)]));
    }
    wait::until_true("the gateway to end the session", BOUND, || gateway.session().as_ref() != Some(&session));
}

#[test]
fn c57_l14_bird_keeps_a_session_whose_cap_stops_below_its_own_limit() {
    the_cap_stops_below_the_gateways_limit_and_the_session_stays(Daemon::Bird);
}

#[test]
fn c57_l14_frr_keeps_a_session_whose_cap_stops_below_its_own_limit() {
    the_cap_stops_below_the_gateways_limit_and_the_session_stays(Daemon::Frr);
}
