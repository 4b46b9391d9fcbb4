//! Two connections with one gateway: which of them stays (RFC 4271 §6.8, RFC 6286 §2.3).

use super::Direction;
use crate::model::{Asn, RouterId};

/// Which side's connection survives: that of the speaker with the higher identifier or, where they are equal, the higher
/// AS number.
pub(super) fn survivor(local: (RouterId, Asn), peer: (RouterId, Asn)) -> Direction {
    if local >= peer { Direction::Outgoing } else { Direction::Incoming }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(id: u32, asn: u32) -> (RouterId, Asn) {
        (RouterId::new(id).unwrap(), Asn::new(asn).unwrap())
    }

    #[test]
    fn c4_the_higher_identifiers_connection_stays() {
        assert_eq!(survivor(speaker(2, 9), speaker(1, 10)), Direction::Outgoing);
        assert_eq!(survivor(speaker(1, 10), speaker(2, 9)), Direction::Incoming);
        assert_eq!(survivor(speaker(1, 9), speaker(1, 10)), Direction::Incoming, "equal identifiers: RFC 6286");
        // The identifier counts as a number: 0x80000000 is higher than 1.
        assert_eq!(survivor(speaker(0x8000_0000, 1), speaker(1, 1)), Direction::Outgoing);
    }
}
