//! L1: one gateway in two VLANs, the session in a third. The gateway's kernel has `subnet via host` for every subnet,
//! pods reach each other within and between VLANs, and nothing on the wire is encapsulated.

#![cfg(target_os = "linux")]

use integration::lab::capture::Capture;
use integration::lab::gateway::Daemon;
use integration::lab::process::Process;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, ping};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

/// A BIRD in Fingerpost's place, which announces the routes that Fingerpost would.
fn standin(lab: &Lab) -> Process {
    let gateway = &lab.gateways()[0];
    let peering = lab.peering();
    let hops = if peering.is_multihop() { "multihop 4" } else { "direct" };
    let mut file = String::from("router id 10.170.0.10;\nprotocol device { }\n");
    for (family, pick) in [("ipv4", 0), ("ipv6", 1)] {
        let routes: Vec<_> = lab.hosts().iter().map(|host| host.routes_of(host.subnet())[pick].clone()).collect();
        let blackholes: String = routes.iter().map(|(prefix, _)| format!("route {prefix} blackhole;\n")).collect();
        let owners: String =
            routes.iter().map(|(prefix, via)| format!("if net = {prefix} then bgp_next_hop = {via};\n")).collect();
        file +=
            &format!("protocol static {{ {family};\n{blackholes}}}\nfilter owners_{family} {{\n{owners}accept;\n}}\n");
    }
    file += &format!(
        "protocol bgp uplink {{ local {} as {}; neighbor {} as {}; {hops}; connect delay time 1;\n\
         ipv4 {{ import none; export filter owners_ipv4; }}; ipv6 {{ import none; export filter owners_ipv6; }}; }}\n",
        peering.speaker_address(),
        peering.speaker_asn(),
        gateway.address(),
        gateway.asn()
    );
    let path = lab.folder().join("standin.conf").to_string_lossy().into_owned();
    std::fs::write(&path, file).expect("a configuration can be written");
    lab.control().spawn("standin", "bird", &["-f", "-c", &path, "-s", &format!("{path}.ctl")])
}

fn forwards(daemon: Daemon, peering: Peering) {
    if skip::unless(&NEEDS) {
        return;
    }
    let lab = Lab::builder(peering).gateway(daemon).build();
    let capture = Capture::start(lab.switch());
    let _speaker = standin(&lab);
    lab.gateways()[0].await_routes(&lab.home_routes());
    for from in lab.hosts() {
        for to in lab.hosts().iter().filter(|to| to.name() != from.name()) {
            for target in [to.subnet().pod_v4(), to.subnet().pod_v6()] {
                ping::burst(from.pod(), target, 5, ping::full_size(target)).assert_lossless(5);
            }
        }
    }
    capture.stop().assert_no_encapsulation();
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ibgp() {
    forwards(Daemon::Bird, Peering::Ibgp);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ebgp() {
    forwards(Daemon::Bird, Peering::Ebgp);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_ebgp_multihop() {
    forwards(Daemon::Bird, Peering::EbgpMultihop);
}

#[test]
fn l1_bird_forwards_without_encapsulation_over_an_ipv6_session() {
    forwards(Daemon::Bird, Peering::EbgpOverV6);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ibgp() {
    forwards(Daemon::Frr, Peering::Ibgp);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ebgp() {
    forwards(Daemon::Frr, Peering::Ebgp);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_ebgp_multihop() {
    forwards(Daemon::Frr, Peering::EbgpMultihop);
}

#[test]
fn l1_frr_forwards_without_encapsulation_over_an_ipv6_session() {
    forwards(Daemon::Frr, Peering::EbgpOverV6);
}
