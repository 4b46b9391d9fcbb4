//! Commands for a running Fingerpost: each is a request or a few to its admin API, and a way to print the answer.

mod client;
mod events;
mod explain;
mod output;
mod replicas;
mod run;
mod tables;

pub(super) use client::{Client, Failure, connect};
pub use output::Format;
pub(super) use output::Table;
pub(super) use run::run;
pub(super) use tables::{attributes, reason};

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What to ask or order.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum AdminCommand {
    /// Show the process, its sources and how much there is of everything
    Status(Connect),
    /// Show the sessions with gateways
    Gateways {
        /// Only this one
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Show routes: who is announced as the owner of which prefix
    Routes {
        /// Only this prefix, what covers it and what lies within it; or what contains this address
        #[arg(value_name = "PREFIX", conflicts_with_all = ["host", "family"])]
        prefix: Option<String>,
        /// Only what this host claims or is announced as the owner of
        #[arg(long, value_name = "HOST", conflicts_with = "family")]
        host: Option<String>,
        /// Only one family
        #[arg(long, value_enum, value_name = "FAMILY")]
        family: Option<FamilyName>,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Tell all about a prefix, an address or a host: every claim and what became of it, and what each gateway was told
    Explain {
        /// What to explain
        #[arg(value_name = "PREFIX|ADDRESS|HOST")]
        target: String,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Tell what happened: changes of routes with their reasons, holds, orders, sources, sessions
    Events(EventsOptions),
    /// Show the changes that the guard holds
    Holds(Connect),
    /// Let held changes pass
    Approve(HoldsOptions),
    /// Keep held changes until their source says something else
    Deny(HoldsOptions),
    /// Change nothing at any gateway from now on
    Freeze(Connect),
    /// Change again: what came meanwhile passes the guard
    Unfreeze(Connect),
    /// Withdraw a prefix, or all that a host owns, whatever the sources say, until it is restored
    Withdraw {
        /// That it is meant: this overrides sources and guard
        #[arg(long, required = true)]
        force: bool,
        /// What to withdraw.
        #[command(flatten)]
        target: TargetOptions,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Take a withdrawal by order back
    Restore {
        /// What was withdrawn.
        #[command(flatten)]
        target: TargetOptions,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Show what is withdrawn by order
    Forced(Connect),
    /// Send a gateway everything again
    Refresh {
        /// The gateway's name
        #[arg(value_name = "GATEWAY")]
        gateway: String,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Take this process out of service: its routes become the gateways' last choice, then it ends and leaves them to another
    /// replica; or drain one gateway, at every replica
    Drain {
        /// At the end the gateways drop the routes, whether another replica is there or not (as by SIGUSR2)
        #[arg(long)]
        withdraw: bool,
        /// Only that every replica's routes become this gateway's last choice, until undrain; no process ends
        #[arg(long, value_name = "NAME", conflicts_with = "withdraw")]
        gateway: Option<String>,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
    /// Take the drain of a gateway back
    Undrain {
        /// The gateway
        #[arg(long, value_name = "NAME", required = true)]
        gateway: String,
        /// Whom to ask.
        #[command(flatten)]
        connect: Connect,
    },
}

/// Whom to ask, and how to print the answer.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct Connect {
    /// The admin socket [default: that of --config, or else /run/fingerpost/admin.sock]
    #[arg(long, value_name = "SOCKET", env = "FINGERPOST_ADMIN")]
    pub admin: Option<PathBuf>,
    /// The configuration of the running process, for its admin.listen
    #[arg(short, long, value_name = "FILE", env = "FINGERPOST_CONFIG")]
    pub config: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub output: Format,
    /// Leave the heads of tables out
    #[arg(long)]
    pub no_headers: bool,
}

/// Which events.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct EventsOptions {
    /// Go on telling what happens, until it is interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Only what happened behind the event of this number, or in the last such time: 30s, 10m, 2h, 1d
    #[arg(long, value_name = "NUMBER|DURATION")]
    pub since: Option<Since>,
    /// Only events about this prefix, what covers it and what lies within it; or about what contains this address
    #[arg(long, value_name = "PREFIX|ADDRESS")]
    pub prefix: Option<String>,
    /// Only events about this host
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Only events about this source
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Only events of this kind; may be given several times
    #[arg(long, value_enum, value_name = "KIND")]
    pub kind: Vec<EventKindName>,
    /// Only the newest so many; 10 with --follow, unless --since is given
    #[arg(short, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub newest: Option<u32>,
    /// Whom to ask.
    #[command(flatten)]
    pub connect: Connect,
}

/// From where on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Since {
    /// Behind the event of this number.
    Number(u64),
    /// So long ago.
    Ago(Duration),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Since::Number(number));
        }
        let wrong = || format!("{text:?} is neither: write an event's number, or a time such as 30s, 10m, 2h or 1d");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        number.checked_mul(seconds).map(|seconds| Since::Ago(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

/// The sort of an event.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKindName {
    /// A prefix has got a route.
    Announced,
    /// A route has got another host or next hop.
    Moved,
    /// A route has become another in what policies look at.
    Changed,
    /// A prefix has lost its route.
    Withdrawn,
    /// The guard keeps a change back.
    Held,
    /// It does so no longer.
    HoldEnded,
    /// Changes of one moment that are not told one by one.
    More,
    /// A person has ordered something.
    Order,
    /// A source is known, or lost.
    Source,
    /// A record cannot be read.
    Record,
    /// A session is established, or over.
    Session,
    /// A configuration was taken.
    Reload,
    /// This replica leads, or another does, or nobody knows.
    Role,
    /// A withdrawn prefix is announced like the route that covers it.
    Overridden,
    /// It is so no longer.
    OverrideEnded,
}

/// A family's name.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FamilyName {
    /// IPv4 unicast.
    Ipv4,
    /// IPv6 unicast.
    Ipv6,
}

/// What would happen to a route.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum KindName {
    /// It goes.
    Withdrawal,
    /// It gets another next hop.
    Move,
    /// It comes.
    Addition,
}

/// Which holds.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct HoldsOptions {
    /// Which.
    #[command(flatten)]
    pub which: WhichHolds,
    /// With --source: only changes of this kind
    #[arg(long, value_enum, value_name = "KIND", requires = "source", conflicts_with_all = ["prefix", "host", "reload", "all"])]
    pub kind: Option<KindName>,
    /// Whom to ask.
    #[command(flatten)]
    pub connect: Connect,
}

/// Which holds; one of them.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
#[group(required = true, multiple = false)]
pub struct WhichHolds {
    /// That of this prefix
    #[arg(value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Those of prefixes that this host has or would get
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Those of this source
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// What is held of the last reload of the configuration
    #[arg(long)]
    pub reload: bool,
    /// All there are
    #[arg(long)]
    pub all: bool,
}

/// A prefix or a host.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
#[group(required = true, multiple = false)]
pub struct TargetOptions {
    /// This prefix, whoever owns it
    #[arg(value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Whatever this host owns
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
}
