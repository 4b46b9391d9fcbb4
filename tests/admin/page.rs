//! `docs/admin-api.md` and `docs/operations.md` leave out nothing that there is, and name nothing that there is not.

use clap::CommandFactory;
use fingerpost::cli::CommandLine;
use fingerpost_core::table::HoldReason;
use std::collections::BTreeSet;
use std::path::Path;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn the_page_names_every_method() {
    let (proto, page) = (read("proto/fingerpost/v1/fingerpost.proto"), read("docs/admin-api.md"));
    let methods: Vec<&str> =
        proto.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next()).collect();
    assert!(methods.len() >= 13, "{methods:?}");
    for method in methods {
        assert!(page.contains(&format!("`{method}`")), "{method} is not on the page");
    }
}

/// The commands that a page names as `fingerpost COMMAND`.
fn named(page: &str) -> BTreeSet<String> {
    let after = page.split("`fingerpost ").skip(1);
    let word =
        |text: &str| text.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default().to_owned();
    after.map(word).filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_pages_name_every_command_and_no_other() {
    let line = CommandLine::command();
    let there: BTreeSet<String> = line.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let admin: BTreeSet<String> = line
        .get_subcommands()
        .filter(|command| command.get_arguments().any(|argument| argument.get_id() == "admin"))
        .map(|command| command.get_name().to_owned())
        .collect();
    assert_eq!(named(&read("docs/admin-api.md")), admin);
    let of_operations = named(&read("docs/operations.md"));
    assert!(of_operations.is_subset(&there), "{of_operations:?}");
}

/// What stands in code in the first cells of a page's tables.
fn rows(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    cells.flat_map(|cell| cell.trim_end_matches('`').split("`, `").map(str::to_owned)).collect()
}

/// The words of an enumeration of the API.
fn words(proto: &str, name: &str) -> Vec<String> {
    let prefix: String = name.chars().flat_map(|c| if c.is_uppercase() { vec!['_', c] } else { vec![c] }).collect();
    let prefix = format!("{}_", prefix.trim_start_matches('_').to_uppercase());
    let body =
        proto.split(&format!("enum {name} {{")).nth(1).and_then(|body| body.split('}').next()).unwrap_or_default();
    let names = body.lines().filter_map(|line| line.trim().strip_prefix(&prefix)?.split(' ').next());
    names.filter(|name| *name != "UNSPECIFIED").map(str::to_lowercase).collect()
}

/// Every reason there is: one more does not compile before it is put in here.
fn reasons() -> Vec<HoldReason> {
    let next = |reason: &HoldReason| match reason {
        HoldReason::TooMany { .. } => Some(HoldReason::MostOfSource { changes: 7, routes: 7 }),
        HoldReason::MostOfSource { .. } => Some(HoldReason::Denied),
        HoldReason::Denied => Some(HoldReason::Replaced),
        HoldReason::Replaced => Some(HoldReason::Flapping),
        HoldReason::Flapping => None,
    };
    std::iter::successors(Some(HoldReason::TooMany { changes: 7, allowed: 7, of: 7 }), next).collect()
}

#[test]
fn on_call_it_is_told_what_every_state_means_and_every_reason_of_a_hold() {
    let (proto, page) = (read("proto/fingerpost/v1/fingerpost.proto"), read("docs/operations.md"));
    let told = rows(&page);
    for name in ["SourceState", "Standing", "TellState", "EventKind"] {
        let words = words(&proto, name);
        assert!(words.len() >= 3, "{name}: {words:?}");
        let untold: Vec<_> = words.iter().filter(|word| !told.contains(*word)).collect();
        assert!(untold.is_empty(), "{name}: the page does not tell what {untold:?} mean");
    }
    let there: BTreeSet<String> = reasons().iter().map(|reason| reason.to_string().replace('7', "N")).collect();
    let table = page.split("| REASON |").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    assert_eq!(rows(table), there);
}

#[test]
fn on_call_no_link_within_the_page_leads_nowhere() {
    let page = read("docs/operations.md");
    let anchor = |title: &str| title.to_lowercase().replace(' ', "-");
    let headings: BTreeSet<String> = page.lines().filter_map(|line| line.strip_prefix("## ").map(anchor)).collect();
    let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() >= 15 && links.iter().all(|link| headings.contains(*link)), "{links:?} of {headings:?}");
    // And what is in no overview is not found by whoever reads the first one.
    let linked = |title: &&String| links.contains(&title.as_str());
    let states = headings.iter().filter(|title| !["what-happened", "what-a-reload-will-do"].contains(&title.as_str()));
    let unlinked: Vec<_> = states.filter(|title| !linked(title)).collect();
    assert!(unlinked.is_empty(), "{unlinked:?}");
}
