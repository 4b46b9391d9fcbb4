//! BIRD 2 as a gateway.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use super::{Node, Program};
use crate::lab::process::Process;
use crate::lab::rib::{Choices, Mark, Rib, by_local_pref};
use crate::lab::route::is_pod_subnet;

const BOUND: Duration = Duration::from_secs(20);

/// What stands in bird.conf before our text is included, in the shape of Debian's: direct routes are switched off, and the
/// kernel is told everything.
pub const BEFORE: &str = "\
    protocol device {\n}\n\
    protocol direct {\n\tdisabled;\n\tipv4;\n\tipv6;\n}\n\
    protocol kernel {\n\tipv4 {\n\t      export all;\n\t};\n}\n\
    protocol kernel {\n\tipv6 { export all; };\n}\n\
    protocol static {\n\tipv4;\n}\n";
/// How the text begins its line for the kernel protocols.
const EXPORT: &str = "#   export where ";

/// The community of what is kept for long.
const LLGR_STALE: &str = "(65535,6)";

pub(super) struct Bird;

impl Program for Bird {
    fn version(&self) -> Command {
        let mut command = Command::new("bird");
        command.arg("--version");
        command
    }

    fn platform(&self) -> Option<&'static str> {
        Some("bird")
    }

    fn start(&self, node: &Node<'_>, configuration: &str) -> Vec<Process> {
        let file = node.write("bird.conf", &included(BEFORE, configuration));
        let socket = socket(node);
        let name = format!("{}-bird", node.name);
        // -d: in the foreground, and the log to standard error.
        let mut process = node.namespace.spawn(&name, "bird", &["-d", "-c", &file, "-s", &socket]);
        process.await_ready(BOUND, |_| birdc(node, &["show", "status"]).contains("up and running"));
        birdc(node, &["debug", "\"fingerpost*\"", "{ states, events }"]);
        vec![process]
    }

    /// When it came up, to the millisecond.
    fn session(&self, node: &Node<'_>) -> Option<String> {
        // A dynamic neighbour's session has a number after the name.
        let text = birdc(node, &["show", "protocols", "\"fingerpost*\""]);
        text.lines().find(|line| line.starts_with("fingerpost") && line.contains("Established"))?;
        // The moment that BIRD shows is reckoned anew each time, and may be a millisecond off: the connection tells sessions apart.
        let filter = ["-Htn", "state", "established", "( sport = :179 or dport = :179 )"];
        let connections = node.ask("ss", &filter);
        let ends = connections.lines().map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" "));
        let mut ends: Vec<String> = ends.collect();
        ends.sort();
        (!ends.is_empty()).then(|| ends.join(", "))
    }

    fn rib(&self, node: &Node<'_>) -> Rib {
        parse(&birdc(node, &["show", "route", "all", "where", "source", "=", "RTS_BGP"]))
    }

    fn choices(&self, node: &Node<'_>) -> Choices {
        parse_choices(&birdc(node, &["show", "route", "all", "where", "source", "=", "RTS_BGP"]))
    }

    fn refresh(&self, node: &Node<'_>) {
        birdc(node, &["reload", "in", "\"fingerpost*\""]);
    }

    fn reset(&self, node: &Node<'_>) -> bool {
        birdc(node, &["restart", "fingerpost"]);
        true
    }

    /// Each route that was announced or withdrawn, also again as it was.
    fn route_changes(&self, node: &Node<'_>) -> Option<u64> {
        let text = birdc(node, &["show", "protocols", "all", "\"fingerpost*\""]);
        let counts = text.lines().filter_map(|line| line.trim().strip_prefix("Import "));
        let received = counts.filter_map(|line| line.split_once(':')?.1.split_whitespace().next()?.parse::<u64>().ok());
        Some(received.sum())
    }

    fn diagnosis(&self, node: &Node<'_>) -> String {
        birdc(node, &["show", "protocols", "all"]) + &birdc(node, &["show", "route", "all"])
    }
}

/// A bird.conf with our text at its end, changed as the text asks for.
///
/// # Panics
/// When the text does not say what the kernel is to be told.
#[must_use]
#[track_caller]
pub fn included(before: &str, text: &str) -> String {
    let export = text.lines().find(|line| line.starts_with(EXPORT)).expect("a line for the kernel protocols");
    let before = before.replace("export all;", export.trim_start_matches(['#', ' ']));
    format!("{before}\n{text}")
}

fn birdc(node: &Node<'_>, words: &[&str]) -> String {
    node.ask("birdc", &[&["-s", &socket(node)], words].concat())
}

fn socket(node: &Node<'_>) -> String {
    node.file("bird.ctl")
}

/// Reads `show route all`: a line that begins with a prefix (or, for a further path, with a space), then lines about it.
fn parse(text: &str) -> Rib {
    let mut rib = Rib::new();
    let mut current = None;
    for line in text.lines() {
        if let Some(prefix) = line.split_whitespace().next().filter(|word| is_pod_subnet(word)) {
            current = Some(prefix.to_owned());
        }
        let Some(prefix) = &current else { continue };
        let path = rib.entry(prefix.clone()).or_default();
        let field = line.trim();
        if let Some(via) = field.strip_prefix("BGP.next_hop: ") {
            // An IPv6 next hop may be followed by its link-local address.
            path.via.extend(via.split_whitespace().next().and_then(|via| via.parse::<IpAddr>().ok()));
        }
        if field == "BGP.local_pref: 0" {
            path.marks.insert(Mark::LastChoice);
        }
        if let Some(communities) = field.strip_prefix("BGP.community: ") {
            let known = [("(65535,0)", Mark::GracefulShutdown), (LLGR_STALE, Mark::LongLivedStale)];
            path.marks.extend(known.iter().filter(|(text, _)| communities.contains(text)).map(|(_, mark)| *mark));
        }
    }
    rib
}

/// The session's number, less one: sessions are numbered where there are several.
fn replica(line: &str) -> Option<usize> {
    let (_, name) = line.split_once(" [fingerpost")?;
    let number: usize = name.split_whitespace().next()?.parse().ok()?;
    number.checked_sub(1)
}

/// Reads the same for the preferred path of each prefix, which has an asterisk.
fn parse_choices(text: &str) -> Choices {
    let mut choices = Choices::new();
    let mut current = None;
    let mut preferred = false;
    for line in text.lines() {
        if let Some(prefix) = line.split_whitespace().next().filter(|word| is_pod_subnet(word)) {
            current = Some(prefix.to_owned());
        }
        let Some(prefix) = &current else { continue };
        let choice = choices.entry(prefix.clone()).or_default();
        let field = line.trim();
        // The first line of a path says from which session it is.
        if line.contains(" [fingerpost") {
            choice.paths += 1;
            preferred = line.contains("] * (");
            if preferred {
                choice.from = replica(line);
            }
        } else if field.starts_with("BGP.community: ") && field.contains(LLGR_STALE) {
            choice.paths = choice.paths.saturating_sub(1);
        } else if !preferred {
        } else if let Some(via) = field.strip_prefix("BGP.next_hop: ") {
            choice.via.extend(via.split_whitespace().next().and_then(|via| via.parse::<IpAddr>().ok()));
        } else if let Some(med) = field.strip_prefix("BGP.med: ") {
            choice.med = choice.med.or(med.parse().ok());
        } else if let Some(local_pref) = field.strip_prefix("BGP.local_pref: ") {
            choice.med = by_local_pref(local_pref.parse().ok()).or(choice.med);
        }
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "BIRD 2.0.12 ready.\nTable master4:\n\
        10.244.1.0/24        unicast [fingerpost1 18:55:01.123] * (100) [AS64513i]\n\
        \tvia 10.168.0.11 on vlan168\n\tType: BGP univ\n\tBGP.next_hop: 10.168.0.11\n\tBGP.med: 999999\n\
        \x20                    unicast [fingerpost2 18:55:02.123] (100) [AS64513i]\n\
        \tvia 10.168.0.12 on vlan168\n\tType: BGP univ\n\tBGP.next_hop: 10.168.0.12\n\tBGP.med: 2000001\n\
        \x20                    unicast [fingerpost3 18:55:02.123] (100) [AS64513i]\n\
        \tvia 10.168.0.12 on vlan168\n\tBGP.next_hop: 10.168.0.12\n\tBGP.med: 9\n\tBGP.community: (65535,6)\n";

    #[test]
    fn the_preferred_path_is_read_and_those_of_the_living_are_counted() {
        let choices = parse_choices(THREE);
        let choice = &choices["10.244.1.0/24"];
        assert_eq!((choices.len(), choice.paths, choice.med, choice.from), (1, 2, Some(999_999), Some(0)));
        assert!(choice.via.iter().eq(&["10.168.0.11".parse::<IpAddr>().unwrap()]));
    }

    const TABLE: &str = "BIRD 2.0.12 ready.\nTable master4:\n\
        10.244.1.0/24        unicast [fingerpost 18:55:01.123] * (100) [AS64513i]\n\
        \tvia 10.168.0.11 on vlan168\n\tType: BGP univ\n\tBGP.origin: IGP\n\tBGP.as_path: 64513\n\
        \tBGP.next_hop: 10.168.0.11\n\tBGP.local_pref: 0\n\tBGP.community: (64512,1) (65535,0)\n\n\
        Table master6:\n\
        fd00:10:244:1::/64   unicast [fingerpost 18:55:01.123] * (100) [AS64513i]\n\
        \tvia fd00:10:168::11 on vlan168\n\tBGP.next_hop: fd00:10:168::11 fe80::1\n";

    #[test]
    fn a_table_is_read_with_next_hops_and_communities() {
        let rib = parse(TABLE);
        assert_eq!(rib.len(), 2);
        assert!(rib["10.244.1.0/24"].via.iter().eq(&["10.168.0.11".parse::<IpAddr>().unwrap()]));
        assert!(rib["10.244.1.0/24"].marks.iter().eq(&[Mark::GracefulShutdown, Mark::LastChoice]));
        assert!(rib["fd00:10:244:1::/64"].via.iter().eq(&["fd00:10:168::11".parse::<IpAddr>().unwrap()]));
        assert!(rib["fd00:10:244:1::/64"].marks.is_empty());
    }
}
