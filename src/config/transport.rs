//! How a gateway's TCP connections are made and protected.

use super::check::{Check, Field, Table};
use super::gateway::Around;
use super::tree::Value;
use fingerpost_core::model::Asn;

/// The longest name an interface can have (IFNAMSIZ, less its end).
const INTERFACE_NAME: usize = 15;

/// The hops that GTSM (RFC 5082) lets packets make, 1 being a neighbour on the same link; none: unprotected. `multihop` is
/// what that key says.
pub(super) fn ttl_security(
    table: &Table<'_>,
    multihop: Option<Option<u8>>,
    asn: Option<Asn>,
    around: &Around<'_>,
    check: &mut Check,
) -> Option<Option<u8>> {
    let Some(field) = table.get("ttl_security") else { return Some(None) };
    let multihop = multihop?;
    let written = match field.node.value {
        Value::Bool(false) => return Some(None),
        Value::Bool(true) => None,
        Value::Int(_) => Some(field.integer(1..=254, check).and_then(|hops| u8::try_from(hops).ok())?),
        _ => {
            let hint = "write true, false or a number from 1 to 254";
            field.expected("true, false or a number of hops", hint, check);
            return None;
        }
    };
    let hops = match (written, multihop) {
        (None, Some(u8::MAX)) => {
            let message = "multihop: true lets packets come from anywhere, which leaves nothing to protect";
            check.fault(&field.path, message, "write the number of hops in both");
            return None;
        }
        (None, far) => far.unwrap_or(1),
        (Some(hops), Some(far)) if far != u8::MAX && far != hops => {
            let message = format!("{hops} contradicts multihop: {far}");
            check.fault(&field.path, message, format!("write {far}, or true"));
            return None;
        }
        (Some(hops), None) if hops > 1 && says_one_hop(table) && asn.is_some() && asn != around.router.asn => {
            let message = format!("{hops} contradicts multihop: false");
            check.fault(&field.path, message, "write true, or remove multihop");
            return None;
        }
        (Some(hops), _) => hops,
    };
    Some(Some(hops))
}

fn says_one_hop(table: &Table<'_>) -> bool {
    table.get("multihop").is_some_and(|field| matches!(field.node.value, Value::Bool(false)))
}

/// The name of a network interface. Whether there is one of that name may change; connecting says so.
pub(super) fn interface(field: &Field<'_>, check: &mut Check) -> Option<String> {
    let name = field.text(check)?;
    if name.len() > INTERFACE_NAME || name.contains(['/', ' ']) || [".", ".."].contains(&name) {
        check.fault(&field.path, format!("{name:?} is no interface's name"), "write one that ip link shows");
        return None;
    }
    Some(name.to_owned())
}
