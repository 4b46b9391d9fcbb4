//! The words of the field as types: what cannot be true cannot be built.
//!
//! Everything here is plain data, parsed once at the border ([`Prefix`] has no host bits, [`HoldTime`] is never
//! 1 or 2 s, [`Asn`] is never 0), so that the rest of the core need not check again.

mod asn;
mod claim;
mod family;
mod gateway;
mod hold_time;
mod host;
mod leadership;
mod name;
mod prefix;
mod rng;
mod router_id;
mod time;

pub use asn::{Asn, InvalidAsn};
pub use claim::{Claim, ClaimKey, RecordId, SourceId};
pub use family::{Family, PerFamily};
pub use gateway::GatewayId;
pub use hold_time::{HoldTime, InvalidHoldTime};
pub use host::{HostName, InvalidHostName, Labels};
pub use leadership::{Instance, InvalidTerm, Leadership, Replica, Term};
pub use name::is_name;
pub use prefix::{HostBits, InvalidPrefix, Prefix};
pub use rng::Rng;
pub use router_id::{InvalidRouterId, RouterId};
pub use time::Time;
