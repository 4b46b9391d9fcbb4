//! Pages: how much one holds, and what it is a page of.

use super::backend::Admin;
use super::orders::{self, quoted};
use super::{model, proto};
use crate::look::search::{LOOKS, Search, Unclear};
use fingerpost_core::model::Family;
use prost::Message;
use tonic::Status;

/// Items of a page, unless the request says, and at the most.
const PAGE: (u32, u32) = (100, 1000);
/// A page ends once it has so many octets.
pub(super) const PAGE_OCTETS: usize = 1 << 20;

impl Admin {
    /// One page of a search.
    pub(super) async fn page(
        &self,
        search: &Search,
        page_size: u32,
        token: &str,
    ) -> Result<(Vec<proto::Route>, String), Status> {
        let limit = limit(page_size)?;
        let start = match token {
            "" => search.start(),
            text => search.resume(text).ok_or_else(|| wrong_token(text))?,
        };
        let mut cursor = Some(start);
        let (mut routes, mut octets) = (Vec::new(), 0);
        for _ in 0..LOOKS {
            let (Some(at), true) = (cursor, routes.len() < limit && octets < PAGE_OCTETS) else { break };
            let (asked, wanted) = (search.clone(), limit - routes.len());
            let (rows, next) = self.look(move |engine| asked.look(engine, at, wanted)).await?;
            for row in rows {
                let route = model::route(&self.clock, search, row);
                octets += route.encoded_len();
                routes.push(route);
            }
            cursor = next;
        }
        Ok((routes, cursor.map(|cursor| cursor.to_string()).unwrap_or_default()))
    }
}

pub(super) fn limit(page_size: u32) -> Result<usize, Status> {
    match page_size {
        0 => Ok(PAGE.0 as usize),
        n if n <= PAGE.1 => Ok(n as usize),
        n => Err(Status::invalid_argument(format!("page_size is {n}: write 1 to {}", PAGE.1))),
    }
}

pub(super) fn wrong_token(text: &str) -> Status {
    Status::invalid_argument(format!(
        "page_token is {}: give what the answer to the same request gave as next_page_token, or leave it out",
        quoted(text)
    ))
}

/// What a prefix or an address asks for.
pub(super) fn around(text: &str) -> Result<Option<Search>, Status> {
    match Search::around(text) {
        Ok(search) => Ok(Some(search)),
        Err(Unclear::Syntax) => Ok(None),
        Err(Unclear::HostBits(net)) => Err(Status::invalid_argument(format!(
            "{net} has host bits set: write {}, or {} alone for the routes that contain it",
            net.trunc(),
            net.addr()
        ))),
    }
}

/// What a request for routes asks for.
pub(super) fn search(request: &proto::ListRoutesRequest) -> Result<Search, Status> {
    let family = match request.family.as_str() {
        "" => None,
        text => {
            let wrong = || Status::invalid_argument(format!("family is {}: write ipv4 or ipv6", quoted(text)));
            Some(Family::named(text).ok_or_else(wrong)?)
        }
    };
    match (request.prefix.as_str(), request.host.as_str(), family) {
        ("", "", family) => Ok(Search::All(family)),
        (text, "", None) => around(text)?.ok_or_else(|| {
            Status::invalid_argument(format!(
                "{} is no prefix: write one such as 10.244.1.0/24, or an address such as 10.244.1.5",
                quoted(text)
            ))
        }),
        ("", host, None) => Ok(Search::Of(orders::host(host)?)),
        _ => Err(Status::invalid_argument("only one of prefix, host and family may be set: leave the others out")),
    }
}
