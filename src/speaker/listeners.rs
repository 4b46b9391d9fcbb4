//! What is known of the listeners, without asking anybody: for health and metrics.

use super::chatter::Repeated;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by the speaker, its listeners and those who look.
#[derive(Clone, Default)]
pub struct Listeners(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Why nobody can connect there; None: they can.
    addresses: BTreeMap<SocketAddr, Option<String>>,
    waited_for: WaitedFor,
    strangers: u64,
    said: Repeated,
}

/// Families with gateways that are not dialled: passive ones, and those that come from a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct WaitedFor {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

/// One address of `router.listen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerReport {
    /// The address.
    pub address: SocketAddr,
    /// Why nobody can connect there.
    pub wrong: Option<String>,
    /// Whether there are gateways of its family that can only come here.
    pub is_waited_at: bool,
}

impl Listeners {
    /// It shall be listened there, and is not yet.
    pub fn want(&self, addresses: &[SocketAddr]) {
        let wanted = addresses.iter().map(|address| (*address, Some("it is not opened yet".to_owned())));
        self.known().addresses.extend(wanted);
    }

    /// Whether it is listened there now.
    pub fn set(&self, address: SocketAddr, wrong: Option<String>) {
        self.known().addresses.insert(address, wrong);
    }

    pub(super) fn set_waited_for(&self, waited_for: WaitedFor) {
        self.known().waited_for = waited_for;
    }

    /// How each address is.
    pub fn report(&self) -> Vec<ListenerReport> {
        let known = self.known();
        let report = |(address, wrong): (&SocketAddr, &Option<String>)| {
            let WaitedFor { ipv4, ipv6 } = known.waited_for;
            let is_waited_at = if address.is_ipv4() { ipv4 } else { ipv6 };
            ListenerReport { address: *address, wrong: wrong.clone(), is_waited_at }
        };
        known.addresses.iter().map(report).collect()
    }

    /// How many connections came from addresses that are no gateway's.
    pub fn strangers(&self) -> u64 {
        self.known().strangers
    }

    /// One more of those: a line a minute.
    pub(super) fn stranger(&self, from: IpAddr) {
        let left_out = {
            let mut known = self.known();
            known.strangers += 1;
            known.said.say()
        };
        if let Some(left_out) = left_out {
            tracing::warn!(
                left_out,
                "a connection from {from} was closed: no gateway has that address; if it is one, add it to gateways (NAT \
                 or another source address on its side may hide it)"
            );
        }
    }

    /// Nobody panics while it holds this, and what would be left behind would still be right.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Listeners, WaitedFor};

    #[test]
    fn an_address_is_waited_at_by_the_gateways_of_its_family() {
        let listeners = Listeners::default();
        let (ipv4, ipv6) = ("127.0.0.1:1179".parse().unwrap(), "[::1]:1179".parse().unwrap());
        listeners.want(&[ipv4, ipv6]);
        listeners.set_waited_for(WaitedFor { ipv4: false, ipv6: true });
        listeners.set(ipv4, None);
        let seen: Vec<_> =
            listeners.report().into_iter().map(|report| (report.wrong.is_some(), report.is_waited_at)).collect();
        assert_eq!(seen, [(false, false), (true, true)]);
    }

    #[tokio::test]
    async fn every_stranger_is_counted() {
        let listeners = Listeners::default();
        for _ in 0..3 {
            listeners.stranger("192.0.2.1".parse().unwrap());
        }
        assert_eq!(listeners.strangers(), 3);
    }
}
