//! BGP-4: the messages ([`wire`]) and what one neighbour's session does with them ([`neighbour`]).

pub mod neighbour;
pub mod wire;
