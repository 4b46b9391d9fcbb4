//! Everything that a lab leaves on the machine, so that all of it can be taken away again: namespaces, processes and
//! one folder. Links live inside namespaces and go with them.
//!
//! A lab ends in one of four ways, and each is covered:
//! * dropped, also by a panic: `Context` does it in its `Drop`;
//! * SIGINT, SIGTERM or SIGHUP: a thread that waits for them empties the registry, then lets the signal act;
//! * SIGKILL: the children get SIGKILL with their parent (`setpriv --pdeathsig`), and the next lab's [`janitor`]
//!   removes namespaces and folders whose owner is dead;
//! * the machine goes down: nothing here outlives that.
//!
//! Processes are ended by the pid that was started, never by name: other labs run beside this one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const NAMESPACES: &str = "/run/netns";

static LABS: Mutex<BTreeMap<u32, Left>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(1);
static GUARD: Once = Once::new();

/// What one lab has on the machine.
#[derive(Debug, Default)]
struct Left {
    namespaces: BTreeSet<String>,
    processes: BTreeSet<i32>,
    folder: PathBuf,
}

impl Left {
    fn remove(&self) {
        for pid in self.processes.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            // An error says that it has ended by itself.
            kill_process(pid, Signal::KILL).ok();
        }
        for name in &self.namespaces {
            delete_namespace(name);
        }
        if std::env::var_os("FINGERPOST_KEEP").is_none() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

fn labs() -> MutexGuard<'static, BTreeMap<u32, Left>> {
    LABS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One lab's identity, its folder and its entry in the registry. The last owner to go removes everything.
#[derive(Debug)]
pub(crate) struct Context {
    id: u32,
    folder: PathBuf,
    logs: Mutex<Vec<(String, PathBuf)>>,
}

impl Context {
    /// A new lab: first the leftovers of dead ones are removed, then a folder is made.
    pub(crate) fn new() -> Self {
        GUARD.call_once(|| {
            janitor();
            watch_signals();
        });
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{}{id}", own_prefix()));
        std::fs::create_dir(&folder).expect("a folder for the lab can be made in the temporary folder");
        labs().insert(id, Left { folder: folder.clone(), ..Left::default() });
        Self { id, folder, logs: Mutex::default() }
    }

    /// The folder for configurations, logs, sockets and data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A machine-wide unique name for the namespace `noun` of this lab, entered into the registry.
    pub(crate) fn claim_namespace(&self, noun: &str) -> String {
        let name = format!("{}{}-{noun}", own_prefix(), self.id);
        self.change(|left| left.namespaces.insert(name.clone()));
        name
    }

    pub(crate) fn claim_process(&self, pid: u32) {
        self.change(|left| left.processes.insert(pid.cast_signed()));
    }

    pub(crate) fn release_process(&self, pid: u32) {
        self.change(|left| left.processes.remove(&pid.cast_signed()));
    }

    /// The namespaces that the lab has on the machine.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        self.change(|left| left.namespaces.iter().cloned().collect()).unwrap_or_default()
    }

    /// The processes that the lab has on the machine.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.change(|left| left.processes.iter().map(|pid| pid.cast_unsigned()).collect()).unwrap_or_default()
    }

    /// A new log file, printed by [`Context::print_logs`].
    pub(crate) fn new_log(&self, name: &str) -> PathBuf {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(format!("{:02}-{name}.log", logs.len()));
        logs.push((name.to_owned(), path.clone()));
        path
    }

    /// Prints the last lines of every log; for a test that fails.
    pub(crate) fn print_logs(&self, lines: usize) {
        for (name, path) in self.logs.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let text = String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
            let all: Vec<&str> = text.lines().collect();
            let from = all.len().saturating_sub(lines);
            eprintln!("--- {name}: {} of {} lines", all.len() - from, all.len());
            for line in all.iter().skip(from) {
                eprintln!("    {line}");
            }
        }
    }

    fn change<T>(&self, act: impl FnOnce(&mut Left) -> T) -> Option<T> {
        labs().get_mut(&self.id).map(act)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let left = labs().remove(&self.id);
        if let Some(left) = left {
            left.remove();
        }
    }
}

fn own_prefix() -> String {
    format!("fplab-{}-", std::process::id())
}

fn delete_namespace(name: &str) {
    // It may never have been made, or another janitor was quicker.
    drop(Command::new("ip").args(["netns", "delete", name]).output());
}

/// Removes what labs whose owner is dead have left behind.
pub fn janitor() {
    for name in leftovers(Path::new(NAMESPACES)) {
        delete_namespace(&name);
    }
    let temporary = std::env::temp_dir();
    for name in leftovers(&temporary) {
        drop(std::fs::remove_dir_all(temporary.join(name)));
    }
}

/// The names in `folder` that belong to a lab whose owner is dead.
fn leftovers(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| owner(name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()))
        .collect()
}

fn owner(name: &str) -> Option<u32> {
    name.strip_prefix("fplab-")?.split('-').next()?.parse().ok()
}

fn watch_signals() {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).expect("signals can be watched");
    let act = move || {
        for signal in signals.forever() {
            // The lock stays held: no lab may begin or end while the process goes down.
            let labs = labs();
            labs.values().for_each(Left::remove);
            drop(signal_hook::low_level::emulate_default_handler(signal));
        }
    };
    std::thread::Builder::new().name("lab-signals".to_owned()).spawn(act).expect("a thread can be started");
}
