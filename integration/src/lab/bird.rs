//! BIRD 2 as a gateway.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::gateway::Peer;
use super::namespace::Namespace;
use super::process::Process;

const TEMPLATE: &str = include_str!("../../gateways/bird.conf");

pub(crate) fn start(namespace: &Namespace, name: &str, router_id: Ipv4Addr, peer: &Peer) -> Vec<Process> {
    let configuration = TEMPLATE
        .replace("@ROUTER_ID@", &router_id.to_string())
        .replace("@SPEAKER@", &peer.address.to_string())
        .replace("@SPEAKER_ASN@", &peer.asn.to_string())
        .replace("@HOPS@", if peer.multihop { "multihop 4" } else { "direct" });
    vec![daemon(namespace, name, &configuration)]
}

/// Starts `bird` in the foreground and waits until it answers on its control socket.
pub(crate) fn daemon(namespace: &Namespace, name: &str, configuration: &str) -> Process {
    let folder = namespace.context().folder();
    let file = folder.join(format!("{name}-bird.conf"));
    std::fs::write(&file, configuration).expect("a configuration can be written into the lab's folder");
    let (file, socket) = (file.to_string_lossy(), socket(namespace, name));
    let mut process = namespace.spawn(&format!("{name}-bird"), "bird", &["-f", "-c", &file, "-s", &socket]);
    process.await_ready(Duration::from_secs(10), |_| {
        birdc(namespace, &socket, &["show", "status"]).contains("up and running")
    });
    process
}

/// When the session came up, to the millisecond; `None` while it is not.
pub(crate) fn session(namespace: &Namespace, name: &str) -> Option<String> {
    let text = birdc(namespace, &socket(namespace, name), &["show", "protocols", "fingerpost"]);
    let line = text.lines().find(|line| line.starts_with("fingerpost") && line.contains("Established"))?;
    line.split_whitespace().nth(4).map(str::to_owned)
}

pub(crate) fn diagnosis(namespace: &Namespace, name: &str) -> String {
    let socket = socket(namespace, name);
    birdc(namespace, &socket, &["show", "protocols", "all"]) + &birdc(namespace, &socket, &["show", "route", "all"])
}

fn birdc(namespace: &Namespace, socket: &str, words: &[&str]) -> String {
    let output = namespace.command("birdc").args(["-s", socket]).args(words).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn socket(namespace: &Namespace, name: &str) -> String {
    namespace.context().folder().join(format!("{name}-bird.ctl")).to_string_lossy().into_owned()
}
