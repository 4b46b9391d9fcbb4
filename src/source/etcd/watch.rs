//! The watch.

use super::fault::{self, Failure};
use super::line::{self, ANSWER, Access, Line};
use super::read::rev;
use super::{Gone, Reports, report};
use bytes::Bytes;
use etcd_client::{EventType, WatchOptions, WatchResponse};
use fingerpost_core::source::{Attempt, ClusterId, Event, KeyRange, Record, Report, Rev};
use tokio::sync::mpsc;

/// [`Task::Watch`](fingerpost_core::source::Task::Watch); each message on `asked` asks for the progress.
pub(super) async fn watch(line: &Line, from: Rev, attempt: Attempt, asked: mpsc::Receiver<()>, reports: &Reports) {
    let range = line.range();
    // Fragments: a transaction over thousands of keys would otherwise be one message of any size.
    let options = WatchOptions::new()
        .with_range(&range.end[..])
        .with_start_revision(i64::try_from(from.0).unwrap_or(i64::MAX))
        .with_fragment();
    let opened = line.ask(ANSWER, |client| {
        let (mut watcher, start, options) = (line::watcher(client), range.start.to_vec(), options.clone());
        async move { watcher.watch(start, Some(options)).await }
    });
    let _ = match opened.await {
        Err(failure) => report(reports, attempt, failure.report()).await,
        Ok((stream, endpoint)) => follow(stream, &endpoint, range, attempt, asked, reports).await,
    };
}

async fn follow(
    stream: etcd_client::WatchStream,
    endpoint: &str,
    range: &KeyRange,
    attempt: Attempt,
    mut asked: mpsc::Receiver<()>,
    reports: &Reports,
) -> Result<(), Gone> {
    let (mut requests, mut responses) = stream.split();
    loop {
        let response = tokio::select! {
            response = responses.message() => response,
            Some(()) = asked.recv() => {
                if requests.request_progress().await.is_err() {
                    return report(reports, attempt, fault::ended(endpoint).report()).await;
                }
                continue;
            }
        };
        let said = match response {
            Ok(Some(response)) => understand(&response, endpoint),
            Ok(None) => Err(fault::ended(endpoint)),
            Err(error) => Err(fault::of_client(endpoint, &error)),
        };
        match said {
            Ok(said) => report(reports, attempt, said).await?,
            Err(failure) => return report(reports, attempt, failure.of_range(range, Access::Read).report()).await,
        }
    }
}

/// What a response says: exactly one thing.
fn understand(response: &WatchResponse, endpoint: &str) -> Result<Report, Failure> {
    // A watch from a compacted revision is created first and then canceled with this set, without any error.
    if response.compact_revision() != 0 {
        return Err(Failure::Compacted);
    }
    if response.canceled() {
        return Err(fault::canceled(endpoint, response.cancel_reason()));
    }
    let header = response.header().ok_or_else(|| fault::malformed(endpoint, "a response without a header"))?;
    if response.created() {
        return Ok(Report::Watching { cluster: ClusterId(header.cluster_id()) });
    }
    let events: Vec<Event> = response.events().iter().filter_map(event).collect();
    if events.is_empty() {
        return Ok(Report::Progress { at: rev(header.revision()) });
    }
    Ok(Report::Events(events))
}

fn event(event: &etcd_client::Event) -> Option<Event> {
    let record = event.kv()?;
    let (key, modified) = (Bytes::copy_from_slice(record.key()), rev(record.mod_revision()));
    Some(match event.event_type() {
        EventType::Put => Event::Put(Record {
            key,
            value: Bytes::copy_from_slice(record.value()),
            modified,
            created: rev(record.create_revision()),
        }),
        EventType::Delete => Event::Delete { key, modified },
    })
}
