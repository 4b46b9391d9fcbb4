//! OpenBGPD. On Linux it has no forwarding table, so its own table is read.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Node, Program};
use crate::lab::process::Process;
use crate::lab::rib::{Mark, Rib};
use crate::lab::route::is_pod_subnet;

const BOUND: Duration = Duration::from_secs(20);
/// The home of its user, where its unprivileged parts lock themselves in. Debian makes it only for the service.
const HOME: &str = "/run/openbgpd";

pub(super) struct Openbgpd;

impl Program for Openbgpd {
    fn version(&self) -> Command {
        let mut command = Command::new("bgpd");
        command.arg("-V");
        command
    }

    fn platform(&self) -> Option<&'static str> {
        Some("openbgpd")
    }

    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process> {
        std::fs::create_dir_all(HOME).expect("a folder can be made in /run");
        let own = format!("router-id {}\nsocket \"{}\"\n", node.router_id, socket(node));
        let file = node.write("openbgpd.conf", &(configuration.to_owned() + &own));
        // It refuses what others may read.
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        drop(std::fs::remove_file(socket(node)));
        let mut process = node.namespace.spawn(&format!("{}-openbgpd", node.name), "bgpd", &["-d", "-v", "-f", &file]);
        process.await_ready(BOUND, |_| bgpctl(node, &["show", "summary"]).contains("neighbors"));
        vec![process]
    }

    /// How many messages of a kind that begins sessions there were. (When it came up is known by the second only.)
    fn session(&self, node: &Node<'_>) -> Option<String> {
        let neighbours = neighbours(node);
        let neighbour = neighbours.iter().find(|value| value["state"] == "Established")?;
        let port = |side: &str| &neighbour["session"][side]["port"];
        Some(format!("{} {}", port("local"), port("remote")))
    }

    fn rib(&self, node: &Node<'_>) -> Rib {
        parse(&bgpctl(node, &["show", "rib", "detail"]))
    }

    fn refresh(&self, node: &Node<'_>) {
        bgpctl(node, &["neighbor", &node.session.speaker.to_string(), "refresh"]);
    }

    fn diagnosis(&self, node: &Node<'_>) -> String {
        bgpctl(node, &["show", "neighbor"]) + &bgpctl(node, &["show", "rib", "detail"])
    }
}

fn neighbours(node: &Node<'_>) -> Vec<Value> {
    let parsed: Value = serde_json::from_str(&bgpctl(node, &["show", "neighbor"])).unwrap_or_default();
    parsed["neighbors"].as_array().cloned().unwrap_or_default()
}

fn bgpctl(node: &Node<'_>, words: &[&str]) -> String {
    node.ask("bgpctl", &[&["-j", "-s", &socket(node)], words].concat())
}

fn socket(node: &Node<'_>) -> String {
    node.file("openbgpd.sock")
}

fn parse(text: &str) -> Rib {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    let mut rib = Rib::new();
    for route in parsed["rib"].as_array().into_iter().flatten() {
        let Some(prefix) = route["prefix"].as_str().filter(|prefix| is_pod_subnet(prefix)) else { continue };
        let entry = rib.entry(prefix.to_owned()).or_default();
        entry.via.extend(route["exit_nexthop"].as_str().and_then(|via| via.parse::<IpAddr>().ok()));
        if route["stale"] == true {
            entry.marks.insert(Mark::Stale);
        }
        if route["localpref"] == 0 {
            entry.marks.insert(Mark::LastChoice);
        }
        for community in route["communities"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            entry.marks.extend(match community {
                "GRACEFUL_SHUTDOWN" => Some(Mark::GracefulShutdown),
                "65535:6" => Some(Mark::LongLivedStale),
                _ => None,
            });
        }
    }
    rib
}
