//! A gateway of the test's own, that says what the test wants.

use super::world::address;
use std::net::SocketAddr;
use tokio::net::TcpListener;

pub(crate) struct Peer {
    _listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) async fn listen() -> Peer {
        let address = SocketAddr::new(address(), 1790);
        Peer { _listener: TcpListener::bind(address).await.unwrap(), address }
    }

    /// As a gateway in the configuration: `NAME: {…}`.
    pub(crate) fn yaml(&self, name: &str) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!("{name}: {{ address: {ip}, port: {port}, asn: 64500, policy: default }}")
    }
}
