//! The harness works: every row runs at a small size, the routes arrive, and the results have their structure. Never times.

use integration::lab::skip::{self, Need};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn every_row_measures_what_it_says() {
    if skip::unless(&[Need::Etcd, Need::Root]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("results.json");
    let done = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--runs", "2", "--fingerpost"])
        .arg(fingerpost())
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    // A row whose routes do not all arrive ends the harness with an error.
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let results: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert!(results["machine"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(results["quick"], true);
    let figures = results["figures"].as_array().unwrap();
    let rows: Vec<u64> = figures.iter().map(|figure| figure["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6]);
    let table = String::from_utf8(done.stdout).unwrap();
    for figure in figures {
        let judged = &figure["judged"];
        assert_eq!(judged["runs"].as_array().unwrap().len(), 2, "{figure}");
        assert!(judged["min"].as_f64() <= judged["median"].as_f64(), "{figure}");
        assert!(judged["median"].as_f64() <= judged["max"].as_f64(), "{figure}");
        assert!(figure["fingerpost"]["median"].as_f64().is_some() && figure["met"].is_boolean(), "{figure}");
        assert!(table.contains(figure["name"].as_str().unwrap()), "{table}");
    }
}

#[test]
fn an_unknown_row_is_refused() {
    let done = Command::new(env!("CARGO_BIN_EXE_bench")).args(["--quick", "--rows", "7"]).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}

/// The product's binary: named, or beside the harness, or else built.
fn fingerpost() -> PathBuf {
    if let Some(named) = std::env::var_os("FINGERPOST_BIN") {
        return named.into();
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_bench")).with_file_name("fingerpost");
    if !binary.exists() {
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--package", "fingerpost"])
            .args(profile)
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the product does not build");
    }
    binary
}
