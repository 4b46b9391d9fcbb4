//! Logs, to stderr: text for people (coloured on a terminal) or one JSON object per line.
//!
//! The configured level holds for Fingerpost; its libraries speak from `warn` on. The environment variable
//! `FINGERPOST_LOG` replaces it by another level, or all by tracing-subscriber's directives, such as
//! `warn,fingerpost=trace,h2=info`.
//!
//! Lines wait for stderr in a queue of their own: a pipe that nobody reads must not hold up the engine. What does not fit
//! is dropped and counted.

use crate::config::{Log, LogFormat, LogLevel};
use crate::words;
use fingerpost_core::engine::{ReloadHold, Taken, Waits};
use fingerpost_core::model::SourceId;
use fingerpost_core::replicas::{PATIENCE, ReplicaNote};
use fingerpost_core::source::sync::{Note, OfRecord};
use fingerpost_core::table::{ChangeKind, HoldReason, Loser, WhyLost};
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The environment variable that replaces the configured level.
pub const VARIABLE: &str = "FINGERPOST_LOG";

/// The target of lines about what a person has ordered.
pub const AUDIT: &str = "audit";

/// Why logging cannot begin: the process has not said anything yet, so this belongs on stderr.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The variable's text is no filter.
    #[error("{VARIABLE} cannot be used: {0}: write a level such as debug, or directives such as warn,fingerpost=debug")]
    Directives(String),
    /// Something else logs in this process.
    #[error("logging has been set up before")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Lines that wait for stderr at the most.
const WAITING: usize = 10_000;

/// Changes the level while the process runs. Dropping it ends the log: what waits is written, if that takes no longer than
/// a second.
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    pinned: bool,
    dropped: ErrorCounter,
    /// How many of the dropped lines were told.
    told: AtomicUsize,
    _queue: WorkerGuard,
}

impl Telemetry {
    /// Takes the level of a reloaded configuration; `FINGERPOST_LOG` still overrides it. The format stays as it began.
    pub fn set_level(&self, level: LogLevel) {
        if !self.pinned {
            // Fails only when the subscriber is gone, at the process's end.
            let _ = self.filter.reload(configured(level));
        }
    }

    /// Says how many lines were lost since it was said last.
    pub fn say_dropped(&self) {
        let dropped = self.dropped.dropped_lines();
        let told = self.told.swap(dropped, Ordering::Relaxed);
        if dropped > told {
            tracing::warn!("{} lines of this log were dropped: nobody read them in time", dropped - told);
        }
    }
}

/// A writer that never waits.
fn queue(to: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING).thread_name("log").finish(to)
}

/// Begins to log.
pub fn init(log: Log) -> Result<Telemetry, TelemetryError> {
    let directives = std::env::var(VARIABLE).ok().filter(|text| !text.trim().is_empty());
    let pinned = directives.is_some();
    let filter = directives.map_or_else(|| Ok(configured(log.level)), |text| asked(&text))?;
    let (filter, handle) = reload::Layer::new(filter);
    let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (writer, queue) = queue(io::stderr());
    let dropped = writer.error_counter();
    let lines = lines(log.format, ansi, writer);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Telemetry { filter: handle, pinned, dropped, told: AtomicUsize::new(0), _queue: queue })
}

/// Says what happened to a source; `lacking`: what an empty list of it lacks.
pub fn source_note(source: &str, lacking: &str, note: &Note) {
    match note {
        Note::Current { .. } | Note::Released { .. } | Note::Compacted { .. } | Note::HidesNoMore { .. } => {
            tracing::info!(source, "{note}");
        }
        Note::Failing(_)
        | Note::Remembered { .. }
        | Note::SnapshotOfAnother { .. }
        | Note::Back { .. }
        | Note::Unresolved { .. }
        | Note::UnknownField { .. }
        | Note::OutOfOrder { .. }
        | Note::Reconciled { .. }
        | Note::Hides { .. } => tracing::warn!(source, "{note}"),
        Note::NotBelieved { .. } => tracing::error!(source, "{note} ({lacking})"),
        Note::Lost(_) | Note::TakenForAnother { .. } | Note::Quarantined { .. } | Note::ReconcileFailed(_) => {
            tracing::error!(source, "{note}");
        }
    }
}

/// Says how many lines about a source's records were left out.
pub fn more_notes(source: &str, kind: OfRecord, count: usize) {
    let see = "see /api/v1/sources";
    match kind {
        OfRecord::Quarantined => tracing::error!(source, "{count} more times a record could not be read: {see}"),
        OfRecord::Released => tracing::info!(source, "{count} more times a record was no longer quarantined"),
        OfRecord::UnknownField => {
            tracing::warn!(source, "{count} more times a record had a field which means nothing: is it misspelt?");
        }
        OfRecord::Unresolved => {
            tracing::warn!(source, "{count} more times a prefix of a record had no next hop: {see}")
        }
        OfRecord::OutOfOrder => tracing::warn!(source, "{count} more events came out of order"),
    }
}

/// Says that a gateway takes nothing of what it is to be told anew.
pub fn takes_nothing(gateway: &str) {
    tracing::warn!(
        gateway,
        "the gateway takes nothing: it cannot be told what this replica is now, and a leader that ends does not wait for that"
    );
}

/// Says that a gateway's cap begins or ceases to hold routes back.
pub fn capped(gateway: &str, family: &str, withheld: usize) {
    match withheld {
        0 => tracing::info!(gateway, family, "max_prefix holds nothing back any more"),
        _ => {
            let more = "raise max_prefix, after the gateway's own limit";
            tracing::error!(
                gateway,
                family,
                withheld,
                "max_prefix is reached: no further route is sent to it ({more})"
            );
        }
    }
}

/// A claim that is not announced, and why.
pub fn not_announced<'a>(name: impl Fn(SourceId) -> &'a str, Loser { claim, why }: &Loser, key: &[u8]) {
    let (source, prefix, key) = (name(claim.source), claim.prefix, key.escape_ascii());
    match why {
        WhyLost::Fenced(refusal) => tracing::warn!(source, "{prefix} of record {key} is not announced: {refusal}"),
        WhyLost::Shadowed { by, source: winning } => {
            let winning = name(*winning);
            tracing::warn!(source, "{prefix} of record {key} is not announced: host {by} of source {winning} has it");
        }
        WhyLost::Forced => {
            tracing::warn!(source, "{prefix} of record {key} is not announced: a person has withdrawn it")
        }
    }
}

/// Says how many changes of a source are kept back now.
pub fn held(source: &str, kind: ChangeKind, count: usize, why: HoldReason) {
    let kind = kind.name();
    match why {
        HoldReason::Flapping => tracing::warn!(source, kind, count, "held: {why}"),
        _ => tracing::error!(source, kind, count, "held, the routes stay as they are: {why}; see /api/v1/holds"),
    }
}

/// Says that a part of a reload is kept back.
pub fn reload_held(hold: &ReloadHold) {
    let ReloadHold { what, withdrawn, moved, of, .. } = hold;
    tracing::error!(
        "held, {what} stays as it was: the reload would withdraw {withdrawn} and move {moved} of {of} routes; see /api/v1/holds"
    );
}

/// Says how far a configuration is in force.
pub fn taken(taken: &Taken) {
    let Taken { gateways, waits } = taken;
    match waits {
        None => tracing::info!(gateways, "the new configuration is in force"),
        Some(waits) => tracing::warn!(gateways, "the new configuration is in force in parts: {}", waiting(waits)),
    }
}

/// Says what another replica differs in.
pub fn replica(identity: &str, note: &ReplicaNote) {
    match note {
        ReplicaNote::Came => tracing::info!(replica = identity, "another replica takes part"),
        ReplicaNote::Gone => tracing::warn!(
            replica = identity,
            "another replica takes part no more: its paths stay at the gateways as long as they keep them"
        ),
        ReplicaNote::Version(version) => tracing::warn!(
            replica = identity,
            ours = env!("CARGO_PKG_VERSION"),
            theirs = shown(version),
            "another replica is of another version: bring all to one"
        ),
        ReplicaNote::Config(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| shown(part)).collect();
            tracing::warn!(
                replica = identity,
                "another replica's configuration is another one in {}: bring all to one",
                few(&parts)
            );
        }
        ReplicaNote::Alike => {
            tracing::info!(replica = identity, "another replica has this one's version and configuration");
        }
        ReplicaNote::Diverges => tracing::error!(
            replica = identity,
            "another replica has announced other routes for {} s, at the same revisions of the sources: compare \
             fingerpost routes of both; docs/operations.md tells what to do",
            PATIENCE.as_secs()
        ),
        ReplicaNote::Vouches(changes) => tracing::info!(
            replica = identity,
            changes,
            "what was held here since it came all at once after an absence passes: another replica has seen it come bit by bit, and \
             let it pass"
        ),
        ReplicaNote::Converged => {
            tracing::info!(replica = identity, "no other routes are known of another replica any more")
        }
    }
}

/// What another process says is no line of ours.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn waiting(waits: &Waits) -> String {
    match waits {
        Waits::Person(parts) => format!(
            "what it says of {} waits for a person (fingerpost approve --reload), and all else is in force",
            few(parts)
        ),
        Waits::Unfreeze(parts) => format!(
            "what it says of {} waits for the end of the freeze (fingerpost unfreeze), and all else is in force",
            few(parts)
        ),
        Waits::Leader(parts) => {
            format!("what it says of {} waits until this replica knows who leads, and all else is in force", few(parts))
        }
        Waits::Routes(sources) => format!(
            "sessions, drain, max_prefix and the guard's limits are; the fence, policies, and what gateways are told by stay as they \
             were until the routes of {} are here",
            few(sources)
        ),
    }
}

fn few(names: &[String]) -> String {
    const FEW: usize = 4;
    words::few(names, FEW)
}

/// What turns events into lines.
fn lines<S, W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(ansi).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// What the variable asks for.
fn asked(directives: &str) -> Result<EnvFilter, TelemetryError> {
    // A level alone is ours: of the libraries nobody wants to read that much.
    match LogLevel::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(directives.trim())) {
        Some((_, level)) => Ok(configured(level)),
        None => EnvFilter::try_new(directives).map_err(|error| TelemetryError::Directives(error.to_string())),
    }
}

fn configured(level: LogLevel) -> EnvFilter {
    let others = level.min(LogLevel::Warn).name();
    let own = level.name();
    // What a person has ordered is said at every level.
    EnvFilter::new(format!("{others},fingerpost={own},fingerpost_core={own},{AUDIT}=info"))
}

#[cfg(test)]
mod tests {
    use super::{WAITING, asked, configured, lines, queue, taken};
    use crate::config::{LogFormat, LogLevel};
    use fingerpost_core::engine::{Taken, Waits};
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    /// What was logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let written = Lines::default();
        let writer = written.clone();
        let lines = lines(format, false, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(configured(LogLevel::Info)).with(lines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "fingerpost::demo", gateway = "core-a", "up\x1b[2J");
            tracing::debug!(target: "fingerpost::demo", "not at this level");
            tracing::info!(target: "h2", "a library's business");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn c59_a_reader_that_stalls_costs_lines_and_nothing_else() {
        /// A pipe that nobody reads until it is let go.
        struct Stalled(Arc<Mutex<()>>);
        impl Write for Stalled {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _let_go = self.0.lock().unwrap();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let stall = Arc::new(Mutex::new(()));
        let stalled = stall.lock().unwrap();
        let (mut writer, _queue) = queue(Stalled(Arc::clone(&stall)));
        let lines = 2 * WAITING;
        for _ in 0..lines {
            writer.write_all(b"a line\n").unwrap();
        }
        let lost = writer.error_counter().dropped_lines();
        // One may be in the writer's hands already.
        assert!((lines - WAITING - 1..=lines - WAITING).contains(&lost), "{lost}");
        drop(stalled);
    }

    #[test]
    fn text_is_one_plain_line_an_event() {
        let text = logged(LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO fingerpost::demo: up") && text.contains("gateway=\"core-a\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn json_is_one_flat_object_an_event() {
        let text = logged(LogFormat::Json);
        assert_eq!(text.lines().count(), 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["level"], &event["gateway"]), (&"INFO".into(), &"core-a".into()));
        assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
    }

    /// What is said of a configuration.
    fn said(gateways: usize, waits: Option<Waits>) -> String {
        let written = Lines::default();
        let writer = written.clone();
        let lines = lines(LogFormat::Text, false, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(configured(LogLevel::Info)).with(lines);
        tracing::subscriber::with_default(subscriber, || taken(&Taken { gateways, waits }));
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_configuration_is_in_force_only_once_nothing_of_it_waits() {
        let whole = said(3, None);
        assert!(whole.contains("INFO") && whole.contains("the new configuration is in force gateways=3"), "{whole}");
        let names = |count: usize| (0..count).map(|n| format!("gateway core-{n}")).collect::<Vec<_>>();
        for (waits, says) in [
            (
                Waits::Person(names(1)),
                "of gateway core-0 waits for a person (fingerpost approve --reload), and all else",
            ),
            (
                Waits::Unfreeze(names(6)),
                "gateway core-3 and 2 more waits for the end of the freeze (fingerpost unfreeze)",
            ),
            (
                Waits::Routes(vec!["prod".into()]),
                "policies, and what gateways are told by stay as they were until the routes of prod",
            ),
        ] {
            let some = said(3, Some(waits));
            assert!(some.contains("WARN") && some.contains("in force in parts: ") && some.contains(says), "{some}");
        }
    }

    #[test]
    fn the_level_is_ours_and_libraries_stay_quiet() {
        let debug = configured(LogLevel::Debug).to_string();
        assert_eq!(debug, "fingerpost_core=debug,fingerpost=debug,audit=info,warn");
        let error = configured(LogLevel::Error).to_string();
        assert_eq!(error, "fingerpost_core=error,fingerpost=error,audit=info,error");
    }

    #[test]
    fn the_variable_takes_levels_and_directives_and_refuses_nonsense() {
        for bare in ["debug", " DEBUG "] {
            assert_eq!(asked(bare).unwrap().to_string(), configured(LogLevel::Debug).to_string());
        }
        assert_eq!(asked("warn,fingerpost=trace").unwrap().to_string(), "fingerpost=trace,warn");
        let refused = format!("{:#}", anyhow::Error::from(asked("fingerpost=loud").unwrap_err()));
        assert_eq!(refused.matches("expected one of").count(), 1, "{refused}");
        assert!(refused.starts_with("FINGERPOST_LOG cannot be used: "), "{refused}");
        assert!(refused.contains("write a level such as debug"), "{refused}");
    }
}
