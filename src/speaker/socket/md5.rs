//! TCP MD5 signatures (RFC 2385), as Linux takes and counts them.

use super::raw;
use crate::config::Secret;
use fingerpost_core::model::Prefix;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

const KEY: usize = 80;
/// The key is that of a whole prefix.
const PREFIX: u8 = 1;

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct Md5Sig {
    address: SockAddr,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: i32,
    key: [u8; KEY],
}

/// `struct sockaddr_storage`, as far as it is read: of both families the port stands behind the family, then IPv4's address
/// or IPv6's flow label and address.
#[repr(C, align(8))]
struct SockAddr {
    family: u16,
    rest: [u8; 126],
}

const _: () = assert!(size_of::<Md5Sig>() == 216 && size_of::<SockAddr>() == 128);

#[expect(unsafe_code, reason = "the layout is the kernel's")]
// SAFETY: the sizes of the fields add up to the structure's, 128 + 1 + 1 + 2 + 4 + 80 = 216, so nothing pads it.
unsafe impl raw::Plain for Md5Sig {}

/// Signs whatever goes to these addresses with the key, and takes nothing from them that is not signed with it. Without a
/// key: ends that.
pub(in crate::speaker) fn set(socket: &impl AsFd, peers: Prefix, key: Option<&Secret>) -> io::Result<()> {
    let key = key.map_or(&[][..], |key| key.reveal().as_bytes());
    let mut octets = [0; KEY];
    let Some(place) = octets.get_mut(..key.len()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a TCP MD5 key has 80 octets at the most"));
    };
    place.copy_from_slice(key);
    let mut rest = [0; 126];
    let family = match peers.net().addr() {
        IpAddr::V4(address) => {
            rest[2..6].copy_from_slice(&address.octets());
            libc::AF_INET
        }
        IpAddr::V6(address) => {
            rest[6..22].copy_from_slice(&address.octets());
            libc::AF_INET6
        }
    };
    let value = Md5Sig {
        address: SockAddr { family: family as u16, rest },
        flags: PREFIX,
        prefix_length: peers.net().prefix_len(),
        key_length: key.len() as u16,
        interface: 0,
        key: octets,
    };
    match raw::set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG_EXT, &value) {
        // There was none.
        Err(error) if key.is_empty() && error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        done => done,
    }
}

/// Segments that the kernel has dropped for the sake of TCP MD5, of all sockets in this network namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Md5Drops {
    /// Not signed, where a key is set (`TCPMD5NotFound`).
    pub not_found: u64,
    /// Signed, where no key is set (`TCPMD5Unexpected`).
    pub unexpected: u64,
    /// Signed with another key (`TCPMD5Failure`).
    pub failure: u64,
}

impl Md5Drops {
    /// So far. Zeros where the kernel does not count them.
    pub fn now() -> Md5Drops {
        std::fs::read_to_string("/proc/net/netstat").map_or_else(|_| Md5Drops::default(), |text| Md5Drops::of(&text))
    }

    /// Two lines begin with `TcpExt:`, one with names and one with values.
    fn of(netstat: &str) -> Md5Drops {
        let mut lines = netstat.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
        let names = lines.next().unwrap_or_default().split_ascii_whitespace();
        let values = lines.next().unwrap_or_default().split_ascii_whitespace();
        let mut drops = Md5Drops::default();
        for (name, value) in names.zip(values) {
            let field = match name {
                "TCPMD5NotFound" => &mut drops.not_found,
                "TCPMD5Unexpected" => &mut drops.unexpected,
                "TCPMD5Failure" => &mut drops.failure,
                _ => continue,
            };
            *field = value.parse().unwrap_or(0);
        }
        drops
    }

    /// Each kind's name and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [("not_found", self.not_found), ("unexpected", self.unexpected), ("failure", self.failure)].into_iter()
    }

    /// What has come since `before`, by the kernel's names; None if nothing has.
    pub(in crate::speaker) fn since(&self, before: &Md5Drops) -> Option<String> {
        let kernel = ["TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure"];
        let pairs = kernel.into_iter().zip(self.iter().zip(before.iter()));
        let moved = pairs.filter(|(_, ((_, now), (_, before)))| now > before);
        let said: Vec<String> =
            moved.map(|(name, ((_, now), (_, before)))| format!("{name} +{}", now - before)).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}
