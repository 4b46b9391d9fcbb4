//! Files that the configuration names: certificates, keys, passwords.

use crate::{lines, with};
use fingerpost::config::{self, Config, Faults, Identity, Store};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n";
const SECRET: &str = "correct horse battery staple";

/// A directory with good files of each kind.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "ca.crt", CERTIFICATE, 0o644);
    write(&directory, "c.crt", CERTIFICATE, 0o644);
    write(&directory, "c.key", KEY, 0o600);
    write(&directory, "password", format!("{SECRET}\n"), 0o600);
    directory
}

fn write(directory: &TempDir, name: &str, content: impl AsRef<[u8]>, mode: u32) {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Loads the base with this etcd, from a file in the directory.
fn load(directory: &TempDir, etcd: &str) -> Result<Config, Faults> {
    let file = directory.path().join("config.yaml");
    fs::write(&file, with(3, &format!("  prod: {{ etcd: {etcd}, schema: {{ native: {{}} }} }}"))).unwrap();
    config::load(&file)
}

/// The faults or warnings, with DIR for the directory.
fn said(directory: &TempDir, etcd: &str) -> Vec<String> {
    let said = match load(directory, etcd) {
        Ok(config) => lines(&config.warnings),
        Err(faults) => lines(&faults.faults),
    };
    let place = directory.path().to_str().unwrap();
    said.into_iter().map(|line| line.split_once(": ").unwrap().1.replace(place, "DIR")).collect()
}

const TLS: &str = r#"{ endpoints: ["https://10.0.3.2:2379"], tls: { ca: ca.crt, cert: c.crt, key: c.key, server_name: etcd }, user: root, password_file: password }"#;

#[test]
fn files_are_read_relative_to_the_configuration() {
    let directory = directory();
    let config = load(&directory, TLS).unwrap();
    assert_eq!(config.warnings, []);
    let Store::Etcd(etcd) = &config.sources["prod"].store else { panic!("not etcd") };
    let tls = etcd.tls.as_ref().unwrap();
    let file = |name| directory.path().join(name);
    let identity = Identity { cert: file("c.crt"), key: file("c.key") };
    assert_eq!((&tls.ca, &tls.identity), (&file("ca.crt"), &Some(identity)));
    assert_eq!(tls.server_name.as_deref(), Some("etcd"));
    let login = etcd.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), &login.password_file), ("root", &file("password")));
}

/// It is read again at each connection; a reload of something else must not be refused because of it.
#[test]
fn a_changed_password_makes_no_other_configuration() {
    let directory = directory();
    let before = load(&directory, TLS).unwrap();
    write(&directory, "password", "another", 0o600);
    assert_eq!(before, load(&directory, TLS).unwrap());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let directory = directory();
    write(&directory, "empty", "", 0o600);
    write(&directory, "binary", [0xFF, 0xFE, 0x00], 0o600);
    write(&directory, "big", vec![b'a'; (1 << 20) + 1], 0o600);
    write(&directory, "lines", "one\ntwo\n", 0o600);
    fs::create_dir(directory.path().join("sub")).unwrap();
    let hint = "name a file that this user may read";
    for (file, why) in [
        ("nowhere", "cannot use DIR/nowhere: No such file or directory (os error 2)"),
        ("sub", "cannot use DIR/sub: it is not a regular file"),
        ("empty", "cannot use DIR/empty: it is empty"),
        ("binary", "cannot use DIR/binary: it is not UTF-8 text"),
        ("big", "cannot use DIR/big: it is larger than 1 MiB"),
    ] {
        assert_eq!(
            said(&directory, &format!(r#"{{ endpoints: ["http://127.0.0.1:1"], user: root, password_file: {file} }}"#)),
            [format!("sources.prod.etcd.password_file: {why}: {hint}")],
        );
    }
    assert_eq!(
        said(&directory, r#"{ endpoints: ["http://127.0.0.1:1"], user: root, password_file: lines }"#),
        [
            "sources.prod.etcd.password_file: DIR/lines does not hold one line with a password: write the password alone into the file"
        ],
    );
    assert_eq!(
        said(&directory, r#"{ endpoints: ["https://a:1"], tls: { ca: c.key, cert: c.key, key: ca.crt } }"#),
        [
            "sources.prod.etcd.tls.ca: DIR/c.key has no line with -----BEGIN CERTIFICATE-----: name a PEM file",
            "sources.prod.etcd.tls.cert: DIR/c.key has no line with -----BEGIN CERTIFICATE-----: name a PEM file",
            "sources.prod.etcd.tls.key: DIR/ca.crt has no line with PRIVATE KEY-----: name a PEM file",
        ],
    );
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let directory = directory();
    write(&directory, "closed", SECRET, 0o000);
    if fs::read(directory.path().join("closed")).is_ok() {
        return; // Run as root, for whom no file is closed: the case above for other reasons stands.
    }
    assert_eq!(
        said(&directory, r#"{ endpoints: ["http://127.0.0.1:1"], user: root, password_file: closed }"#),
        [
            "sources.prod.etcd.password_file: cannot use DIR/closed: Permission denied (os error 13): name a file that this user may read"
        ],
    );
}

#[test]
fn tls_is_whole_or_refused() {
    let directory = directory();
    for (tls, fault) in [
        (
            "{}",
            "tls.ca: missing: name the PEM file of the authority that signed etcd's certificate; the system's are not used",
        ),
        ("{ ca: ca.crt, cert: c.crt }", "tls.key: missing: cert is given: name the file with the certificate's key"),
        ("{ ca: ca.crt, key: c.key }", "tls.cert: missing: key is given: name the file with the key's certificate"),
        (
            "{ ca: ca.crt, server_name: \"a b\" }",
            "tls.server_name: is not a host name: write the name in etcd's certificate",
        ),
    ] {
        let etcd = format!(r#"{{ endpoints: ["https://a:1"], tls: {tls} }}"#);
        assert_eq!(said(&directory, &etcd), [format!("sources.prod.etcd.{fault}")]);
    }
    assert_eq!(
        said(&directory, r#"{ endpoints: ["http://a:1"], tls: { ca: ca.crt } }"#),
        ["sources.prod.etcd.tls: the endpoints are http: write https:// endpoints, or remove tls"],
    );
    assert_eq!(
        said(&directory, r#"{ endpoints: ["http://127.0.0.1:1"], password_file: password }"#),
        ["sources.prod.etcd.user: missing: password_file is given: give the user"],
    );
}

#[test]
fn secrets_that_everyone_can_read_or_overhear_are_warned_of() {
    let directory = directory();
    write(&directory, "open", SECRET, 0o644);
    write(&directory, "group", SECRET, 0o640);
    let near = r#"{ endpoints: ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"], user: root, password_file: group }"#;
    assert_eq!(said(&directory, near), [""; 0]);
    assert_eq!(
        said(&directory, r#"{ endpoints: ["http://10.0.3.2:2379"], user: root, password_file: open }"#),
        [
            "sources.prod.etcd.endpoints[0]: the password crosses the network in clear text: use https",
            "sources.prod.etcd.password_file: DIR/open can be read or written by everyone (mode 644): chmod o-rwx",
        ],
    );
}

/// P9: whatever is wrong with a secret's file or around it, its content is in no message, and the checked
/// configuration does not print it.
#[test]
fn no_secret_is_ever_printed_p9() {
    let directory = directory();
    write(&directory, "two", format!("{SECRET}\n{SECRET}\n"), 0o644);
    write(&directory, "zero", format!("{SECRET}\0"), 0o644);
    write(&directory, "bytes", [SECRET.as_bytes(), &[0xFF]].concat(), 0o644);
    write(&directory, "open", SECRET, 0o666);
    write(&directory, "other.key", KEY.replace("BBBB", SECRET), 0o644);
    write(&directory, "yaml", format!("router: {SECRET}: ["), 0o644);
    for file in ["two", "zero", "bytes", "open", "password", "other.key", "yaml"] {
        for etcd in [
            format!(r#"{{ endpoints: ["http://10.0.3.2:1"], user: root, password_file: {file} }}"#),
            format!(r#"{{ endpoints: ["https://10.0.3.2:1"], tls: {{ ca: {file}, cert: {file}, key: {file} }} }}"#),
            format!(r#"{{ endpoints: ["https://10.0.3.2:1"], tls: {{ ca: ca.crt, cert: c.crt, key: {file} }} }}"#),
        ] {
            let loaded = load(&directory, &etcd);
            let mut everything = format!("{loaded:?}{loaded:#?}");
            if let Err(faults) = loaded {
                everything += &faults.to_string();
            }
            assert!(!everything.contains("horse"), "{file}: {everything}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_fault_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write(&directory, "binary.yaml", b"router: \xC3\xA9\n\xC3\xA9\xFFx: \xFF", 0o644);
    fs::File::create(place.join("large.yaml")).unwrap().set_len((16 << 20) + 1).unwrap();
    let made = std::process::Command::new("mkfifo").arg(place.join("pipe.yaml")).status().unwrap();
    assert!(made.success());
    let regular =
        "it is not a regular file: name a file: it is read again and again, which pipes and devices do not bear";
    for (file, said) in [
        (
            "no/such.yaml",
            ": cannot read the configuration: No such file or directory (os error 2): name a file that this user may read",
        ),
        ("binary.yaml", ":2:2: cannot read the configuration: it is not UTF-8 text: save it as UTF-8"),
        (
            "large.yaml",
            ": cannot read the configuration: it is larger than 16 MiB: name the right file, or remove what is not needed",
        ),
        // Nobody writes into the pipe: who opened it for reading would wait for ever.
        ("pipe.yaml", &format!(": cannot read the configuration: {regular}")),
        ("", &format!(": cannot read the configuration: {regular}")),
    ] {
        let file = place.join(file);
        assert_eq!(config::load(&file).unwrap_err().to_string(), format!("{}{said}", file.display()));
    }
}

#[test]
fn a_state_dir_is_a_directory_or_not_there_yet() {
    let directory = directory();
    let parse = |name: &str| {
        let text = with(7, &format!("state_dir: {name}\ngateways:"));
        config::parse(&text, &directory.path().join("config.yaml"))
    };
    assert_eq!(parse("later").unwrap().state_dir, Some(directory.path().join("later")));
    assert_eq!(parse(".").unwrap().state_dir, Some(directory.path().join(".")));
    let faults = parse("ca.crt").unwrap_err().to_string();
    assert!(faults.ends_with("ca.crt is not a directory: name a directory"), "{faults}");
}

/// Unlike a store's, which must be there at once.
#[test]
fn a_gateways_password_file_may_be_wrong_for_now() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text, mode) in [("open", "k\n", 0o644), ("empty", "\n", 0o600), ("two", "k\nk\n", 0o600)] {
        write(&directory, name, text, mode);
    }
    for (name, warning) in [
        ("open", "can be read or written by everyone (mode 644): chmod o-rwx"),
        ("empty", "does not hold one line with a password: write the password alone into the file"),
        ("two", "does not hold one line with a password: write the password alone into the file"),
    ] {
        let line = format!("  a: {{ address: 10.168.0.1, asn: 64500, policy: all, password_file: {name} }}");
        let config = fingerpost::config::parse(&crate::with(8, &line), &directory.path().join("config.yaml")).unwrap();
        let file = directory.path().join(name);
        assert_eq!(config.gateways["a"].password_file.as_deref(), Some(file.as_path()));
        let expected = format!("gateways.a.password_file: {} {warning}", file.display());
        assert_eq!(config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}
