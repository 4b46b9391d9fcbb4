//! What happened: page by page, or as it happens.
//!
//! ```text
//!  engine's ring ◄── look, one page ── follower ──► channel of one ──► HTTP/2 window ──► client
//!        └── its newest number ────────►┘ waits
//! ```
//!
//! A follower has one page in its hand and one on the way, and waits for its client with them; the ring goes on without it.
//! What has fallen out of the ring when it comes back is counted and said. So the slowest client costs two pages (promise P6).
//! The stream that the client reads owns its follower: both go together.

use super::backend::Admin;
use super::model::{hop, precise};
use super::orders::{self, quoted};
use super::page::{PAGE_OCTETS, around, limit, wrong_token};
use super::proto;
use crate::clock::Clock;
use crate::look::events::{FETCHED, LOOKS, PAUSE};
use crate::look::search::Search;
use fingerpost_core::engine::{Engine, EventKind, EventRow, EventsPage, Wanted, Written};
use fingerpost_core::table::Hop;
use prost::Message;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::sleep;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

/// Clients that follow at once.
pub(super) const FOLLOWERS: usize = 16;
/// Events of which one look says to whom they were written.
const WITH_GATEWAYS: usize = 32;
/// Gateways that are named for one event.
const GATEWAYS: usize = 256;

/// A page that is being gathered.
struct Page {
    limit: usize,
    written: bool,
    events: Vec<proto::Event>,
    octets: usize,
}

impl Page {
    /// `written`: each event says to whom it was written.
    fn new(limit: usize, written: bool) -> Self {
        Page { limit, written, events: Vec::new(), octets: 0 }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.octets >= PAGE_OCTETS
    }

    /// How many events the next look shall find.
    fn room(&self) -> usize {
        let room = self.limit - self.events.len();
        if self.written { room.min(WITH_GATEWAYS) } else { room }
    }

    /// Takes events until it is full; the number of the first that is left over.
    fn take(&mut self, clock: &Clock, rows: impl Iterator<Item = EventRow>) -> Option<u64> {
        for row in rows {
            if self.is_full() {
                return Some(row.number);
            }
            let event = event(clock, row);
            self.octets += event.encoded_len();
            self.events.push(event);
        }
        None
    }

    fn events(&mut self) -> Vec<proto::Event> {
        std::mem::take(&mut self.events)
    }
}

type Watched = Result<proto::WatchEventsResponse, Status>;

/// What happens, as one client is told it. Dropped, it ends the task that looks for it.
pub struct Followed {
    pages: ReceiverStream<Watched>,
    _follower: AbortOnDropHandle<()>,
}

impl Stream for Followed {
    type Item = Watched;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Watched>> {
        Pin::new(&mut self.pages).poll_next(cx)
    }
}

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
        let token = match page_token.as_str() {
            "" => None,
            text => Some(text.parse::<u64>().map_err(|_| wrong_token(text))?),
        };
        let _turn = self.turn().await?;
        self.is_there(match token {
            None => since,
            // In front of which one to go on.
            Some(before) if newest => since.max(before.saturating_sub(1)),
            Some(after) => after,
        })
        .await?;
        let mut page = Page::new(limit, written);
        if newest {
            wanted.since = since;
            let answer = self.take_newest(&mut page, token, &wanted).await?;
            // Who asks for the newest knows that there were more.
            Ok(proto::ListEventsResponse { lost: 0, ..answer })
        } else {
            self.take_oldest(&mut page, token.unwrap_or(since), &wanted).await
        }
    }

    /// One look for the page.
    async fn find(
        &self,
        page: &Page,
        wanted: &Wanted,
        events: impl FnOnce(&Engine, usize, &Wanted) -> EventsPage + Send + 'static,
    ) -> Result<EventsPage, Status> {
        let (wanted, room, written) = (wanted.clone(), page.room(), page.written);
        self.look(move |engine| {
            let mut found = events(engine, room, &wanted);
            if written {
                engine.tell_written(&mut found, GATEWAYS);
            }
            found
        })
        .await
    }

    /// Fills the page with the events behind the one of this number.
    async fn take_oldest(
        &self,
        page: &mut Page,
        mut after: u64,
        wanted: &Wanted,
    ) -> Result<proto::ListEventsResponse, Status> {
        let (mut more, mut lost) = (true, 0);
        for _ in 0..LOOKS {
            if !more || page.is_full() {
                break;
            }
            let found = self.find(page, wanted, move |engine, room, wanted| engine.events(after, room, wanted)).await?;
            lost += found.lost;
            (after, more) = match page.take(self.clock(), found.events.into_iter()) {
                None => (found.last, found.more),
                Some(left) => (left - 1, true),
            };
        }
        let next_page_token = if more { after.to_string() } else { String::new() };
        Ok(proto::ListEventsResponse { events: page.events(), next_page_token, lost, last: after })
    }

    /// Fills it with those in front of the one of this number, the newest first, and turns them round.
    async fn take_newest(
        &self,
        page: &mut Page,
        mut before: Option<u64>,
        wanted: &Wanted,
    ) -> Result<proto::ListEventsResponse, Status> {
        let (mut more, mut lost, mut last) = (true, 0, None);
        for _ in 0..LOOKS {
            if !more || page.is_full() {
                break;
            }
            let found =
                self.find(page, wanted, move |engine, room, wanted| engine.newest_events(before, room, wanted)).await?;
            // What happens meanwhile is for who goes on from there.
            last.get_or_insert(found.last);
            lost = found.lost;
            let (first, again) = match page.take(self.clock(), found.events.into_iter().rev()) {
                None => (found.first, found.more),
                Some(left) => (left + 1, true),
            };
            (before, more) = (Some(first), again);
        }
        let next_page_token = before.filter(|_| more).map(|before| before.to_string()).unwrap_or_default();
        let mut events = page.events();
        events.reverse();
        Ok(proto::ListEventsResponse { events, next_page_token, lost, last: last.unwrap_or_default() })
    }

    /// The newest events, up to so many, each with the gateways it was written to, and whether there are, or were, older ones.
    pub(super) async fn newest_with_gateways(
        &self,
        limit: usize,
        wanted: Wanted,
    ) -> Result<(Vec<proto::Event>, bool), Status> {
        let answer = self.take_newest(&mut Page::new(limit, true), None, &wanted).await?;
        let older = !answer.next_page_token.is_empty() || answer.lost > 0;
        Ok((answer.events, older))
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

    pub(super) async fn watched_events(&self, request: proto::WatchEventsRequest) -> Result<Followed, Status> {
        let proto::WatchEventsRequest { filter, since } = request;
        let wanted = wanted(filter.unwrap_or_default())?;
        let newest = self.is_there(since.unwrap_or(0)).await?;
        let permit = self.followers().clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!("{FOLLOWERS} clients follow the events: end one of them first"))
        })?;
        let (to, stream) = mpsc::channel(1);
        let follower = tokio::spawn(follow(self.clone(), wanted, since.unwrap_or(newest), to, permit));
        Ok(Followed { pages: ReceiverStream::new(stream), _follower: AbortOnDropHandle::new(follower) })
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
        EventKind::Overridden => proto::EventKind::Overridden,
        EventKind::OverrideEnded => proto::EventKind::OverrideEnded,
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
        let kinds: Vec<EventKind> = (1..=15).map(|kind| kind_wanted(kind).unwrap()).collect();
        assert_eq!(kinds, EventKind::ALL);
        for wrong in [0, 16, -1] {
            assert!(kind_wanted(wrong).unwrap_err().message().contains("leave it out"), "{wrong}");
        }
        assert!(proto::EventKind::try_from(16).is_err());
    }
}
