//! ExaBGP. It keeps no table of what it learns but tells every event to a program of the operator's; here that is a
//! script that writes them down, and the table is what they add up to.

use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Node, Program};
use crate::lab::process::Process;
use crate::lab::rib::{Mark, Rib};
use crate::lab::route::is_pod_subnet;

const BOUND: Duration = Duration::from_secs(30);
/// The program that it tells its events to.
const SCRIPT: &str = "exabgp.sh";

pub(super) struct Exabgp;

impl Program for Exabgp {
    fn version(&self) -> Command {
        let mut command = Command::new("exabgp");
        command.arg("--version");
        command
    }

    fn configuration(&self, node: &Node<'_>) -> String {
        configuration(node)
    }

    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process> {
        let [events, commands] = [node.write("events", ""), node.write("commands", "")];
        // Commands go from a file to ExaBGP, events from ExaBGP to a file. Both programs end with ExaBGP's pipe.
        let script = format!(
            "#!/bin/sh\ntail --pid=$$ --sleep-interval=0.1 --lines=+1 --follow {commands} &\nexec dd bs=64k status=none of={events}\n"
        );
        let script = node.write(SCRIPT, &script);
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("its mode can be set");
        let file = node.write("exabgp.conf", configuration);
        let mut command = node.namespace.command("env");
        // Its own settings come from the environment: stay root, listen where the session is, no answers to commands.
        command.args(["exabgp_daemon_user=root", "exabgp_api_cli=false", "exabgp_api_ack=false"]);
        if !has_own_listener(node) {
            command.arg(format!("exabgp_tcp_bind={}", node.address));
        }
        command.args(["exabgp", &file]);
        let mut process = Process::spawn(node.namespace.context(), &format!("{}-exabgp", node.name), command);
        process.await_ready(BOUND, |log| log.contains("loaded new configuration successfully"));
        vec![process]
    }

    /// The number of the event that said that it is up.
    fn session(&self, node: &Node<'_>) -> Option<String> {
        let events = events(node);
        let last =
            events.iter().rev().find(|event| event["type"] == "state" && event["neighbor"]["state"] != "connected")?;
        (last["neighbor"]["state"] == "up").then(|| last["counter"].to_string())
    }

    fn rib(&self, node: &Node<'_>) -> Rib {
        add_up(&events(node))
    }

    fn refresh(&self, node: &Node<'_>) {
        let mut text = String::new();
        for (negotiated, family) in [(node.session.ipv4, "ipv4"), (node.session.ipv6, "ipv6")] {
            if negotiated {
                writeln!(text, "announce route-refresh {family} unicast").expect("a string can be written to");
            }
        }
        let mut file =
            std::fs::OpenOptions::new().append(true).open(node.file("commands")).expect("ExaBGP was started");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file can be written");
    }

    fn diagnosis(&self, node: &Node<'_>) -> String {
        let all = events(node);
        let last = all.get(all.len().saturating_sub(20)..).unwrap_or_default();
        last.iter().map(|event| format!("{event}\n")).collect()
    }
}

/// The listener that serves every neighbour knows neither keys nor TTLs; one of the neighbour's own does.
fn has_own_listener(node: &Node<'_>) -> bool {
    node.session.password.is_some() || node.session.ttl_security
}

fn configuration(node: &Node<'_>) -> String {
    let script = node.file(SCRIPT);
    let session = node.session;
    let mut lines = String::new();
    let mut add = |condition: bool, line: &str| {
        if condition {
            write!(lines, "\n\t{line}").expect("a string can be written to");
        }
    };
    add(true, &format!("router-id {};", node.router_id));
    add(true, &format!("local-address {};", node.address));
    add(true, &format!("local-as {};", node.asn));
    add(true, &format!("peer-as {};", session.speaker_asn));
    add(!session.listens || session.range.is_some(), "passive true;");
    add(has_own_listener(node), "listen 179;");
    add(session.ttl_security, "incoming-ttl 255;");
    add(session.ttl_security, "outgoing-ttl 255;");
    if let Some(password) = session.password {
        add(true, &format!("md5-password \"{password}\";"));
    }
    add(true, "capability {\n\t\tgraceful-restart 120;\n\t\troute-refresh enable;\n\t}");
    let families = [(session.ipv4, "ipv4"), (session.ipv6, "ipv6")];
    let families = families.iter().filter(|(negotiated, _)| *negotiated);
    let families: String = families.map(|(_, family)| format!("\n\t\t{family} unicast;")).collect();
    add(true, &format!("family {{{families}\n\t}}"));
    if session.extended_next_hop {
        add(true, "nexthop {\n\t\tipv4 unicast ipv6;\n\t}");
    }
    let receive = "receive {\n\t\t\tparsed;\n\t\t\topen;\n\t\t\tupdate;\n\t\t\tnotification;\n\t\t\trefresh;\n\t\t}";
    add(true, &format!("api {{\n\t\tprocesses [ table ];\n\t\tneighbor-changes;\n\t\t{receive}\n\t}}"));
    let neighbour = session.neighbour();
    format!("process table {{\n\trun {script};\n\tencoder json;\n}}\nneighbor {neighbour} {{{lines}\n}}\n")
}

/// The events so far, without the beginning of one that is being written.
fn events(node: &Node<'_>) -> Vec<Value> {
    let text = std::fs::read_to_string(node.file("events")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What the events add up to. The end of a session ends its routes: ExaBGP leaves graceful restart to whoever listens.
fn add_up(events: &[Value]) -> Rib {
    let mut rib = Rib::new();
    for event in events {
        let neighbour = &event["neighbor"];
        if neighbour["state"] == "down" {
            rib.clear();
        }
        let update = &neighbour["message"]["update"];
        for prefix in families(&update["withdraw"]).flat_map(prefixes) {
            rib.remove(prefix);
        }
        let marks = || {
            let communities = update["attribute"]["community"].as_array().into_iter().flatten();
            communities.filter_map(mark)
        };
        for by_next_hop in families(&update["announce"]) {
            for (next_hop, routes) in by_next_hop.as_object().into_iter().flatten() {
                for prefix in prefixes(routes).filter(|prefix| is_pod_subnet(prefix)) {
                    let path = rib.entry(prefix.to_owned()).or_default();
                    path.via = next_hop.parse::<IpAddr>().into_iter().collect();
                    path.marks = marks().collect();
                }
            }
        }
    }
    rib
}

fn families(update: &Value) -> impl Iterator<Item = &Value> {
    update.as_object().into_iter().flatten().map(|(_, routes)| routes)
}

fn prefixes(routes: &Value) -> impl Iterator<Item = &str> {
    routes.as_array().into_iter().flatten().filter_map(|route| route["nlri"].as_str())
}

fn mark(community: &Value) -> Option<Mark> {
    match (community[0].as_u64()?, community[1].as_u64()?) {
        (65535, 0) => Some(Mark::GracefulShutdown),
        (65535, 6) => Some(Mark::LongLivedStale),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> Value {
        serde_json::from_str(&format!("{{\"type\":\"update\",\"neighbor\":{message}}}")).unwrap()
    }

    #[test]
    fn announcements_withdrawals_and_the_end_of_a_session_add_up() {
        let announced = event(
            "{\"message\":{\"update\":{\"attribute\":{\"community\":[[65535,0]]},\"announce\":{\"ipv4 unicast\":\
             {\"10.168.0.11\":[{\"nlri\":\"10.244.1.0/24\"},{\"nlri\":\"10.244.2.0/24\"}]}}}}}",
        );
        let withdrawn =
            event("{\"message\":{\"update\":{\"withdraw\":{\"ipv4 unicast\":[{\"nlri\":\"10.244.2.0/24\"}]}}}}");
        let rib = add_up(&[announced.clone(), withdrawn.clone()]);
        assert!(rib.keys().eq(&["10.244.1.0/24"]));
        assert!(rib["10.244.1.0/24"].marks.iter().eq(&[Mark::GracefulShutdown]));
        assert!(add_up(&[announced, withdrawn, event("{\"state\":\"down\"}")]).is_empty());
    }
}
