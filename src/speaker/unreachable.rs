//! Why a gateway cannot be connected to: where, and what to look at.

use super::net::Target;
use crate::limits;
use std::io;

/// The error in words.
pub(super) fn why(target: &Target, error: &io::Error) -> String {
    let Target { address, source, .. } = target;
    let said = limits::explained(error);
    match (error.kind(), source) {
        (io::ErrorKind::AddrNotAvailable, Some(source)) => format!(
            "{address}: {said}: source_address {source} is no address of this machine now: give one that it has, or leave \
             source_address out"
        ),
        (io::ErrorKind::AddrNotAvailable, None) => {
            format!("{address}: {said}: no local port or address is left to connect from: look at ip address and ss -s")
        }
        (io::ErrorKind::ConnectionRefused, _) => {
            format!("{address}: {said}: nothing listens there: does its BGP daemon run, at that port?")
        }
        (io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => {
            format!("{address}: {said}: look at ip route get {}", address.ip())
        }
        _ => format!("{address}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::why;
    use crate::speaker::Target;
    use std::io::Error;

    fn said(source: Option<&str>, errno: i32) -> String {
        let (address, source) = ("192.0.2.1:179".parse().unwrap(), source.map(|source| source.parse().unwrap()));
        let target = Target { address, source, interface: None, ttl: 1, least_ttl: None, user_timeout: None };
        why(&target, &Error::from_raw_os_error(errno))
    }

    #[test]
    fn it_says_where_and_what_to_look_at() {
        let refused = said(None, libc::ECONNREFUSED);
        assert!(refused.starts_with("192.0.2.1:179: ") && refused.contains("nothing listens"), "{refused}");
        let foreign = said(Some("192.0.2.9"), libc::EADDRNOTAVAIL);
        assert!(foreign.contains("source_address 192.0.2.9 is no address of this machine"), "{foreign}");
        assert!(!said(None, libc::EADDRNOTAVAIL).contains("source_address"));
        assert!(said(None, libc::EHOSTUNREACH).contains("ip route get 192.0.2.1"));
    }
}
