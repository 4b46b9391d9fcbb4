//! Sockets and their options.

mod gtsm;
pub(super) mod md5;
mod raw;
#[cfg(test)]
mod tests;

use super::Target;
use crate::config::Secret;
use fingerpost_core::model::Prefix;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// DSCP CS6, "network control" (RFC 4594 §3.2), in the upper six bits of the traffic class.
const CS6: u32 = 48 << 2;
/// The greatest TTL or hop limit: only what comes from this link arrives with it (RFC 5082).
const MOST: u32 = 255;
/// As many may connect at once, as hosts do after a power cut; the kernel may allow fewer.
const BACKLOG: i32 = 1024;
/// The most octets that wait in the kernel without having been sent: what is in there cannot be taken back or overtaken.
const NOT_SENT: u32 = 64 * 1024;

pub(super) async fn connect(target: &Target, key: Option<&Secret>) -> io::Result<TcpStream> {
    let socket = if target.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set_options(&SockRef::from(&socket), target)?;
    sign(&socket, target, key)?;
    if let Some(source) = target.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Makes an accepted connection the gateway's.
pub(super) fn fit(stream: &TcpStream, target: &Target, key: Option<&Secret>) -> io::Result<()> {
    // The listener gave it the key. Where it had none yet, or another, nothing more is taken from here on.
    sign(stream, target, key)?;
    let socket = SockRef::from(stream);
    stream.set_nodelay(true)?;
    set_options(&socket, target)?;
    if let (Some(least), Some(ttl)) = (target.least_ttl, gtsm::syn_ttl(&socket)?)
        && ttl < least
    {
        let text = format!("it came with a TTL of {ttl}, and ttl_security takes {least} or more");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(())
}

fn sign(socket: &impl AsFd, target: &Target, key: Option<&Secret>) -> io::Result<()> {
    let Some(key) = key else { return Ok(()) };
    let said = |error: io::Error| io::Error::new(error.kind(), format!("the kernel takes no TCP MD5 key: {error}"));
    md5::set(socket, Prefix::truncated(target.address.ip().into()), Some(key)).map_err(said)
}

fn set_options(socket: &SockRef<'_>, target: &Target) -> io::Result<()> {
    if let Some(least) = target.least_ttl {
        gtsm::protect(socket, target.address.ip(), least)?;
    }
    if let Some(interface) = &target.interface {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("interface {interface}: {error}"));
        socket.bind_device(Some(interface.as_bytes())).map_err(named)?;
    }
    socket.set_tcp_user_timeout(target.user_timeout)?;
    socket.set_tcp_notsent_lowat(NOT_SENT)?;
    if target.address.is_ipv4() {
        socket.set_ttl_v4(target.ttl.into())?;
        socket.set_tos_v4(CS6)
    } else {
        socket.set_unicast_hops_v6(target.ttl.into())?;
        socket.set_tclass_v6(CS6)
    }
}

/// IPv6 listeners take no IPv4 connections, so that both can listen on the same port.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    gtsm::keep_syns(&socket)?;
    // A gateway that demands 255 drops a SYN+ACK with less. Who it is comes later, and with that the connection's own TTL.
    if address.is_ipv6() {
        socket.set_unicast_hops_v6(MOST)?;
    } else {
        socket.set_ttl_v4(MOST)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
