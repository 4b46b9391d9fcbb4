//! To whom a change was written.

use super::super::Engine;
use super::super::outlets::Outlet;
use super::event::RouteEvent;
use crate::model::Family;
use crate::view::Seq;

/// Where a gateway stands to a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It was handed to the gateway's session, or a newer change of the same prefix was.
    Written,
    /// It will be, as soon as the session takes more.
    Pending,
    /// The session is younger than the change, and was told everything at its beginning.
    ByDump,
    /// There is no session in the family.
    Down,
    /// The gateway must not be told this next hop.
    Excluded,
    /// Its policy made no difference of it, or it has another policy since.
    Unaffected,
}

/// Where one gateway stands to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenRow {
    /// The gateway's name.
    pub gateway: String,
    /// Where it stands.
    pub written: Written,
}

impl Engine {
    pub(super) fn written(&self, event: &RouteEvent, outlets: &[&Outlet]) -> Vec<WrittenRow> {
        let family = event.prefix.family();
        let row = |outlet: &&Outlet| WrittenRow {
            gateway: outlet.settings.name.clone(),
            written: to_outlet(event, outlet, family),
        };
        outlets.iter().map(row).collect()
    }
}

fn to_outlet(event: &RouteEvent, outlet: &Outlet, family: Family) -> Written {
    let Some(feed) = outlet.feed(family) else { return Written::Down };
    let logged = event.logged.iter().find(|(view, _)| outlet.view_id(family) == Some(*view));
    let Some(&(_, at)) = logged else { return Written::Unaffected };
    if event.to.as_ref().is_some_and(|hop| feed.excludes(hop.next_hop)) {
        return Written::Excluded;
    }
    // The dump of a session walks what was so when it began; a change from then on travels by the tail.
    let Seq(began) = feed.began();
    if at.0 < began {
        return if feed.is_walked() { Written::ByDump } else { Written::Pending };
    }
    if at < feed.tail() { Written::Written } else { Written::Pending }
}
