//! The demonstration's cluster: hosts and their subnets, and the store that holds them.

use fingerpost_core::model::Prefix;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A host.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) subnets: Vec<Prefix>,
}

/// Hosts by name.
pub(super) type Hosts = BTreeMap<String, Host>;

/// Two VLANs, two hosts in each but the second.
pub(super) fn cluster() -> anyhow::Result<Hosts> {
    let host = |number: u8, vlan: u8, at: u8| -> anyhow::Result<Host> {
        Ok(Host {
            addresses: vec![format!("10.{vlan}.0.{at}").parse()?, format!("fd00:10:{vlan}::{at}").parse()?],
            subnets: vec![format!("10.244.{number}.0/24").parse()?, format!("fd00:10:244:{number}::/64").parse()?],
        })
    };
    Ok(Hosts::from([
        ("node-a1".into(), host(1, 168, 11)?),
        ("node-a2".into(), host(2, 168, 12)?),
        ("node-b1".into(), host(3, 169, 11)?),
    ]))
}

/// Another host for the second VLAN.
pub(super) fn newcomer() -> anyhow::Result<Host> {
    Ok(Host {
        addresses: vec!["10.169.0.12".parse()?, "fd00:10:169::12".parse()?],
        subnets: vec!["10.244.4.0/24".parse()?],
    })
}

/// What a gateway should hold of these hosts.
pub(super) fn expected(hosts: &Hosts) -> BTreeMap<Prefix, IpAddr> {
    let routes = hosts.values().flat_map(|host| {
        let via =
            |subnet: &Prefix| host.addresses.iter().find(|a| a.is_ipv4() == subnet.net().addr().is_ipv4()).copied();
        host.subnets.iter().filter_map(move |subnet| Some((*subnet, via(subnet)?)))
    });
    routes.collect()
}

/// How long an etcd may take to answer.
#[cfg(feature = "etcd")]
const ANSWER: std::time::Duration = std::time::Duration::from_secs(5);

/// What lies under it all says best what is wrong.
#[cfg(feature = "etcd")]
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    error.source().map_or(error, innermost)
}

/// Where the hosts are written.
pub(super) enum Store {
    File(PathBuf),
    #[cfg(feature = "etcd")]
    Etcd {
        client: Box<etcd_client::Client>,
        url: String,
        prefix: String,
    },
}

impl Store {
    pub(super) fn file(directory: &Path) -> Self {
        Store::File(directory.join("hosts.yaml"))
    }

    /// A prefix of its own in a real etcd.
    #[cfg(feature = "etcd")]
    pub(super) async fn etcd(url: &str) -> anyhow::Result<Self> {
        if !url.starts_with("http://") {
            anyhow::bail!("--etcd {url}: write http://HOST:PORT (the demonstration speaks no TLS)");
        }
        let reach = async {
            let mut client = etcd_client::Client::connect([url], None).await?;
            client.status().await.map(|_| client)
        };
        let client = match tokio::time::timeout(ANSWER, reach).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let cause: &(dyn std::error::Error + 'static) = match &error {
                    etcd_client::Error::GRpcStatus(status) => status,
                    other => other,
                };
                anyhow::bail!("no etcd answers at {url}: {}: is it running there?", innermost(cause))
            }
            Err(_) => {
                anyhow::bail!("no etcd answers at {url}: silent for {} s: is it running there?", ANSWER.as_secs())
            }
        };
        Ok(Store::Etcd {
            client: Box::new(client),
            url: url.to_owned(),
            prefix: format!("/fingerpost-demo-{}", std::process::id()),
        })
    }

    #[cfg(not(feature = "etcd"))]
    pub(super) async fn etcd(_: &str) -> anyhow::Result<Self> {
        anyhow::bail!("this fingerpost was built without etcd")
    }

    /// The configuration of a source that reads it.
    pub(super) fn source(&self) -> serde_json::Value {
        match self {
            Store::File(path) => json!({ "file": { "path": path, "poll": "100ms" } }),
            #[cfg(feature = "etcd")]
            Store::Etcd { url, prefix, .. } => {
                json!({ "etcd": { "endpoints": [url] }, "schema": { "native": { "prefix": prefix } } })
            }
        }
    }

    /// Makes the store say what `hosts` says.
    pub(super) async fn write(&mut self, hosts: &Hosts) -> anyhow::Result<()> {
        let value = |host: &Host| {
            let subnets: Vec<String> = host.subnets.iter().map(ToString::to_string).collect();
            json!({ "addresses": host.addresses, "subnets": subnets })
        };
        match self {
            Store::File(path) => {
                let hosts: BTreeMap<&String, serde_json::Value> =
                    hosts.iter().map(|(name, host)| (name, value(host))).collect();
                // JSON is YAML. Renaming makes the change one step.
                let new = path.with_extension("new");
                std::fs::write(&new, json!({ "hosts": hosts }).to_string())?;
                std::fs::rename(&new, path)?;
            }
            #[cfg(feature = "etcd")]
            Store::Etcd { client, prefix, .. } => {
                let at = format!("{prefix}/hosts/");
                let options = etcd_client::GetOptions::new().with_prefix().with_keys_only();
                let before = client.get(at.clone(), Some(options)).await?;
                let gone = before.kvs().iter().filter_map(|kv| kv.key_str().ok()?.strip_prefix(&at));
                let gone = gone.filter(|name| !hosts.contains_key(*name)).map(|name| format!("{at}{name}"));
                let mut operations: Vec<_> = gone.map(|key| etcd_client::TxnOp::delete(key, None)).collect();
                let put = |(name, host)| etcd_client::TxnOp::put(format!("{at}{name}"), value(host).to_string(), None);
                operations.extend(hosts.iter().map(put));
                client.txn(etcd_client::Txn::new().and_then(operations)).await?;
            }
        }
        Ok(())
    }

    /// Leaves nothing behind.
    pub(super) async fn clear(&mut self) -> anyhow::Result<()> {
        match self {
            Store::File(_) => {}
            #[cfg(feature = "etcd")]
            Store::Etcd { client, prefix, .. } => {
                let options = etcd_client::DeleteOptions::new().with_prefix();
                client.delete(format!("{prefix}/"), Some(options)).await?;
            }
        }
        Ok(())
    }
}
