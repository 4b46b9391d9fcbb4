//! Builds a lab and keeps it until standard input ends or a signal comes, for looking around in it:
//!
//! ```text
//! cargo run -p integration --bin lab -- [ibgp|ebgp|multihop|ipv6] [DAEMON]...
//! ```

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    run()
}

#[cfg(not(target_os = "linux"))]
fn run() -> ExitCode {
    eprintln!("network namespaces need Linux");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
fn run() -> ExitCode {
    use integration::lab::gateway::Daemon;
    use integration::lab::{Lab, Peering};

    let mut peering = Peering::Ebgp;
    let mut daemons = Vec::new();
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "ibgp" => peering = Peering::Ibgp,
            "ebgp" => peering = Peering::Ebgp,
            "multihop" => peering = Peering::EbgpMultihop,
            "ipv6" => peering = Peering::EbgpOverV6,
            other => {
                let Some(daemon) = Daemon::ALL.into_iter().find(|daemon| daemon.word() == other) else {
                    eprintln!(
                        "{other}? usage: lab [ibgp|ebgp|multihop|ipv6] [{}]...",
                        Daemon::ALL.map(Daemon::word).join("|")
                    );
                    return ExitCode::FAILURE;
                };
                daemons.push(daemon);
            }
        }
    }
    let lab = daemons.into_iter().fold(Lab::builder(peering), integration::lab::Builder::gateway).build();
    for namespace in lab.namespaces() {
        println!("namespace {namespace}");
    }
    for pid in lab.processes() {
        println!("process {pid}");
    }
    println!("folder {}", lab.folder().display());
    println!("ready; end of input or ctrl-c takes it away");
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
    ExitCode::SUCCESS
}
