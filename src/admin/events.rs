//! What happened: page by page, or as it happens.
//!
//! ```text
//!  engine's ring ◄── look, one page ── follower ──► channel of one ──► HTTP/2 window ──► client
//!        └── its newest number ────────►┘ waits
//! ```
//!
//! A follower has one page in its hand and one on the way, and waits for its client with them; the ring goes on without it.
//! What has fallen out of the ring when it comes back is counted and said. So the slowest client costs two pages (promise P6).

use super::backend::Admin;
use super::model::{hop, precise};
use super::orders::{self, quoted};
use super::page::{PAGE_OCTETS, around, limit, wrong_token};
use super::proto;
use crate::clock::Clock;
use crate::look::events::{FETCHED, LOOKS, PAUSE};
use crate::look::search::Search;
use fingerpost_core::engine::{EventKind, EventRow, EventsPage, Wanted, Written};
use fingerpost_core::table::Hop;
use prost::Message;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Clients that follow at once.
pub(super) const FOLLOWERS: usize = 16;
/// Events of which one look says to whom they were written.
const WITH_GATEWAYS: usize = 32;
/// Gateways that are named for one event.
const GATEWAYS: usize = 256;

type Watched = Result<proto::WatchEventsResponse, Status>;

impl Admin {
    pub(super) async fn listed_events(
        &self,
        request: proto::ListEventsRequest,
    ) -> Result<proto::ListEventsResponse, Status> {
        let proto::ListEventsRequest { page_size, page_token, filter, since, from, newest, written } = request;
        let limit = limit(page_size)?;
        let mut wanted = wanted(filter.unwrap_or_default())?;
        if let Some(from) = from {
            let wrong = || Status::invalid_argument("from is no moment after 1970: write one as RFC 3339 does");
            let unix = Duration::new(
                u64::try_from(from.seconds).map_err(|_| wrong())?,
                u32::try_from(from.nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(wrong)?,
            );
            wanted.from = Some(self.clock().at_unix(unix));
        }
        if newest && !page_token.is_empty() {
            return Err(Status::invalid_argument("newest is one page: leave page_token out"));
        }
        let mut after = match page_token.as_str() {
            "" => since,
            text => text.parse().map_err(|_| wrong_token(text))?,
        };
        let _turn = self.turn().await?;
        self.is_there(after).await?;
        let mut answer = proto::ListEventsResponse::default();
        if newest {
            wanted.since = since;
            let page = self.look(move |engine| engine.newest_events(limit, &wanted)).await?;
            answer.last = page.last;
            let page = if written { self.with_gateways(page).await? } else { page };
            answer.events = page.events.into_iter().map(|row| event(self.clock(), row)).collect();
            return Ok(answer);
        }
        let slice = if written { WITH_GATEWAYS } else { limit };
        let mut octets = 0;
        for _ in 0..LOOKS {
            let (asked, some) = (wanted.clone(), slice.min(limit - answer.events.len()));
            let look = move |engine: &fingerpost_core::engine::Engine| {
                let mut page = engine.events(after, some, &asked);
                if written {
                    engine.tell_written(&mut page, GATEWAYS);
                }
                page
            };
            let page = self.look(look).await?;
            (after, answer.lost) = (page.last, answer.lost + page.lost);
            for row in page.events {
                let event = event(self.clock(), row);
                octets += event.encoded_len();
                answer.events.push(event);
            }
            if !page.more {
                answer.last = after;
                return Ok(answer);
            }
            if answer.events.len() >= limit || octets >= PAGE_OCTETS {
                break;
            }
        }
        answer.last = after;
        answer.next_page_token = after.to_string();
        Ok(answer)
    }

    /// The newest events, each with the gateways it was written to, and whether there are, or were, older ones.
    pub(super) async fn newest_with_gateways(
        &self,
        limit: usize,
        wanted: Wanted,
    ) -> Result<(Vec<EventRow>, bool), Status> {
        let page = self.look(move |engine| engine.newest_events(limit, &wanted)).await?;
        let older = page.more || page.lost > 0;
        Ok((self.with_gateways(page).await?.events, older))
    }

    /// Says to whom they were written, a few in each look.
    async fn with_gateways(&self, page: EventsPage) -> Result<EventsPage, Status> {
        let EventsPage { mut events, last, more, lost } = page;
        let mut told = Vec::new();
        while !events.is_empty() {
            let some: Vec<EventRow> = events.drain(..events.len().min(WITH_GATEWAYS)).collect();
            let look = move |engine: &fingerpost_core::engine::Engine| {
                let mut page = EventsPage { events: some, ..EventsPage::default() };
                engine.tell_written(&mut page, GATEWAYS);
                page.events
            };
            told.extend(self.look(look).await?);
        }
        Ok(EventsPage { events: told, last, more, lost })
    }

    /// Refuses a number that was never given: it is of an earlier process, and events of this one would be passed over.
    async fn is_there(&self, number: u64) -> Result<u64, Status> {
        let newest = self.look(fingerpost_core::engine::Engine::newest_event).await?;
        if number <= newest {
            return Ok(newest);
        }
        Err(Status::invalid_argument(format!(
            "there is no event {number} yet, the newest is {newest}: numbers begin anew with each start of the process, so ask \
             without one"
        )))
    }

    pub(super) async fn watched_events(
        &self,
        request: proto::WatchEventsRequest,
    ) -> Result<ReceiverStream<Watched>, Status> {
        let proto::WatchEventsRequest { filter, since } = request;
        let wanted = wanted(filter.unwrap_or_default())?;
        let newest = self.is_there(since.unwrap_or(0)).await?;
        let permit = self.followers().clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!("{FOLLOWERS} clients follow the events: end one of them first"))
        })?;
        let (to, stream) = mpsc::channel(1);
        tokio::spawn(follow(self.clone(), wanted, since.unwrap_or(newest), to, permit));
        Ok(ReceiverStream::new(stream))
    }

    async fn page_behind(&self, after: u64, wanted: &Wanted) -> Result<EventsPage, Status> {
        let asked = wanted.clone();
        let _turn = self.turn().await?;
        self.look(move |engine| engine.events(after, FETCHED, &asked)).await
    }
}

/// Sends what happens, until nobody listens.
async fn follow(admin: Admin, wanted: Wanted, mut last: u64, to: mpsc::Sender<Watched>, _permit: OwnedSemaphorePermit) {
    let mut newest = admin.newest_event();
    loop {
        newest.mark_unchanged();
        let page = match admin.page_behind(last, &wanted).await {
            Ok(page) => page,
            Err(why) => {
                let _ = to.send(Err(why)).await;
                return;
            }
        };
        last = page.last;
        if !page.events.is_empty() || page.lost > 0 {
            let events = page.events.into_iter().map(|row| event(admin.clock(), row)).collect();
            if to.send(Ok(proto::WatchEventsResponse { events, lost: page.lost, last })).await.is_err() {
                return;
            }
        }
        if page.more {
            continue;
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() {
                // The engine has ended, and the next look would say so; whoever waits is told now.
                let _ = to.send(Err(Status::unavailable("the engine has ended: the process is about to end"))).await;
                return;
            },
            () = to.closed() => return,
        }
        sleep(PAUSE).await;
    }
}

fn wanted(filter: proto::EventFilter) -> Result<Wanted, Status> {
    let proto::EventFilter { prefix, host, source, kinds } = filter;
    let about = |text: &str| match around(text)? {
        Some(Search::Around(prefix) | Search::Holding(prefix)) => Ok(prefix),
        _ => Err(Status::invalid_argument(format!(
            "{} is no prefix: write one such as 10.244.1.0/24, or an address such as 10.244.1.5",
            quoted(text)
        ))),
    };
    Ok(Wanted {
        prefix: if prefix.is_empty() { None } else { Some(about(&prefix)?) },
        host: if host.is_empty() { None } else { Some(orders::host(&host)?) },
        source: (!source.is_empty()).then_some(source),
        kinds: kinds.into_iter().map(kind_wanted).collect::<Result<_, _>>()?,
        ..Wanted::default()
    })
}

fn kind_wanted(kind: i32) -> Result<EventKind, Status> {
    let known = proto::EventKind::try_from(kind).ok().and_then(|kind| EventKind::named(&kind.word()));
    known.ok_or_else(|| Status::invalid_argument(format!("there is no kind {kind} of events: leave it out for all")))
}

/// As a message.
pub(super) fn event(clock: &Clock, row: EventRow) -> proto::Event {
    let kind = match row.kind {
        EventKind::Announced => proto::EventKind::Announced,
        EventKind::Moved => proto::EventKind::Moved,
        EventKind::Changed => proto::EventKind::Changed,
        EventKind::Withdrawn => proto::EventKind::Withdrawn,
        EventKind::Held => proto::EventKind::Held,
        EventKind::HoldEnded => proto::EventKind::HoldEnded,
        EventKind::More => proto::EventKind::More,
        EventKind::Order => proto::EventKind::Order,
        EventKind::Source => proto::EventKind::Source,
        EventKind::Record => proto::EventKind::Record,
        EventKind::Session => proto::EventKind::Session,
        EventKind::Reload => proto::EventKind::Reload,
        EventKind::Role => proto::EventKind::Role,
    };
    let hop = |Hop { host, next_hop }: Hop| hop((host.to_string(), next_hop));
    let by = row.by.unwrap_or_default();
    let state = |written| match written {
        Written::Written => proto::WrittenState::Written,
        Written::Pending => proto::WrittenState::Pending,
        Written::ByDump => proto::WrittenState::ByDump,
        Written::Down => proto::WrittenState::Down,
        Written::Excluded => proto::WrittenState::Excluded,
        Written::Unaffected => proto::WrittenState::Unaffected,
    };
    let written = |row: fingerpost_core::engine::WrittenRow| proto::Written {
        gateway: row.gateway,
        state: state(row.written).into(),
    };
    proto::Event {
        number: row.number,
        at: Some(precise(clock, row.at)),
        kind: kind.into(),
        prefix: row.prefix.map(|prefix| prefix.to_string()).unwrap_or_default(),
        from: row.from.map(hop),
        to: row.to.map(hop),
        source: row.source.unwrap_or_default(),
        key: row.key.unwrap_or_default(),
        revision: row.revision.unwrap_or_default(),
        gateway: row.gateway.unwrap_or_default(),
        uid: by.uid.map_or(-1, i64::from),
        pid: by.pid.map_or(-1, i64::from),
        count: row.count.unwrap_or_default(),
        reason: row.text,
        written: row.written.into_iter().map(written).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{kind_wanted, proto};
    use fingerpost_core::engine::EventKind;

    #[test]
    fn every_kind_of_event_can_be_asked_for() {
        let kinds: Vec<EventKind> = (1..=13).map(|kind| kind_wanted(kind).unwrap()).collect();
        assert_eq!(kinds, EventKind::ALL);
        for wrong in [0, 14, -1] {
            assert!(kind_wanted(wrong).unwrap_err().message().contains("leave it out"), "{wrong}");
        }
        assert!(proto::EventKind::try_from(14).is_err());
    }
}
