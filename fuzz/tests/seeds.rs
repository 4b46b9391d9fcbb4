//! Every seed holds every claim of its target: the fuzzers' share of each test run. With inputs that once broke a claim.

use fuzz::{TARGETS, seeds};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn c27_every_target_has_seeds_and_they_hold() {
    for (name, target) in TARGETS {
        let seeds = seeds::of(name).unwrap_or_else(|error| panic!("{error}"));
        assert!(seeds.len() >= 5, "{name} has {} seeds", seeds.len());
        for (seed, octets) in seeds {
            assert!(octets.len() <= 70_000, "{name}: {seed} is large");
            if std::panic::catch_unwind(|| target(&octets)).is_err() {
                panic!("{name}: {seed} breaks a claim, see above");
            }
        }
    }
}

#[test]
fn c27_every_target_is_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs: BTreeSet<String> = std::fs::read_dir(folder.join("targets"))
        .unwrap_or_else(|error| panic!("{error}"))
        .map(|entry| {
            let path = entry.unwrap_or_else(|error| panic!("{error}")).path();
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}"));
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            assert!(text.contains(&format!("fuzz::run(\"{name}\", octets)")), "{} runs another", path.display());
            name
        })
        .collect();
    assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        manifest.matches("[[bin]]").count(),
        TARGETS.len() + 1,
        "all of them, and the one that writes the seeds"
    );
}
