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
        let (ours, accepted) = tokio::join!(connect(&target, None), listener.accept());
        let (ours, accepted) = (ours.unwrap(), accepted.unwrap().0);
        fit(&accepted, &Target { address: SocketAddr::new(address.ip(), 0), ..target.clone() }, None).unwrap();
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
    let error = connect(&Target { interface: Some("no-such-one".into()), ..target(address) }, None).await.unwrap_err();
    assert!(error.to_string().starts_with("interface no-such-one: "), "{error}");
}

#[tokio::test]
async fn c64_gtsm_refuses_a_connection_whose_syn_came_too_far() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let (_theirs, ours) = connect_with(&listener, address, 254).await;
        let error = fit(&ours, &protected(address), None).unwrap_err();
        assert_eq!(error.to_string(), "it came with a TTL of 254, and ttl_security takes 255 or more");
        // A gateway two hops away that may be two hops away, and one that is not protected at all.
        fit(&ours, &Target { least_ttl: Some(254), ..protected(address) }, None).unwrap();
        fit(&ours, &target(address), None).unwrap();
    }
}

#[tokio::test]
async fn c64_gtsm_drops_what_came_too_far_on_an_accepted_connection() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let (mut theirs, mut ours) = connect_with(&listener, address, 255).await;
        fit(&ours, &protected(address), None).unwrap();
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
        let dial = tokio::spawn(async move { connect(&protected(address), None).await });
        until("a dropped SYN+ACK", || counter("TCPMinTTLDrop") > before).await;
        assert!(!dial.is_finished(), "a SYN+ACK with TTL 254 was taken");
        set_ttl(&SockRef::from(&listener), address.ip(), 255);
        timeout(BOUND, dial).await.unwrap().unwrap().unwrap();
    }
}

/// A gateway that dials may demand it of the very first answer.
#[tokio::test]
async fn c64_gtsm_lets_a_gateway_demand_255_of_our_listener() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let target = protected(address);
        let (theirs, ours) = tokio::join!(timeout(BOUND, connect(&target, None)), listener.accept());
        let (mut theirs, mut ours) = (theirs.unwrap().unwrap(), ours.unwrap().0);
        fit(&ours, &target, None).unwrap();
        ours.write_all(b"near").await.unwrap();
        let mut octets = [0; 4];
        timeout(BOUND, theirs.read_exact(&mut octets)).await.unwrap().unwrap();
    }
}

/// A key, as it comes from a file.
fn key(text: &str) -> Secret {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Secret::read(file.path()).unwrap()
}

/// All addresses that begin like this one: the first octet of IPv4, all of ::1's first half.
fn around(ip: IpAddr) -> Prefix {
    let length = if ip.is_ipv4() { 8 } else { 64 };
    Prefix::truncated(ipnet::IpNet::new(ip, length).unwrap())
}

fn alone(ip: IpAddr) -> Prefix {
    Prefix::truncated(ip.into())
}

async fn exchange(one: &mut TcpStream, other: &mut TcpStream) {
    let mut octets = [0; 4];
    one.write_all(b"ping").await.unwrap();
    timeout(BOUND, other.read_exact(&mut octets)).await.unwrap().unwrap();
    assert_eq!(&octets, b"ping");
}

#[tokio::test]
async fn c64_both_sides_with_the_same_md5_key_connect() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        for peers in [alone(address.ip()), around(address.ip())] {
            md5::set(&listener, peers, Some(&key("same"))).unwrap();
            let (target, secret) = (target(address), key("same\n"));
            let connected = async { tokio::join!(connect(&target, Some(&secret)), listener.accept()) };
            let (ours, theirs) = timeout(BOUND, connected).await.expect("both have the same key");
            let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap().0);
            fit(&theirs, &target, Some(&secret)).unwrap();
            exchange(&mut ours, &mut theirs).await;
            exchange(&mut theirs, &mut ours).await;
            md5::set(&listener, peers, None).unwrap();
        }
    }
}

/// Tries to connect until the kernel has counted a dropped segment; the connection must not stand then.
async fn never_connects(address: SocketAddr, secret: Option<Secret>, counted: &str) {
    let before = counter(counted);
    let dial = tokio::spawn(async move { connect(&target(address), secret.as_ref()).await });
    until(counted, || counter(counted) > before).await;
    assert!(!dial.is_finished(), "connected in spite of {counted}");
    dial.abort();
}

#[tokio::test]
async fn c64_a_wrong_or_missing_md5_key_makes_no_connection() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        md5::set(&listener, alone(address.ip()), Some(&key("right"))).unwrap();
        never_connects(address, Some(key("wrong")), "TCPMD5Failure").await;
        never_connects(address, None, "TCPMD5NotFound").await;
        md5::set(&listener, alone(address.ip()), None).unwrap();
        never_connects(address, Some(key("right")), "TCPMD5Unexpected").await;
    }
}

/// A connection that was made before its listener had the key.
#[tokio::test]
async fn c64_what_is_not_signed_is_dropped_once_the_connection_is_fitted() {
    for ip in LOOPBACKS {
        let (listener, address) = listener(ip.parse().unwrap());
        let (mut theirs, ours) = connect_with(&listener, address, 64).await;
        fit(&ours, &target(address), Some(&key("late"))).unwrap();
        let before = counter("TCPMD5NotFound");
        theirs.write_all(b"unsigned").await.unwrap();
        until("a dropped segment", || counter("TCPMD5NotFound") > before).await;
        let nothing = ours.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock, "an unsigned segment was taken");
    }
}

#[tokio::test]
async fn the_key_of_the_longer_prefix_counts_and_deleting_what_is_not_there_is_no_error() {
    let (listener, address) = listener("127.0.0.1".parse().unwrap());
    md5::set(&listener, around(address.ip()), Some(&key("range"))).unwrap();
    md5::set(&listener, alone(address.ip()), Some(&key("own"))).unwrap();
    never_connects(address, Some(key("range")), "TCPMD5Failure").await;
    for _ in 0..2 {
        md5::set(&listener, alone(address.ip()), None).unwrap();
    }
    timeout(BOUND, connect(&target(address), Some(&key("range")))).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_md5_key_has_80_octets_at_the_most() {
    let (listener, address) = listener("127.0.0.1".parse().unwrap());
    md5::set(&listener, alone(address.ip()), Some(&key(&"k".repeat(80)))).unwrap();
    let error = md5::set(&listener, alone(address.ip()), Some(&key(&"k".repeat(81)))).unwrap_err();
    assert_eq!(error.to_string(), "a TCP MD5 key has 80 octets at the most");
}
