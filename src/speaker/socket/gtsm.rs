//! GTSM (RFC 5082): what has come further than it may is dropped by the kernel.
//!
//! A listener cannot be told, as it would drop the SYNs of gateways without protection; the accepted socket is. What came
//! before that is judged by its SYN, which the kernel keeps for us.

use super::raw;
use socket2::SockRef;
use std::io;
use std::net::IpAddr;

/// Longer than any IP header that stands before the SYN.
const SYN: usize = 256;

/// From now on nothing with a lower TTL or hop limit is taken.
pub(super) fn protect(socket: &SockRef<'_>, peer: IpAddr, least: u8) -> io::Result<()> {
    let (level, option) = match peer {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MINTTL),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
    };
    raw::set(&**socket, level, option, &libc::c_int::from(least))
}

/// Makes a listener keep the SYNs of what it accepts, for [`syn_ttl`].
pub(super) fn keep_syns(listener: &socket2::Socket) -> io::Result<()> {
    raw::set(listener, libc::IPPROTO_TCP, libc::TCP_SAVE_SYN, &1)
}

/// The TTL or hop limit of the SYN that opened an accepted connection; None where the kernel has not kept it (SYN cookies).
pub(super) fn syn_ttl(socket: &SockRef<'_>) -> io::Result<Option<u8>> {
    let syn = raw::get::<SYN>(&**socket, libc::IPPROTO_TCP, libc::TCP_SAVED_SYN)?;
    let field = match syn.first().map(|octet| octet >> 4) {
        Some(4) => 8, // RFC 791 §3.1
        Some(6) => 7, // RFC 8200 §3
        _ => return Ok(None),
    };
    Ok(syn.get(field).copied())
}
