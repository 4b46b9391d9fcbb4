//! `/api/v1/events`: what happened, as far as it is kept (promise P8).

use super::query::{Query, wrong, wrong_page};
use super::{Problem, Shared};
use crate::look::events::{LOOKS, Shown};
use crate::look::search::{Search, Unclear};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use fingerpost_core::engine::{Engine, EventKind, Wanted};
use fingerpost_core::model::{HostName, Prefix};
use serde::Serialize;

/// The answer.
#[derive(Serialize)]
pub(super) struct Events {
    events: Vec<Shown>,
    lost: u64,
    last: u64,
    next: Option<String>,
}

/// One page, the oldest first.
pub(super) async fn page(State(shared): State<Shared>, uri: Uri) -> Result<Json<Events>, Problem> {
    let query = Query::read(&uri, &["since", "prefix", "host", "source", "kind", "limit", "page"])?;
    let limit = query.limit()?;
    let wanted = wanted(&query)?;
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| wrong("since", text, "write the number of an event: those behind it are shown"))
    };
    let since = query.get("since").map(number).transpose()?.unwrap_or(0);
    let page = query.get("page").map(|text| text.parse().map_err(|_| wrong_page(text))).transpose()?;
    let mut answer = Events { events: Vec::new(), lost: 0, last: page.unwrap_or(since), next: None };
    let newest = shared.look(Engine::newest_event).await?;
    if answer.last > newest {
        let error = format!("there is no event {} yet, the newest is {newest}", answer.last);
        return Err(Problem::bad_request(error, "numbers begin anew with each start of the process: ask without one"));
    }
    for _ in 0..LOOKS {
        let (after, some, asked) = (answer.last, limit - answer.events.len(), wanted.clone());
        let page = shared.look(move |engine| engine.events(after, some, &asked)).await?;
        answer.last = page.last;
        answer.lost += page.lost;
        answer.events.extend(page.events.into_iter().map(|row| Shown::of(&shared.clock, row)));
        answer.next = page.more.then(|| page.last.to_string());
        if !page.more || answer.events.len() == limit {
            break;
        }
    }
    Ok(Json(answer))
}

fn wanted(query: &Query) -> Result<Wanted, Problem> {
    let host = |text: &str| HostName::new(text).map_err(|_| wrong("host", text, "write a host's name"));
    let kind = |text: &str| {
        let names = EventKind::ALL.map(EventKind::name).join(", ");
        EventKind::named(text).ok_or_else(|| wrong("kind", text, &format!("write one of {names}")))
    };
    Ok(Wanted {
        prefix: query.get("prefix").map(prefix).transpose()?,
        host: query.get("host").map(host).transpose()?,
        source: query.get("source").map(str::to_owned),
        kinds: query.get("kind").map(kind).transpose()?.into_iter().collect(),
        ..Wanted::default()
    })
}

fn prefix(text: &str) -> Result<Prefix, Problem> {
    match Search::around(text) {
        Ok(Search::Around(prefix) | Search::Holding(prefix)) => Ok(prefix),
        Err(Unclear::HostBits(net)) => {
            let hint = format!("write {}, or {} alone for what contains it", net.trunc(), net.addr());
            Err(Problem::bad_request(format!("prefix is {net}, which has host bits set"), hint))
        }
        Ok(Search::All(_) | Search::Of(_)) | Err(Unclear::Syntax) => {
            Err(wrong("prefix", text, "write a prefix such as 10.244.1.0/24, or an address such as 10.244.1.5"))
        }
    }
}
