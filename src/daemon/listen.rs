//! The addresses that others connect to: opened, and opened again where that fails.

use crate::admin::{self, Admin, Connections, Listening};
use crate::http::{self, Shared};
use crate::speaker::{Listeners, Speaker};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Between two attempts to listen where the address cannot be had or the listener has failed.
const AGAIN: Duration = Duration::from_secs(5);
/// What to write where the port cannot be had.
const SPARE_BGP: u16 = 1179;
const SPARE_HTTP: u16 = 9179;

/// Listens for gateways on every address. Ends only where one of them ends, which it never should.
pub(super) async fn gateways(speaker: Arc<Mutex<Speaker>>, listeners: Listeners, addresses: Vec<SocketAddr>) {
    let listen = |address| on(Arc::clone(&speaker), listeners.clone(), address);
    let mut all: JoinSet<()> = addresses.into_iter().map(listen).collect();
    if all.join_next().await.is_none() {
        std::future::pending().await
    }
}

/// An address that cannot be had is tried again, a listener that has failed is opened again, and everything else goes on.
async fn on(speaker: Arc<Mutex<Speaker>>, listeners: Listeners, address: SocketAddr) {
    loop {
        let opened = speaker.lock().await.listen(address);
        match opened {
            Ok(listener) => {
                listeners.set(address, None);
                tracing::info!(%address, "listening for gateways");
                listener.ended().await;
                listeners.set(address, Some("its task has failed, a defect of this program: see the log".into()));
                tracing::error!(%address, "the listener's task has failed: opening it again");
            }
            Err(error) => {
                let why = why(address, &error, SPARE_BGP);
                tracing::error!("router.listen: {why}; trying again");
                listeners.set(address, Some(why));
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Serves HTTP, if that is configured.
pub(super) async fn http(address: Option<SocketAddr>, shared: Shared) {
    let Some(address) = address else { return std::future::pending().await };
    loop {
        match tokio::net::TcpListener::bind(address).await {
            Ok(listener) => {
                tracing::info!(%address, "serving HTTP");
                http::serve(listener, shared.clone()).await;
            }
            Err(error) => tracing::error!("http.listen: {}; trying again", why(address, &error, SPARE_HTTP)),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Serves the admin API, if that is configured, until it `ends` and its last answers are given.
pub(super) async fn admin(socket: Option<std::path::PathBuf>, api: Admin, ends: CancellationToken) {
    let Some(socket) = socket else { return ends.cancelled().await };
    let connections = Connections::default();
    while !ends.is_cancelled() {
        match Listening::open(&socket) {
            Ok(listening) => {
                tracing::info!(socket = %socket.display(), "serving the admin API");
                match admin::serve(&listening, &connections, api.clone(), &ends).await {
                    Ok(()) if ends.is_cancelled() => return,
                    Ok(()) => {
                        tracing::warn!(socket = %socket.display(), "nobody finds the admin socket any more: making it anew");
                        continue;
                    }
                    Err(error) => tracing::error!("the admin API has ended: {error}; trying again"),
                }
            }
            Err(error) => tracing::error!("admin.listen: {error}; trying again"),
        }
        let _ = timeout(AGAIN, ends.cancelled()).await;
    }
}

/// Why it cannot be listened there, and what to do.
fn why(address: SocketAddr, error: &io::Error, spare: u16) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "something listens there already: does another Fingerpost run? End it, or name another address".into()
        }
        io::ErrorKind::PermissionDenied => format!(
            "port {} is for root or who has the capability CAP_NET_BIND_SERVICE: grant that, or name a port such as {spare}",
            address.port()
        ),
        io::ErrorKind::AddrNotAvailable => {
            let all = if address.is_ipv4() { "0.0.0.0" } else { "[::]" };
            format!("that is no address of this machine now: name one that it has, or {all} for all")
        }
        _ => "name another address".into(),
    };
    format!("cannot listen on {address}: {error}: {hint}")
}

#[cfg(test)]
mod tests {
    use super::why;
    use std::io::Error;

    fn said(address: &str, errno: i32) -> String {
        why(address.parse().unwrap(), &Error::from_raw_os_error(errno), 1179)
    }

    #[test]
    fn an_address_that_cannot_be_had_says_what_to_do() {
        let taken = said("127.0.0.1:179", libc::EADDRINUSE);
        assert!(taken.contains("cannot listen on 127.0.0.1:179: ") && taken.contains("another Fingerpost"), "{taken}");
        let denied = said("0.0.0.0:179", libc::EACCES);
        assert!(denied.contains("CAP_NET_BIND_SERVICE") && denied.contains("1179"), "{denied}");
        assert!(!denied.contains("another address"), "{denied}");
        let foreign = said("[2001:db8::1]:179", libc::EADDRNOTAVAIL);
        assert!(foreign.contains("no address of this machine") && foreign.contains("[::] for all"), "{foreign}");
    }
}
