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
//! to Fingerpost. Secrets are never printed: `REPLACE-ME-KEY` stands for the key of TCP MD5.
//!
//! For a `listen_range` it is the text of each host that peers in: it connects, and discards nothing.

mod bird;
mod cisco;
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
use clap::builder::PossibleValue;
use sheet::Sheet;
use std::fmt::{self, Write};

/// The words of the command line are those of the configuration.
impl ValueEnum for Platform {
    fn value_variants<'a>() -> &'a [Self] {
        // All but the generic one, which is the first and has no language of its own.
        let [_, written @ ..] = &Platform::ALL;
        written
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let untested = if self.is_tried() { "" } else { " (untested)" };
        let help = format!("{}{untested}", software(*self)?);
        Some(PossibleValue::new(self.name()).help(help))
    }
}

/// What runs there and what is written for it; none: it has no language of its own.
fn software(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Generic => None,
        Platform::Bird => Some("BIRD 2"),
        Platform::Frr => Some("FRR: vtysh's integrated configuration"),
        Platform::Gobgp => Some("GoBGP: TOML"),
        Platform::Openbgpd => Some("OpenBGPD"),
        Platform::Junos => Some("Juniper's Junos: set commands"),
        Platform::Eos => Some("Arista's EOS"),
        Platform::Nxos => Some("Cisco's NX-OS"),
        Platform::Sonic => Some("SONiC: its FRR"),
    }
}

/// The text for the gateway of this name. `platform` and `speakers` stand in for what the configuration does not
/// say.
pub fn print(
    config: &Config,
    name: &str,
    platform: Option<Platform>,
    speakers: &[Speaker],
) -> Result<String, Unprintable> {
    let gateway = config.gateways.get(name).ok_or_else(|| Unprintable::unknown(config, name))?;
    let platform = platform.unwrap_or(gateway.platform);
    software(platform).ok_or(Unprintable::NoPlatform)?;
    let sheet = Sheet::new(config, name, gateway, speakers)?;
    let mut text = String::new();
    let wrote = match platform {
        Platform::Generic => Err(fmt::Error),
        Platform::Bird => bird::write(&sheet, &mut text),
        Platform::Frr => frr::write(&sheet, &mut text),
        Platform::Gobgp => gobgp::write(&sheet, &mut text),
        Platform::Openbgpd => openbgpd::write(&sheet, &mut text),
        Platform::Junos => junos::write(&sheet, &mut text),
        Platform::Eos => eos::write(&sheet, &mut text),
        Platform::Nxos => nxos::write(&sheet, &mut text),
        Platform::Sonic => sonic::write(&sheet, &mut text),
    };
    // Writing into a String cannot fail, and no Display of ours does.
    wrote.map(|()| text).map_err(|fmt::Error| Unprintable::NoPlatform)
}

/// The opening lines, each after the platform's sign of a comment.
fn opening(sheet: &Sheet<'_>, sign: &str, software: &str, out: &mut String) -> fmt::Result {
    let name = sheet.name;
    match sheet.hosts() {
        None => writeln!(out, "{sign} Gateway {name}: its session with Fingerpost, for {software}.")?,
        Some(range) => {
            writeln!(out, "{sign} Each host of {name}: its session with Fingerpost, for {software}.")?;
            writeln!(out, "{sign} It must connect from its address in {range}.")?;
        }
    }
    writeln!(out, "{sign} Written by: fingerpost gateway-config {name}")?;
    if let Some(key) = sheet.key() {
        writeln!(out, "{sign} Put the line of its password_file in place of {key}.")?;
    }
    writeln!(out, "{sign} Do not dampen routes on this session: ten takeovers would suppress them for most of an hour.")
}

/// What the text of a platform that nobody here could try says of itself.
fn untested(sign: &str, out: &mut String) -> fmt::Result {
    writeln!(out, "{sign} UNTESTED: written from the platform's documentation. Read it before you commit it.")
}

/// Redirects off, where a kernel's switches do it.
fn redirects(sheet: &Sheet<'_>, sign: &str, out: &mut String) -> fmt::Result {
    // A host makes none.
    if sheet.hosts().is_some() {
        return Ok(());
    }
    let switches = ["all", "default"].map(|which| format!("net.ipv4.conf.{which}.send_redirects=0"));
    writeln!(out, "{sign} Redirects off: sysctl -w {}", switches.join(" "))?;
    writeln!(out, "{sign} IPv6 has no such switch. With nftables, and in what loads its rules at boot:")?;
    for command in [
        "nft add table inet fingerpost",
        "nft add chain inet fingerpost output '{ type filter hook output priority 0; }'",
        "nft add rule inet fingerpost output icmpv6 type nd-redirect drop",
    ] {
        writeln!(out, "{sign}   {command}")?;
    }
    Ok(())
}
