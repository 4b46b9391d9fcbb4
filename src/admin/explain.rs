//! Everything about a prefix, an address or a host (promise P8).

use super::backend::Admin;
use super::page::around;
use super::{model, orders, proto};
use crate::look::frozen_since;
use crate::look::search::Search;
use fingerpost_core::engine::{Engine, ToldRow, Wanted};
use fingerpost_core::model::Prefix;
use fingerpost_core::table::Target;
use std::collections::HashSet;
use tonic::Status;

/// Gateways in one look: in a dump, what is left of it is searched for each.
const GATEWAYS: usize = 32;
/// Gateways in an answer.
const MOST_GATEWAYS: usize = 1000;
/// Events in an answer.
const EVENTS: usize = 50;
/// Prefixes without a next hop in an answer.
const UNRESOLVED: usize = 100;

impl Admin {
    /// The answer. A name that reads as a prefix or an address is one, unless no route contains the address: some sources
    /// call their hosts by their addresses.
    pub(super) async fn explained(&self, request: proto::ExplainRequest) -> Result<proto::ExplainResponse, Status> {
        let proto::ExplainRequest { target, page_size, page_token } = request;
        let search = match around(&target)? {
            Some(search) => search,
            None if target.contains('/') => {
                return Err(Status::invalid_argument(format!(
                    "{} is not a prefix: write ADDRESS/LENGTH, such as 10.244.1.0/24, an address or a host's name",
                    orders::quoted(&target)
                )));
            }
            None => Search::Of(orders::host(&target)?),
        };
        let _turn = self.turn().await?;
        let host = || orders::host(&target).map(Search::Of);
        // A token of a host's page fits no address.
        let of_address = |search: &Search| matches!(search, Search::Holding(_));
        let (search, (routes, next)) = match self.page(&search, page_size, &page_token).await {
            Ok((routes, next)) if routes.is_empty() && next.is_empty() && of_address(&search) => {
                let other = host()?;
                let found = self.page(&other, page_size, &page_token).await?;
                if found.0.is_empty() { (search, found) } else { (other, found) }
            }
            Err(_) if of_address(&search) && !page_token.is_empty() => {
                let other = host()?;
                let found = self.page(&other, page_size, &page_token).await?;
                (other, found)
            }
            found => (search, found?),
        };
        let mut answer = proto::ExplainResponse {
            subject: subject(&search).into(),
            routes,
            next_page_token: next,
            ..proto::ExplainResponse::default()
        };
        if page_token.is_empty() {
            self.surroundings(&search, &mut answer).await?;
        }
        Ok(answer)
    }

    /// What the first page says beside the routes.
    async fn surroundings(&self, search: &Search, answer: &mut proto::ExplainResponse) -> Result<(), Status> {
        let (asked, clock) = (search.clone(), *self.clock());
        let look = move |engine: &Engine| {
            let unresolved = match asked {
                Search::Around(prefix) => {
                    engine.unresolved_rows(UNRESOLVED, |row| prefix.covers(row) || row.covers(prefix))
                }
                Search::Holding(address) => engine.unresolved_rows(UNRESOLVED, |row| row.covers(address)),
                Search::Of(_) | Search::All(_) => Vec::new(),
            };
            (frozen_since(engine, &clock), engine.forced().cloned().collect::<Vec<Target>>(), unresolved)
        };
        let (frozen, forced, unresolved) = self.look(look).await?;
        answer.frozen_since = frozen.map(model::seconds);
        answer.unresolved = unresolved.into_iter().map(model::unresolved).collect();
        let prefixes: HashSet<&str> = answer.routes.iter().map(|route| &*route.prefix).collect();
        let hosts: HashSet<&str> =
            answer.routes.iter().flat_map(|route| &route.claims).map(|claim| &*claim.host).collect();
        let concerns = |target: &&Target| match (target, search) {
            (Target::Prefix(prefix), Search::Around(asked)) => prefix.overlaps(*asked),
            (Target::Prefix(prefix), Search::Holding(address)) => prefix.covers(*address),
            (Target::Prefix(prefix), _) => prefixes.contains(&*prefix.to_string()),
            (Target::Host(host), Search::Of(asked)) => host == asked,
            (Target::Host(host), _) => hosts.contains(host.as_str()),
        };
        let forced = forced.iter().filter(concerns);
        let forced = forced.map(|target| proto::Forced { target: Some(model::target(target)) }).collect();
        answer.forced = forced;
        self.past(search, answer).await?;
        if let Some(prefix) = told_about(search, &answer.routes) {
            answer.told_prefix = prefix.to_string();
            answer.told = self.told(prefix).await?.into_iter().map(model::told).collect();
        }
        Ok(())
    }

    /// What happened to it.
    async fn past(&self, search: &Search, answer: &mut proto::ExplainResponse) -> Result<(), Status> {
        let wanted = match search {
            Search::Around(prefix) | Search::Holding(prefix) => Wanted { prefix: Some(*prefix), ..Wanted::default() },
            Search::Of(host) => Wanted { host: Some(host.clone()), ..Wanted::default() },
            Search::All(_) => return Ok(()),
        };
        (answer.events, answer.older_events) = self.newest_with_gateways(EVENTS, wanted).await?;
        Ok(())
    }

    /// What the gateways were told of the prefix.
    async fn told(&self, prefix: Prefix) -> Result<Vec<ToldRow>, Status> {
        let mut rows: Vec<ToldRow> = Vec::new();
        while rows.len() < MOST_GATEWAYS {
            let after = rows.last().map(|row| row.gateway.clone());
            let more = self.look(move |engine| engine.told_rows(prefix, after.as_deref(), GATEWAYS)).await?;
            let last = more.len() < GATEWAYS;
            rows.extend(more);
            if last {
                break;
            }
        }
        Ok(rows)
    }
}

fn subject(search: &Search) -> proto::Subject {
    match search {
        Search::All(_) => proto::Subject::Unspecified,
        Search::Around(_) => proto::Subject::Prefix,
        Search::Holding(_) => proto::Subject::Address,
        Search::Of(_) => proto::Subject::Host,
    }
}

/// The prefix asked for; of an address, the one by which packets go there.
fn told_about(search: &Search, routes: &[proto::Route]) -> Option<Prefix> {
    match search {
        Search::Around(prefix) => Some(*prefix),
        Search::Holding(_) => {
            let announced = routes.iter().find(|route| route.announced.is_some());
            announced.or(routes.first())?.prefix.parse().ok()
        }
        Search::Of(_) | Search::All(_) => None,
    }
}
