//! What a running process tells its gateways now, over its admin API.

use crate::admin::{self, proto};
use crate::cli::admin::{Client, Failure};
use fingerpost_core::model::{PerFamily, Prefix};
use fingerpost_core::table::Target;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use tonic::Code;

/// Items of a page.
const PAGE: u32 = 1000;

/// What a gateway is told of a prefix. Few differ in more than the prefix, so they are shared.
#[derive(PartialEq, Eq, Hash, Debug)]
pub(super) struct Now {
    pub(super) attributes: proto::Attributes,
    pub(super) host: String,
    pub(super) source: String,
    /// The gateway has no session: this is what it will be told of when it has one.
    pub(super) assumed: bool,
}

/// A gateway's table, in order.
pub(super) type Told = PerFamily<BTreeMap<Prefix, Rc<Now>>>;

/// See the module.
pub(super) struct Running {
    client: Client,
    /// By name.
    pub(super) gateways: BTreeMap<String, proto::Gateway>,
    pub(super) frozen_since: Option<String>,
    /// Prefixes of changes that the guard keeps back.
    pub(super) held: HashSet<Prefix>,
    /// What is withdrawn by order.
    pub(super) forced: Vec<Target>,
}

impl Running {
    /// Asks for all but the routes.
    pub(super) async fn ask(mut client: Client) -> Result<Self, Failure> {
        let status = client.status(proto::StatusRequest {}).await?.into_inner();
        let frozen_since = status.frozen_since.map(|since| since.to_string());
        let mut gateways = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListGatewaysRequest { page_size: PAGE, page_token, name: String::new() };
            let page = client.list_gateways(request).await?.into_inner();
            gateways.extend(page.gateways.into_iter().map(|gateway| (gateway.name.clone(), gateway)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let mut held = HashSet::new();
        loop {
            let page = client.list_holds(proto::ListHoldsRequest { page_size: PAGE, page_token }).await?.into_inner();
            held.extend(page.holds.iter().filter_map(|hold| hold.prefix.parse::<Prefix>().ok()));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let forced = client.list_forced(proto::ListForcedRequest {}).await?.into_inner().forced;
        let forced = forced.into_iter().map(|forced| admin::target(forced.target)).collect::<Result<_, _>>()?;
        Ok(Running { client, gateways, frozen_since, held, forced })
    }

    /// Whether the gateway has a session.
    pub(super) fn is_up(&self, gateway: &str) -> bool {
        self.gateways.get(gateway).is_some_and(|gateway| gateway.families.iter().any(|family| family.negotiated))
    }

    /// What the gateway is told, or will be once it has a session; None: there is no such gateway.
    pub(super) async fn told(&mut self, gateway: &str) -> Result<Option<Told>, Failure> {
        let up = self.is_up(gateway);
        let mut told = Told::default();
        let mut known: HashSet<Rc<Now>> = HashSet::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListToldRequest { gateway: gateway.to_owned(), page_size: PAGE, page_token };
            let page = match self.client.list_told(request).await {
                Ok(page) => page.into_inner(),
                Err(status) if status.code() == Code::NotFound => return Ok(None),
                Err(status) => return Err(status.into()),
            };
            for route in page.routes {
                let Some((prefix, now)) = now(route, up) else { continue };
                let shared = known.get(&now).map(Rc::clone).unwrap_or_else(|| {
                    let new = Rc::new(now);
                    known.insert(Rc::clone(&new));
                    new
                });
                told[prefix.family()].insert(prefix, shared);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(Some(told));
            }
        }
    }
}

/// What is told of the prefix, if anything is.
fn now(route: proto::ToldRoute, up: bool) -> Option<(Prefix, Now)> {
    let told = proto::TellState::try_from(route.state) == Ok(proto::TellState::Told);
    // A session without the family carries nothing of it.
    if !told || (up && !route.session) {
        return None;
    }
    let attributes = route.attributes?;
    let host = route.owner.map(|owner| owner.host).unwrap_or_default();
    Some((route.prefix.parse().ok()?, Now { attributes, host, source: route.source, assumed: !up }))
}
