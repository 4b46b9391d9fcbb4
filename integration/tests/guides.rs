//! What the documents tell a reader to type does what they say: their commands are run, line by line, by a shell in a network
//! namespace of its own. Only folders below `/tmp` and `/run`, and the product's path, are others than in the text.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use integration::lab::fingerpost::binary;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, wait};

const NEEDS: [Need; 4] = [Need::Root, Need::Tools, Need::Etcd, Need::Bird];
const BOUND: Duration = Duration::from_secs(60);

#[test]
fn the_readmes_five_minutes_work_as_written() {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut reader = Reader::of("README.md", "## Five minutes with a real etcd and BIRD");
    reader.leave_out(&["sudo apt-get", "make build"]);
    reader.sees("put /fingerpost/hosts/node-a1", &["OK"]);
    reader.sees("put /fingerpost/hosts/node-a2", &["OK"]);
    reader.sees(" check --config", &["no faults"]);
    reader.sees(
        "show route protocol fingerpost all",
        &["10.244.1.0/24", "BGP.next_hop: 10.168.0.11", "10.244.2.0/24", "BGP.next_hop: 10.168.0.12"],
    );
    reader.sees("node-a1", &["OK"]);
    reader.sees("api/v1/routes", &[r#""next_hop": "10.168.0.99""#, "/fingerpost/hosts/node-a1"]);
    reader.sees("api/v1/gateways", &["established", "capabilities"]);
    reader.reads_to_the_end();
}

#[test]
fn c41_the_tour_of_two_replicas_works_as_written() {
    if skip::unless(&NEEDS) {
        return;
    }
    let mut reader = Reader::of("docs/replicas.md", "## Try it on one machine");
    reader.sees("put /fingerpost/hosts/node-a1", &["OK"]);
    reader.sees("put /fingerpost/hosts/node-a2", &["OK"]);
    reader.sees(" status --config", &["leader in term 1"]);
    reader.sees(" status --config", &["standby in term 1", "replica-a", "the same"]);
    let stars = |line: &str, best: &str| line.contains(best) && line.contains(" * ");
    reader.sees_that("show route all", |seen| {
        seen.iter().any(|line| stars(line, "[replica_a")) && seen.iter().any(|line| line.contains("[replica_b"))
    });
    reader.sees(" status --config", &["leader in term 2"]);
    reader.sees_that("show route all", |seen| {
        seen.iter().any(|line| stars(line, "[replica_b"))
            && seen.iter().filter(|line| line.contains("BGP.next_hop: 10.168.0.11")).count() == 2
    });
    reader.sees("put /fingerpost/hosts/node-a1", &["OK"]);
    reader.sees("show route primary all", &["BGP.next_hop: 10.168.0.99"]);
    reader.sees(" status --config", &["standby in term 2"]);
    reader.sees(" status --config", &["leader in term 3"]);
    reader.reads_to_the_end();
}

/// Somebody who types what a document says.
struct Reader {
    /// What is still to be typed, first the next.
    lines: Vec<String>,
    shell: Child,
    stdin: ChildStdin,
    output: Receiver<String>,
    /// What the commands say on their standard error.
    log: PathBuf,
    _lab: Lab,
}

impl Reader {
    /// Opens a document at a heading; its next block of shell commands is read.
    fn of(document: &str, heading: &str) -> Self {
        let lab = Lab::builder(Peering::Ebgp).without_hosts().build();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the project").to_owned();
        let elsewhere = Elsewhere { folder: lab.folder().to_owned() };
        fs::create_dir(lab.folder().join("quickstart")).expect("a folder can be made in the lab's");
        for entry in fs::read_dir(root.join("docs/quickstart")).expect("the configurations are there") {
            let path = entry.expect("the folder can be read").path();
            let copy = lab.folder().join("quickstart").join(path.file_name().expect("a file has a name"));
            let text = fs::read_to_string(&path).expect("the configuration can be read");
            fs::write(copy, elsewhere.rewrite(&text)).expect("the copy can be written");
        }

        let text = fs::read_to_string(root.join(document)).expect("the document can be read");
        let (_, text) = text.split_once(heading).unwrap_or_else(|| panic!("{document} has no {heading:?}"));
        let (_, text) = text.split_once("```sh\n").expect("commands come after the heading");
        let (commands, _) = text.split_once("```").expect("the block ends");
        let lines = commands.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.map(|line| elsewhere.rewrite(line)).rev().collect();

        let log = lab.folder().join("shell.log");
        let errors = fs::File::create(&log).expect("a log can be made in the lab's folder");
        // All that the shell starts ends with it, also what puts itself into the background.
        let mut command = lab.control().command("unshare");
        command.args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "bash", "-s"]).current_dir(&root);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).spawn();
        let mut shell = child.expect("a shell can be started");
        let stdin = shell.stdin.take().expect("its input is a pipe");
        let stdout = BufReader::new(shell.stdout.take().expect("its output is a pipe"));
        let (said, output) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)).ok();
        });
        Self { lines, shell, stdin, output, log, _lab: lab }
    }

    /// What has been done before.
    fn leave_out(&mut self, beginnings: &[&str]) {
        self.lines.retain(|line| !beginnings.iter().any(|beginning| line.starts_with(beginning)));
    }

    /// Types up to the next line with `fragment`, and that one until all of `expected` is seen.
    #[track_caller]
    fn sees(&mut self, fragment: &str, expected: &[&str]) {
        self.sees_that(fragment, |seen| expected.iter().all(|text| seen.iter().any(|line| line.contains(text))));
    }

    #[track_caller]
    fn sees_that(&mut self, fragment: &str, is_it: impl Fn(&[String]) -> bool) {
        let looking = loop {
            let line = self.lines.pop().unwrap_or_else(|| panic!("the document has no more {fragment:?}"));
            if line.contains(fragment) {
                break line;
            }
            self.types(&line);
        };
        wait::until(&looking, BOUND, || {
            let seen = self.types(&looking);
            if is_it(&seen) { Ok(()) } else { Err(seen) }
        });
    }

    /// Types the rest, and looks whether everything that was started has ended.
    #[track_caller]
    fn reads_to_the_end(mut self) {
        while let Some(line) = self.lines.pop() {
            self.types(&line);
        }
        wait::until("everything that was started to have ended", BOUND, || {
            let left = self.types("pgrep -l 'etcd|bird|fingerpost'");
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
    }

    /// Types a line, and gives what is printed until the next could be typed.
    #[track_caller]
    fn types(&mut self, line: &str) -> Vec<String> {
        const DONE: &str = "-- typed --";
        writeln!(self.stdin, "{line}\necho '{DONE}'").expect("the shell reads");
        let mut seen = Vec::new();
        loop {
            match self.output.recv_timeout(BOUND) {
                Ok(line) if line == DONE => return seen,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{line}: {error}; it has printed {seen:#?}"),
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
        if std::thread::panicking() {
            eprintln!("the commands have said:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// Where things lie instead, so that readers do not meet.
struct Elsewhere {
    folder: PathBuf,
}

impl Elsewhere {
    fn rewrite(&self, text: &str) -> String {
        let folder = self.folder.display();
        text.replace("sudo ", "")
            .replace("docs/quickstart/", &format!("{folder}/quickstart/"))
            .replace("target/release/fingerpost", &binary().display().to_string())
            .replace("/tmp/replica-", &format!("{folder}/replica-"))
            .replace("/tmp/fingerpost-", &format!("{folder}/fingerpost-"))
            .replace("/run/", &format!("{folder}/"))
    }
}
