//! A hosts file is a source like any other: what it says is in the kernel of a BIRD and of an FRR, and follows it.

#![cfg(target_os = "linux")]

use integration::lab::fingerpost::{Fingerpost, Source};
use integration::lab::gateway::Daemon;
use integration::lab::record::hosts_file;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, ping, routes};

const NEEDS: [Need; 4] = [Need::Root, Need::Tools, Need::Bird, Need::Frr];

#[test]
fn a_hosts_file_is_followed_into_the_kernels_of_bird_and_frr() {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(Peering::Ebgp).gateway(Daemon::Bird).gateway(Daemon::Frr).build();
    let path = lab.folder().join("hosts.yaml");
    let write = |text: String| std::fs::write(&path, text).expect("the file can be written");
    let [a1, a2, b1, b2] = ["node-a1", "node-a2", "node-b1", "node-b2"].map(|name| lab.host(name));
    write(hosts_file(&[(a1, &[a1.subnet()]), (a2, &[a2.subnet()]), (b1, &[b1.subnet()]), (b2, &[b2.subnet()])]));
    let _fingerpost = Fingerpost::start(&lab, &Source::File(path.clone()));
    let await_routes = |expected| lab.gateways().iter().for_each(|gateway| gateway.await_routes(&expected));
    await_routes(lab.home_routes());
    for target in [b1.subnet().pod_v4(), b1.subnet().pod_v6()] {
        ping::burst(a1.pod(), target, 5, ping::full_size(target)).assert_lossless(5);
    }

    // a2's subnet moves to b2, b1 goes.
    write(hosts_file(&[(a1, &[a1.subnet()]), (a2, &[]), (b2, &[b2.subnet(), a2.subnet()])]));
    let pairs = [a1.routes_of(a1.subnet()), b2.routes_of(b2.subnet()), b2.routes_of(a2.subnet())];
    await_routes(routes(pairs.into_iter().flatten()));
}
