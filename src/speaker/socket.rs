//! Socket options, all safe ones.

use super::Target;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// DSCP CS6, "network control" (RFC 4594 §3.2), in the upper six bits of the traffic class.
const CS6: u32 = 48 << 2;
const BACKLOG: u32 = 128;

pub(super) async fn connect(target: &Target) -> io::Result<TcpStream> {
    let socket = if target.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    set_options(&SockRef::from(&socket), target)?;
    if let Some(source) = target.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

pub(super) fn fit(stream: &TcpStream, target: &Target) -> io::Result<()> {
    stream.set_nodelay(true)?;
    set_options(&SockRef::from(stream), target)
}

fn set_options(socket: &SockRef<'_>, target: &Target) -> io::Result<()> {
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
    socket.bind(&address.into())?;
    socket.listen(BACKLOG as i32)?;
    TcpListener::from_std(socket.into())
}
