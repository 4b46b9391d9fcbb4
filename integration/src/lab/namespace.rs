//! A network namespace: one machine, switch or pod of the lab.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::cleanup::Context;
use super::process::Process;

/// A network namespace with a machine-wide unique name (`fplab-<pid>-<lab>-<noun>`), so that labs run side by side.
///
/// Both ends of every link are made inside namespaces: nothing of a lab is ever in the machine's own namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    context: Arc<Context>,
}

impl Namespace {
    /// Makes it, with the loopback up, without duplicate address detection (addresses are usable at once) and without
    /// router advertisements.
    pub(crate) fn new(context: &Arc<Context>, noun: &str) -> Self {
        let name = context.claim_namespace(noun);
        checked(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name, context: Arc::clone(context) };
        namespace.sysctls(&[
            ("net/ipv6/conf/all/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/all/accept_ra", "0"),
            ("net/ipv6/conf/default/accept_ra", "0"),
        ]);
        namespace.ip("link set lo up");
        namespace
    }

    /// Its name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Lets the namespace forward, as a host with pods or a gateway does, and send no redirects: a redirect can
    /// black-hole a subnet that moves.
    pub(crate) fn forward(&self) {
        self.sysctls(&[
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv6/conf/all/forwarding", "1"),
            ("net/ipv6/conf/default/forwarding", "1"),
            ("net/ipv4/conf/all/send_redirects", "0"),
            ("net/ipv4/conf/default/send_redirects", "0"),
        ]);
    }

    /// Sets kernel parameters, written as paths below `/proc/sys`.
    pub(crate) fn sysctls(&self, values: &[(&'static str, &'static str)]) {
        let values = values.to_vec();
        self.enter(move || {
            for (key, value) in values {
                let path = format!("/proc/sys/{key}");
                std::fs::write(&path, value).unwrap_or_else(|error| panic!("{path} cannot be set: {error}"));
            }
        });
    }

    /// Runs `ip` in the namespace with the words of `arguments`.
    ///
    /// # Panics
    /// With its message when `ip` refuses.
    #[track_caller]
    pub fn ip(&self, arguments: &str) -> String {
        checked(Command::new("ip").args(["-n", &self.name]).args(arguments.split_whitespace()))
    }

    /// Runs the lines of `batch` through one `ip`.
    ///
    /// # Panics
    /// With its message when `ip` refuses one of them.
    #[track_caller]
    pub fn ip_batch(&self, batch: &str) {
        let mut child = Command::new("ip")
            .args(["-n", &self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ip can be started");
        let mut stdin = child.stdin.take().expect("its input is a pipe");
        stdin.write_all(batch.as_bytes()).expect("ip reads its batch");
        drop(stdin);
        let output = child.wait_with_output().expect("ip can be waited for");
        assert!(output.status.success(), "ip refused in {}: {batch}\n{output:?}", self.name);
    }

    /// A command that will run inside the namespace and die with the thread that starts it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.command_as(&[], program)
    }

    /// Like [`Namespace::command`], with more arguments for `setpriv`.
    pub(crate) fn command_as(&self, privileges: &[&str], program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name));
        command.arg("setpriv").args(privileges).args(["--pdeathsig", "KILL", "--", program]);
        command
    }

    /// Runs a command inside the namespace to its end and returns its output.
    ///
    /// # Panics
    /// With its output when it fails.
    #[track_caller]
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        checked(self.command(program).args(arguments))
    }

    /// Starts a process inside the namespace.
    #[must_use]
    pub fn spawn(&self, name: &str, program: &str, arguments: &[&str]) -> Process {
        let mut command = self.command(program);
        command.args(arguments);
        Process::spawn(&self.context, name, command)
    }

    /// Runs `act` on a thread of its own inside the namespace. A socket made there stays there, wherever it is used.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let file = File::open(&path).unwrap_or_else(|error| panic!("{path} cannot be opened: {error}"));
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .unwrap_or_else(|error| panic!("{path} cannot be entered: {error}"));
                act()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Runs a command to its end and returns what it wrote.
///
/// # Panics
/// When it cannot be started or fails.
#[track_caller]
pub(crate) fn checked(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(output.status.success(), "{command:?} failed: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
