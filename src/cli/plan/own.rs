//! What the sources and the configuration say now: an engine of this process, asked page by page.

use crate::admin::{self, proto};
use crate::cli::admin::Failure;
use crate::config::Config;
use crate::daemon::Reading;
use crate::look::search::Search;
use crate::look::seen::reason;
use fingerpost_core::engine::{By, Command, Engine, RecordFaults, SourceRow};
use fingerpost_core::model::{Family, PerFamily, Prefix, SourceId};
use fingerpost_core::table::Target;
use std::time::Duration;

/// Prefixes of a page.
const PAGE: usize = 1000;
/// Records of a source that are shown of each sort of fault.
const FAULTS: usize = 10_000;

/// See the module.
pub(super) struct Own {
    pub(super) config: Config,
    pub(super) sources: Vec<SourceRow>,
    /// Every prefix that somebody claims, in order.
    prefixes: PerFamily<Vec<Prefix>>,
    /// How many of them have a route.
    pub(super) routes: PerFamily<usize>,
    reading: Reading,
}

fn ended() -> Failure {
    Failure::Failed("the engine has ended, which is a defect".into())
}

impl Own {
    /// Reads all sources, as far as that is possible within `patience`.
    pub(super) async fn read(config: Config, patience: Duration) -> Result<Own, Failure> {
        let mut reading = Reading::start(&config)?;
        let sources = reading.finish(patience).await.ok_or_else(ended)?;
        let look = |engine: &Engine| PerFamily::from_fn(|family| engine.prefixes(family));
        let prefixes = reading.engine().look(look).await.ok_or_else(ended)?;
        let routes = reading.engine().look(Engine::count_routes).await.ok_or_else(ended)?;
        Ok(Own { config, sources, prefixes, routes, reading })
    }

    /// Which sources were not read, and why.
    pub(super) fn unread(&self) -> Vec<String> {
        let unread = self.sources.iter().filter(|row| !row.complete);
        let said = |row: &SourceRow| {
            let why =
                reason(row).map_or_else(|| "it is not complete".into(), |why| format!("{}: {}", why.kind, why.message));
            format!("source {} was not read: {why}", row.name)
        };
        unread.map(said).collect()
    }

    /// The pages of a family.
    pub(super) fn pages(&self, family: Family) -> impl Iterator<Item = &[Prefix]> {
        self.prefixes[family].chunks(PAGE)
    }

    /// What the gateway would be told of these.
    pub(super) async fn told(&self, gateway: &str, page: &[Prefix]) -> Result<Vec<proto::ToldRoute>, Failure> {
        let (gateway, page) = (gateway.to_owned(), page.to_vec());
        let look = move |engine: &Engine| {
            let rows = page.iter().filter_map(|prefix| engine.route(*prefix)).collect();
            admin::told_routes(engine, &gateway, rows)
        };
        self.look(look).await?.ok_or_else(ended)
    }

    /// Every claim for these.
    pub(super) async fn routes(&self, page: &[Prefix]) -> Result<Vec<proto::Route>, Failure> {
        let (page, clock) = (page.to_vec(), *self.reading.clock());
        let look = move |engine: &Engine| {
            let rows = page.iter().filter_map(|prefix| engine.route(*prefix));
            rows.map(|row| admin::route(&clock, &Search::All(None), row)).collect()
        };
        self.look(look).await
    }

    /// Stated prefixes without a next hop.
    pub(super) async fn unresolved(&self) -> Result<Vec<proto::Unresolved>, Failure> {
        let rows = self.look(|engine| engine.unresolved_rows(FAULTS, |_| true)).await?;
        Ok(rows.into_iter().map(admin::unresolved).collect())
    }

    /// What is wrong with a source's records.
    pub(super) async fn faults(&self, source: SourceId) -> Result<RecordFaults, Failure> {
        self.look(move |engine| engine.record_faults(source, FAULTS)).await
    }

    /// Withdraws as a person has ordered it elsewhere.
    pub(super) async fn withdraw(&self, target: Target) -> Result<(), Failure> {
        self.reading.engine().command(Command::Withdraw(target), By::default()).await.map(|_| ()).ok_or_else(ended)
    }

    /// The sources as programs read them.
    pub(super) fn source_messages(&self) -> Vec<proto::Source> {
        self.sources.iter().map(|row| admin::source(self.reading.clock(), row.clone())).collect()
    }

    async fn look<T: Send + 'static>(&self, look: impl FnOnce(&Engine) -> T + Send + 'static) -> Result<T, Failure> {
        self.reading.engine().look(look).await.ok_or_else(ended)
    }
}
