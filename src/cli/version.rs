//! `fingerpost version`.

use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;

/// The version in one line, for `--version`.
pub(super) const LINE: &str = env!("CARGO_PKG_VERSION");

/// How to print.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What this program was built from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Build {
    /// The package's version.
    pub version: &'static str,
    /// The commit, where the build was told it (the environment variable `FINGERPOST_COMMIT`) or the sources are a git clone.
    pub commit: Option<&'static str>,
    /// Cargo features, sorted.
    pub features: Vec<&'static str>,
}

/// What this program was built from.
pub fn build() -> Build {
    let mut features = Vec::new();
    if cfg!(feature = "etcd") {
        features.push("etcd");
    }
    Build { version: LINE, commit: option_env!("FINGERPOST_COMMIT").filter(|commit| !commit.is_empty()), features }
}

pub(super) fn print(output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    let build = build();
    match output {
        Output::Json => writeln!(out, "{}", serde_json::to_string(&build)?)?,
        Output::Text => {
            let commit = build.commit.unwrap_or("unknown");
            let features = if build.features.is_empty() { "none".into() } else { build.features.join(", ") };
            writeln!(out, "fingerpost {}\ncommit   {commit}\nfeatures {features}", build.version)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Output, print};

    #[test]
    fn json_is_one_object_with_every_field() {
        let mut out = Vec::new();
        print(Output::Json, &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
        assert!(value.get("commit").is_some());
        assert!(value["features"].is_array());
    }

    #[test]
    fn text_names_version_commit_and_features() {
        let mut out = Vec::new();
        print(Output::Text, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(concat!("fingerpost ", env!("CARGO_PKG_VERSION"), "\n")), "{text}");
        assert!(text.contains("commit") && text.contains("features"), "{text}");
    }
}
