//! The bench that most cells run on: one gateway, Fingerpost, a hosts file, no hosts.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use integration::lab::fingerpost::{Fingerpost, Source, configuration_of};
use integration::lab::gateway::{Daemon, Gateway};
use integration::lab::route::PodRoutes;
use integration::lab::session::Session;
use integration::lab::topology::{HOSTS, Place, Subnet};
use integration::lab::{Lab, Peering, routes, wait};
use serde_json::Value;

/// A session that has to come up again may wait for the other side's idle time first.
pub(crate) const BOUND: Duration = Duration::from_secs(90);

/// How long a claim of the kind "stays so" is watched.
pub(crate) const WHILE: Duration = Duration::from_secs(1);

/// How a cell peers.
pub(crate) struct Setup {
    pub(crate) daemon: Daemon,
    pub(crate) peering: Peering,
    pub(crate) session: Session,
}

impl Setup {
    pub(crate) fn new(daemon: Daemon, peering: Peering) -> Self {
        Self { daemon, peering, session: peering.session() }
    }

    /// The lab with the gateway's daemon running, without Fingerpost.
    pub(crate) fn lab(&self) -> Lab {
        Lab::builder(self.peering).without_hosts().gateway_with(self.daemon, self.session.clone()).build()
    }

    /// Everything running, every route at the gateway.
    pub(crate) fn start(self) -> Bench {
        let lab = self.lab();
        let bench = Bench::start_in(lab);
        bench.await_home();
        bench
    }
}

/// Who owns what.
pub(crate) type Owners = Vec<(Place, Vec<Subnet>)>;

/// Every host owns its own subnet.
pub(crate) fn home() -> Owners {
    HOSTS.map(|place| (place, vec![place.subnet])).into()
}

/// A running bench.
pub(crate) struct Bench {
    pub(crate) fingerpost: Fingerpost,
    pub(crate) lab: Lab,
    hosts: PathBuf,
}

impl Bench {
    /// Fingerpost in a lab, with every host's own subnets announced.
    pub(crate) fn start_in(lab: Lab) -> Self {
        Self::start_as(lab, |_, configuration| configuration)
    }

    /// The same with something changed in its configuration, or in the files that this names.
    pub(crate) fn start_as(lab: Lab, change: impl FnOnce(&Lab, String) -> String) -> Self {
        let hosts = lab.folder().join("hosts.yaml");
        write_hosts(&hosts, &home());
        let configuration = change(&lab, configuration(&lab));
        let fingerpost = Fingerpost::start_with(&lab, &configuration);
        Bench { fingerpost, lab, hosts }
    }

    /// Fingerpost's configuration that fits the gateway's.
    pub(crate) fn configuration(&self) -> String {
        configuration(&self.lab)
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.lab.gateways()[0]
    }

    pub(crate) fn gateway_mut(&mut self) -> &mut Gateway {
        &mut self.lab.gateways_mut()[0]
    }

    /// Writes who owns what.
    pub(crate) fn own(&self, owners: &Owners) {
        write_hosts(&self.hosts, owners);
    }

    /// The table of a gateway that was told of `owners` in the families of its session.
    pub(crate) fn table(&self, owners: &Owners) -> PodRoutes {
        let session = self.gateway().peering();
        let pairs = owners.iter().flat_map(|(place, subnets)| subnets.iter().map(move |subnet| (place, subnet)));
        routes(pairs.flat_map(|(place, subnet)| {
            let v4 = session.ipv4.then(|| (subnet.v4(), place.vlan.v4(place.station).into()));
            let v6 = session.ipv6.then(|| (subnet.v6(), place.vlan.v6(place.station).into()));
            v4.into_iter().chain(v6)
        }))
    }

    /// Waits until the gateway's table is exactly that of `owners`.
    #[track_caller]
    pub(crate) fn await_owners(&self, owners: &Owners) {
        self.await_exactly(&self.table(owners));
    }

    /// Waits until the gateway's table is exactly this one, and sees that it stays so.
    #[track_caller]
    pub(crate) fn await_table(&self, expected: &PodRoutes) {
        self.await_exactly(expected);
        wait::throughout("the table", WHILE, || self.compare(expected));
    }

    #[track_caller]
    fn await_exactly(&self, expected: &PodRoutes) {
        let what = format!("{} to hold exactly {expected:#?}", self.gateway().daemon());
        wait::until(&what, BOUND, || self.compare(expected));
    }

    fn compare(&self, expected: &PodRoutes) -> Result<(), PodRoutes> {
        let seen = self.gateway().routes();
        if seen == *expected { Ok(()) } else { Err(seen) }
    }

    #[track_caller]
    pub(crate) fn await_home(&self) {
        self.await_owners(&home());
    }

    /// Waits until the gateway has a session.
    #[track_caller]
    pub(crate) fn await_session(&self) -> String {
        wait::until("the gateway's session", BOUND, || self.gateway().session().ok_or("none"))
    }

    /// What Fingerpost says of the gateway.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.fingerpost.gateway(self.gateway().name())
    }

    /// How many messages of a kind were `sent` or `received`, as Fingerpost counts them.
    #[track_caller]
    pub(crate) fn messages(&self, direction: &str, kind: &str) -> u64 {
        self.status()["messages"][direction][kind].as_u64().expect("every kind is counted")
    }
}

fn configuration(lab: &Lab) -> String {
    let source = Source::File(lab.folder().join("hosts.yaml"));
    configuration_of(lab, &[("file", &source)], lab.gateways())
}

/// A text with a part of it replaced, which is there.
#[track_caller]
pub(crate) fn replaced(text: &str, part: &str, with: &str) -> String {
    assert!(text.contains(part), "{part} is part of {text}");
    text.replace(part, with)
}

fn write_hosts(path: &PathBuf, owners: &Owners) {
    let mut text = "hosts:\n".to_owned();
    for (place, subnets) in owners {
        let (v4, v6) = (place.vlan.v4(place.station), place.vlan.v6(place.station));
        let subnets: Vec<String> =
            subnets.iter().flat_map(|subnet| [subnet.v4(), format!("\"{}\"", subnet.v6())]).collect();
        let subnets = subnets.join(", ");
        writeln!(text, "  {}: {{ addresses: [{v4}, \"{v6}\"], subnets: [{subnets}] }}", place.name)
            .expect("a string can be written to");
    }
    std::fs::write(path, text).expect("a file can be written into the lab's folder");
}
