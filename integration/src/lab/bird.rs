//! BIRD 2 as a gateway.

use std::time::Duration;

use super::namespace::Namespace;
use super::process::Process;

/// Starts `bird` in the foreground and waits until it answers on its control socket.
pub(crate) fn start(namespace: &Namespace, name: &str, configuration: &str) -> Vec<Process> {
    let folder = namespace.context().folder();
    let file = folder.join(format!("{name}-bird.conf"));
    std::fs::write(&file, configuration).expect("a configuration can be written into the lab's folder");
    let (file, socket) = (file.to_string_lossy(), socket(namespace, name));
    let mut process = namespace.spawn(&format!("{name}-bird"), "bird", &["-f", "-c", &file, "-s", &socket]);
    process.await_ready(Duration::from_secs(10), |_| {
        birdc(namespace, &socket, &["show", "status"]).contains("up and running")
    });
    vec![process]
}

/// When the session came up, to the millisecond; `None` while it is not.
pub(crate) fn session(namespace: &Namespace, name: &str) -> Option<String> {
    let text = birdc(namespace, &socket(namespace, name), &["show", "protocols", "fingerpost"]);
    let line = text.lines().find(|line| line.starts_with("fingerpost") && line.contains("Established"))?;
    line.split_whitespace().nth(4).map(str::to_owned)
}

pub(crate) fn diagnosis(namespace: &Namespace, name: &str) -> String {
    let socket = socket(namespace, name);
    birdc(namespace, &socket, &["show", "protocols", "all"]) + &birdc(namespace, &socket, &["show", "route", "all"])
}

fn birdc(namespace: &Namespace, socket: &str, words: &[&str]) -> String {
    let output = namespace.command("birdc").args(["-s", socket]).args(words).output();
    output.map_or_else(|error| error.to_string(), |output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn socket(namespace: &Namespace, name: &str) -> String {
    namespace.context().folder().join(format!("{name}-bird.ctl")).to_string_lossy().into_owned()
}
