//! Traffic between pods, and how much of it was lost.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rustix::process::Signal;

use super::namespace::Namespace;
use super::process::Process;
use super::wait;

const BOUND: Duration = Duration::from_secs(20);

/// A stream of echo requests that runs until it is stopped.
#[derive(Debug)]
pub struct Ping {
    process: Process,
    label: String,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// From where to where.
    pub label: String,
    /// Requests sent.
    pub sent: u64,
    /// Sequence numbers without an answer.
    pub lost: BTreeSet<u64>,
    /// Answers beyond the first to one request.
    pub duplicates: u64,
    /// Lines that say something else than an answer: unreachable, redirect, time to live exceeded.
    pub complaints: Vec<String>,
}

impl Ping {
    /// Sends a request every `interval` from `namespace` to `target`; returns after the first answer.
    #[must_use]
    pub fn start(namespace: &Namespace, target: IpAddr, interval: Duration) -> Self {
        let seconds = format!("{}", interval.as_secs_f64());
        let process = namespace.spawn("ping", "ping", &["-n", "-i", &seconds, &target.to_string()]);
        let mut ping = Self { process, label: format!("{} → {target}", namespace.name()) };
        ping.process.await_ready(BOUND, |log| log.contains("icmp_seq="));
        ping
    }

    /// Answers so far.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.process.log().lines().filter(|line| line.contains(" bytes from ")).count()
    }

    /// Waits for `count` more answers: proof that traffic flows now, not only before.
    ///
    /// # Panics
    /// When they do not come within 20 s.
    #[track_caller]
    pub fn await_more(&self, count: usize) {
        self.await_answers(self.answers() + count);
    }

    /// Waits until there are `count` answers in all.
    ///
    /// # Panics
    /// When they do not come within 20 s.
    #[track_caller]
    pub fn await_answers(&self, count: usize) {
        wait::until(&format!("{count} answers, {}", self.label), BOUND, || {
            let seen = self.answers();
            if seen >= count { Ok(()) } else { Err(seen) }
        });
    }

    /// Waits until a router complains that it cannot deliver.
    ///
    /// # Panics
    /// When none does within 20 s.
    #[track_caller]
    pub fn await_complaint(&self) {
        wait::until_true(&format!("a complaint, {}", self.label), BOUND, || self.process.log().contains("\nFrom "));
    }

    /// Stops the stream and counts. A last request that was still on its way is neither lost nor sent.
    #[must_use]
    pub fn stop(mut self) -> Report {
        self.process.stop(Signal::INT);
        let mut report = parse(&self.label, &self.process.log());
        if report.lost.remove(&report.sent) {
            report.sent -= 1;
        }
        report
    }
}

/// Sends `count` requests of `size` payload octets that may not be fragmented, and waits for the answers.
#[must_use]
pub fn burst(namespace: &Namespace, target: IpAddr, count: u64, size: u16) -> Report {
    bursting(namespace, &[], target, count, size)
}

/// The same with one of several addresses as the source.
#[must_use]
pub fn burst_from(namespace: &Namespace, source: IpAddr, target: IpAddr, count: u64, size: u16) -> Report {
    bursting(namespace, &["-I", &source.to_string()], target, count, size)
}

fn bursting(namespace: &Namespace, more: &[&str], target: IpAddr, count: u64, size: u16) -> Report {
    let (count, size, target) = (count.to_string(), size.to_string(), target.to_string());
    let arguments = ["-n", "-i", "0.02", "-W", "2", "-M", "do", "-c", &count, "-s", &size];
    let arguments = [&arguments, more, &[&target]].concat();
    let mut process = namespace.spawn("ping", "ping", &arguments);
    process.wait(BOUND);
    parse(&format!("{} → {target}", namespace.name()), &process.log())
}

/// The payload that fills a 1500-octet packet to `target`: 20 or 40 octets of IP and 8 of ICMP are not payload.
#[must_use]
pub fn full_size(target: IpAddr) -> u16 {
    if target.is_ipv4() { 1472 } else { 1452 }
}

impl Report {
    /// Asserts that at least `least` requests were sent and every one was answered, once.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn assert_lossless(&self, least: u64) {
        assert!(self.sent >= least, "too few requests to claim anything: {self}");
        assert!(self.lost.is_empty() && self.duplicates == 0 && self.complaints.is_empty(), "packets lost: {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, sent, lost, duplicates, complaints } = self;
        write!(f, "{label}: {sent} sent, {} lost {lost:?}, {duplicates} duplicates, {complaints:?}", lost.len())
    }
}

/// Reads what `ping` wrote. A log without its summary counts as nothing sent.
fn parse(label: &str, log: &str) -> Report {
    let sent = log.lines().find_map(|line| line.split_once(" packets transmitted")?.0.trim().parse().ok()).unwrap_or(0);
    let mut answered = BTreeSet::new();
    let mut duplicates = 0;
    let mut complaints = Vec::new();
    for line in log.lines() {
        let number = line.split_once("icmp_seq=").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
        match number {
            Some(number) if line.contains(" bytes from ") => {
                let first = answered.insert(number) && !line.contains("DUP!");
                duplicates += u64::from(!first);
            }
            Some(_) => complaints.push(line.to_owned()),
            None if line.contains("Redirect") || line.contains("too long") => complaints.push(line.to_owned()),
            None => {}
        }
    }
    let lost = (1..=sent).filter(|number| !answered.contains(number)).collect();
    Report { label: label.to_owned(), sent, lost, duplicates, complaints }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "PING 10.244.3.2 (10.244.3.2) 56(84) bytes of data.\n\
        64 bytes from 10.244.3.2: icmp_seq=1 ttl=61 time=0.1 ms\n\
        64 bytes from 10.244.3.2: icmp_seq=3 ttl=61 time=0.1 ms\n\
        64 bytes from 10.244.3.2: icmp_seq=3 ttl=61 time=0.1 ms (DUP!)\n\
        From 10.168.0.1 icmp_seq=4 Destination Net Unreachable\n\
        --- 10.244.3.2 ping statistics ---\n\
        5 packets transmitted, 2 received, +1 duplicates, +1 errors, 60% packet loss, time 40ms\n";

    #[test]
    fn loss_duplicates_and_complaints_are_counted() {
        let report = parse("a → b", LOG);
        assert_eq!(report.sent, 5);
        assert_eq!(report.lost, BTreeSet::from([2, 4, 5]));
        assert_eq!(report.duplicates, 1);
        assert_eq!(report.complaints.len(), 1);
    }

    #[test]
    fn a_log_without_a_summary_claims_nothing() {
        let parsed = std::panic::catch_unwind(|| parse("a → b", "").assert_lossless(1));
        assert!(parsed.is_err());
    }
}
