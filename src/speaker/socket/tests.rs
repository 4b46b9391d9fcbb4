//! Real sockets on loopback, where a packet arrives with the TTL that it was sent with.

use super::*;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// Longer than anything here takes; only a failing test waits for it.
const BOUND: Duration = Duration::from_secs(30);
const LOOPBACKS: [&str; 2] = ["127.0.0.1", "::1"];

fn target(address: SocketAddr) -> Target {
    let user_timeout = Some(Duration::from_secs(510));
    Target { address, source: None, interface: None, ttl: 64, least_ttl: None, user_timeout }
}

/// GTSM over one hop.
fn protected(address: SocketAddr) -> Target {
    Target { ttl: 255, least_ttl: Some(255), ..target(address) }
}

fn set_ttl(socket: &SockRef<'_>, ip: IpAddr, ttl: u32) {
    match ip {
        IpAddr::V4(_) => socket.set_ttl_v4(ttl).unwrap(),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl).unwrap(),
    }
}

/// A listener of ours and its address.
fn listener(ip: IpAddr) -> (TcpListener, SocketAddr) {
    let listener = listen(SocketAddr::new(ip, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A gateway's end that connects with this TTL, and ours.
async fn connect_with(listener: &TcpListener, address: SocketAddr, ttl: u32) -> (TcpStream, TcpStream) {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    set_ttl(&SockRef::from(&socket), address.ip(), ttl);
    let (theirs, ours) = tokio::join!(socket.connect(address), listener.accept());
    (theirs.unwrap(), ours.unwrap().0)
}

/// A counter of `/proc/net/netstat`; all of the machine's sockets move it.
fn counter(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(found, _)| *found == name).unwrap().1.parse().unwrap()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let give_up = Instant::now() + BOUND;
    while !is_so() {
        assert!(Instant::now() < give_up, "not within {BOUND:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn options_are_set_on_both_kinds_of_connections() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let target = Target { interface: Some("lo".into()), ..target(address) };
        let (ours, accepted) = tokio::join!(connect(&target), listener.accept());
        let (ours, accepted) = (ours.unwrap(), accepted.unwrap().0);
        fit(&accepted, &Target { address: SocketAddr::new(address.ip(), 0), ..target.clone() }).unwrap();
        for stream in [&ours, &accepted] {
            let socket = SockRef::from(stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.tcp_user_timeout().unwrap(), target.user_timeout);
            assert_eq!(socket.tcp_notsent_lowat().unwrap(), NOT_SENT);
            assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
            if address.is_ipv4() {
                assert_eq!((socket.ttl_v4().unwrap(), socket.tos_v4().unwrap()), (64, CS6));
            } else {
                assert_eq!((socket.unicast_hops_v6().unwrap(), socket.tclass_v6().unwrap()), (64, CS6));
            }
        }
    }
}

#[tokio::test]
async fn an_interface_that_is_not_there_is_named() {
    let (_listener, address) = listener("127.0.0.1".parse().unwrap());
    let error = connect(&Target { interface: Some("no-such-one".into()), ..target(address) }).await.unwrap_err();
    assert!(error.to_string().starts_with("interface no-such-one: "), "{error}");
}

#[tokio::test]
async fn c64_gtsm_refuses_a_connection_whose_syn_came_too_far() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let (_theirs, ours) = connect_with(&listener, address, 254).await;
        let error = fit(&ours, &protected(address)).unwrap_err();
        assert_eq!(error.to_string(), "it came with a TTL of 254, and ttl_security takes 255 or more");
        // A gateway two hops away that may be two hops away, and one that is not protected at all.
        fit(&ours, &Target { least_ttl: Some(254), ..protected(address) }).unwrap();
        fit(&ours, &target(address)).unwrap();
    }
}

#[tokio::test]
async fn c64_gtsm_drops_what_came_too_far_on_an_accepted_connection() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let (mut theirs, mut ours) = connect_with(&listener, address, 255).await;
        fit(&ours, &protected(address)).unwrap();
        let before = counter("TCPMinTTLDrop");
        set_ttl(&SockRef::from(&theirs), address.ip(), 254);
        theirs.write_all(b"far").await.unwrap();
        until("a dropped segment", || counter("TCPMinTTLDrop") > before).await;
        let nothing = ours.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "a segment with TTL 254 was taken");
        // The connection itself is unharmed.
        set_ttl(&SockRef::from(&theirs), address.ip(), 255);
        let mut octets = [0; 3];
        timeout(BOUND, ours.read_exact(&mut octets)).await.unwrap().unwrap();
        assert_eq!(&octets, b"far");
    }
}

#[tokio::test]
async fn c64_gtsm_takes_no_answer_from_too_far_to_a_connection_of_ours() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        set_ttl(&SockRef::from(&listener), address.ip(), 254);
        let before = counter("TCPMinTTLDrop");
        let dial = tokio::spawn(async move { connect(&protected(address)).await });
        until("a dropped SYN+ACK", || counter("TCPMinTTLDrop") > before).await;
        assert!(!dial.is_finished(), "a SYN+ACK with TTL 254 was taken");
        set_ttl(&SockRef::from(&listener), address.ip(), 255);
        timeout(BOUND, dial).await.unwrap().unwrap().unwrap();
    }
}
