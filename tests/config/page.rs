//! `docs/configuration.md` and the code say the same.

use fingerpost::config::{self, DEFAULT_RESTART_TIME, OpenOptions, Platform, keys};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap()
}

/// The section under the heading, without its sub-sections.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let after = page.split_once(&format!("\n## {heading}\n"))?.1;
    Some(after.split("\n## ").next().unwrap_or(after))
}

/// The first column of a section's tables.
fn rows(section: &str) -> BTreeSet<&str> {
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_key_has_a_row_and_every_row_is_a_key() {
    let page = page();
    for table in keys::ALL {
        if table.table.is_empty() {
            for key in table.built {
                let documented =
                    ["", ".*", ".*[]"].iter().any(|under| section(&page, &format!("`{key}{under}`")).is_some());
                assert!(documented, "no section for {key}");
            }
            continue;
        }
        let Some(section) = section(&page, &format!("`{}`", table.table)) else {
            panic!("no section for {}", table.table);
        };
        assert_eq!(rows(section), table.built.iter().copied().collect(), "{}", table.table);
    }
}

/// A preset's row under "Platforms", as the code has it.
fn row(platform: Platform) -> String {
    let yes = |on: bool| if on { "yes" } else { "no" };
    let restart = |options: OpenOptions| match options.graceful_restart {
        None => "not offered".to_owned(),
        Some(restart) => match restart.long_lived {
            None => format!("{}s", restart.restart_time),
            Some(seconds) => format!("{}s, then long-lived {seconds}s", restart.restart_time),
        },
    };
    let [one, two] = [1, 2].map(|replicas| platform.preset(replicas, DEFAULT_RESTART_TIME));
    assert_eq!(
        OpenOptions { graceful_restart: one.graceful_restart, ..two },
        one,
        "the other columns need no replicas"
    );
    assert_eq!(platform.preset(16, DEFAULT_RESTART_TIME), two);
    let notification = [one, two].map(|options| options.graceful_restart.is_some_and(|restart| restart.notification));
    assert_eq!(notification[0], notification[1]);
    let tried = match (platform, platform.is_tried()) {
        (Platform::Generic, _) => "|",
        (_, true) => "yes |",
        (_, false) => "untested |",
    };
    let columns = [
        format!("`{}`", platform.name()),
        restart(one),
        restart(two),
        yes(notification[0]).to_owned(),
        yes(one.enhanced_refresh).to_owned(),
        yes(one.extended_messages).to_owned(),
        yes(one.extended_next_hop).to_owned(),
        tried.to_owned(),
    ];
    format!("| {}", columns.join(" | "))
}

#[test]
fn the_presets_are_as_the_page_shows_them() {
    let page = page();
    let section = section(&page, "Platforms").unwrap();
    let shown: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(shown, Platform::ALL.map(row));
}

/// Where a preset was never tried it offers no more than the generic one.
#[test]
fn untested_platforms_stay_conservative() {
    for platform in Platform::ALL.into_iter().filter(|platform| !platform.is_tried()) {
        for replicas in [1, 2] {
            assert_eq!(platform.preset(replicas, 120), Platform::Generic.preset(replicas, 120), "{}", platform.name());
        }
    }
}

#[test]
fn every_key_that_is_not_yet_built_is_named() {
    let page = page();
    let section = section(&page, "Not yet supported").unwrap();
    for table in keys::ALL {
        for key in table.not_yet {
            let path = if table.table.is_empty() { (*key).to_owned() } else { format!("{}.{key}", table.table) };
            assert!(section.contains(&format!("`{path}`")), "{path}");
        }
    }
}

/// An example is a whole configuration, or some of its parts: the others are then those of the first example.
#[test]
fn every_example_is_right() {
    let page = page();
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|after| after.split("```").next().unwrap_or(after)).collect();
    assert!(examples.len() > 10, "only {} examples found", examples.len());
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etcd")).unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
    for file in ["hosts.yaml", "etcd/ca.crt", "etcd/client.crt", "etcd/client.key", "etcd/password", "core-b.key"] {
        let content = if file.ends_with("password") || file == "core-b.key" { "password" } else { pem };
        fs::write(directory.path().join(file), content).unwrap();
    }
    for example in &examples {
        let own: BTreeSet<&str> = example.lines().filter_map(top_level).collect();
        let mut text = (*example).to_owned();
        let mut kept = false;
        for line in examples[0].lines() {
            kept = top_level(line).map_or(kept, |key| !own.contains(key));
            if kept {
                text = text + line + "\n";
            }
        }
        if let Err(faults) = config::parse(&text, &directory.path().join("config.yaml")) {
            panic!("{faults}\nin\n{text}");
        }
    }
}

fn top_level(line: &str) -> Option<&str> {
    let key = line.split(':').next()?;
    (!key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).then_some(key)
}

#[test]
fn every_link_leads_to_a_heading() {
    let page = page();
    // As GitHub makes anchors: lower case, punctuation dropped, spaces to hyphens.
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let headings: BTreeSet<String> = page.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    for link in page.split("](#").skip(1).filter_map(|after| after.split(')').next()) {
        assert!(headings.contains(link), "#{link} leads nowhere");
    }
}
