//! The daemons themselves take what `fingerpost gateway-config` prints. That routes pass by it is what every other
//! scenario shows: the labs' gateways run on it.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration::lab::fingerpost::binary;
use integration::lab::skip::{self, Need};

/// Each gateway of the fixtures' configuration, with what must be given beside it.
const GATEWAYS: [(&str, &[&str]); 7] = [
    ("ebgp", &[]),
    ("multihop", &["--speaker", "10.0.3.10", "--speaker", "10.0.3.11"]),
    ("ibgp", &["--speaker", "10.0.3.0/24"]),
    ("ibgp", &["--speaker", "10.0.3.10"]),
    ("six", &[]),
    ("attached", &[]),
    ("gtsm", &[]),
];

/// Writes the text for each gateway into a file and has `check` judge it.
fn each(platform: &str, check: impl Fn(&Path) -> Output) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gateway-config/config.yaml");
    let folder = std::env::temp_dir().join(format!("fingerpost-gateway-config-{platform}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, more) in GATEWAYS {
        let mut command = Command::new(binary());
        let output =
            command.args(["gateway-config", name, "--platform", platform, "--config"]).arg(&fixtures).args(more);
        let output = output.output().expect("fingerpost can be started");
        assert!(output.status.success(), "{name}: {output:?}");
        let file: PathBuf = folder.join(name);
        std::fs::write(&file, &output.stdout).expect("a file can be written");
        let said = check(&file);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(said.status.success(), "{platform} refuses the text for {name}: {said:?}\n{text}");
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be removed");
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"))
}

#[test]
fn bird_takes_every_text() {
    if skip::unless(&[Need::Bird]) {
        return;
    }
    each("bird", |file| run(Command::new("/usr/sbin/bird").arg("-p").arg("-c").arg(file)));
}

#[test]
fn frr_takes_every_text() {
    if skip::unless(&[Need::Root, Need::Frr]) {
        return;
    }
    each("frr", |file| run(Command::new("vtysh").arg("-C").arg("-f").arg(file)));
}
