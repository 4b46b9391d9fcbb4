//! What is on the wire: every frame between hosts, gateways and Fingerpost, captured at the switch.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::link::Switch;
use super::namespace::checked;
use super::process::Process;

/// What may be on the wire of this lab without encapsulation: address resolution, ICMP, multicast membership, BGP.
const PLAIN: &str = "arp or icmp or icmp6 or igmp or (ip6 and ip6[6] == 0) or tcp port 179";
/// Encapsulations by name: IP in IP, IPv6 in IP, GRE, and VXLAN, Geneve, WireGuard or anything else in UDP.
const ENCAPSULATED: &str =
    "ip proto 4 or ip proto 41 or ip proto 47 or ip6 proto 4 or ip6 proto 41 or ip6 proto 47 or udp";

/// A running `tcpdump` on all ports of the switch.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
}

/// A finished capture.
#[derive(Debug)]
pub struct Captured {
    file: PathBuf,
}

impl Capture {
    /// Begins to capture; returns once it does.
    #[must_use]
    pub fn start(switch: &Switch) -> Self {
        let namespace = switch.namespace();
        let file = namespace.context().folder().join("wire.pcap");
        let path = file.to_string_lossy().into_owned();
        // A large buffer: a dropped frame would be a frame not looked at.
        let arguments = ["-i", "any", "-n", "-U", "-B", "16384", "-s", "160", "-Z", "root", "-w", &path];
        let mut process = namespace.spawn("tcpdump", "tcpdump", &arguments);
        process.await_ready(Duration::from_secs(10), |log| log.contains("listening on"));
        Self { process, file }
    }

    /// Ends the capture.
    ///
    /// # Panics
    /// When frames were dropped: then nothing can be claimed about what is not on the wire.
    #[must_use]
    pub fn stop(mut self) -> Captured {
        self.process.stop(Signal::INT);
        let log = self.process.log();
        assert!(log.contains("\n0 packets dropped by kernel"), "the capture is not complete:\n{log}");
        Captured { file: self.file.clone() }
    }
}

impl Captured {
    /// The frames that match a filter of tcpdump's language, one line each.
    #[must_use]
    pub fn frames(&self, filter: &str) -> Vec<String> {
        let output = checked(Command::new("tcpdump").args(["-n", "-t", "-e", "-r"]).arg(&self.file).arg(filter));
        output.lines().map(str::to_owned).collect()
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
