//! The command line: `fingerpost run | check | plan | gateway-config | demo | version`, and for a running process (its admin API)
//! `status | gateways | routes | explain | holds | approve | deny | freeze | unfreeze | withdraw | restore | forced | refresh | drain | undrain`.
//!
//! Parsing is clap's; what a command does stands in its own file. Exit codes, for all commands:
//!
//! | code | means |
//! |---|---|
//! | 0 | done; `run`: ended on request; `check`: no faults (warnings allowed); `plan --diff`: nothing differs; `demo`: the gateway's table was right |
//! | 1 | it failed, `check` found faults, or `plan` could not read every source; stderr (for `check`, stdout) says what |
//! | 2 | the command line was wrong |
//! | 3 | nothing matched: no such route, hold, gateway or source |
//! | 4 | no running process could be reached |
//! | 5 | `plan --diff`: something differs. `diff` says 1 then, which means failed here: who asks before a reload must not take the one for the other |
//! | 6 | an order is in force here, but not at every replica, or a later one stands instead; stderr says which |

mod admin;
mod check;
mod gateway_config;
mod plan;
mod version;

pub use admin::{AdminCommand, Connect, FamilyName, Format, HoldsOptions, KindName, TargetOptions, WhichHolds};
pub use check::check;
pub use plan::PlanOptions;
pub use version::{Build, Output, build};

use crate::config::Platform;
use crate::gateway_config::Speaker;
use clap::{Args, Parser, Subcommand};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The command line.
#[derive(Parser, Clone, PartialEq, Eq, Debug)]
#[command(
    name = "fingerpost",
    version = version::LINE,
    about = "Tells the network's gateways over BGP where every pod subnet lives",
    after_help = "Exit codes: 0 done, 1 failed or faults found, 2 wrong command line, 3 nothing matched, 4 not reachable, 5 plan --diff: something differs, 6 in force here, not at every replica.",
    arg_required_else_help = true
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Watch the sources and tell the gateways, until ended
    Run(ConfigFile),
    /// Check a configuration and the files it names, and report every fault
    Check(ConfigFile),
    /// Read the sources once and print what each gateway would be told, and what not and why; or what would change
    Plan(PlanOptions),
    /// Print the gateway's side of a session, as configuration for its routing software
    GatewayConfig(GatewayOptions),
    /// Show one process tell an embedded gateway, over real BGP on loopback
    Demo(DemoOptions),
    /// For a running process.
    #[command(flatten)]
    Admin(AdminCommand),
    /// Show version, commit and features
    Version {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// Which configuration.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct ConfigFile {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", env = "FINGERPOST_CONFIG")]
    pub config: PathBuf,
}

/// Which gateway, and what the configuration does not say.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct GatewayOptions {
    /// The gateway's name in the configuration
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which configuration.
    #[command(flatten)]
    pub file: ConfigFile,
    /// What the gateway runs, where its platform does not say
    #[arg(long, value_enum, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// The address that the gateway sees Fingerpost at, each where it has several; a subnet for dynamic neighbours
    #[arg(long = "speaker", value_name = "ADDRESS")]
    pub speakers: Vec<Speaker>,
}

/// How to show it.
#[derive(Args, Clone, PartialEq, Eq, Debug, Default)]
pub struct DemoOptions {
    /// Keep running after the demonstration
    #[arg(long)]
    pub stay: bool,
    /// Go through this etcd instead of a file, such as http://127.0.0.1:2379
    #[arg(long, value_name = "URL")]
    pub etcd: Option<String>,
}

/// What the commands need that is built elsewhere.
#[derive(Clone, Copy)]
pub struct Hands {
    /// Runs the service until it is told to end.
    pub run: fn(&std::path::Path) -> anyhow::Result<()>,
    /// Runs the demonstration; an error where the gateway's table is not what it should be.
    pub demo: fn(&DemoOptions) -> anyhow::Result<()>,
}

/// Parses the process's arguments and does what they say.
pub fn main(hands: Hands) -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Run(ConfigFile { config }) => (hands.run)(&config),
        Command::Demo(options) => (hands.demo)(&options),
        Command::Check(ConfigFile { config }) => return report(check(&config, &mut io::stdout().lock(), colours())),
        Command::Admin(command) => return admin(command),
        Command::Plan(options) => return plan(&options),
        Command::GatewayConfig(options) => gateway_config::print(&options, &mut io::stdout().lock()),
        Command::Version { output } => version::print(output, &mut io::stdout().lock()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that closed the pipe (`| head`) has seen what it wanted.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            // The last resort: stderr may be closed.
            let _ = writeln!(io::stderr(), "fingerpost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn admin(command: AdminCommand) -> ExitCode {
    admin::run(command, &mut io::stdout().lock()).map_or_else(|failure| failed(&failure), |()| ExitCode::SUCCESS)
}

fn failed(failure: &admin::Failure) -> ExitCode {
    match failure {
        admin::Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        failure => {
            // The last resort: stderr may be closed.
            let _ = writeln!(io::stderr(), "fingerpost: {failure}");
            failure.code()
        }
    }
}

fn plan(options: &PlanOptions) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match plan::run(options, &mut out) {
        Ok(plan::Outcome::Done) => ExitCode::SUCCESS,
        Ok(plan::Outcome::Faulty) => ExitCode::FAILURE,
        Ok(plan::Outcome::Different) => ExitCode::from(5),
        Ok(plan::Outcome::Incomplete(unread)) => {
            for why in unread {
                // The last resort: stderr may be closed.
                let _ = writeln!(io::stderr(), "fingerpost: {why}");
            }
            ExitCode::FAILURE
        }
        // A reader that closed the pipe has not seen that nothing differs.
        Err(admin::Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(failure) => failed(&failure),
    }
}

fn report(checked: io::Result<bool>) -> ExitCode {
    // A reader that closed the pipe (`| head`) has seen what it wanted, but not that there are no faults.
    if checked.unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether stdout is a terminal whose user has not asked for plain text (<https://no-color.org>).
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{AdminCommand, Command, CommandLine, ConfigFile, Connect, DemoOptions, Format, GatewayOptions};
    use super::{HoldsOptions, KindName, Output, Platform, WhichHolds};
    use clap::{CommandFactory, Parser};

    fn parse(line: &str) -> Result<Command, i32> {
        CommandLine::try_parse_from(line.split(' ')).map(|line| line.command).map_err(|error| error.exit_code())
    }

    #[test]
    fn the_parser_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_is_understood() {
        let file = ConfigFile { config: "a.yaml".into() };
        assert_eq!(parse("fingerpost run --config a.yaml"), Ok(Command::Run(file.clone())));
        assert_eq!(parse("fingerpost check -c a.yaml"), Ok(Command::Check(file)));
        assert_eq!(parse("fingerpost demo"), Ok(Command::Demo(DemoOptions::default())));
        let line = "fingerpost gateway-config core-a -c a.yaml --platform frr --speaker 10.0.3.10 --speaker fd00::/64";
        let speakers = vec!["10.0.3.10".parse().unwrap(), "fd00::/64".parse().unwrap()];
        let file = ConfigFile { config: "a.yaml".into() };
        let options = GatewayOptions { name: "core-a".into(), file, platform: Some(Platform::Frr), speakers };
        assert_eq!(parse(line), Ok(Command::GatewayConfig(options)));
        let options = DemoOptions { stay: true, etcd: Some("http://127.0.0.1:2379".into()) };
        assert_eq!(parse("fingerpost demo --stay --etcd http://127.0.0.1:2379"), Ok(Command::Demo(options)));
        let options = Connect { admin: Some("/a.sock".into()), output: Format::Wide, ..Connect::default() };
        let line = "fingerpost holds --admin /a.sock -o wide";
        assert_eq!(parse(line), Ok(Command::Admin(AdminCommand::Holds(options))));
        let which = WhichHolds { source: Some("prod".into()), ..WhichHolds::default() };
        let options = HoldsOptions { which, kind: Some(KindName::Move), ..HoldsOptions::default() };
        let line = "fingerpost approve --source prod --kind move";
        assert_eq!(parse(line), Ok(Command::Admin(AdminCommand::Approve(options))));
        assert_eq!(parse("fingerpost version -o json"), Ok(Command::Version { output: Output::Json }));
    }

    #[test]
    fn a_wrong_command_line_exits_with_2() {
        for wrong in [
            "fingerpost frobnicate",
            "fingerpost check",
            "fingerpost run --config",
            "fingerpost version -o xml",
            "fingerpost gateway-config x -c f --speaker y",
            "fingerpost approve",
            "fingerpost approve 10.244.1.0/24 --all",
            "fingerpost withdraw 10.244.1.0/24",
            "fingerpost withdraw --force",
            "fingerpost drain --withdraw --gateway core-a",
            "fingerpost undrain",
        ] {
            assert_eq!(parse(wrong), Err(2), "{wrong}");
        }
    }
}
