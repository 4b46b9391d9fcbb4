//! The service: each method of the contract.

use super::listener::{Listening, Peer};
use super::orders::{self, Wanted, quoted};
use super::proto::fingerpost_server::{Fingerpost, FingerpostServer};
use super::{LARGEST_ANSWER, LONGEST, audit, events, model, proto};
use crate::clock::Clock;
use crate::engine::EngineHandle;
use crate::look::frozen_since;
use crate::look::search::{LOOKS, Search, Unclear};
use crate::snapshot::OrdersFile;
use crate::speaker::{GatewayReport, Speaker};
use fingerpost_core::engine::{By, Command, Engine, GatewayRow};
use fingerpost_core::model::{Family, GatewayId, Prefix, Time};
use fingerpost_core::table::Target;
use prost::Message;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Requests that look at once.
const AT_ONCE: usize = 4;
/// Requests of one connection at once.
const PER_CONNECTION: usize = 8;
/// Between two signs of life that a client has to give, and how long it may take.
const PING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// The largest request, in octets.
const LARGEST_REQUEST: usize = 64 << 10;
/// The most octets of a request's headers.
const HEADERS: u32 = 16 << 10;
/// Items of a page, unless the request says, and at the most.
const PAGE: (u32, u32) = (100, 1000);
/// A page ends once it has so many octets.
pub(super) const PAGE_OCTETS: usize = 1 << 20;
/// Withdrawals by order at the most: each is compared with every claim.
const FORCED: usize = 1000;

/// What the service works with.
#[derive(Clone)]
pub struct Admin {
    clock: Clock,
    engine: EngineHandle,
    speaker: Arc<Mutex<Speaker>>,
    config_loaded: Arc<AtomicBool>,
    orders: OrdersFile,
    turns: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

impl Admin {
    /// The service of these parts. `config_loaded`: whether the configuration on disk is the one in force; `orders`:
    /// where they are kept.
    pub fn new(
        clock: Clock,
        engine: EngineHandle,
        speaker: Arc<Mutex<Speaker>>,
        config_loaded: Arc<AtomicBool>,
        orders: OrdersFile,
    ) -> Self {
        let (turns, followers) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(Semaphore::new(events::FOLLOWERS)));
        Admin { clock, engine, speaker, config_loaded, orders, turns, followers }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The number of the newest event, as it grows.
    pub(super) fn newest_event(&self) -> tokio::sync::watch::Receiver<u64> {
        self.engine.newest_event()
    }

    /// Who follows the timeline.
    pub(super) fn followers(&self) -> &Arc<Semaphore> {
        &self.followers
    }

    /// Waits until few enough others look.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.turns.acquire().await.map_err(|_| Status::internal("the turns have ended, which is a defect"))
    }

    /// What the engine says. Keep it short: the engine does nothing else meanwhile.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Status> {
        match timeout(PATIENCE, self.engine.look(look)).await {
            Ok(answer) => answer.ok_or_else(ended),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the engine has not answered for {} s: ask again, and see the log if that lasts",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Has it done; how much it concerned.
    async fn order(&self, command: Command, peer: Peer) -> Result<usize, Status> {
        let by = By { uid: peer.uid, pid: peer.pid };
        match timeout(PATIENCE, self.engine.command(command, by)).await {
            Ok(count) => count.ok_or_else(ended),
            Err(_) => Err(Status::deadline_exceeded(format!(
                "the engine has not answered for {} s; the order may still be carried out: look, then order again",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Orders what is decided about holds.
    async fn decide(
        &self,
        wanted: &Wanted,
        peer: Peer,
        command: fn(fingerpost_core::engine::Holds) -> Command,
    ) -> Result<usize, Status> {
        let which = wanted.clone();
        let holds = self.look(move |engine| which.find(engine)).await??;
        self.order(command(holds), peer).await
    }

    async fn frozen(&self) -> Result<Option<u64>, Status> {
        let clock = self.clock;
        self.look(move |engine| frozen_since(engine, &clock)).await
    }

    /// Why the next process will not know what was ordered; empty where it will.
    async fn not_kept(&self) -> String {
        match timeout(PATIENCE, self.orders.keep()).await {
            Ok(kept) => kept.err().unwrap_or_default(),
            Err(_) => format!("state_dir has not taken it for {} s", PATIENCE.as_secs()),
        }
    }

    /// Rows, and reports by name.
    async fn gateways(&self) -> Result<(HashMap<GatewayId, GatewayRow>, Vec<GatewayReport>), Status> {
        let rows = self.look(Engine::gateway_rows).await?;
        let (reports, _) = self.speaker.lock().await.report().await;
        Ok((rows.into_iter().map(|row| (row.id, row)).collect(), reports))
    }

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

fn ended() -> Status {
    Status::unavailable("the engine has ended: the process is about to end, see its log")
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

fn search(request: &proto::ListRoutesRequest) -> Result<Search, Status> {
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

fn peer<T>(request: &Request<T>) -> Peer {
    request.extensions().get::<Peer>().copied().unwrap_or_default()
}

/// Serves until the listener breaks, or nobody can find it any more.
pub async fn serve(listening: &Listening, admin: Admin) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<FingerpostServer<Admin>>().await;
    let service = FingerpostServer::new(admin)
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let (to, connections) = mpsc::channel(1);
    let serving = Server::builder()
        .timeout(LONGEST)
        .concurrency_limit_per_connection(PER_CONNECTION)
        .http2_keepalive_interval(Some(PING.0))
        .http2_keepalive_timeout(Some(PING.1))
        .http2_max_header_list_size(HEADERS)
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming(ReceiverStream::new(connections));
    tokio::select! {
        done = serving => done,
        () = listening.accept(to) => Ok(()),
        () = listening.lost() => Ok(()),
    }
}

#[async_trait]
impl Fingerpost for Admin {
    async fn status(&self, _request: Request<proto::StatusRequest>) -> Result<Response<proto::StatusResponse>, Status> {
        let _turn = self.turn().await?;
        let clock = self.clock;
        let look = move |engine: &Engine| {
            let orders = (frozen_since(engine, &clock), engine.forced().count(), engine.reload_holds().len());
            (engine.source_rows(), engine.count_routes(), orders, engine.role())
        };
        let (sources, routes, (frozen, forced, reload), (role, role_since)) = self.look(look).await?;
        let (reports, _) = self.speaker.lock().await.report().await;
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(proto::StatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(model::moment(&self.clock, Time::ZERO)),
            config_loaded: self.config_loaded.load(Ordering::Relaxed),
            frozen_since: frozen.map(model::seconds),
            ipv4_routes: routes.ipv4 as u64,
            ipv6_routes: routes.ipv6 as u64,
            gateways: narrow(reports.len()),
            established: narrow(reports.iter().filter(|report| report.is_established()).count()),
            forced: narrow(forced),
            held_reload: narrow(reload),
            role: role.name().to_owned(),
            term: role.term(),
            role_since: Some(model::moment(&self.clock, role_since)),
            sources: sources.into_iter().map(|row| model::source(&self.clock, row)).collect(),
        }))
    }

    async fn list_gateways(
        &self,
        request: Request<proto::ListGatewaysRequest>,
    ) -> Result<Response<proto::ListGatewaysResponse>, Status> {
        let proto::ListGatewaysRequest { page_size, page_token, name } = request.into_inner();
        let limit = limit(page_size)?;
        let _turn = self.turn().await?;
        let (rows, reports) = self.gateways().await?;
        if !name.is_empty() && !reports.iter().any(|report| report.name == name) {
            return Err(no_gateway(&name));
        }
        let wanted = |report: &GatewayReport| report.name > page_token && (name.is_empty() || report.name == name);
        let mut wanted = reports.into_iter().filter(wanted).peekable();
        let some = wanted.by_ref().take(limit);
        let gateways: Vec<proto::Gateway> =
            some.map(|report| model::gateway(&self.clock, rows.get(&report.id), report)).collect();
        let more = wanted.peek().is_some();
        let last = gateways.last().filter(|_| more).map(|gateway| gateway.name.clone());
        Ok(Response::new(proto::ListGatewaysResponse { gateways, next_page_token: last.unwrap_or_default() }))
    }

    async fn list_routes(
        &self,
        request: Request<proto::ListRoutesRequest>,
    ) -> Result<Response<proto::ListRoutesResponse>, Status> {
        let request = request.into_inner();
        let search = search(&request)?;
        let _turn = self.turn().await?;
        let (routes, next_page_token) = self.page(&search, request.page_size, &request.page_token).await?;
        Ok(Response::new(proto::ListRoutesResponse { routes, next_page_token }))
    }

    async fn explain(
        &self,
        request: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        self.explained(request.into_inner()).await.map(Response::new)
    }

    async fn list_told(
        &self,
        request: Request<proto::ListToldRequest>,
    ) -> Result<Response<proto::ListToldResponse>, Status> {
        self.list_told_page(request.into_inner()).await.map(Response::new)
    }

    async fn list_events(
        &self,
        request: Request<proto::ListEventsRequest>,
    ) -> Result<Response<proto::ListEventsResponse>, Status> {
        self.listed_events(request.into_inner()).await.map(Response::new)
    }

    type WatchEventsStream = ReceiverStream<Result<proto::WatchEventsResponse, Status>>;

    async fn watch_events(
        &self,
        request: Request<proto::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        self.watched_events(request.into_inner()).await.map(Response::new)
    }

    async fn list_holds(
        &self,
        request: Request<proto::ListHoldsRequest>,
    ) -> Result<Response<proto::ListHoldsResponse>, Status> {
        let proto::ListHoldsRequest { page_size, page_token } = request.into_inner();
        let limit = limit(page_size)?;
        let after: Option<Prefix> = match page_token.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| wrong_token(text))?),
        };
        let _turn = self.turn().await?;
        let look = move |engine: &Engine| {
            // They stand on the first page.
            let reload = if after.is_none() { engine.reload_holds().to_vec() } else { Vec::new() };
            (reload, engine.hold_rows(after, limit + 1))
        };
        let (reload, mut rows) = self.look(look).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).map(|row| row.prefix.to_string());
        let holds = rows.into_iter().map(|row| model::hold(&self.clock, row)).collect();
        let reload = reload.into_iter().map(|hold| model::reload_hold(&self.clock, hold)).collect();
        Ok(Response::new(proto::ListHoldsResponse { holds, next_page_token: last.unwrap_or_default(), reload }))
    }

    async fn approve(
        &self,
        request: Request<proto::ApproveRequest>,
    ) -> Result<Response<proto::ApproveResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let wanted = orders::holds(request.into_inner().holds)?;
            let count = self.decide(&wanted, peer, Command::Approve).await?;
            audit::say(peer, "approve", &wanted, count);
            let frozen = self.frozen().await?.is_some();
            Ok(Response::new(proto::ApproveResponse { count: count as u64, frozen }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "approve", why))
    }

    async fn deny(&self, request: Request<proto::DenyRequest>) -> Result<Response<proto::DenyResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let wanted = orders::holds(request.into_inner().holds)?;
            if wanted == Wanted::Holds(fingerpost_core::engine::Holds::Reload) {
                return Err(Status::invalid_argument(
                    "a reload cannot be denied: write the configuration as it was, or approve",
                ));
            }
            let count = self.decide(&wanted, peer, Command::Deny).await?;
            audit::say(peer, "deny", &wanted, count);
            Ok(Response::new(proto::DenyResponse { count: count as u64, not_kept: self.not_kept().await }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "deny", why))
    }

    async fn freeze(&self, request: Request<proto::FreezeRequest>) -> Result<Response<proto::FreezeResponse>, Status> {
        let peer = peer(&request);
        let count = self.order(Command::Freeze, peer).await.inspect_err(|why| audit::refused(peer, "freeze", why))?;
        audit::say(peer, "freeze", "all", count);
        let frozen_since = self.frozen().await?.map(model::seconds);
        Ok(Response::new(proto::FreezeResponse { changed: count > 0, frozen_since, not_kept: self.not_kept().await }))
    }

    async fn unfreeze(
        &self,
        request: Request<proto::UnfreezeRequest>,
    ) -> Result<Response<proto::UnfreezeResponse>, Status> {
        let peer = peer(&request);
        let count =
            self.order(Command::Unfreeze, peer).await.inspect_err(|why| audit::refused(peer, "unfreeze", why))?;
        audit::say(peer, "unfreeze", "all", count);
        Ok(Response::new(proto::UnfreezeResponse { changed: count > 0, not_kept: self.not_kept().await }))
    }

    async fn withdraw(
        &self,
        request: Request<proto::WithdrawRequest>,
    ) -> Result<Response<proto::WithdrawResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let proto::WithdrawRequest { target, force } = request.into_inner();
            let target = orders::target(target)?;
            if !force {
                return Err(Status::invalid_argument(
                    "force is not set: a withdrawal by order overrides the sources and the guard; say that it is meant",
                ));
            }
            if self.look(|engine| engine.forced().count()).await? >= FORCED {
                return Err(Status::resource_exhausted(format!(
                    "{FORCED} withdrawals by order are in force: take some back first (fingerpost restore)"
                )));
            }
            let count = self.order(Command::Withdraw(target.clone()), peer).await?;
            audit::say(peer, "withdraw", orders::said(&target), count);
            let frozen = self.frozen().await?.is_some();
            let not_kept = self.not_kept().await;
            Ok(Response::new(proto::WithdrawResponse { count: count as u64, frozen, not_kept }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "withdraw", why))
    }

    async fn restore(
        &self,
        request: Request<proto::RestoreRequest>,
    ) -> Result<Response<proto::RestoreResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let target: Target = orders::target(request.into_inner().target)?;
            let count = self.order(Command::Restore(target.clone()), peer).await?;
            if count == 0 {
                return Err(Status::not_found(format!(
                    "{} was not withdrawn by order: fingerpost forced lists what was",
                    orders::said(&target)
                )));
            }
            audit::say(peer, "restore", orders::said(&target), count);
            Ok(Response::new(proto::RestoreResponse { not_kept: self.not_kept().await }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "restore", why))
    }

    async fn list_forced(
        &self,
        _request: Request<proto::ListForcedRequest>,
    ) -> Result<Response<proto::ListForcedResponse>, Status> {
        let _turn = self.turn().await?;
        let targets: Vec<Target> = self.look(|engine| engine.forced().cloned().collect()).await?;
        let forced = targets.iter().map(|target| proto::Forced { target: Some(model::target(target)) }).collect();
        Ok(Response::new(proto::ListForcedResponse { forced }))
    }

    async fn refresh(
        &self,
        request: Request<proto::RefreshRequest>,
    ) -> Result<Response<proto::RefreshResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let name = request.into_inner().gateway;
            let rows = self.look(Engine::gateway_rows).await?;
            let row = rows.into_iter().find(|row| row.name == name).ok_or_else(|| no_gateway(&name))?;
            let count = self.order(Command::Refresh(row.id), peer).await?;
            if count == 0 {
                return Err(Status::failed_precondition(format!(
                    "{name} has no session: it will be told everything when it has one"
                )));
            }
            audit::say(peer, "refresh", &name, count);
            let has = |family: &Family| row.caught_up[*family].is_some();
            let families = Family::ALL.into_iter().filter(has).map(|family| family.name().to_owned()).collect();
            Ok(Response::new(proto::RefreshResponse { families }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "refresh", why))
    }
}

pub(super) fn no_gateway(name: &str) -> Status {
    Status::not_found(format!("no gateway is named {}: fingerpost gateways lists them", quoted(name)))
}
