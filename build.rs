//! The admin API's types, from `proto/`, and the commit that the program is built from.

use std::path::Path;
use std::process::Command;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    commit();
    api()
}

/// The environment variable `FINGERPOST_COMMIT`, or else what git says where the sources are a clone.
fn commit() {
    println!("cargo::rerun-if-env-changed=FINGERPOST_COMMIT");
    // Sources inside somebody else's repository have another history.
    if std::env::var_os("FINGERPOST_COMMIT").is_some() || !Path::new(".git").exists() {
        return;
    }
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return };
    println!("cargo::rustc-env=FINGERPOST_COMMIT={commit}");
    // Where HEAD points, and what that is now. Cargo runs this at every build if one of them is not there.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// What git prints, if it is there and content.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Messages and service, with how each field shows in JSON and YAML.
fn api() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=proto");
    let words = |name: &str| format!("#[serde(serialize_with = \"crate::admin::words::{name}\")]");
    let mut build = tonic_prost_build::configure().message_attribute(".", "#[derive(serde::Serialize)]");
    for (field, name) in [
        ("StatusResponse.started_at", "moment"),
        ("StatusResponse.frozen_since", "moment"),
        ("StatusResponse.role_since", "moment"),
        ("Leaving.ends_at", "moment"),
        ("Replica.gone_since", "moment"),
        ("Replica.differs_since", "moment"),
        ("Source.state", "source_state"),
        ("Source.since", "moment"),
        ("Gateway.since", "moment"),
        ("Gateway.last_end_at", "moment"),
        ("Route.relation", "relation"),
        ("Override.since", "moment"),
        ("Waiting.kind", "change_kind"),
        ("Behind.until", "moment"),
        ("Claim.standing", "standing"),
        ("ExplainResponse.subject", "subject"),
        ("ExplainResponse.frozen_since", "moment"),
        ("Told.state", "tell_state"),
        ("ToldRoute.state", "tell_state"),
        ("Hold.kind", "change_kind"),
        ("HoldsOfSource.kind", "change_kind"),
        ("Hold.since", "moment"),
        ("ReloadHold.since", "moment"),
        ("FreezeResponse.frozen_since", "moment"),
        ("Event.at", "moment"),
        ("Event.kind", "event_kind"),
        ("Written.state", "written_state"),
        ("ListEventsRequest.from", "moment"),
    ] {
        build = build.field_attribute(format!("fingerpost.v1.{field}"), words(name));
    }
    for field in ["Holds.which", "Target.which"] {
        build = build.type_attribute(
            format!("fingerpost.v1.{field}"),
            "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]",
        );
        build = build.field_attribute(format!("fingerpost.v1.{field}"), "#[serde(flatten)]");
    }
    build.compile_protos(&["proto/fingerpost/v1/fingerpost.proto"], &["proto"])
}
