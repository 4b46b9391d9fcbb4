//! Taking this process out of service.

use super::backend::Admin;
use super::listener::Peer;
use super::{audit, model, proto};
use crate::clock::Clock;
use crate::departure::{Leaving, Way, lacks_successor};
use tonic::Status;

impl Admin {
    pub(super) async fn leave(&self, request: proto::DrainRequest, peer: Peer) -> Result<proto::DrainResponse, Status> {
        let (way, order) = match request.withdraw {
            true => (Way::Withdrawing, "drain --withdraw"),
            false => (Way::Keeping, "drain"),
        };
        if way == Way::Keeping
            && let Some(why) = self.look(lacks_successor).await?
        {
            return Err(Status::failed_precondition(format!(
                "{why}: after the drain gateways would have these routes for their restart time, and then none. fingerpost status \
                 shows the others; --withdraw takes the routes away after the drain, and SIGTERM is for a restart"
            )));
        }
        let (reports, _) = self.speaker.lock().await.report().await;
        let leaving = self.departure().order(way).ok_or_else(|| {
            Status::failed_precondition("it is ending already, as was ordered before: it is too late to change how")
        })?;
        audit::say(peer, order, "this process", reports.iter().filter(|report| report.is_established()).count());
        Ok(proto::DrainResponse { leaving: Some(said(&self.clock, leaving)) })
    }
}

pub(super) fn said(clock: &Clock, Leaving { at, way }: Leaving) -> proto::Leaving {
    proto::Leaving { ends_at: Some(model::moment(clock, at)), withdraws: way == Way::Withdrawing }
}
