//! GoBGP, Debian's and a current one. It installs no routes (3.10 cannot with FRR 8.4's zebra), so its own table is read.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::{Node, Program};
use crate::lab::process::Process;
use crate::lab::rib::{Choice, Choices, Mark, Rib, by_local_pref};
use crate::lab::route::is_pod_subnet;

const BOUND: Duration = Duration::from_secs(20);
/// Path attributes by their numbers: NEXT_HOP, MULTI_EXIT_DISC, LOCAL_PREF, COMMUNITIES, MP_REACH_NLRI.
const NEXT_HOP: u64 = 3;
const MULTI_EXIT_DISC: u64 = 4;
const LOCAL_PREF: u64 = 5;
const COMMUNITIES: u64 = 8;
const MP_REACH_NLRI: u64 = 14;
/// `SessionState` of its API.
const ESTABLISHED: u64 = 6;

#[derive(Clone, Copy)]
pub(super) enum Gobgp {
    /// 3.x.
    Debian,
    /// 4.x.
    Module,
}

impl Gobgp {
    fn path(self, program: &str) -> String {
        match self {
            Self::Debian => format!("/usr/bin/{program}"),
            Self::Module => folder()
                .unwrap_or_else(|reason| panic!("no current GoBGP: {reason}"))
                .join(program)
                .to_string_lossy()
                .into_owned(),
        }
    }

    fn ask(self, node: &Node<'_>, words: &[&str]) -> String {
        node.ask(&self.path("gobgp"), words)
    }

    fn neighbours(self, node: &Node<'_>) -> Vec<Value> {
        serde_json::from_str(&self.ask(node, &["-j", "neighbor"])).unwrap_or_default()
    }
}

/// The folder with the programs that `integration/go-tools.sh` builds once, or why there is none.
pub(crate) fn folder() -> Result<&'static Path, &'static str> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = FOLDER.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/go-tools.sh");
        let output = Command::new(script).arg("gobgp").output().map_err(|error| format!("{script}: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().into())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    });
    built.as_deref().map_err(String::as_str)
}

impl Program for Gobgp {
    fn version(&self) -> Command {
        let mut command = Command::new(self.path("gobgpd"));
        command.arg("--version");
        command
    }

    fn platform(&self) -> Option<&'static str> {
        Some("gobgp")
    }

    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process> {
        let file = node.write("gobgpd.toml", configuration);
        let arguments = ["-f", &file, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
        let mut process = node.namespace.spawn(&format!("{}-gobgpd", node.name), &self.path("gobgpd"), &arguments);
        process.await_ready(BOUND, |_| self.ask(node, &["-j", "global"]).contains("\"asn\""));
        // What its file cannot say stands there as commands.
        for command in configuration.lines().filter_map(|line| line.strip_prefix("#   gobgp policy ")) {
            let words: Vec<&str> = ["policy"].into_iter().chain(command.split_whitespace()).collect();
            let said = self.ask(node, &words);
            assert!(said.is_empty(), "GoBGP refuses {command}: {said}");
        }
        vec![process]
    }

    fn session(&self, node: &Node<'_>) -> Option<String> {
        let neighbours = self.neighbours(node);
        let neighbour = neighbours.iter().find(|value| value["state"]["session_state"] == ESTABLISHED)?;
        let state = &neighbour["state"];
        let flops = &state["flops"];
        Some(format!("{} {flops}", neighbour["timers"]["state"]["uptime"]["seconds"]))
    }

    fn rib(&self, node: &Node<'_>) -> Rib {
        let mut rib = Rib::new();
        for family in ["ipv4", "ipv6"] {
            add_routes(&mut rib, &self.ask(node, &["-j", "global", "rib", "-a", family]));
        }
        rib
    }

    fn choices(&self, node: &Node<'_>) -> Choices {
        let replicas = node.session.neighbours();
        let mut choices = Choices::new();
        for family in ["ipv4", "ipv6"] {
            add_choices(&mut choices, &self.ask(node, &["-j", "global", "rib", "-a", family]), &replicas);
        }
        choices
    }

    fn count(&self, node: &Node<'_>) -> usize {
        let neighbours = self.neighbours(node);
        let families = neighbours.iter().filter_map(|neighbour| neighbour["afi_safis"].as_array()).flatten();
        let accepted = families.filter_map(|family| family["state"]["accepted"].as_u64());
        usize::try_from(accepted.sum::<u64>()).unwrap_or(usize::MAX)
    }

    fn refresh(&self, node: &Node<'_>) {
        self.ask(node, &["neighbor", &node.session.speaker.to_string(), "softresetin"]);
    }

    fn diagnosis(&self, node: &Node<'_>) -> String {
        let speaker = node.session.speaker.to_string();
        let commands: [&[&str]; 4] = [
            &["neighbor"],
            &["neighbor", &speaker],
            &["global", "rib", "-a", "ipv4"],
            &["global", "rib", "-a", "ipv6"],
        ];
        commands.map(|words| self.ask(node, words)).join("\n")
    }
}

fn add_routes(rib: &mut Rib, text: &str) {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    for (prefix, paths) in parsed.as_object().into_iter().flatten().filter(|(prefix, _)| is_pod_subnet(prefix)) {
        let entry = rib.entry(prefix.clone()).or_default();
        for path in paths.as_array().into_iter().flatten() {
            if path["stale"] == true {
                entry.marks.insert(Mark::Stale);
            }
            for attribute in path["attrs"].as_array().into_iter().flatten() {
                match attribute["type"].as_u64() {
                    Some(NEXT_HOP | MP_REACH_NLRI) => {
                        let via = attribute["nexthop"].as_str().and_then(|via| via.parse::<IpAddr>().ok());
                        entry.via.extend(via);
                    }
                    Some(LOCAL_PREF) if attribute["value"] == 1 => {
                        entry.marks.insert(Mark::LastChoice);
                    }
                    Some(COMMUNITIES) => {
                        let numbers =
                            attribute["communities"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                        entry.marks.extend(numbers.filter_map(mark));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn add_choices(choices: &mut Choices, text: &str, replicas: &[String]) {
    let parsed: Value = serde_json::from_str(text).unwrap_or_default();
    for (prefix, paths) in parsed.as_object().into_iter().flatten().filter(|(prefix, _)| is_pod_subnet(prefix)) {
        let mut choice = Choice::default();
        for path in paths.as_array().into_iter().flatten() {
            let attribute = |number: u64| {
                let attributes = path["attrs"].as_array().into_iter().flatten();
                attributes.into_iter().find(|attribute| attribute["type"] == number)
            };
            let communities = attribute(COMMUNITIES).and_then(|value| value["communities"].as_array());
            let mut marks = communities.into_iter().flatten().filter_map(Value::as_u64).filter_map(mark);
            choice.paths += usize::from(path["stale"] != true && !marks.any(|mark| mark == Mark::LongLivedStale));
            if path["best"] == true {
                let via = [NEXT_HOP, MP_REACH_NLRI].iter().filter_map(|number| attribute(*number)?["nexthop"].as_str());
                choice.via = via.filter_map(|via| via.parse::<IpAddr>().ok()).collect();
                choice.from = replicas.iter().position(|replica| path["peer-address"] == replica.as_str());
                let med = attribute(MULTI_EXIT_DISC).and_then(|value| value["metric"].as_u64());
                let local_pref = attribute(LOCAL_PREF).and_then(|value| value["value"].as_u64());
                choice.med = by_local_pref(local_pref).or(med.and_then(|med| u32::try_from(med).ok()));
            }
        }
        choices.insert(prefix.clone(), choice);
    }
}

fn mark(community: u64) -> Option<Mark> {
    match community {
        0xffff_0000 => Some(Mark::GracefulShutdown),
        0xffff_0006 => Some(Mark::LongLivedStale),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_path_is_read_and_those_of_the_living_are_counted() {
        let path = |peer: &str, best: bool, med: u32, communities: &str| {
            format!(
                r#"{{"nlri":{{"prefix":"10.244.1.0/24"}},"best":{best},"attrs":[{{"type":4,"metric":{med}}},
                {{"type":3,"nexthop":"10.168.0.11"}}{communities}],"stale":false,"peer-address":"{peer}"}}"#
            )
        };
        let kept = r#",{"type":8,"communities":[4294901766]}"#;
        let text = format!(
            r#"{{"10.244.1.0/24":[{},{},{}],"192.0.2.0/24":[]}}"#,
            path("10.170.0.11", true, 999_999, ""),
            path("10.170.0.10", false, 2_000_000, ""),
            path("10.170.0.12", false, 5, kept)
        );
        let mut choices = Choices::new();
        add_choices(&mut choices, &text, &["10.170.0.10".to_owned(), "10.170.0.11".to_owned()]);
        let choice = &choices["10.244.1.0/24"];
        assert_eq!((choices.len(), choice.paths, choice.med, choice.from), (1, 2, Some(999_999), Some(1)));
        assert!(choice.via.iter().eq(&["10.168.0.11".parse::<IpAddr>().unwrap()]));
    }
}
