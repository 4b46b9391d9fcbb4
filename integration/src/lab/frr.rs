//! FRR as a gateway: zebra, staticd and bgpd with sockets and files of their own, so that several FRRs run side by side.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::namespace::Namespace;
use super::process::Process;

/// The group whose members may use FRR's control sockets; FRR refuses to run as a user outside it.
const GROUP: &str = "frrvty";
const BOUND: Duration = Duration::from_secs(20);

pub(crate) fn start(namespace: &Namespace, name: &str, configuration: &str) -> Vec<Process> {
    let folder = folder(namespace, name);
    std::fs::create_dir_all(&folder).expect("a folder can be made in the lab's folder");
    // The others ask zebra for interfaces and next hops, so zebra comes first.
    let zebra = daemon(namespace, name, "zebra", &[]);
    let staticd = daemon(namespace, name, "staticd", &[]);
    let bgpd = daemon(namespace, name, "bgpd", &["-p", "179"]);
    let file = folder.join("frr.conf");
    std::fs::write(&file, configuration).expect("a configuration can be written");
    let (sockets, file) = (folder.to_string_lossy(), file.to_string_lossy());
    let said = namespace.run("vtysh", &["--vty_socket", &sockets, "-f", &file]);
    assert!(!said.contains('%'), "FRR refuses a line of its configuration: {said}\n{configuration}");
    vec![bgpd, staticd, zebra]
}

fn daemon(namespace: &Namespace, name: &str, program: &str, more: &[&str]) -> Process {
    let folder = folder(namespace, name);
    let path = |file: &str| folder.join(file).to_string_lossy().into_owned();
    let (configuration, pid, zserv) =
        (path(&format!("{program}.conf")), path(&format!("{program}.pid")), path("zserv.api"));
    // What it is to do comes by vtysh, once all of them run.
    std::fs::write(&configuration, format!("hostname {name}\n")).expect("a configuration can be written");
    let sockets = folder.to_string_lossy();
    let mut arguments = vec!["-f", &configuration, "-i", &pid, "-z", &zserv, "--vty_socket", &sockets];
    arguments.extend(["-P", "0", "-u", "root", "-g", GROUP, "--log", "stdout"]);
    arguments.extend(more);
    let binary = format!("/usr/lib/frr/{program}");
    // FRR gives up its group for GROUP, and with a change of group the kernel forgets that a process shall die with its
    // parent. So it starts in that group already, and there is nothing to change.
    let mut command = namespace.command_as(&["--regid", GROUP, "--keep-groups"], &binary);
    command.args(&arguments);
    let mut process = Process::spawn(namespace.context(), &format!("{name}-{program}"), command);
    let vty = folder.join(format!("{program}.vty"));
    let is_zebra = program == "zebra";
    process.await_ready(BOUND, |_| vty.exists() && (!is_zebra || folder.join("zserv.api").exists()));
    process
}

/// When the session came up and how often one did; `None` while it is not.
pub(crate) fn session(namespace: &Namespace, name: &str) -> Option<String> {
    let text = vtysh(namespace, name, "show bgp neighbors json");
    let parsed: Value = serde_json::from_str(&text).ok()?;
    let neighbour = parsed.as_object()?.values().find(|value| value["bgpState"] == "Established")?;
    Some(format!("{} {}", neighbour["connectionsEstablished"], neighbour["bgpTimerUpEstablishedEpoch"]))
}

pub(crate) fn diagnosis(namespace: &Namespace, name: &str) -> String {
    let commands =
        ["show bgp summary", "show bgp neighbors", "show bgp ipv4 unicast", "show bgp ipv6 unicast", "show ip route"];
    commands.map(|command| vtysh(namespace, name, command)).join("\n")
}

fn vtysh(namespace: &Namespace, name: &str, command: &str) -> String {
    let folder = folder(namespace, name);
    let output = namespace.command("vtysh").arg("--vty_socket").arg(&folder).args(["-c", command]).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn folder(namespace: &Namespace, name: &str) -> PathBuf {
    namespace.context().folder().join(format!("{name}-frr"))
}
