//! The changes of a kernel's routing table while something else happens, read by `ip monitor route`.

use std::time::Duration;

use super::namespace::Namespace;
use super::process::Process;
use super::route::is_pod_subnet;
use super::wait;

const BOUND: Duration = Duration::from_secs(10);

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
        let process = namespace.spawn("ip-monitor", "ip", &["monitor", "route"]);
        let monitor = Self { namespace, process };
        // Events before it listens are not seen, so the marker is made until it is.
        monitor.mark("192.0.2.1");
        monitor
    }

    /// Ends it and returns the changes of pod subnets since it listened, one line each as `ip` writes them:
    /// `10.244.1.0/24 via … ` for a route made or replaced, `Deleted 10.244.1.0/24 via …` for one removed.
    #[must_use]
    pub fn stop(mut self) -> Vec<String> {
        self.mark("192.0.2.2");
        self.process.kill();
        let log = self.process.log();
        let lines = log.lines().filter(|line| is_pod_subnet(line.trim_start_matches("Deleted ").trim_start()));
        lines.map(str::to_owned).collect()
    }

    fn mark(&self, address: &str) {
        wait::until_true("the route monitor to see a marker", BOUND, || {
            self.namespace.ip(&format!("route replace blackhole {address}/32"));
            self.namespace.ip(&format!("route del blackhole {address}/32"));
            self.process.log().contains(&format!("Deleted blackhole {address}"))
        });
    }
}
