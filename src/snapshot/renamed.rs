//! A source under another name is the same source: without its snapshot, what its first list lacks would be gone unguarded (P3).

use crate::config::{Config, Source};
use std::path::Path;

/// Old and new names of sources that are the same in everything else. Where two old ones, or two new ones, are the same, nobody
/// can tell which became which.
pub(crate) fn renamed(before: &Config, now: &Config) -> Vec<(String, String)> {
    let gone = |name: &&String| !now.sources.contains_key(*name);
    let new = |name: &&String| !before.sources.contains_key(*name);
    let only = |of: &Config, wanted: &dyn Fn(&&String) -> bool, source: &Source| {
        let mut same = of.sources.iter().filter(|(name, known)| wanted(name) && *known == source);
        let (name, _) = same.next()?;
        same.next().is_none().then(|| name.clone())
    };
    let pair = |(name, source): (&String, &Source)| {
        let old = only(before, &gone, source)?;
        (only(now, &new, source)? == *name).then(|| (old, name.clone()))
    };
    now.sources.iter().filter(|(name, _)| new(name)).filter_map(pair).collect()
}

/// Gives the snapshots of renamed sources their new names.
pub(crate) fn follow(directory: &Path, renamed: &[(String, String)]) {
    for (old, new) in renamed {
        let [from, to] = [old, new].map(|name| directory.join(format!("snapshot-{name}")));
        if from.is_file() && !to.exists() {
            match std::fs::rename(&from, &to) {
                Ok(()) => tracing::warn!(source = new.as_str(), "it was named {old} before: its snapshot goes on"),
                Err(error) => tracing::error!(
                    source = new.as_str(),
                    "it was named {old} before, and its snapshot {} cannot be renamed: {error}",
                    from.display()
                ),
            }
        }
    }
}

/// What to say where there are snapshots of no configured source, and sources without one.
pub(crate) fn ownerless(config: &Config) -> Option<String> {
    let directory = config.state_dir.as_deref()?;
    let without = |name: &&String| !directory.join(format!("snapshot-{name}")).exists();
    let without: Vec<&str> = config.sources.keys().filter(without).map(String::as_str).collect();
    let mut ownerless: Vec<String> = std::fs::read_dir(directory)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| {
            let name = file.strip_prefix("snapshot-");
            name.is_some_and(|name| !name.ends_with(".refused") && !config.sources.contains_key(name))
        })
        .collect();
    ownerless.sort();
    (!without.is_empty() && !ownerless.is_empty()).then(|| {
        format!(
            "holds {}, of no source that is configured, and nothing of {}: what the first list of a source without a snapshot \
             lacks is not held",
            ownerless.join(", "),
            without.join(", ")
        )
    })
}

/// What to do then.
pub(crate) const OWNERLESS_HINT: &str =
    "if it is the same source under another name, rename the file to snapshot-NAME before the start; if not, remove it";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use tempfile::TempDir;

    fn config(directory: &TempDir, sources: &str) -> Config {
        let text = format!(
            "router: {{ asn: 64512, id: 10.0.3.10 }}
sources: {{ {sources} }}
fence: {{ prefixes: [ {{ within: 10.244.0.0/16, lengths: 16-32 }} ], next_hops: [ 10.168.0.0/16 ] }}
state_dir: .
"
        );
        config::parse(&text, &directory.path().join("config.yaml")).unwrap()
    }

    const A: &str = "a: { file: { path: one.yaml } }";
    const B: &str = "b: { file: { path: one.yaml } }";
    const OTHER: &str = "b: { file: { path: other.yaml } }";

    #[test]
    fn a_source_is_the_same_under_another_name_if_nothing_else_differs_and_it_is_the_only_one() {
        let directory = TempDir::new().unwrap();
        let of = |before: &str, now: &str| renamed(&config(&directory, before), &config(&directory, now));
        assert_eq!(of(A, B), [("a".to_owned(), "b".to_owned())]);
        assert_eq!(of(A, OTHER), []);
        assert_eq!(of(A, &format!("{A}, {B}")), [], "a is still there");
        assert_eq!(of(A, "b: { file: { path: one.yaml } }, c: { file: { path: one.yaml } }"), []);
    }

    #[test]
    fn c51_the_snapshot_of_a_renamed_source_goes_on_and_one_of_no_source_is_warned_of_p3() {
        let directory = TempDir::new().unwrap();
        let now = config(&directory, B);
        assert_eq!(ownerless(&now), None);
        std::fs::write(directory.path().join("snapshot-a"), "its").unwrap();
        std::fs::write(directory.path().join("snapshot-c.refused"), "").unwrap();
        let said = ownerless(&now).unwrap();
        assert!(said.starts_with("holds snapshot-a, of no source that is configured, and nothing of b: "), "{said}");
        follow(directory.path(), &[("a".into(), "b".into())]);
        assert_eq!(std::fs::read_to_string(directory.path().join("snapshot-b")).unwrap(), "its");
        assert_eq!(ownerless(&now), None);
        std::fs::write(directory.path().join("snapshot-a"), "later").unwrap();
        follow(directory.path(), &[("a".into(), "b".into())]);
        assert_eq!(std::fs::read_to_string(directory.path().join("snapshot-b")).unwrap(), "its", "what is there stays");
    }
}
