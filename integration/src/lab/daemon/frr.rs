//! FRR as a gateway: zebra, staticd and bgpd with sockets and files of their own, so that several FRRs run side by side.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Node, Program};
use crate::lab::process::Process;
use crate::lab::rib::{Choice, Choices, Mark, Rib, by_local_pref};
use crate::lab::route::is_pod_subnet;

/// The group whose members may use FRR's control sockets; FRR refuses to run as a user outside it.
const GROUP: &str = "frrvty";
const BOUND: Duration = Duration::from_secs(20);

pub(super) struct Frr;

impl Program for Frr {
    fn version(&self) -> Command {
        let mut command = Command::new("/usr/lib/frr/bgpd");
        command.arg("--version");
        command
    }

    fn platform(&self) -> Option<&'static str> {
        Some("frr")
    }

    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process> {
        let folder = folder(node);
        // Sockets that an FRR has left which was killed would look like those of the new one.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir(&folder).expect("a folder can be made in the lab's folder");
        // The others ask zebra for interfaces and next hops, so zebra comes first.
        let zebra = daemon(node, "zebra", &[]);
        let staticd = daemon(node, "staticd", &[]);
        let bgpd = daemon(node, "bgpd", &["-p", "179"]);
        let file = folder.join("frr.conf");
        // Else a change of a route map takes effect five seconds later, and FRR then asks for all routes again: on a slow machine
        // in the middle of a scenario that counts messages.
        let at_once = "bgp route-map delay-timer 0\n";
        std::fs::write(&file, format!("{at_once}{configuration}")).expect("a configuration can be written");
        let (sockets, file) = (folder.to_string_lossy(), file.to_string_lossy());
        let said = node.namespace.run("vtysh", &["--vty_socket", &sockets, "-f", &file]);
        assert!(!said.contains('%'), "FRR refuses a line of its configuration: {said}\n{configuration}");
        vec![bgpd, staticd, zebra]
    }

    /// How often one came up, and the ports of its connection. (When it came up, FRR computes anew each time.)
    fn session(&self, node: &Node<'_>) -> Option<String> {
        let parsed: Value = serde_json::from_str(&vtysh(node, "show bgp neighbors json")).ok()?;
        let neighbour = parsed.as_object()?.values().find(|value| value["bgpState"] == "Established")?;
        let [count, here, there] = ["connectionsEstablished", "portLocal", "portForeign"].map(|key| &neighbour[key]);
        Some(format!("{count} {here} {there}"))
    }

    fn rib(&self, node: &Node<'_>) -> Rib {
        let mut rib = Rib::new();
        for family in ["ipv4", "ipv6"] {
            let table = |which: &str| vtysh(node, &format!("show bgp {family} unicast {which} json"));
            add_routes(&mut rib, &table(""), None);
            add_routes(&mut rib, &table("community graceful-shutdown"), Some(Mark::GracefulShutdown));
            add_routes(&mut rib, &table("community llgr-stale"), Some(Mark::LongLivedStale));
        }
        rib
    }

    fn choices(&self, node: &Node<'_>) -> Choices {
        let mut choices = Choices::new();
        for family in ["ipv4", "ipv6"] {
            let text = vtysh(node, &format!("show bgp {family} unicast json"));
            add_choices(&mut choices, &serde_json::from_str(&text).unwrap_or_default(), &node.session.neighbours());
        }
        choices
    }

    fn refresh(&self, node: &Node<'_>) {
        for family in ["ipv4", "ipv6"] {
            vtysh(node, &format!("clear bgp {family} unicast * soft in"));
        }
    }

    fn reset(&self, node: &Node<'_>) -> bool {
        vtysh(node, "clear bgp *");
        true
    }

    /// The versions of both tables: one more for each route that is another than before.
    fn route_changes(&self, node: &Node<'_>) -> Option<u64> {
        let version = |family: &str| {
            let text = vtysh(node, &format!("show bgp {family} unicast json"));
            serde_json::from_str::<Value>(&text).ok()?["tableVersion"].as_u64()
        };
        Some(version("ipv4")? + version("ipv6")?)
    }

    fn updates(&self, node: &Node<'_>) -> Option<u64> {
        let parsed: Value = serde_json::from_str(&vtysh(node, "show bgp neighbors json")).ok()?;
        parsed.as_object()?.values().next()?["messageStats"]["updatesRecv"].as_u64()
    }

    fn diagnosis(&self, node: &Node<'_>) -> String {
        let commands = [
            "show bgp summary",
            "show bgp neighbors",
            "show bgp ipv4 unicast",
            "show bgp ipv6 unicast",
            "show ip route",
        ];
        commands.map(|command| vtysh(node, command)).join("\n")
    }
}

fn daemon(node: &Node<'_>, program: &str, more: &[&str]) -> Process {
    let folder = folder(node);
    let path = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let (configuration, pid, zserv) =
        (path(&format!("{program}.conf")), path(&format!("{program}.pid")), path("zserv.api"));
    // What it is to do comes by vtysh, once all of them run.
    std::fs::write(&configuration, format!("hostname {}\n", node.name)).expect("a configuration can be written");
    let sockets = folder.to_string_lossy();
    let mut arguments = vec!["-f", &configuration, "-i", &pid, "-z", &zserv, "--vty_socket", &sockets];
    arguments.extend(["-P", "0", "-u", "root", "-g", GROUP, "--log", "stdout"]);
    arguments.extend(more);
    let binary = format!("/usr/lib/frr/{program}");
    // FRR gives up its group for GROUP, and with a change of group the kernel forgets that a process shall die with its
    // parent. So it starts in that group already, and there is nothing to change.
    let mut command = node.namespace.command_as(&["--regid", GROUP, "--keep-groups"], &binary);
    command.args(&arguments);
    let mut process = Process::spawn(node.namespace.context(), &format!("{}-{program}", node.name), command);
    let vty = folder.join(format!("{program}.vty"));
    let is_zebra = program == "zebra";
    process.await_ready(BOUND, |_| vty.exists() && (!is_zebra || folder.join("zserv.api").exists()));
    process
}

fn vtysh(node: &Node<'_>, command: &str) -> String {
    node.ask("vtysh", &["--vty_socket", &folder(node).to_string_lossy(), "-c", command])
}

fn folder(node: &Node<'_>) -> PathBuf {
    node.file("frr").into()
}

/// Reads a table of `show bgp … json`. With a mark the table is a selection, whose prefixes get the mark.
fn add_routes(rib: &mut Rib, text: &str, mark: Option<Mark>) {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    for (prefix, paths) in
        parsed["routes"].as_object().into_iter().flatten().filter(|(prefix, _)| is_pod_subnet(prefix))
    {
        let entry = rib.entry(prefix.clone()).or_default();
        entry.marks.extend(mark);
        for path in paths.as_array().into_iter().flatten() {
            if path["stale"] == true {
                entry.marks.insert(Mark::Stale);
            }
            if path["locPrf"] == 0 {
                entry.marks.insert(Mark::LastChoice);
            }
            entry.via.extend(global_next_hops(path));
        }
    }
}

fn add_choices(choices: &mut Choices, parsed: &Value, replicas: &[String]) {
    let routes = parsed["routes"].as_object().into_iter().flatten().filter(|(prefix, _)| is_pod_subnet(prefix));
    for (prefix, paths) in routes {
        let paths = paths.as_array().map(Vec::as_slice).unwrap_or_default();
        let living = paths.iter().filter(|path| path["stale"] != true).count();
        let mut choice = Choice { paths: living, ..Choice::default() };
        // Several of them where it balances over equal paths, which the metric must not allow.
        for path in paths.iter().filter(|path| path["bestpath"] == true || path["multipath"] == true) {
            choice.via.extend(global_next_hops(path));
            if path["bestpath"] == true {
                choice.from = replicas.iter().position(|replica| path["peerId"] == replica.as_str());
            }
            let med = path["metric"].as_u64().and_then(|med| u32::try_from(med).ok());
            choice.med = by_local_pref(path["locPrf"].as_u64()).or(med);
        }
        choices.insert(prefix.clone(), choice);
    }
}

fn global_next_hops(path: &Value) -> impl Iterator<Item = IpAddr> {
    let next_hops = path["nexthops"].as_array().into_iter().flatten();
    let global = next_hops.filter(|next_hop| next_hop["scope"] != "link-local");
    global.filter_map(|next_hop| next_hop["ip"].as_str()?.parse::<IpAddr>().ok())
}
