//! SONiC: FRR inside, so FRR's lines. Untested.

use super::sheet::Sheet;
use super::{frr, opening, untested};
use std::fmt::{self, Write};

pub(super) fn write(sheet: &Sheet<'_>, out: &mut String) -> fmt::Result {
    opening(sheet, "!", "SONiC", out)?;
    untested("!", out)?;
    writeln!(
        out,
        "! Enter it in vtysh of the bgp container. SONiC writes FRR's configuration anew from its own data base unless"
    )?;
    writeln!(
        out,
        "! DEVICE_METADATA|localhost has docker_routing_config_mode split: without that it is gone after a reload."
    )?;
    frr::lines(sheet, out)
}
