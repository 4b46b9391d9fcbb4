//! How far the settings given last are in force: whoever has written them wants to know, and "in force" must not be half of the truth.

use super::Engine;

/// What of the settings given last is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// So many gateways they have.
    pub gateways: usize,
    /// What is not in force yet; None: everything is.
    pub waits: Option<Waits>,
}

/// What is as it was before, and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Waits {
    /// These parts (`policy NAME`, `gateway NAME`), until a person lets them pass.
    Person(Vec<String>),
    /// These, until a freeze ends.
    Unfreeze(Vec<String>),
    /// These, until it is known who leads.
    Leader(Vec<String>),
    /// The fence, policies, and what gateways are told by, until the routes of these sources are here.
    Routes(Vec<String>),
}

impl Engine {
    /// How far the settings given last are in force.
    pub(super) fn taken(&self) -> Taken {
        let parts = || self.reload_holds().iter().map(|hold| hold.what.clone()).collect();
        let waits = match self.reload_holds() {
            _ if self.wanted.is_some() => {
                let awaited = self.sources.iter().filter(|source| source.is_awaited());
                Some(Waits::Routes(awaited.map(|source| source.settings.name.clone()).collect()))
            }
            [] => None,
            _ if self.frozen.is_some() => Some(Waits::Unfreeze(parts())),
            _ if self.holds_still().is_some() => Some(Waits::Leader(parts())),
            _ => Some(Waits::Person(parts())),
        };
        Taken { gateways: self.in_force.gateways.len(), waits }
    }
}
