//! Asking, and waiting until an answer is as wanted.

use super::until::BOUND;
use fingerpost::admin::proto::fingerpost_client::FingerpostClient;
use std::path::Path;
use tonic::transport::{Channel, Endpoint};

pub(crate) type Client = FingerpostClient<Channel>;

pub(crate) async fn channel(socket: &Path) -> Result<Channel, tonic::transport::Error> {
    Endpoint::try_from(format!("unix:{}", socket.display())).unwrap().timeout(BOUND).connect().await
}
