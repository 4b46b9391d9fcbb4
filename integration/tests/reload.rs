//! A reload (SIGHUP) touches what changed: sessions whose parameters are the same stay up.

#![cfg(target_os = "linux")]

use std::time::Duration;

use integration::lab::etcd::Etcd;
use integration::lab::fingerpost::{Fingerpost, Source, configuration_of};
use integration::lab::gateway::Daemon;
use integration::lab::skip::{self, Need};
use integration::lab::{Lab, Peering, record, wait};

const NEEDS: [Need; 5] = [Need::Root, Need::Tools, Need::Bird, Need::Frr, Need::Etcd];

#[test]
fn a_reload_adds_and_removes_a_gateway_without_touching_the_other() {
    if skip::unless(&NEEDS) {
        return;
    }
    for daemons in [[Daemon::Bird, Daemon::Frr], [Daemon::Frr, Daemon::Bird]] {
        let lab = daemons.into_iter().fold(Lab::builder(Peering::Ebgp), integration::lab::Builder::gateway).build();
        let etcd = Etcd::start(lab.control());
        for host in lab.hosts() {
            etcd.put(&record::native_key(host), &record::native_value(host, &[host.subnet()]));
        }
        let [stays, comes] = lab.gateways() else { panic!("two gateways were asked for") };
        let one = configuration_of(&lab, &[("lab", &Source::Native)], &lab.gateways()[..1]);
        let both = configuration_of(&lab, &[("lab", &Source::Native)], lab.gateways());
        let mut fingerpost = Fingerpost::start_with(&lab, &one);
        stays.await_routes(&lab.home_routes());
        let session = stays.session();
        assert!(session.is_some(), "the session is up");
        let monitor = stays.watch_routes();

        fingerpost.reload(&both);
        comes.await_routes(&lab.home_routes());
        // What cannot be read is refused as a whole, and said.
        fingerpost.reload("router: { asn: none }\n");
        wait::until_true("the refusal in the log", Duration::from_secs(20), || fingerpost.log().contains("router.asn"));
        assert!(comes.session().is_some() && comes.routes() == lab.home_routes());
        fingerpost.reload(&one);
        wait::until_true("the end of the second session", Duration::from_secs(20), || comes.session().is_none());

        assert_eq!(stays.session(), session, "the first session is the same one");
        assert_eq!(monitor.stop(), Vec::<String>::new(), "its routes were not touched");
    }
}
