//! `fingerpost events`: what happened, and what happens.

use super::client::{Client, Failure, connect};
use super::output::{Format, Table, plain, print_data};
use super::tables::moment;
use super::{EventKindName, EventsOptions, Since};
use crate::admin::proto;
use crate::admin::proto::{Event, EventFilter, EventKind, Hop, ListEventsRequest, ListEventsResponse, WrittenState};
use prost_types::Timestamp;
use serde::Serialize;
use std::io::{self, Write};
use std::time::SystemTime;

const TABLE: [&str; 7] = ["NUMBER", "TIME", "KIND", "ABOUT", "FROM", "TO", "REASON"];
const WIDE: [&str; 12] =
    ["NUMBER", "TIME", "KIND", "ABOUT", "FROM", "TO", "SOURCE", "KEY", "REVISION", "BY", "WRITTEN", "REASON"];
/// Events of a page.
const PAGE: u32 = 1000;
/// What comes first when it is followed.
const FIRST: u32 = 10;

pub(super) async fn run(options: &EventsOptions, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = connect(&options.connect).await?;
    let mut printer = Printer::new(options);
    let newest = options.newest.or((options.follow && options.since.is_none()).then_some(FIRST));
    let (since, from) = match options.since {
        None => (0, None),
        Some(Since::Number(number)) => (number, None),
        Some(Since::Ago(span)) => {
            (0, Some(Timestamp::from(SystemTime::now().checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH))))
        }
    };
    let request = ListEventsRequest {
        page_size: PAGE,
        page_token: String::new(),
        filter: Some(filter(options)),
        since,
        from,
        newest: newest.is_some(),
        written: options.connect.output != Format::Table,
    };
    let last = match newest {
        None => oldest_first(&mut client, request, &mut printer, out).await?,
        Some(count) => {
            let (events, last) = newest_of(&mut client, request, count).await?;
            // Who asks for the newest knows that there were more.
            printer.take(out, events, 0)?;
            last
        }
    };
    printer.end_of_past(out)?;
    if options.follow { follow(&mut client, options, last, &mut printer, out).await } else { Ok(()) }
}

/// Prints all pages, and says behind which event they end.
async fn oldest_first(
    client: &mut Client,
    mut request: ListEventsRequest,
    printer: &mut Printer,
    out: &mut dyn Write,
) -> Result<u64, Failure> {
    loop {
        let page = client.list_events(request.clone()).await?.into_inner();
        request.page_token = page.next_page_token;
        printer.take(out, page.events, page.lost)?;
        if request.page_token.is_empty() {
            return Ok(page.last);
        }
    }
}

/// The newest so many, the oldest of them first, and the number of the newest of all.
async fn newest_of(
    client: &mut Client,
    mut request: ListEventsRequest,
    count: u32,
) -> Result<(Vec<Event>, u64), Failure> {
    let (mut pages, mut missing, mut newest) = (Vec::new(), count, None);
    while missing > 0 {
        request.page_size = missing;
        let page = client.list_events(request.clone()).await?.into_inner();
        request.page_token = page.next_page_token;
        missing = missing.saturating_sub(u32::try_from(page.events.len()).unwrap_or(u32::MAX));
        newest.get_or_insert(page.last);
        pages.push(page.events);
        if request.page_token.is_empty() {
            break;
        }
    }
    // Each page is older than the one before it.
    Ok((pages.into_iter().rev().flatten().collect(), newest.unwrap_or_default()))
}

async fn follow(
    client: &mut Client,
    options: &EventsOptions,
    last: u64,
    printer: &mut Printer,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let request = proto::WatchEventsRequest { filter: Some(filter(options)), since: Some(last) };
    let mut stream = client.watch_events(request).await?.into_inner();
    while let Some(more) = stream.message().await? {
        printer.take(out, more.events, more.lost)?;
    }
    Err(Failure::Unreachable("the process has ended".into()))
}

fn filter(options: &EventsOptions) -> EventFilter {
    let kind = |kind: &EventKindName| match kind {
        EventKindName::Announced => EventKind::Announced,
        EventKindName::Moved => EventKind::Moved,
        EventKindName::Changed => EventKind::Changed,
        EventKindName::Withdrawn => EventKind::Withdrawn,
        EventKindName::Held => EventKind::Held,
        EventKindName::HoldEnded => EventKind::HoldEnded,
        EventKindName::More => EventKind::More,
        EventKindName::Order => EventKind::Order,
        EventKindName::Source => EventKind::Source,
        EventKindName::Record => EventKind::Record,
        EventKindName::Session => EventKind::Session,
        EventKindName::Reload => EventKind::Reload,
        EventKindName::Role => EventKind::Role,
        EventKindName::Overridden => EventKind::Overridden,
        EventKindName::OverrideEnded => EventKind::OverrideEnded,
    };
    EventFilter {
        prefix: options.prefix.clone().unwrap_or_default(),
        host: options.host.clone().unwrap_or_default(),
        source: options.source.clone().unwrap_or_default(),
        kinds: options.kind.iter().map(|name| kind(name).into()).collect(),
    }
}

/// A gap, for programs that read line by line.
#[derive(Serialize)]
struct Lost {
    lost: u64,
}

/// What was told is printed at once where it is a table or followed; otherwise all in one.
struct Printer {
    format: Format,
    follow: bool,
    table: Table,
    all: ListEventsResponse,
    found: bool,
}

impl Printer {
    fn new(options: &EventsOptions) -> Self {
        let format = options.connect.output;
        let heads = if format == Format::Wide { &WIDE[..] } else { &TABLE };
        Printer {
            format,
            follow: options.follow,
            table: Table::new(heads, options.connect.no_headers),
            all: ListEventsResponse::default(),
            found: false,
        }
    }

    fn take(&mut self, out: &mut dyn Write, events: Vec<Event>, lost: u64) -> Result<(), Failure> {
        self.found |= !events.is_empty();
        match (self.format, self.follow) {
            (Format::Table | Format::Wide, _) => {
                if lost > 0 {
                    // Beside what programs read; the last resort, as stderr may be closed.
                    let _ = writeln!(io::stderr(), "{lost} events are kept no longer");
                }
                let wide = self.format == Format::Wide;
                events.iter().for_each(|event| self.table.row(row(event, wide)));
                self.table.flush(out, "")?;
            }
            (_, false) => {
                self.all.events.extend(events);
                self.all.lost += lost;
            }
            (_, true) => {
                if lost > 0 {
                    self.one(out, &Lost { lost })?;
                }
                events.iter().try_for_each(|event| self.one(out, event))?;
            }
        }
        Ok(out.flush()?)
    }

    /// One line of JSON, or one document of YAML.
    fn one(&self, out: &mut dyn Write, value: &impl Serialize) -> Result<(), Failure> {
        if self.format == Format::Yaml {
            writeln!(out, "---")?;
            print_data(out, self.format, value)?;
            return Ok(());
        }
        let text = serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(writeln!(out, "{text}")?)
    }

    fn end_of_past(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.follow || print_data(out, self.format, &self.all)? {
            return Ok(());
        }
        if !self.found {
            let _ = writeln!(io::stderr(), "nothing like that has happened, as far as is kept");
        }
        Ok(())
    }
}

fn hop(hop: Option<&Hop>) -> String {
    hop.map(|hop| format!("{} via {}", hop.host, hop.next_hop)).unwrap_or_default()
}

fn kind(event: &Event) -> String {
    EventKind::try_from(event.kind).map(EventKind::word).unwrap_or_default()
}

/// The first that there is.
fn about(event: &Event) -> String {
    let names = [&event.prefix, &event.gateway, &event.key, &event.source];
    names.into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_default()
}

fn number(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn by(event: &Event) -> String {
    match (event.uid, event.pid) {
        (..=-1, _) => String::new(),
        (uid, ..=0) => format!("uid {uid}"),
        (uid, pid) => format!("uid {uid} pid {pid}"),
    }
}

fn row(event: &Event, wide: bool) -> Vec<String> {
    let mut row = vec![
        event.number.to_string(),
        moment(event.at.as_ref()),
        kind(event),
        about(event),
        hop(event.from.as_ref()),
        hop(event.to.as_ref()),
    ];
    if wide {
        row.extend([
            event.source.clone(),
            event.key.clone(),
            number(event.revision),
            by(event),
            written(event).unwrap_or_default(),
        ]);
    }
    row.push(event.reason.clone());
    row
}

/// `written to a, b; pending: c`; None where nobody was asked about.
fn written(event: &Event) -> Option<String> {
    let in_state = |state: WrittenState| {
        let of = event.written.iter().filter(move |row| row.state == i32::from(state));
        of.map(|row| plain(&row.gateway)).collect::<Vec<_>>().join(", ")
    };
    let parts = [
        (WrittenState::Written, "written to"),
        (WrittenState::ByDump, "told at the start of a later session"),
        (WrittenState::Pending, "still to be written to"),
        (WrittenState::Down, "no session with"),
        (WrittenState::Excluded, "not for"),
    ];
    let some = parts.map(|(state, words)| (words, in_state(state)));
    let some: Vec<String> =
        some.iter().filter(|(_, names)| !names.is_empty()).map(|(words, names)| format!("{words} {names}")).collect();
    (!some.is_empty()).then(|| some.join("; "))
}

/// What happened, below what is explained.
pub(super) fn past(out: &mut dyn Write, events: &[Event], older: bool) -> io::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    writeln!(out, "what happened{}:", if older { " (older events: fingerpost events)" } else { "" })?;
    for event in events {
        one(out, event)?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    let at = moment(event.at.as_ref());
    let about = match about(event).as_str() {
        "" => String::new(),
        about => format!(" {}", plain(about)),
    };
    let hops = match (&event.from, &event.to) {
        (Some(from), Some(to)) if from != to => format!(", host {} to host {}", hop(Some(from)), hop(Some(to))),
        (_, Some(of)) | (Some(of), None) => format!(", host {}", hop(Some(of))),
        (None, None) => String::new(),
    };
    let by = match by(event).as_str() {
        "" => String::new(),
        by => format!(" (by {by})"),
    };
    writeln!(out, "  {at}  {}{about}{}: {}{by}", kind(event), plain_or_nothing(&hops), plain(&event.reason))?;
    if !event.key.is_empty() && event.key != self::about(event) {
        let (key, source) = (plain(&event.key), plain(&event.source));
        writeln!(out, "      record {key} of {source} at revision {}", event.revision)?;
    }
    match written(event) {
        Some(written) => writeln!(out, "      {written}"),
        None => Ok(()),
    }
}

fn plain_or_nothing(text: &str) -> String {
    if text.is_empty() { String::new() } else { plain(text) }
}

#[cfg(test)]
mod tests {
    use super::Since;
    use std::time::Duration;

    #[test]
    fn since_is_a_number_or_a_time() {
        for (text, since) in [
            ("17", Since::Number(17)),
            ("30s", Since::Ago(Duration::from_secs(30))),
            ("10m", Since::Ago(Duration::from_secs(600))),
            ("2h", Since::Ago(Duration::from_secs(7200))),
            ("1d", Since::Ago(Duration::from_secs(86_400))),
        ] {
            assert_eq!(text.parse(), Ok(since));
        }
        for wrong in ["", "s", "10x", "ten", "-3", "1.5h", "99999999999999999999d", "3 h"] {
            assert!(wrong.parse::<Since>().unwrap_err().contains("write an event's number"), "{wrong}");
        }
    }
}
