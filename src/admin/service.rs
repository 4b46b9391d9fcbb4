//! The service: each method of the contract.

use super::backend::Admin;
use super::listener::{Connections, Listening, Peer};
use super::orders::{self, Wanted, quoted};
use super::page::{limit, search, wrong_token};
use super::proto::fingerpost_server::{Fingerpost, FingerpostServer};
use super::{LARGEST_ANSWER, LONGEST, audit, events, leave, model, proto, replicas};
use crate::look::frozen_since;
use crate::speaker::GatewayReport;
use fingerpost_core::engine::{Command, Engine, Holds};
use fingerpost_core::model::{Family, Prefix, Time};
use fingerpost_core::orders::What;
use fingerpost_core::table::Target;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, async_trait};

/// Requests of one connection at once.
const PER_CONNECTION: usize = 8;
/// Between two signs of life that a client has to give, and how long it may take.
const PING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// The largest request, in octets.
const LARGEST_REQUEST: usize = 64 << 10;
/// The most octets of a request's headers.
const HEADERS: u32 = 16 << 10;
/// Withdrawals by order at the most: each is compared with every claim.
const FORCED: usize = 1000;
/// Of those, the most that an answer names.
const STILL: usize = 20;

fn peer<T>(request: &Request<T>) -> Peer {
    request.extensions().get::<Peer>().copied().unwrap_or_default()
}

/// Serves until the listener breaks, or nobody can find it any more. Who is connected by then is served on, for as long as there
/// are `connections`. Once it `ends`, what was asked by then is answered, and everybody is told.
pub async fn serve(
    listening: &Listening,
    connections: &Connections,
    admin: Admin,
    ends: &CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<FingerpostServer<Admin>>().await;
    let service = FingerpostServer::new(admin)
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(LARGEST_ANSWER);
    let (to, incoming) = mpsc::channel(1);
    let serving = Server::builder()
        .timeout(LONGEST)
        .concurrency_limit_per_connection(PER_CONNECTION)
        .http2_keepalive_interval(Some(PING.0))
        .http2_keepalive_timeout(Some(PING.1))
        .http2_max_header_list_size(HEADERS)
        .add_service(health_service)
        .add_service(service)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), ends.cancelled());
    tokio::select! {
        done = serving => done,
        () = listening.accept(to, connections) => Ok(()),
        () = listening.lost() => Ok(()),
    }
}

#[async_trait]
impl Fingerpost for Admin {
    async fn status(&self, _request: Request<proto::StatusRequest>) -> Result<Response<proto::StatusResponse>, Status> {
        let _turn = self.turn().await?;
        let clock = self.clock;
        let look = move |engine: &Engine| {
            let waiting = engine.count_waiting();
            let orders = (frozen_since(engine, &clock), engine.forced().count(), engine.reload_holds().len(), waiting);
            let because = engine.frozen_because().unwrap_or_default().to_owned();
            let identity = engine.identity().map(ToString::to_string).unwrap_or_default();
            let drained: Vec<String> = engine.drained().map(ToString::to_string).collect();
            let others = (identity, engine.replica_rows(), engine.replicas_read_at(), drained);
            (engine.source_rows(), engine.count_routes(), orders, because, engine.role(), others)
        };
        let (
            sources,
            routes,
            (frozen, forced, reload, waiting),
            frozen_because,
            (role, role_since),
            (identity, others, read_at, drained),
        ) = self.look(look).await?;
        let (reports, _) = self.speaker.lock().await.report().await;
        let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(proto::StatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(model::moment(&self.clock, Time::ZERO)),
            config_loaded: self.config_loaded.load(Ordering::Relaxed),
            frozen_since: frozen.map(model::seconds),
            frozen_because,
            ipv4_routes: routes.ipv4 as u64,
            ipv6_routes: routes.ipv6 as u64,
            gateways: narrow(reports.len()),
            established: narrow(reports.iter().filter(|report| report.is_established()).count()),
            forced: narrow(forced),
            held_reload: narrow(reload),
            waiting: waiting as u64,
            role: role.name().to_owned(),
            term: role.term(),
            role_since: Some(model::moment(&self.clock, role_since)),
            sources: sources.into_iter().map(|row| model::source(&self.clock, row)).collect(),
            identity,
            replicas: others.into_iter().map(|row| replicas::replica(&self.clock, row)).collect(),
            troubles: self.troubles().all().into_iter().map(replicas::trouble).collect(),
            drained,
            replicas_unread_seconds: read_at.map_or(0, |at| replicas::unread_for(self.clock.now(), at)),
            leaving: self.departure().ordered().map(|leaving| leave::said(&self.clock, leaving)),
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

    type WatchEventsStream = events::Followed;

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
            let unheard = self.unheard().await?;
            let which = wanted.clone();
            let denied = self.look(move |engine| which.find(engine).map(|holds| engine.count_denied(&holds))).await??;
            let count = self.decide(&wanted, peer, Command::Approve).await?;
            audit::say(peer, "approve", &wanted, count);
            let frozen = self.frozen().await?.is_some();
            // What passes at once leaves nothing to know.
            let mut not_kept = if frozen { vec![self.not_kept().await] } else { Vec::new() };
            let of_reload = matches!(wanted, Wanted::Holds(Holds::All | Holds::Reload));
            if frozen && of_reload && self.look(|engine| !engine.reload_holds().is_empty()).await? {
                not_kept.push("what is held of a reload is held again".into());
            }
            not_kept.retain(|why| !why.is_empty());
            let not_kept = not_kept.join("; ");
            let reach = if count > 0 { self.reach_of_decision(unheard).await? } else { None };
            let (count, denied_before) = (count as u64, denied as u64);
            Ok(Response::new(proto::ApproveResponse { count, frozen, not_kept, reach, denied_before }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "approve", why))
    }

    async fn deny(&self, request: Request<proto::DenyRequest>) -> Result<Response<proto::DenyResponse>, Status> {
        let peer = peer(&request);
        let done = async {
            let wanted = orders::holds(request.into_inner().holds)?;
            if wanted == Wanted::Holds(Holds::Reload) {
                return Err(Status::invalid_argument(
                    "a reload cannot be denied: write the configuration as it was, or approve",
                ));
            }
            let unheard = self.unheard().await?;
            let count = self.decide(&wanted, peer, Command::Deny).await?;
            audit::say(peer, "deny", &wanted, count);
            let not_kept = self.not_kept().await;
            let reach = if count > 0 { self.reach_of_decision(unheard).await? } else { None };
            Ok(Response::new(proto::DenyResponse { count: count as u64, not_kept, reach }))
        };
        done.await.inspect_err(|why| audit::refused(peer, "deny", why))
    }

    async fn freeze(&self, request: Request<proto::FreezeRequest>) -> Result<Response<proto::FreezeResponse>, Status> {
        let peer = peer(&request);
        let count = self.order(Command::Freeze, peer).await.inspect_err(|why| audit::refused(peer, "freeze", why))?;
        audit::say(peer, "freeze", "all", count);
        let frozen_since = self.frozen().await?.map(model::seconds);
        let not_kept = self.not_kept().await;
        let reach = self.reach(&[What::Freeze]).await?;
        Ok(Response::new(proto::FreezeResponse { changed: count > 0, frozen_since, not_kept, reach }))
    }

    async fn unfreeze(
        &self,
        request: Request<proto::UnfreezeRequest>,
    ) -> Result<Response<proto::UnfreezeResponse>, Status> {
        let peer = peer(&request);
        let count =
            self.order(Command::Unfreeze, peer).await.inspect_err(|why| audit::refused(peer, "unfreeze", why))?;
        audit::say(peer, "unfreeze", "all", count);
        let not_kept = self.not_kept().await;
        let reach = self.reach(&[What::Unfreeze]).await?;
        Ok(Response::new(proto::UnfreezeResponse { changed: count > 0, not_kept, reach }))
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
            let reach = self.reach(&[What::Withdraw(target)]).await?;
            Ok(Response::new(proto::WithdrawResponse { count: count as u64, frozen, not_kept, reach }))
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
            let not_kept = self.not_kept().await;
            let restored = target.clone();
            let still = self.look(move |engine| engine.forced_beside(&restored, STILL)).await?;
            let still = still.iter().map(model::target).collect();
            let reach = self.reach(&[What::Restore(target)]).await?;
            Ok(Response::new(proto::RestoreResponse { not_kept, reach, still }))
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

    async fn drain(&self, request: Request<proto::DrainRequest>) -> Result<Response<proto::DrainResponse>, Status> {
        let peer = peer(&request);
        let done = self.leave(request.into_inner(), peer).await.map(Response::new);
        done.inspect_err(|why| audit::refused(peer, "drain", why))
    }

    async fn drain_gateway(
        &self,
        request: Request<proto::DrainGatewayRequest>,
    ) -> Result<Response<proto::DrainGatewayResponse>, Status> {
        let peer = peer(&request);
        let done = self.drain_one(&request.into_inner().gateway, peer).await.map(Response::new);
        done.inspect_err(|why| audit::refused(peer, "drain", why))
    }

    async fn undrain_gateway(
        &self,
        request: Request<proto::UndrainGatewayRequest>,
    ) -> Result<Response<proto::UndrainGatewayResponse>, Status> {
        let peer = peer(&request);
        let done = self.undrain_one(&request.into_inner().gateway, peer).await.map(Response::new);
        done.inspect_err(|why| audit::refused(peer, "undrain", why))
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
