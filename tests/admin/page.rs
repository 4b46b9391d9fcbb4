//! `docs/admin-api.md` and `docs/operations.md` leave out nothing that there is, and name nothing that there is not.

use clap::CommandFactory;
use fingerpost::cli::CommandLine;
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
