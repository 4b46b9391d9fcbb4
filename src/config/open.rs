//! What our OPEN offers a gateway beyond families and hold time: the platform's preset, and the keys that override it.

use super::check::{Check, Field, Table};
use super::gateway::Around;
use super::keys;
use super::platform::Platform;
use super::tree::Value;
use fingerpost_core::model::Family;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenOptions {
    /// None: graceful restart is not offered.
    pub graceful_restart: Option<GracefulRestart>,
    /// BoRR and EoRR around a refresh (RFC 7313).
    pub enhanced_refresh: bool,
    /// We take messages of more than 4,096 octets (RFC 8654).
    pub extended_messages: bool,
    /// IPv4 routes may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
}

/// Graceful restart (RFC 4724).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GracefulRestart {
    /// Seconds the gateway keeps our routes while we restart: 0 to 4095; 0 only with `long_lived`.
    pub restart_time: u16,
    /// The N bit: a NOTIFICATION, too, leaves the routes where they are (RFC 8538).
    pub notification: bool,
    /// Seconds for which it keeps them after that as the least preferred (RFC 9494): 1 to 2^24 − 1. None: not offered.
    pub long_lived: Option<u32>,
}

/// The longest long-lived stale time: 24 bits of seconds (RFC 9494 §3.1).
const MAX_STALE_TIME: Duration = Duration::from_secs((1 << 24) - 1);

/// Reads the keys of a gateway's table. Both `platform` and `families` were read before; None where they are wrong.
pub(super) fn read(
    table: &Table<'_>,
    platform: Option<Platform>,
    families: Option<&BTreeSet<Family>>,
    around: &Around<'_>,
    check: &mut Check,
) -> Option<OpenOptions> {
    let router = around.router;
    let preset = match (platform, router.restart_time, router.replicas) {
        (Some(platform), Some(restart_time), Some(replicas)) => Some(platform.preset(replicas, restart_time)),
        _ => None,
    };
    // The keys are looked at in any case, so that every fault is reported.
    let base = preset.unwrap_or(Platform::Generic.preset(1, super::DEFAULT_RESTART_TIME));
    let graceful_restart = graceful_restart(table, base.graceful_restart, check);
    let enhanced_refresh = table.or("enhanced_refresh", base.enhanced_refresh, check, Field::boolean);
    let extended_messages = table.or("extended_messages", base.extended_messages, check, Field::boolean);
    let extended_next_hop = table.or("extended_next_hop", base.extended_next_hop, check, Field::boolean);
    if extended_next_hop == Some(true) && families.is_some_and(|families| !families.contains(&Family::Ipv4)) {
        let message = "concerns IPv4 routes (RFC 8950), and families has no ipv4";
        check.warn(&table.path("extended_next_hop"), message, "add ipv4 to families, or remove it");
    }
    preset?;
    Some(OpenOptions {
        graceful_restart: graceful_restart?,
        enhanced_refresh: enhanced_refresh?,
        extended_messages: extended_messages?,
        extended_next_hop: extended_next_hop?,
    })
}

fn graceful_restart(
    table: &Table<'_>,
    preset: Option<GracefulRestart>,
    check: &mut Check,
) -> Option<Option<GracefulRestart>> {
    let Some(field) = table.get("graceful_restart") else { return Some(preset) };
    if let Value::Bool(on) = field.node.value {
        return Some(preset.filter(|_| on));
    }
    let table = field.table(&keys::GRACEFUL_RESTART, check)?;
    // Every preset offers it.
    let preset = preset?;
    let restart_time =
        table.or("restart_time", preset.restart_time, check, |field, check| field.seconds(0..=4095, check));
    let notification = table.or("notification", preset.notification, check, Field::boolean);
    let long_lived = table.or("long_lived", preset.long_lived, check, long_lived);
    if (restart_time, long_lived) == (Some(0), Some(None)) {
        let path = if table.get("restart_time").is_some() { "restart_time" } else { "long_lived" };
        let message = "with a restart time of 0 s and no long_lived our routes would go at once";
        check.fault(&table.path(path), message, "write 1s to 4095s, or a span for long_lived");
        return None;
    }
    Some(Some(GracefulRestart { restart_time: restart_time?, notification: notification?, long_lived: long_lived? }))
}

fn long_lived(field: &Field<'_>, check: &mut Check) -> Option<Option<u32>> {
    if let Value::Bool(false) = field.node.value {
        return Some(None);
    }
    let duration = field.duration(Duration::from_secs(1)..=MAX_STALE_TIME, check)?;
    if duration.subsec_nanos() != 0 {
        check.fault(&field.path, "is not a whole number of seconds", "BGP counts it in seconds");
        return None;
    }
    u32::try_from(duration.as_secs()).ok().map(Some)
}
