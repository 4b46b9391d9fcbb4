//! Orders of a person that all replicas of an election have in common.
//!
//! ```text
//!  a person ──► Engine ── Book ── Exchange ──► KEY/orders/… ──► Exchange ── Book ── Engine of every other replica
//!                          └──► state_dir/orders
//! ```
//!
//! Each order is the latest word about one thing, its [`Register`], and says expressly what holds from now on: that nothing is there
//! says nothing. So a store that is wiped or put back unfreezes nobody, and whoever still has an order writes it there again. Of two
//! orders about the same thing the one with the greater [`Number`] stands, in whatever sequence they arrive: replicas that have seen
//! the same orders have the same [`Book`].

mod book;
mod exchange;
mod record;
#[cfg(test)]
mod tests;

pub use book::{Book, Entry, Refused};
pub use exchange::{Answer, Compared, Comparison, End, Exchange, Listing, Question, Record, Step, Takers};
pub use record::{Receipt, Unreadable};

pub use crate::table::SeenChange;

use crate::model::Instance;
use crate::source::{ClusterId, Rev};
use crate::table::Target;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// For so long a decision about held changes may still reach a replica: one that was away for longer holds them.
pub const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// The same for changes of files: two replicas' readings of a file have no numbers in common.
const LIFE_OF_FILES: Duration = Duration::from_secs(600);
/// The cluster of all files.
const FILES: ClusterId = ClusterId(0);

/// When an order was given: later than everything that the replica it was given to had heard of by then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number {
    /// Milliseconds since 1970, or one more than the greatest that was known.
    pub at: u64,
    /// Which process took it: decides between two of the same moment.
    pub by: Instance,
}

/// Who gave an order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Giver {
    /// The identity of the replica to which it was given.
    pub replica: Arc<str>,
    /// The user's number there.
    pub uid: Option<u32>,
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Which one stands, of two about the same.
    pub number: Number,
    /// Who gave it.
    pub giver: Giver,
    /// What holds from now on.
    pub what: What,
}

/// What was ordered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Nothing changes.
    Freeze,
    /// Everything may change again.
    Unfreeze,
    /// This is withdrawn.
    Withdraw(Target),
    /// It is no longer.
    Restore(Target),
    /// The gateway of this name is drained.
    Drain(Arc<str>),
    /// It is no longer.
    Undrain(Arc<str>),
    /// These changes pass, or stay held.
    Decide(Arc<Decided>),
}

/// Held changes of one source about which a person has decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// Whether they pass; else they stay held.
    pub approved: bool,
    /// The source's name.
    pub source: String,
    /// The store that said so …
    pub cluster: ClusterId,
    /// … up to this revision: a replica that has taken in as much and judged it has nothing to wait for any more.
    pub revision: Rev,
    /// What would happen, as the person saw it; no more than [`Decided::MOST`].
    pub changes: Vec<SeenChange>,
}

impl Decided {
    /// Changes in one order at the most; more are several orders.
    pub const MOST: usize = 1000;

    /// Whether it is about a file's changes.
    pub fn is_of_a_file(&self) -> bool {
        self.cluster == FILES
    }

    /// For so long after it was ordered it may still be carried out.
    pub fn life(&self) -> Duration {
        if self.is_of_a_file() { LIFE_OF_FILES } else { LIFE }
    }
}

/// What an order is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Register {
    /// Whether anything changes.
    Freeze,
    /// Whether this is withdrawn by order.
    Withdrawn(Target),
    /// Whether this gateway is drained by order.
    Drained(Arc<str>),
    /// A decision stands for itself.
    Decided(Number),
}

impl What {
    /// What it is about; a decision about held changes stands for itself.
    pub fn register(&self) -> Option<Register> {
        match self {
            What::Freeze | What::Unfreeze => Some(Register::Freeze),
            What::Withdraw(target) | What::Restore(target) => Some(Register::Withdrawn(target.clone())),
            What::Drain(gateway) | What::Undrain(gateway) => Some(Register::Drained(Arc::clone(gateway))),
            What::Decide(_) => None,
        }
    }
}

impl Order {
    /// What it is about.
    pub fn register(&self) -> Register {
        self.what.register().unwrap_or(Register::Decided(self.number))
    }
}

/// Its key, behind `KEY/orders/`.
impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Register::Freeze => f.write_str("freeze"),
            Register::Withdrawn(Target::Prefix(prefix)) => write!(f, "withdrawn/prefix/{prefix}"),
            Register::Withdrawn(Target::Host(host)) => write!(f, "withdrawn/host/{host}"),
            Register::Drained(gateway) => write!(f, "drained/{gateway}"),
            Register::Decided(number) => write!(f, "decided/{:016x}-{}", number.at, number.by),
        }
    }
}

/// In the words of the command line. What another replica wrote may end no line of a log, nor look like another field of it.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |target: &Target| match target {
            Target::Prefix(prefix) => format!("prefix {prefix}"),
            Target::Host(host) => format!("host {}", host.as_str().escape_debug()),
        };
        match self {
            What::Freeze => f.write_str("freeze"),
            What::Unfreeze => f.write_str("unfreeze"),
            What::Withdraw(target) => write!(f, "withdraw {}", of(target)),
            What::Restore(target) => write!(f, "restore {}", of(target)),
            What::Drain(gateway) => write!(f, "drain gateway {gateway}"),
            What::Undrain(gateway) => write!(f, "undrain gateway {gateway}"),
            What::Decide(decided) => {
                let verb = if decided.approved { "approve" } else { "deny" };
                let source = decided.source.escape_debug();
                write!(f, "{verb} {} held changes of source \"{source}\"", decided.changes.len())
            }
        }
    }
}

/// Numbers count in these.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
