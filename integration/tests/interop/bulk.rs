//! A hundred thousand routes.

use std::fmt::Write;

use integration::lab::fingerpost::{Fingerpost, Source, configuration_of};
use integration::lab::gateway::Daemon;
use integration::lab::topology::HOSTS;
use integration::lab::{Peering, rib, route, routes, wait};

use crate::bench::{BOUND, Setup};
use crate::cell::Found;

/// Routes of each family.
const EACH: u32 = 50_000;

pub(crate) fn hundred_thousand(daemon: Daemon) -> Found {
    let lab = Setup::new(daemon, Peering::Ebgp).lab();
    let hosts = lab.folder().join("hosts.yaml");
    let mut pairs = Vec::new();
    let mut text = "hosts:\n".to_owned();
    for (first, place) in (0..).zip(HOSTS) {
        let (v4, v6) = (place.vlan.v4(place.station), place.vlan.v6(place.station));
        write!(text, "  {}: {{ addresses: [{v4}, \"{v6}\"], subnets: [", place.name)
            .expect("a string can be written to");
        for number in (first..EACH).step_by(HOSTS.len()) {
            let [high, low] = [number / 256, number % 256];
            let subnets = [format!("10.244.{high}.{low}/32"), format!("fd00:10:244:{number:x}::/64")];
            write!(text, "{}, \"{}\", ", subnets[0], subnets[1]).expect("a string can be written to");
            let [narrow, wide] = subnets;
            // As every table writes it: fd00:10:244::/64.
            let wide = if number == 0 { "fd00:10:244::/64".to_owned() } else { wide };
            pairs.extend([(narrow, v4.into()), (wide, v6.into())]);
        }
        text.push_str("] }\n");
    }
    std::fs::write(&hosts, text).expect("a file can be written into the lab's folder");
    let expected = routes(pairs);
    let sources = [("file", &Source::File(hosts))];
    let configuration = configuration_of(&lab, &sources, lab.gateways());
    let fingerpost = Fingerpost::start_with(&lab, &configuration);
    let gateway = &lab.gateways()[0];
    // Reading the daemon's whole table costs it more than a look at Fingerpost's own figures.
    wait::until("Fingerpost to have sent everything", BOUND * 2, || {
        let page = fingerpost.get("/metrics").map_err(|error| error.to_string())?.body;
        let caught_up = |line: &&str| line.starts_with("fingerpost_gateway_caught_up{") && line.ends_with("} 1");
        match page.lines().filter(caught_up).count() {
            2 => Ok(()),
            _ => Err(page),
        }
    });
    wait::until("100,000 routes to be accepted", BOUND * 2, || match gateway.count() {
        100_000 => Ok(()),
        other => Err(other),
    });
    if matches!(daemon, Daemon::Gobgp3 | Daemon::Gobgp4) {
        // Its command line takes minutes for a table of that size.
        return Found::Works;
    }
    wait::until("100,000 routes", BOUND * 2, || {
        let seen = rib::next_hops(&gateway.rib());
        if seen == expected { Ok(()) } else { Err(seen.len()) }
    });
    if daemon.forwards() {
        wait::until("100,000 routes in the kernel", BOUND, || match route::pod_routes(gateway.namespace()).len() {
            100_000 => Ok(()),
            other => Err(other),
        });
    }
    Found::Works
}
