//! Lists, lists of keys, and single records.

use super::fault::{self, Failure};
use super::line::{self, ANSWER, Line};
use super::{Gone, Reports, report};
use bytes::Bytes;
use etcd_client::{GetOptions, GetResponse, KeyValue, Txn, TxnOp, TxnOpResponse};
use fingerpost_core::source::{Attempt, ClusterId, Record, Report, Rev, Revisions};
use std::time::Duration;

/// How long a page may take: less than [`Sync`](fingerpost_core::source::sync::Sync) waits for one.
const PAGE: Duration = Duration::from_secs(25);

/// Records on the first page: it shall come soon.
const FIRST: usize = 500;

/// Records on a page at most.
const MOST: usize = 10_000;

/// Octets on a page, about: large records make short pages.
const OCTETS: usize = 2 << 20;

/// A page as it came.
struct Page {
    at: Rev,
    cluster: ClusterId,
    records: Vec<KeyValue>,
    more: bool,
}

/// Reads the line's range page by page, all at the revision of the first.
struct Pages<'a> {
    line: &'a Line,
    keys_only: bool,
    /// Where the next page begins.
    from: Bytes,
    at: Option<Rev>,
    limit: usize,
}

impl<'a> Pages<'a> {
    fn new(line: &'a Line, keys_only: bool) -> Self {
        Pages { line, keys_only, from: line.range().start.clone(), at: None, limit: FIRST }
    }

    /// The next page.
    async fn next(&mut self) -> Result<Page, Failure> {
        let (mut response, endpoint) = loop {
            let patience = if self.at.is_none() { ANSWER } else { PAGE };
            // Reads change nothing, so they may be asked of another endpoint again.
            let answer = self
                .line
                .ask(patience, |client| {
                    let (mut kv, from, options) = (line::kv(client), self.from.to_vec(), self.options());
                    async move { kv.get(from, Some(options)).await }
                })
                .await;
            match answer {
                Err(Failure::TooLarge) if self.limit > 1 => self.limit = (self.limit / 8).max(1),
                answer => break answer?,
            }
        };
        let header = response.take_header().ok_or_else(|| fault::malformed(&endpoint, "an answer without a header"))?;
        let at = self.at.unwrap_or(rev(header.revision()));
        let more = response.more();
        let records = response.take_kvs();
        self.at = Some(at);
        if let Some(last) = records.last() {
            self.from = [last.key(), &[0]].concat().into();
            let octets: usize = records.iter().map(|record| record.key().len() + record.value().len() + 32).sum();
            self.limit = (OCTETS / (octets / records.len()).max(1)).clamp(1, MOST);
        } else if more {
            return Err(fault::malformed(&endpoint, "an empty page that says there is more"));
        }
        Ok(Page { at, cluster: ClusterId(header.cluster_id()), records, more })
    }

    fn options(&self) -> GetOptions {
        let mut options = GetOptions::new()
            .with_range(&self.line.range().end[..])
            .with_limit(i64::try_from(self.limit).unwrap_or(i64::MAX));
        if let Some(at) = self.at {
            options = options.with_revision(i64::try_from(at.0).unwrap_or(i64::MAX));
        }
        if self.keys_only { options.with_keys_only() } else { options }
    }
}

/// [`Task::List`](fingerpost_core::source::Task::List).
pub(super) async fn list(line: &Line, attempt: Attempt, reports: &Reports) {
    let page = |Page { at, cluster, records, more }| Report::Page {
        at,
        cluster,
        records: records.into_iter().map(record).collect(),
        more,
    };
    let _ = pages(Pages::new(line, false), attempt, reports, page).await;
}

/// [`Task::ListKeys`](fingerpost_core::source::Task::ListKeys).
pub(super) async fn list_keys(line: &Line, attempt: Attempt, reports: &Reports) {
    let page = |Page { at, cluster, records, more }| Report::KeysPage {
        at,
        cluster,
        keys: records
            .into_iter()
            .map(|record| {
                let revisions = revisions(&record);
                (record.into_key_value().0.into(), revisions)
            })
            .collect(),
        more,
    };
    let _ = pages(Pages::new(line, true), attempt, reports, page).await;
}

/// Reports every page, and asks for the next one meanwhile: etcd reads while we decode.
async fn pages(
    mut pages: Pages<'_>,
    attempt: Attempt,
    reports: &Reports,
    to_report: impl Fn(Page) -> Report,
) -> Result<(), Gone> {
    let mut next = pages.next().await;
    loop {
        match next {
            Err(failure) => return report(reports, attempt, failure.report()).await,
            Ok(page) if !page.more => return report(reports, attempt, to_report(page)).await,
            Ok(page) => {
                let page = to_report(page);
                let (asked, sent) = tokio::join!(pages.next(), report(reports, attempt, page));
                sent?;
                next = asked;
            }
        }
    }
}

/// [`Task::Fetch`](fingerpost_core::source::Task::Fetch): one transaction, hence one revision.
pub(super) async fn fetch(line: &Line, keys: Vec<Bytes>, attempt: Attempt, reports: &Reports) {
    let reads: Vec<TxnOp> = keys.iter().map(|key| TxnOp::get(&key[..], None)).collect();
    let answer = line.ask(PAGE, |client| {
        let (mut kv, reads) = (line::kv(client), Txn::new().and_then(reads.clone()));
        async move { kv.txn(reads).await }
    });
    let answer = answer.await;
    let answer = answer.and_then(|(response, endpoint)| match response.header() {
        None => Err(fault::malformed(&endpoint, "an answer without a header")),
        Some(header) => {
            let found = response.op_responses().into_iter().flat_map(|response| match response {
                TxnOpResponse::Get(mut found) => GetResponse::take_kvs(&mut found),
                _ => Vec::new(),
            });
            let (at, cluster) = (rev(header.revision()), ClusterId(header.cluster_id()));
            Ok(Report::Fetched { at, cluster, records: found.map(record).collect() })
        }
    });
    let _ = report(reports, attempt, answer.unwrap_or_else(Failure::report)).await;
}

/// [`Task::Recall`](fingerpost_core::source::Task::Recall): etcd answers reads by a quorum unless asked otherwise.
pub(super) async fn recall(line: &Line, key: &Bytes, at: Option<Rev>, attempt: Attempt, reports: &Reports) {
    let mut options = GetOptions::new().with_keys_only();
    if let Some(at) = at {
        options = options.with_revision(i64::try_from(at.0).unwrap_or(i64::MAX));
    }
    let answer = line.ask(ANSWER, |client| {
        let (mut kv, options) = (line::kv(client), options.clone());
        async move { kv.get(&key[..], Some(options)).await }
    });
    let answer = answer.await.and_then(|(response, endpoint)| match response.header() {
        None => Err(fault::malformed(&endpoint, "an answer without a header")),
        Some(header) => Ok(Report::Recalled {
            at: rev(header.revision()),
            cluster: ClusterId(header.cluster_id()),
            found: response.kvs().first().map(revisions),
        }),
    });
    let _ = report(reports, attempt, answer.unwrap_or_else(Failure::report)).await;
}

fn revisions(record: &KeyValue) -> Revisions {
    Revisions { modified: rev(record.mod_revision()), created: rev(record.create_revision()) }
}

fn record(record: KeyValue) -> Record {
    let Revisions { modified, created } = revisions(&record);
    let (key, value) = record.into_key_value();
    Record { key: key.into(), value: value.into(), modified, created }
}

/// etcd's revisions are signed on the wire and never negative.
pub(super) fn rev(revision: i64) -> Rev {
    Rev(u64::try_from(revision).unwrap_or_default())
}
