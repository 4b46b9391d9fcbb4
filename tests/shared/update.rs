//! What a gateway of AS 64500 makes of an UPDATE.

use fingerpost_core::bgp::wire::{Update, UpdateContext, UpdateOutcome};
use fingerpost_core::model::{Asn, PerFamily};

/// The UPDATE, from a neighbour of another AS.
pub(crate) fn accepted(body: &[u8]) -> Update {
    let context = UpdateContext {
        internal: false,
        four_octet_as: true,
        families: PerFamily::from_fn(|_| true),
        extended_next_hop: PerFamily::from_fn(|_| false),
        local_asn: Asn::new(64500).unwrap(),
    };
    match Update::decode(body, &context) {
        UpdateOutcome::Accept(update) => update,
        other => panic!("an UPDATE that no gateway would accept: {other:?}"),
    }
}
