//! The lab: a small data centre in network namespaces, and real gateways in it.
//!
//! ```text
//!  pod ─ host a1 ┐                                   ┌ host b1 ─ pod
//!                ├─ VLAN 168 ─ gateway(s) ─ VLAN 169 ┤
//!  pod ─ host a2 ┘                 │                 └ host b2 ─ pod
//!                               VLAN 170
//!                    fingerpost + etcd │ (router ─ VLAN 171 ─ fingerpost + etcd, for multihop)
//! ```
//!
//! A host has a default route to the gateway and nothing else: no BGP, no overlay. A gateway is a real BIRD or FRR
//! whose kernel forwards. Whatever a scenario claims is read from the kernel (`ip route`), from traffic (`ping`) and
//! from the wire (`tcpdump`), never from what the product says of itself.
//!
//! The scenarios are in `tests/`, one file per theme. They need root, because network namespaces do; without it, or
//! without one of the daemons, a scenario says loudly that it is skipped and what would help ([`lab::skip`]).

#[cfg(target_os = "linux")]
pub mod lab;

#[cfg(target_os = "linux")]
pub mod failover;

#[cfg(target_os = "linux")]
pub mod losses;

#[cfg(target_os = "linux")]
pub mod measured;
