//! The changes of a kernel's routing table while something else happens, read by `ip monitor route`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::namespace::Namespace;
use super::process::Process;
use super::route::is_pod_subnet;
use super::wait;

const BOUND: Duration = Duration::from_secs(10);
const DAY: u64 = 24 * 3600;

/// A change of a kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteChange {
    /// When `ip` read it, by the time of day in UTC: a little after it happened.
    pub at: Duration,
    /// As `ip` writes it.
    pub text: String,
}

impl RouteChange {
    /// From a line that begins with its moment in brackets.
    fn read(line: &str) -> Option<Self> {
        let (moment, text) = line.strip_prefix('[')?.split_once("] ")?;
        let (_, clock) = moment.split_once('T')?;
        let mut parts = clock.splitn(3, ':');
        let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (seconds, micros) = parts.next()?.split_once('.')?;
        let whole = hours * 3600 + minutes * 60 + seconds.parse::<u64>().ok()?;
        Some(Self {
            at: Duration::from_secs(whole) + Duration::from_micros(micros.parse().ok()?),
            text: text.to_owned(),
        })
    }

    /// Whether an entry was removed, not made or replaced.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.text.starts_with("Deleted ")
    }

    /// Whose entry it is; a single address is without a length.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.text.trim_start_matches("Deleted ").split_whitespace().next().unwrap_or_default()
    }

    /// The entry's next hop; `None` where it has several, or none.
    #[must_use]
    pub fn via(&self) -> Option<IpAddr> {
        self.text.split_whitespace().skip_while(|word| *word != "via").nth(1)?.parse().ok()
    }
}

/// The time of day in UTC.
#[must_use]
pub fn time_of_day(moment: SystemTime) -> Duration {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::new(since.as_secs() % DAY, since.subsec_nanos())
}

/// A running `ip monitor route`.
///
/// It is known to listen, and at the end to have seen everything, because it sees two marker routes that it makes
/// itself.
#[derive(Debug)]
pub struct RouteMonitor<'lab> {
    namespace: &'lab Namespace,
    process: Process,
}

impl<'lab> RouteMonitor<'lab> {
    /// Begins to listen in `namespace`; returns once it does.
    #[must_use]
    pub fn start(namespace: &'lab Namespace) -> Self {
        // Before whatever else wants to run: what it reads late it dates late.
        let monitor = ["-n", "-20", "env", "TZ=UTC", "ip", "-ts", "monitor", "route"];
        let process = namespace.spawn("ip-monitor", "nice", &monitor);
        let monitor = Self { namespace, process };
        // Events before it listens are not seen, so the marker is made until it is.
        monitor.mark("192.0.2.1");
        monitor
    }

    /// Ends it and returns the changes of pod subnets since it listened, one line each as `ip` writes them:
    /// `10.244.1.0/24 via … ` for a route made or replaced, `Deleted 10.244.1.0/24 via …` for one removed.
    #[must_use]
    pub fn stop(self) -> Vec<String> {
        self.stop_timed().into_iter().map(|change| change.text).collect()
    }

    /// The same with the moments.
    #[must_use]
    pub fn stop_timed(mut self) -> Vec<RouteChange> {
        self.mark("192.0.2.2");
        self.process.kill();
        let log = self.process.log();
        let changes = log.lines().filter_map(RouteChange::read);
        changes.filter(|change| is_pod_subnet(change.text.trim_start_matches("Deleted ").trim_start())).collect()
    }

    fn mark(&self, address: &str) {
        wait::until_true("the route monitor to see a marker", BOUND, || {
            self.namespace.ip(&format!("route replace blackhole {address}/32"));
            self.namespace.ip(&format!("route del blackhole {address}/32"));
            self.process.log().contains(&format!("Deleted blackhole {address}"))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_with_its_moment() {
        let change =
            RouteChange::read("[2026-11-26T13:32:51.754451] Deleted fd00:10:244:9::/64 via fd00::1 dev vlan168")
                .unwrap();
        assert_eq!(change.at, Duration::from_micros(48_771_754_451));
        assert_eq!(change.text, "Deleted fd00:10:244:9::/64 via fd00::1 dev vlan168");
        assert!(change.is_deletion());
        assert_eq!((change.prefix(), change.via()), ("fd00:10:244:9::/64", "fd00::1".parse().ok()));
        let blackhole = RouteChange::read("[2026-11-26T13:32:51.754451] blackhole 192.0.2.1").unwrap();
        assert_eq!((blackhole.is_deletion(), blackhole.via()), (false, None));
        assert_eq!(RouteChange::read("\tnexthop via fd00::1"), None);
        let moment = UNIX_EPOCH + Duration::from_secs(3 * DAY) + change.at;
        assert_eq!(time_of_day(moment), change.at);
    }
}
