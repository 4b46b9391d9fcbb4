//! `fingerpost gateway-config`: the gateway's side of a session, as text for its routing software.
//!
//! ```text
//!  Config, gateway ──sheet──► facts: who, filters, limits, discards ──a module per platform──► text
//! ```
//!
//! `Sheet` says once what every platform must be told; the platforms' modules only know their language. All of them say
//! the same: filters for prefixes and next hops of each family (nothing but what the fence lets out), a limit of prefixes,
//! a discard route for each range of pods (an address that no host owns would travel between gateway and default route
//! until its TTL ends), ICMP redirects off, and a session that keeps routes while Fingerpost restarts. Nothing is exported
//! to Fingerpost. Secrets are never printed.

mod bird;
mod eos;
mod frr;
mod gobgp;
mod junos;
mod nxos;
mod openbgpd;
mod sheet;
mod sonic;

pub use sheet::{Speaker, Unprintable};

use crate::config::{Config, Platform};
use clap::ValueEnum;
use sheet::Sheet;
use std::fmt::{self, Write};

/// A routing software whose language we write.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// BIRD 2
    Bird,
    /// FRR: vtysh's integrated configuration
    Frr,
    /// GoBGP: TOML
    Gobgp,
    /// OpenBGPD
    Openbgpd,
    /// Juniper's Junos: set commands (untested)
    Junos,
    /// Arista's EOS (untested)
    Eos,
    /// Cisco's NX-OS (untested)
    Nxos,
    /// SONiC: its FRR (untested)
    Sonic,
}

impl Language {
    /// The language of a platform, if it has one.
    fn of(platform: Platform) -> Option<Self> {
        match platform {
            Platform::Bird => Some(Language::Bird),
            Platform::Frr => Some(Language::Frr),
            Platform::Generic
            | Platform::Gobgp
            | Platform::Openbgpd
            | Platform::Junos
            | Platform::Eos
            | Platform::Nxos
            | Platform::Sonic => None,
        }
    }
}

/// The text for the gateway of this name. `language` and `speakers` stand in for what the configuration does not say.
pub fn print(
    config: &Config,
    name: &str,
    language: Option<Language>,
    speakers: &[Speaker],
) -> Result<String, Unprintable> {
    let gateway = config.gateways.get(name).ok_or_else(|| Unprintable::unknown(config, name))?;
    let language = language.or(Language::of(gateway.platform)).ok_or(Unprintable::NoPlatform)?;
    let sheet = Sheet::new(config, name, gateway, speakers)?;
    let mut text = String::new();
    let wrote = match language {
        Language::Bird => bird::write(&sheet, &mut text),
        Language::Frr => frr::write(&sheet, &mut text),
        Language::Gobgp => gobgp::write(&sheet, &mut text),
        Language::Openbgpd => openbgpd::write(&sheet, &mut text),
        Language::Junos => junos::write(&sheet, &mut text),
        Language::Eos => eos::write(&sheet, &mut text),
        Language::Nxos => nxos::write(&sheet, &mut text),
        Language::Sonic => sonic::write(&sheet, &mut text),
    };
    // Writing into a String cannot fail, and no Display of ours does.
    wrote.map(|()| text).map_err(|fmt::Error| Unprintable::NoPlatform)
}

/// The opening lines, each after the platform's sign of a comment.
fn opening(sheet: &Sheet<'_>, sign: &str, software: &str, out: &mut String) -> fmt::Result {
    let name = sheet.name;
    writeln!(out, "{sign} Gateway {name}: its session with Fingerpost, for {software}.")?;
    writeln!(out, "{sign} Written by: fingerpost gateway-config {name}")?;
    writeln!(out, "{sign} Do not dampen routes on this session: ten takeovers would suppress them for most of an hour.")
}

/// What the text of a platform that nobody here could try says of itself.
fn untested(sign: &str, out: &mut String) -> fmt::Result {
    writeln!(out, "{sign} UNTESTED: written from the platform's documentation. Read it before you commit it.")
}
