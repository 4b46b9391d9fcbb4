//! A real etcd of one member on free loopback ports, in a folder that goes with it.

use crate::records::Routes;
use anyhow::{Context, bail};
use etcd_client::{Client, GetOptions, KvClient, Txn, TxnOp};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How long etcd may take to answer for the first time.
const START: Duration = Duration::from_secs(30);
/// etcd refuses larger transactions (`--max-txn-ops`).
const OPERATIONS: usize = 128;
/// Transactions under way while the records are written.
const WRITERS: usize = 8;
/// As large as Fingerpost takes.
const LARGEST: usize = 64 << 20;

/// Fingerpost's pages (`source/etcd/read.rs`): a small first one, then as many records as make up about 4 MiB.
const FIRST: i64 = 500;
const MOST: usize = 10_000;
const OCTETS: usize = 4 << 20;

/// Killed when dropped.
pub(crate) struct Etcd {
    pub(crate) endpoint: String,
    process: Child,
    _folder: TempDir,
}

impl Etcd {
    /// An etcd that holds these records.
    pub(crate) async fn with(routes: &Routes) -> anyhow::Result<Self> {
        let etcd = Self::start().await?;
        let begun = Instant::now();
        etcd.load(routes).await?;
        eprintln!("  etcd holds {} keys, written in {:.1} s", routes.keys(), begun.elapsed().as_secs_f64());
        Ok(etcd)
    }

    async fn start() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("fingerpost-bench-")?;
        // Another process may take a port meanwhile.
        let mut last = None;
        for _ in 0..3 {
            match Self::try_start(folder.path()).await {
                Ok((endpoint, process)) => return Ok(Etcd { endpoint, process, _folder: folder }),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("etcd was not started")))
    }

    async fn try_start(folder: &Path) -> anyhow::Result<(String, Child)> {
        let (client, peer) =
            (format!("http://127.0.0.1:{}", free_port()?), format!("http://127.0.0.1:{}", free_port()?));
        let log = std::fs::File::create(folder.join("etcd.log"))?;
        let mut process = Command::new("etcd")
            .args(["--name", "bench", "--logger", "zap", "--data-dir"])
            .arg(folder.join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("bench={peer}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start etcd: install it (apt-get install etcd-server)")?;
        let begun = Instant::now();
        while begun.elapsed() < START {
            if let Some(status) = process.try_wait()? {
                bail!("etcd ended at once ({status})");
            }
            let mut kv = connect(&client).await?;
            if tokio::time::timeout(Duration::from_secs(1), kv.get("ready", None)).await.is_ok_and(|got| got.is_ok()) {
                return Ok((client, process));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop(&mut process);
        bail!("etcd did not answer within {} s", START.as_secs())
    }

    async fn load(&self, routes: &Routes) -> anyhow::Result<()> {
        let kv = connect(&self.endpoint).await?;
        let records: Vec<_> = routes.records().collect();
        let mut writers = JoinSet::new();
        for batch in records.chunks(OPERATIONS) {
            let puts: Vec<_> = batch.iter().map(|(key, value)| TxnOp::put(&key[..], &value[..], None)).collect();
            let mut kv = kv.clone();
            writers.spawn(async move { kv.txn(Txn::new().and_then(puts)).await });
            if writers.len() >= WRITERS
                && let Some(written) = writers.join_next().await
            {
                written??;
            }
        }
        while let Some(written) = writers.join_next().await {
            written??;
        }
        Ok(())
    }

    /// Reads all these records page by page and drops them: what any reader must do. How long that took, connecting included.
    pub(crate) async fn read(&self, routes: &Routes) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut kv = connect(&self.endpoint).await?;
        let end = fingerpost_core::source::KeyRange::of_prefix(routes.range().as_bytes()).end;
        let (mut from, mut at, mut limit, mut count) = (routes.range().as_bytes().to_vec(), 0, FIRST, 0);
        loop {
            let options = GetOptions::new().with_range(&end[..]).with_limit(limit).with_revision(at);
            let mut page = kv.get(&from[..], Some(options)).await?;
            at = page.header().context("an answer without a header")?.revision();
            let more = page.more();
            let records = page.take_kvs();
            count += records.len();
            let Some(last) = records.last().filter(|_| more) else { break };
            from = [last.key(), &[0]].concat();
            let octets: usize = records.iter().map(|record| record.key().len() + record.value().len() + 32).sum();
            limit = i64::try_from((OCTETS / (octets / records.len())).clamp(1, MOST))?;
        }
        let took = begun.elapsed();
        anyhow::ensure!(count == routes.keys() as usize, "etcd holds {count} records instead of {}", routes.keys());
        Ok(took)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// A client that takes pages as large as Fingerpost does.
pub(crate) async fn connect(endpoint: &str) -> anyhow::Result<KvClient> {
    Ok(client(endpoint).await?.kv_client().max_decoding_message_size(LARGEST))
}

/// A plain client.
pub(crate) async fn client(endpoint: &str) -> anyhow::Result<Client> {
    Ok(Client::connect([endpoint], None).await?)
}

/// Ends a process that was started here, and waits until it is gone.
pub(crate) fn stop(process: &mut Child) {
    // It may have ended already.
    drop(process.kill());
    drop(process.wait());
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
