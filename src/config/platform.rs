//! `platform`: what a gateway's software is known to handle, and the OPEN that follows from it.
//!
//! One table ([`Platform::preset`]); `docs/configuration.md` shows it and a test compares the two. Only what was tried here
//! departs from the conservative OPEN of [`Platform::Generic`].

use super::open::{GracefulRestart, OpenOptions};

/// What a gateway's software is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    /// Any BGP speaker.
    Generic,
    /// BIRD.
    Bird,
    /// FRRouting.
    Frr,
    /// GoBGP.
    Gobgp,
    /// OpenBGPD.
    Openbgpd,
    /// Juniper's Junos.
    Junos,
    /// Arista's EOS.
    Eos,
    /// Cisco's NX-OS.
    Nxos,
    /// SONiC.
    Sonic,
}

/// How long a gateway keeps what a dead replica told it where another replica's paths are preferred to it (RFC 9494).
const LONG_LIVED: u32 = 600;

impl Platform {
    /// All, in the order of the documentation.
    pub const ALL: [Platform; 9] = [
        Platform::Generic,
        Platform::Bird,
        Platform::Frr,
        Platform::Gobgp,
        Platform::Openbgpd,
        Platform::Junos,
        Platform::Eos,
        Platform::Nxos,
        Platform::Sonic,
    ];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Platform::Generic => "generic",
            Platform::Bird => "bird",
            Platform::Frr => "frr",
            Platform::Gobgp => "gobgp",
            Platform::Openbgpd => "openbgpd",
            Platform::Junos => "junos",
            Platform::Eos => "eos",
            Platform::Nxos => "nxos",
            Platform::Sonic => "sonic",
        }
    }

    /// Whether the preset was tried against the software itself.
    pub fn is_tried(self) -> bool {
        match self {
            Platform::Bird | Platform::Frr | Platform::Gobgp | Platform::Openbgpd => true,
            Platform::Generic | Platform::Junos | Platform::Eos | Platform::Nxos | Platform::Sonic => false,
        }
    }

    /// Whether it keeps stale routes as the least preferred (RFC 9494): FRR only where its own configuration says for how
    /// long (`bgp long-lived-graceful-restart stale-time`).
    fn knows_long_lived(self) -> bool {
        match self {
            Platform::Bird | Platform::Frr | Platform::Gobgp => true,
            Platform::Generic
            | Platform::Openbgpd
            | Platform::Junos
            | Platform::Eos
            | Platform::Nxos
            | Platform::Sonic => false,
        }
    }

    /// Whether it sweeps what a bracketed refresh left out (RFC 7313).
    fn knows_enhanced_refresh(self) -> bool {
        match self {
            Platform::Bird | Platform::Frr | Platform::Openbgpd => true,
            Platform::Generic
            | Platform::Gobgp
            | Platform::Junos
            | Platform::Eos
            | Platform::Nxos
            | Platform::Sonic => false,
        }
    }

    /// What our OPEN says unless keys of the gateway say otherwise.
    ///
    /// With several replicas plain graceful restart is harmful: a dead one's stale routes would stand beside the live one's
    /// as equals. A restart time of 0 with a long-lived stale time makes them the least preferred at once.
    ///
    /// Extended messages stay off everywhere, as nothing of what a gateway announces is kept; so do IPv6 next hops of IPv4
    /// routes, which the gateway must be prepared for.
    pub fn preset(self, replicas: u8, restart_time: u16) -> OpenOptions {
        let graceful_restart = if replicas > 1 && self.knows_long_lived() {
            GracefulRestart { restart_time: 0, notification: true, long_lived: Some(LONG_LIVED) }
        } else {
            GracefulRestart { restart_time, notification: true, long_lived: None }
        };
        OpenOptions {
            graceful_restart: Some(graceful_restart),
            enhanced_refresh: self.knows_enhanced_refresh(),
            extended_messages: false,
            extended_next_hop: false,
        }
    }
}
