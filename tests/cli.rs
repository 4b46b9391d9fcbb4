//! The program as users call it: what it prints, and its exit codes.

// The configurations here name an etcd, which a build without it refuses.
#![cfg(feature = "etcd")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap()
}

/// The first block of this kind on the page.
fn block<'a>(page: &'a str, kind: &str) -> &'a str {
    page.split_once(&format!("```{kind}\n")).unwrap().1.split_once("```").unwrap().0
}

/// Runs it in a directory that holds this configuration.
fn fingerpost(config: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("config.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(arguments).current_dir(directory.path()).env_remove("FINGERPOST_CONFIG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const CHECK: [&str; 3] = ["check", "--config", "config.yaml"];

#[test]
fn check_passes_a_right_configuration() {
    let page = page();
    let done = fingerpost(block(&page, "yaml"), &CHECK);
    assert_eq!(
        text(&done.stdout),
        "config.yaml
√ file: YAML, all parts read
√ router: AS 64512, identifier 10.0.3.10, no listener
√ sources: prod (native in etcd, 1 endpoint)
√ fence: 10.244.0.0/16 /20 to /28, next hops in 10.168.0.0/16
√ gateways: core-a (10.168.0.1 AS 64500)
√ policies: default (1 rule); what no rule matches is rejected
√ guard: withdrawals 20 % of a source, moves 20 % of a source, additions 20 % of a source
√ startup: snapshot after 30 s
√ election: none: this process decides alone
√ state_dir: none
√ http: off
√ admin: off
√ log: info
√ timeline: the last 10000 events
no faults
"
    );
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn check_prints_every_fault_as_the_page_shows() {
    let page = page();
    let shown = block(&page, "console").strip_prefix("$ fingerpost check --config config.yaml\n").unwrap();
    let wrong = block(&page, "yaml").replace("asn: 64512", "asn: 0").replace("20-28", "12-28");
    let done = fingerpost(&wrong, &CHECK);
    assert_eq!(text(&done.stdout), shown);
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn check_shows_warnings_and_passes() {
    let page = page();
    let done = fingerpost(&block(&page, "yaml").replace(", policy: default", ""), &CHECK);
    let out = text(&done.stdout);
    assert!(
        out.contains("‼ gateways: core-a (10.168.0.1 AS 64500)\n    config.yaml:10:3: gateways.core-a.policy: "),
        "{out}"
    );
    assert!(out.ends_with("no faults, 2 warnings\n"), "{out}");
    assert_eq!(done.status.code(), Some(0));
}

#[test]
fn check_names_what_no_part_knows() {
    let page = page();
    let done = fingerpost(&format!("{}canary: {{}}\n", block(&page, "yaml")), &CHECK);
    let out = text(&done.stdout);
    assert!(
        out.contains("× canary\n    config.yaml:13:1: canary: is not yet supported\n      hint: remove it\n"),
        "{out}"
    );
    assert!(out.ends_with("1 fault\n"), "{out}");
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn check_stops_at_what_is_no_yaml() {
    let done = fingerpost("router: {", &CHECK);
    let out = text(&done.stdout);
    assert!(out.starts_with("config.yaml\n× file\n    config.yaml:1:9: not valid YAML: "), "{out}");
    assert!(!out.contains("router"), "nothing is said of parts that were not read: {out}");
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn check_of_no_file_fails() {
    let done = fingerpost("", &["check", "--config", "elsewhere.yaml"]);
    assert!(text(&done.stdout).contains("× file\n    elsewhere.yaml: cannot read the configuration: "));
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [&["frobnicate"][..], &["check"], &[]] {
        assert_eq!(fingerpost("", arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn version_is_text_or_json() {
    let done = fingerpost("", &["version", "-o", "json"]);
    assert_eq!(done.status.code(), Some(0));
    let out = text(&done.stdout);
    assert!(out.starts_with(concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\",\"commit\":")), "{out}");
    let version = text(&fingerpost("", &["version"]).stdout);
    assert!(version.starts_with("fingerpost "));
    // In a clone, where git may look at it.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output();
    if root.join(".git").exists() && git.is_ok_and(|output| output.status.success()) {
        assert!(!version.contains("commit   unknown"), "{version}");
    }
}

/// A running `fingerpost run`, ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it with these limits of descriptors (words for `ulimit`) until it has said that it started; with what it said.
fn started(limits: &str) -> (Running, String) {
    let page = page();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    fs::write(&config, block(&page, "yaml")).unwrap();
    let script = format!("ulimit {limits} && exec \"$0\" run --config \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_fingerpost")]).arg(&config).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let stderr = running.0.stderr.take().unwrap();
    let mut said = String::new();
    for line in BufReader::new(stderr).lines() {
        said += &line.unwrap();
        if said.contains(" started") {
            return (running, said);
        }
    }
    panic!("it ended: {said}");
}

/// P6: HTTP clients and sources share the descriptors with the gateways, and shells and systemd give few at first.
#[test]
fn run_takes_as_many_descriptors_as_it_may() {
    let (running, said) = started("-Sn 100");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.0.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut words = line.split_whitespace().skip(3);
    let (soft, hard) = (words.next().unwrap(), words.next().unwrap());
    assert_eq!(soft, hard, "{line}");
    assert!(!said.contains("LimitNOFILE"), "{said}");
}

#[test]
fn run_warns_of_too_few_descriptors_for_its_gateways() {
    let (_running, said) = started("-n 64");
    assert!(said.contains("may open 64 descriptors") && said.contains("LimitNOFILE=88"), "{said}");
}

/// Runs it in this directory.
fn run_in(directory: &Path) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
    command.args(["run", "--config", "config.yaml"]).current_dir(directory).stderr(Stdio::piped());
    Running(command.spawn().unwrap())
}

/// What it says up to its start, or its end.
fn said(running: &mut Running) -> String {
    let mut said = String::new();
    for line in BufReader::new(running.0.stderr.as_mut().unwrap()).lines() {
        said += &line.unwrap();
        said.push('\n');
        if said.contains(" started") {
            break;
        }
    }
    said
}

#[test]
fn a_second_process_with_the_same_state_dir_ends_and_one_after_a_killed_one_starts() {
    let directory = tempfile::tempdir().unwrap();
    let config = format!("{}state_dir: state\n", block(&page(), "yaml"));
    fs::write(directory.path().join("config.yaml"), config).unwrap();
    let mut first = run_in(directory.path());
    assert!(said(&mut first).contains(" started"));
    let mut second = run_in(directory.path());
    let refused = said(&mut second);
    assert!(refused.contains(&format!("another Fingerpost (pid {}) uses state_dir ", first.0.id())), "{refused}");
    assert_eq!(second.0.wait().unwrap().code(), Some(1));
    // As a supervisor restarts one that was killed: the next one may come before it is gone.
    first.0.kill().unwrap();
    let mut third = run_in(directory.path());
    let started = said(&mut third);
    assert!(started.contains(" started"), "{started}");
}

#[test]
fn a_file_of_events_that_cannot_be_written_is_refused_by_check_and_run() {
    let directory = tempfile::tempdir().unwrap();
    let config = format!("{}timeline: {{ file: no/such/events.jsonl }}\n", block(&page(), "yaml"));
    fs::write(directory.path().join("config.yaml"), config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        let done = command.args(arguments).current_dir(directory.path()).output().unwrap();
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let says = "timeline.file: no/such/events.jsonl cannot be made: there is no directory no/such";
    let (code, said) = run(&CHECK);
    assert!(
        code == Some(1) && said.contains(says) && said.contains("hint: make it, for this process's user"),
        "{said}"
    );
    let (code, said) = run(&["run", "--config", "config.yaml"]);
    assert!(code == Some(1) && said.contains(&format!("config.yaml: {says}: make it")), "{said}");
    assert!(!said.contains("started"), "{said}");
}

#[test]
fn demo_says_what_is_wrong_with_its_etcd() {
    let said = |url: &str| {
        let done = fingerpost("", &["demo", "--etcd", url]);
        assert_eq!(done.status.code(), Some(1));
        text(&done.stderr)
    };
    let bare = said("127.0.0.1:2379");
    assert!(bare.contains("write http://HOST:PORT"), "{bare}");
    // Port 1 is nobody's.
    let dead = said("http://127.0.0.1:1");
    assert_eq!(
        dead.trim_end(),
        "fingerpost: no etcd answers at http://127.0.0.1:1: Connection refused (os error 111): is it running there?"
    );
}

#[test]
fn check_reads_the_files_of_file_sources() {
    let directory = tempfile::tempdir().unwrap();
    let config = "router: { asn: 64512, id: 10.0.3.10 }
sources: { prod: { file: { path: hosts.yaml } } }
fence: { prefixes: [ { within: 10.244.0.0/16, lengths: 24 } ], next_hops: [ 10.168.0.0/16 ] }
gateways: { core-a: { address: 10.168.0.1, asn: 64500, policy: all } }
policies: { all: [ { match: {}, then: accept } ] }
";
    fs::write(directory.path().join("config.yaml"), config).unwrap();
    let check = |hosts: &str| {
        fs::write(directory.path().join("hosts.yaml"), hosts).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerpost"));
        let done = command.args(CHECK).current_dir(directory.path()).output().unwrap();
        (done.status.code(), text(&done.stdout))
    };
    let right = "hosts: { a1: { addresses: [10.168.0.11], subnets: [10.244.1.0/24] } }";
    let (code, out) = check(right);
    assert_eq!(code, Some(0), "{out}");
    for wrong in ["hosts: [", &right.replace("10.168.0.11", "10.168.0.999")] {
        let (code, out) = check(wrong);
        assert_eq!(code, Some(1), "{out}");
        assert!(out.contains("sources.prod.file.path: ") && out.contains("hosts.yaml: "), "{out}");
        assert!(out.contains("hint: correct the file") && out.ends_with("1 fault\n"), "{out}");
    }
}
