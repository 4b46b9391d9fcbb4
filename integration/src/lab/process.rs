//! A daemon or tool inside a namespace: started, watched, signalled, ended by its pid.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::cleanup::Context;
use super::wait;

/// A running (or ended) process of a lab, with its output in a log file of the lab's folder.
///
/// It is killed when it is dropped, and when the thread that started it ends (`PR_SET_PDEATHSIG` is per thread): start
/// it from the thread that owns the lab.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    context: Arc<Context>,
}

impl Process {
    /// Starts `command`, whose standard output and error go to one log.
    pub(crate) fn spawn(context: &Arc<Context>, name: &str, mut command: Command) -> Self {
        let log = context.new_log(name);
        let output = File::create(&log).expect("a log file can be made in the lab's folder");
        let errors = output.try_clone().expect("a file can be duplicated");
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error} ({command:?})"));
        context.claim_process(child.id());
        Self { name: name.to_owned(), child, log, context: Arc::clone(context) }
    }

    /// The process's name in logs and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process's id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Sends `signal`, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, signal).unwrap_or_else(|error| panic!("{} cannot be signalled: {error}", self.name));
        }
    }

    /// Sends `signal` to it and to every process that it has started.
    pub fn signal_all(&mut self, signal: Signal) {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while let Some(pid) = found.get(next) {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            next += 1;
        }
        self.signal(signal);
        for pid in found.into_iter().skip(1).filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            // One that has ended meanwhile needs no signal.
            kill_process(pid, signal).ok();
        }
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        drop(self.child.wait());
        self.context.release_process(self.child.id());
    }

    /// Sends `signal` and waits for its end.
    ///
    /// # Panics
    /// When it has not ended after 10 s.
    #[track_caller]
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        let what = format!("the end of {} after {signal:?}", self.name);
        let status = wait::until(&what, Duration::from_secs(10), || self.ended().ok_or("still running"));
        self.context.release_process(self.child.id());
        status
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended after `bound`.
    #[track_caller]
    pub fn wait(&mut self, bound: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait::until(&what, bound, || self.ended().ok_or("still running"))
    }

    /// Waits until `ready` says so.
    ///
    /// # Panics
    /// At once when the process ends before that, and after `bound`; both with its log.
    #[track_caller]
    pub(crate) fn await_ready(&mut self, bound: Duration, mut ready: impl FnMut(&str) -> bool) {
        let what = format!("{} to be ready", self.name);
        wait::until(&what, bound, || {
            let log = self.log();
            if let Some(status) = self.ended() {
                let end = status.signal().map_or(format!("{status}"), |signal| format!("signal {signal}"));
                panic!("{} ended ({end}) before it was ready:\n{log}", self.name);
            }
            if ready(&log) { Ok(()) } else { Err(log) }
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
