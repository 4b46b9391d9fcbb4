//! docs/ARCHITECTURE.md speaks of files that exist.

use std::path::Path;

#[test]
fn every_path_in_the_architecture_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 200, "the page is meant to be read in one go");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let words = text.split(|c: char| !plain(c));
    let rooted = ["src/", "tests/", "integration/", "bench/", "docs/"];
    let paths: Vec<_> = words.filter(|word| rooted.iter().any(|start| word.starts_with(start))).collect();
    assert!(paths.len() > 30, "found only {paths:?}");
    let missing: Vec<_> = paths.iter().filter(|path| !root.join(path.trim_end_matches('.')).exists()).collect();
    assert!(missing.is_empty(), "not there: {missing:?}");
}
