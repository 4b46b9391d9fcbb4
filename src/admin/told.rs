//! What one gateway is told, page by page; `fingerpost plan` makes the same rows of an engine of its own.

use super::backend::Admin;
use super::model;
use super::page::{PAGE_OCTETS, limit, wrong_token};
use super::proto;
use super::service::no_gateway;
use crate::look::search::{LOOKS, Search};
use fingerpost_core::engine::{Engine, RouteRow, TellRow, Tells};
use fingerpost_core::table::Standing;
use fingerpost_core::view::Bar;
use prost::Message;
use tonic::Status;

impl Admin {
    /// The answer, gathered in short looks.
    pub(super) async fn list_told_page(
        &self,
        request: proto::ListToldRequest,
    ) -> Result<proto::ListToldResponse, Status> {
        let proto::ListToldRequest { gateway, page_size, page_token } = request;
        let (search, limit) = (Search::All(None), limit(page_size)?);
        let start = match page_token.as_str() {
            "" => search.start(),
            text => search.resume(text).ok_or_else(|| wrong_token(text))?,
        };
        let _turn = self.turn().await?;
        let mut cursor = Some(start);
        let (mut routes, mut octets) = (Vec::new(), 0);
        for _ in 0..LOOKS {
            let (Some(at), true) = (cursor, routes.len() < limit && octets < PAGE_OCTETS) else { break };
            let (asked, wanted) = (gateway.clone(), limit - routes.len());
            let look = move |engine: &Engine| {
                let (rows, next) = Search::All(None).look(engine, at, wanted);
                Some((told_routes(engine, &asked, rows)?, next))
            };
            let (rows, next) = self.look(look).await?.ok_or_else(|| no_gateway(&gateway))?;
            octets += rows.iter().map(Message::encoded_len).sum::<usize>();
            routes.extend(rows);
            cursor = next;
        }
        let next_page_token = cursor.map(|cursor| cursor.to_string()).unwrap_or_default();
        Ok(proto::ListToldResponse { routes, next_page_token })
    }
}

/// What the gateway of this name is told of these routes; None if there is no such gateway.
pub(crate) fn told_routes(engine: &Engine, gateway: &str, rows: Vec<RouteRow>) -> Option<Vec<proto::ToldRoute>> {
    let told = engine.tell_rows(gateway, rows.iter().map(|row| row.prefix))?;
    Some(rows.into_iter().zip(told).map(|(row, told)| route(row, told)).collect())
}

fn route(row: RouteRow, told: TellRow) -> proto::ToldRoute {
    let (state, reason) = match told.tells {
        Tells::Route => (proto::TellState::Told, String::new()),
        Tells::Rejected => (proto::TellState::Rejected, "its policy lets no such route through".into()),
        Tells::Barred(Bar::Cap) => (proto::TellState::Capped, Bar::Cap.to_string()),
        Tells::Barred(bar) => (proto::TellState::Excluded, bar.to_string()),
        Tells::Absent => (proto::TellState::Absent, String::new()),
    };
    let winner = row.claims.into_iter().find(|claim| claim.standing == Standing::Route);
    let (source, key, revision) = winner.map(|claim| (claim.source, claim.key, claim.revision)).unwrap_or_default();
    proto::ToldRoute {
        prefix: row.prefix.to_string(),
        state: state.into(),
        reason,
        attributes: told.attributes.map(model::attributes),
        owner: row.announced.map(model::hop),
        source,
        key,
        revision,
        session: told.session,
    }
}
