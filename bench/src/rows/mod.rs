//! The rows of the design's table, one a file.

pub(crate) mod change;
pub(crate) mod cold;
pub(crate) mod many;
pub(crate) mod million;
pub(crate) mod peers;
pub(crate) mod storm;

use crate::etcd::Etcd;
use crate::process::{Fingerpost, Gateways, Guard};
use crate::receiver::Receivers;
use crate::records::Routes;
use fingerpost_core::bgp::wire::{Encoding, MAX_LEN, SessionType};
use fingerpost_core::model::Asn;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What all rows share.
pub(crate) struct Setting {
    /// The binary that is measured.
    pub(crate) fingerpost: PathBuf,
    /// Pairs of runs.
    pub(crate) runs: u32,
    /// Small sizes.
    pub(crate) quick: bool,
    /// How long anything may take: no run goes on for ever.
    pub(crate) patience: Duration,
}

impl Setting {
    /// One of two sizes.
    fn size(&self, full: u32, quick: u32) -> u32 {
        if self.quick { quick } else { full }
    }

    /// Before a time is taken.
    fn pause(&self) -> Duration {
        Duration::from_millis(if self.quick { 20 } else { 300 })
    }

    /// The numbers of the runs, and whether Fingerpost comes first in each: taking turns, so that neither side always
    /// finds the machine as the other left it.
    fn turns(&self) -> impl Iterator<Item = (u32, bool)> {
        (0..self.runs).map(|run| (run, run % 2 == 0))
    }
}

/// How Fingerpost writes UPDATEs to the receivers.
fn encoding() -> anyhow::Result<Encoding> {
    Ok(Encoding {
        session: SessionType::External,
        local_asn: Asn::new(crate::receiver::OWN_ASN)?,
        four_octet_as: true,
        ipv4_via_ipv6: false,
        max_len: MAX_LEN,
    })
}

/// Milliseconds.
fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// Fingerpost with a gateway behind each of the receivers, to which it connects. The folder takes its configuration and log.
fn dialling(
    setting: &Setting,
    folder: &TempDir,
    etcd: &Etcd,
    routes: &Routes,
    receivers: &Receivers,
) -> anyhow::Result<Fingerpost> {
    started(setting, folder, etcd, routes, receivers, Guard::Off)
}

/// The same, and whether its guard holds anything.
fn started(
    setting: &Setting,
    folder: &TempDir,
    etcd: &Etcd,
    routes: &Routes,
    receivers: &Receivers,
    guard: Guard,
) -> anyhow::Result<Fingerpost> {
    let gateways = Gateways::Dialled(&receivers.addresses);
    Fingerpost::start(&setting.fingerpost, folder.path(), &etcd.endpoint, routes, &gateways, guard)
}
