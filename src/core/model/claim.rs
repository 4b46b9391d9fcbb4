//! "Host H owns prefix P, says record R of source S."

use super::{HostName, Labels, Prefix};
use std::net::IpAddr;
use std::sync::Arc;

/// A source by its place in the configuration (ordered by name).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u16);

/// One stored object of a source. Numbers are not used again while the source is configured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub u32);

/// What tells one claim from another: a record states each prefix at most once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ClaimKey {
    /// Whose record it is.
    pub source: SourceId,
    /// The record that states it.
    pub record: RecordId,
    /// The subnet.
    pub prefix: Prefix,
}

/// What a record says of a prefix.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The owner.
    pub host: HostName,
    /// The owner's address in the prefix's family.
    pub next_hop: IpAddr,
    /// The owner's address in the other family, if the record has one: the same machine.
    pub other_address: Option<IpAddr>,
    /// The owner's labels, for policies.
    pub labels: Arc<Labels>,
    /// The revision at which the record was created: older wins within one source.
    pub created: u64,
    /// False once the record can no longer be decoded: this is what it said before, and it loses to any readable claim.
    pub readable: bool,
}
