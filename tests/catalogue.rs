//! docs/rfc.md and docs/test-catalogue.md speak of code and tests that exist, and leave out nothing that must be shown.

#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of all functions in the sources: what is named in the pages are tests, however they are declared (proptest,
/// tokio), and no other function begins with a number of the catalogue.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "integration", "fuzz"].iter().map(|name| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let declared = text.lines().filter_map(|line| line.split_once("fn ")).map(|(_, rest)| rest);
                let name =
                    |rest: &str| -> String { rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
                names.extend(declared.map(name));
            }
        }
    }
    names
}

/// The cells of the rows of a page's tables, without their heads: those that begin with a number, after a letter in some.
fn rows(page: &str, letter: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = text.lines().filter(|line| line.starts_with('|')).map(cells);
    let numbered =
        |cell: &str| cell.strip_prefix(letter).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    rows.filter(|cells| numbered(&cells[0])).collect()
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Whether a test has this name, or one that begins so; or it is a file of tests, or a row of the interop matrix.
fn is_there(name: &str, functions: &BTreeSet<String>) -> bool {
    if let Some(word) = name.strip_prefix("interop::") {
        let text = std::fs::read_to_string(root().join("docs/interop.md")).unwrap();
        return text.lines().any(|line| line.starts_with("- **") && line.contains(&format!("** (`{word}`)")));
    }
    match name.strip_suffix('*') {
        _ if name.contains('/') => root().join(name).exists(),
        Some(start) => functions.range(start.to_owned()..).next().is_some_and(|found| found.starts_with(start)),
        None => functions.contains(name),
    }
}

#[test]
fn every_row_of_the_rfc_checklist_has_code_and_tests_that_exist() {
    let functions = functions();
    let rows = rows("docs/rfc.md", "");
    assert!(rows.len() >= 30, "only {} rows", rows.len());
    let mut faults = Vec::new();
    for row in rows {
        let [rfc, _, code, tests, labs] = &row[..] else { panic!("a row of {} cells: {row:?}", row.len()) };
        for path in quoted(code) {
            let below =
                if path.starts_with("src/") { root().join(path) } else { root().join("src/core/bgp").join(path) };
            if !below.exists() {
                faults.push(format!("{rfc}: no file {path}"));
            }
        }
        if quoted(code).is_empty() || quoted(tests).is_empty() {
            faults.push(format!("{rfc}: no code, or no test"));
        }
        if quoted(labs).is_empty() && labs != "—" {
            faults.push(format!("{rfc}: neither a lab nor —"));
        }
        let names = quoted(tests).into_iter().chain(quoted(labs));
        faults.extend(names.filter(|name| !is_there(name, &functions)).map(|name| format!("{rfc}: no test {name}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_case_of_the_test_catalogue_is_shown_or_said_not_to_be() {
    let functions = functions();
    let rows = rows("docs/test-catalogue.md", "");
    let text = std::fs::read_to_string(root().join("docs/test-catalogue.md")).unwrap();
    let mut faults = Vec::new();
    for case in (1..=36).chain(40..=62).chain([63, 64, 66]) {
        let said = text.contains(&format!("\n- {case}: "));
        match rows.iter().find(|row| row[0] == case.to_string()) {
            Some(row) => {
                let names = quoted(&row[2]);
                let beginnings = [format!("c{case}_"), format!("c{case:02}_")];
                let numbered = |name: &&str| {
                    beginnings.iter().any(|start| name.starts_with(start)) || name.contains(&format!("_c{case}_"))
                };
                if !names.iter().any(numbered) {
                    faults.push(format!("case {case}: no test carries its number"));
                }
                let missing = names.into_iter().filter(|name| !is_there(name, &functions));
                faults.extend(missing.map(|name| format!("case {case}: no test {name}")));
                if said {
                    faults.push(format!("case {case}: shown, and said not to be"));
                }
            }
            None if said => {}
            None => faults.push(format!("case {case} is not there")),
        }
    }
    for input in 1..=21 {
        let named = |name: &String| name.contains(&format!("_b{input}_")) && name.starts_with('c');
        if !functions.iter().any(named) {
            faults.push(format!("B{input}: no test carries its number"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_lab_is_shown_or_said_not_to_be() {
    let functions = functions();
    let rows = rows("docs/test-catalogue.md", "L");
    let text = std::fs::read_to_string(root().join("docs/test-catalogue.md")).unwrap();
    let mut faults = Vec::new();
    for lab in (1..=16).map(|n| format!("L{n}")) {
        let said = text.contains(&format!("\n- {lab}: "));
        match rows.iter().find(|row| row[0] == lab) {
            Some(row) => {
                let number = format!("{}_", lab.to_lowercase());
                let names = quoted(&row[2]);
                if !names.iter().any(|name| name.starts_with(&number) || name.contains(&format!("_{number}"))) {
                    faults.push(format!("{lab}: no test carries its number"));
                }
                let missing = names.into_iter().filter(|name| !is_there(name, &functions));
                faults.extend(missing.map(|name| format!("{lab}: no test {name}")));
                if said {
                    faults.push(format!("{lab}: shown, and said not to be"));
                }
            }
            None if said => {}
            None => faults.push(format!("{lab} is not there")),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
