//! The daemons themselves take what `fingerpost gateway-config` prints. That routes pass by it is what every other
//! scenario shows: the labs' gateways run on it.

#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use integration::lab::daemon::bird;
use integration::lab::fingerpost::binary;
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};

/// Each kind of session in the fixtures' configuration, with what must be given beside it.
const GATEWAYS: [(&str, &[&str]); 13] = [
    ("ebgp", &[]),
    ("multihop", &["--speaker", "10.0.3.10", "--speaker", "10.0.3.11"]),
    ("ibgp", &["--speaker", "10.0.3.0/24"]),
    ("ibgp", &["--speaker", "10.0.3.10"]),
    ("six", &[]),
    ("six", &["--speaker", "fd00:3::/64"]),
    ("attached", &[]),
    ("gtsm", &[]),
    ("signed", &["--speaker", "10.0.3.10", "--speaker", "10.0.3.0/24"]),
    ("borrowing", &[]),
    ("hosts", &[]),
    ("hosts", &["--speaker", "10.0.3.10", "--speaker", "10.0.3.11"]),
    ("hosts6", &[]),
];

/// Writes the text for each gateway into a file, as the words to be replaced ask for, and has the daemon judge it.
fn each(daemon: Daemon, platform: &str, check: impl Fn(&Path) -> Output) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gateway-config/config.yaml");
    let plain = std::fs::read_to_string(&fixtures).expect("the fixture can be read");
    let odd: String = plain
        .lines()
        .filter(|line| !line.contains("fd00:10:244::/48"))
        .fold(String::new(), |text, line| text + &line.replace("hold: 9s", "hold: 0s") + "\n");
    let folder = std::env::temp_dir().join(format!("fingerpost-gateway-config-{daemon}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a configuration can be written");
        path
    };
    let (plain, odd) = (file("plain.yaml", &plain), file("odd.yaml", &odd));
    let cases = GATEWAYS.map(|(name, more)| (&plain, name, more)).into_iter();
    // A family that the fence lacks, hold time 0.
    for (configuration, name, more) in cases.chain([(&odd, "ibgp", GATEWAYS[3].1), (&odd, "hosts6", &[])]) {
        let mut command = Command::new(binary());
        let output =
            command.args(["gateway-config", name, "--platform", platform, "--config"]).arg(configuration).args(more);
        let output = output.output().expect("fingerpost can be started");
        assert!(output.status.success(), "{name}: {output:?}");
        let text = String::from_utf8_lossy(&output.stdout)
            .replace("REPLACE-ME-ROUTER-ID", "10.168.0.11")
            .replace("REPLACE-ME-KEY", "a-key-of-MD5");
        assert!(!text.contains("REPLACE-ME"), "{name}: {text}");
        let file: PathBuf = folder.join(name);
        std::fs::write(&file, &text).expect("a file can be written");
        // OpenBGPD refuses what others may read.
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its mode can be set");
        let said = check(&file);
        assert!(said.status.success(), "{daemon} refuses the text for {name} {more:?}: {said:?}\n{text}");
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
    for before in [Some(bird::BEFORE.to_owned()), debians()].into_iter().flatten() {
        each(Daemon::Bird, "bird", |file| {
            let text = std::fs::read_to_string(file).expect("the text can be read");
            std::fs::write(file, bird::included(&before, &text)).expect("bird.conf can be written");
            run(Command::new("/usr/sbin/bird").arg("-p").arg("-c").arg(file))
        });
    }
}

/// The bird.conf that Debian's package brings, if it is here as it came.
fn debians() -> Option<String> {
    let changed = Command::new("dpkg").args(["--verify", "bird2"]).output().ok()?;
    let came = changed.status.success() && !String::from_utf8_lossy(&changed.stdout).contains("bird.conf");
    came.then(|| std::fs::read_to_string("/etc/bird/bird.conf").ok()).flatten()
}

#[test]
fn frr_takes_every_text() {
    if skip::unless(&[Need::Root, Need::Frr]) {
        return;
    }
    each(Daemon::Frr, "frr", |file| run(Command::new("vtysh").arg("-C").arg("-f").arg(file)));
}

#[test]
fn gobgp_3_and_4_take_every_text() {
    for (daemon, need) in [(Daemon::Gobgp3, Need::Gobgp3), (Daemon::Gobgp4, Need::Gobgp4)] {
        if skip::unless(&[need]) {
            continue;
        }
        let gobgpd = daemon.path();
        each(daemon, "gobgp", |file| run(Command::new(&gobgpd).args(["-t", "toml", "-d", "-f"]).arg(file)));
    }
}

#[test]
fn openbgpd_takes_every_text() {
    if skip::unless(&[Need::Openbgpd]) {
        return;
    }
    each(Daemon::Openbgpd, "openbgpd", |file| run(Command::new("/usr/sbin/bgpd").arg("-n").arg("-f").arg(file)));
}
