//! Fingerpost's core: from a store's records to BGP messages. The second tour; the first is the `fingerpost` crate's.
//!
//! No clock, socket, file, task or lock: functions take the moment and an input and return effects, and say when they want
//! to be called again. `clippy.toml` beside this file holds that fence. So all of this runs under property tests, and
//! under simulated time.
//!
//! Follow one record through it:
//!
//! 1. A transport reports it to [`source::sync`], which alone decides what is known, and which alone can prove that a record
//!    is *gone* (promise P2). Its [`source::schema`] says which host owns which prefixes.
//! 2. [`table`] keeps all claims by prefix: the fence refuses what must never be announced (P1), the arbiter picks the owner.
//! 3. [`policy`] says what a gateway is told of the route; a [`view`] holds that for all gateways with the same policy, as a
//!    table and a log of changes. Each gateway is a position in the log, and pulls shared chunks of bytes.
//! 4. [`engine`] owns all of that: inputs in, effects out.
//! 5. [`bgp::neighbour`] is one gateway's session; [`bgp::wire`] the messages themselves.
//! 6. [`election`] says which of several replicas leads (P7); [`replicas`] is what they say of themselves,
//!    and [`orders`] what people have ordered all of them.
//!
//! Names of the promises (P1–P10) and invariants (I1–I8) are those of `docs/ARCHITECTURE.md`.

pub mod bgp;
pub mod election;
pub mod engine;
pub mod model;
pub mod orders;
pub mod policy;
pub mod replicas;
#[cfg(test)]
mod sim;
pub mod source;
pub mod table;
#[cfg(test)]
mod testing;
pub mod view;
