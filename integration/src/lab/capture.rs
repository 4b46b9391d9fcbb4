//! What is on the wire: every frame between hosts, gateways and Fingerpost, captured at the switch.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::link::{MARK, Switch};
use super::process::Process;
use super::wait;

const BOUND: Duration = Duration::from_secs(10);

/// What may be on the wire of this lab without encapsulation: address resolution, ICMP, multicast membership, BGP.
const PLAIN: &str = "arp or icmp or icmp6 or igmp or (ip6 and ip6[6] == 0) or tcp port 179";
/// Encapsulations by name: IP in IP, IPv6 in IP, GRE, and VXLAN, Geneve, WireGuard or anything else in UDP.
const ENCAPSULATED: &str =
    "ip proto 4 or ip proto 41 or ip proto 47 or ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or udp";

/// A running `tcpdump` on all ports of the switch.
#[derive(Debug)]
pub struct Capture<'lab> {
    switch: &'lab Switch,
    process: Process,
    file: PathBuf,
}

/// A finished capture.
#[derive(Debug)]
pub struct Captured {
    file: PathBuf,
}

impl<'lab> Capture<'lab> {
    /// Begins to capture on all ports; returns once it does.
    #[must_use]
    pub fn start(switch: &'lab Switch) -> Self {
        Self::start_with(switch, &["-s", "160"])
    }

    /// Begins to capture the sessions only, with whole messages, for [`Captured::updates`]; returns once it does.
    #[must_use]
    pub fn start_of_sessions(switch: &'lab Switch) -> Self {
        Self::start_with(switch, &["-s", "1600", &format!("tcp port 179 or host {MARK}")])
    }

    fn start_with(switch: &'lab Switch, what: &[&str]) -> Self {
        let namespace = switch.namespace();
        let folder = namespace.context().folder();
        let mut files = (1..).map(|number| folder.join(format!("wire-{number}.pcap")));
        let file = files.find(|file| !file.exists()).expect("there is always a next number");
        let path = file.to_string_lossy().into_owned();
        // A large buffer: a dropped frame would be a frame not looked at.
        let arguments = ["-i", "any", "-n", "-U", "--immediate-mode", "-B", "16384", "-Z", "root", "-w", &path];
        let mut process = namespace.spawn("tcpdump", "tcpdump", &[&arguments, what].concat());
        process.await_ready(BOUND, |log| log.contains("listening on"));
        Self { switch, process, file }
    }

    /// What it has so far; the last frames may be missing.
    #[must_use]
    pub fn so_far(&self) -> Captured {
        Captured { file: self.file.clone() }
    }

    /// Ends the capture.
    ///
    /// # Panics
    /// When frames were dropped: then nothing can be claimed about what is not on the wire.
    #[must_use]
    pub fn stop(mut self) -> Captured {
        let captured = Captured { file: self.file.clone() };
        // Frames that the kernel still holds would be lost with tcpdump; they come before the mark.
        self.switch.mark();
        wait::until_true("the capture to see its mark", BOUND, || !captured.all(&format!("host {MARK}")).is_empty());
        self.process.stop(Signal::INT);
        let log = self.process.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture is not complete:\n{log}");
        captured
    }
}

/// The MED of an UPDATE that [`Captured::updates`] gives; `None` where it has none.
#[must_use]
pub fn med(update: &str) -> Option<u32> {
    let line = update.lines().find(|line| line.starts_with("Multi Exit Discriminator "))?;
    line.rsplit(' ').next()?.parse().ok()
}

impl Captured {
    /// The frames that match a filter of tcpdump's language, one line each.
    #[must_use]
    pub fn frames(&self, filter: &str) -> Vec<String> {
        self.all(&format!("({filter}) and not host {MARK}"))
    }

    /// The UPDATEs that `speaker` sent, each as tcpdump explains it, from whole frames. Each is there once, though its frame
    /// passes several ports, and may have been sent again.
    #[must_use]
    pub fn updates(&self, speaker: IpAddr) -> Vec<String> {
        let text = self.read(&["-n", "-t", "-v", "-S"], &format!("tcp port 179 and src host {speaker}"));
        // What explains a frame is indented; its messages begin with their kinds.
        let mut frames: Vec<Vec<&str>> = Vec::new();
        for line in text.lines() {
            match frames.last_mut() {
                Some(frame) if line.starts_with([' ', '\t']) => frame.push(line.trim()),
                _ => frames.push(vec![line]),
            }
        }
        let (mut seen, mut updates) = (BTreeSet::new(), Vec::new());
        for frame in frames {
            let place = frame.iter().find_map(|line| line.split_once(" seq ")?.1.split(',').next());
            if place.is_none_or(|place| !seen.insert(place)) {
                continue;
            }
            let messages = frame.chunk_by(|_, line| !line.contains(" Message ("));
            updates.extend(messages.filter(|lines| lines[0].starts_with("Update ")).map(|lines| lines.join("\n")));
        }
        updates
    }

    fn all(&self, filter: &str) -> Vec<String> {
        self.read(&["-n", "-t", "-e"], filter).lines().map(str::to_owned).collect()
    }

    fn read(&self, arguments: &[&str], filter: &str) -> String {
        // The last frame of a capture that still runs may be cut off, which is no fault.
        let output = Command::new("tcpdump").args(arguments).arg("-r").arg(&self.file).arg(filter).output();
        let output = output.expect("tcpdump can be started");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || errors.contains("truncated"), "{filter}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asserts that pod traffic is on the wire as it is, in both families, and nothing encapsulated is.
    ///
    /// # Panics
    /// When it is not so, with the frames.
    #[track_caller]
    pub fn assert_no_encapsulation(&self) {
        for plain in ["icmp and src net 10.244.0.0/16 and dst net 10.244.0.0/16", "icmp6 and src net fd00:10:244::/48"]
        {
            assert!(!self.frames(plain).is_empty(), "no pod traffic was captured: {plain}");
        }
        let wrapped = self.frames(ENCAPSULATED);
        assert!(wrapped.is_empty(), "encapsulated frames: {wrapped:#?}");
        let strange = self.frames(&format!("not ({PLAIN})"));
        assert!(strange.is_empty(), "frames that are neither plain pod traffic nor BGP: {strange:#?}");
    }
}
