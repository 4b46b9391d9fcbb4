//! The plan itself: gateway by gateway what it would be told and what not, then what no gateway would.

use super::own::Own;
use super::sheet::Sheet;
use crate::admin::proto::{Attributes, Claim, Route, Standing, TellState, ToldRoute};
use crate::cli::admin::{Failure, attributes, reason};
use fingerpost_core::model::{Family, PerFamily};
use serde::Serialize;

const HEADS: [&str; 7] = ["GATEWAY", "PREFIX", "STATE", "NEXT-HOP", "HOST", "SOURCE", "DETAIL"];
const HEADS_WIDE: [&str; 9] = ["GATEWAY", "PREFIX", "STATE", "NEXT-HOP", "HOST", "SOURCE", "KEY", "REVISION", "DETAIL"];

/// A gateway and a prefix.
#[derive(Serialize)]
struct Told<'a> {
    gateway: &'a str,
    prefix: &'a str,
    state: String,
    reason: &'a str,
    /// What its policy makes of the route, told or not.
    attributes: Option<&'a Attributes>,
    host: &'a str,
    source: &'a str,
    key: &'a str,
    revision: u64,
}

impl<'a> Told<'a> {
    fn new(gateway: &'a str, route: &'a ToldRoute) -> Self {
        Told {
            gateway,
            prefix: &route.prefix,
            state: TellState::try_from(route.state).unwrap_or_default().word(),
            reason: &route.reason,
            attributes: route.attributes.as_ref(),
            host: route.owner.as_ref().map_or("", |owner| &owner.host),
            source: &route.source,
            key: &route.key,
            revision: route.revision,
        }
    }
}

/// What a record states and no gateway is told.
#[derive(Serialize, Default)]
struct Unannounced {
    prefix: Option<String>,
    state: String,
    reason: String,
    host: Option<String>,
    next_hop: Option<String>,
    source: String,
    key: String,
    revision: Option<u64>,
}

/// How many routes a gateway would be told.
#[derive(Serialize, Clone, Copy, Default)]
struct Count {
    told: usize,
    not_told: usize,
}

/// A gateway in a few words.
#[derive(Serialize)]
struct Summary<'a> {
    name: &'a str,
    policy: Option<&'a str>,
    listen_range: Option<String>,
    /// None: the family is not offered to it.
    ipv4: Option<Count>,
    ipv6: Option<Count>,
}

/// Prints it.
pub(super) async fn show(own: &Own, names: &[String], sheet: &mut Sheet<'_>) -> Result<(), Failure> {
    let wide = sheet.is_wide();
    sheet.heads(if wide { &HEADS_WIDE } else { &HEADS });
    sheet.field("complete", &own.unread().is_empty())?;
    sheet.field("sources", &own.source_messages())?;
    sheet.list("routes")?;
    let mut counts = Vec::new();
    for name in names {
        counts.push(gateway(own, name, wide, sheet).await?);
    }
    sheet.end_list()?;
    sheet.list("not_announced")?;
    let unannounced = unannounced(own, wide, sheet).await?;
    sheet.end_list()?;
    let mut summaries = Vec::new();
    let mut lines = source_lines(own);
    for (name, counts) in names.iter().zip(counts) {
        let gateway = own.config.gateways.get(name);
        let listen_range = gateway.and_then(|gateway| gateway.remote.range()).map(|range| range.to_string());
        lines.push(line(own, name, listen_range.as_deref(), counts));
        let policy = gateway.and_then(|gateway| gateway.policy.as_deref());
        summaries.push(Summary { name, policy, listen_range, ipv4: counts.ipv4, ipv6: counts.ipv6 });
    }
    sheet.field("gateways", &summaries)?;
    if unannounced > 0 {
        lines.push(format!("no gateway is told {unannounced} of what the records state: rows without GATEWAY"));
    }
    sheet.lines(&lines)
}

/// A line for each source: what is in it, or that it was not read.
pub(super) fn source_lines(own: &Own) -> Vec<String> {
    let read = own.source_messages().into_iter().filter(|source| source.complete);
    let read = read.map(|source| {
        format!(
            "source {}: {} records, {} routes, revision {}",
            source.name, source.records, source.routes, source.revision
        )
    });
    read.chain(own.unread().into_iter().map(|why| format!("INCOMPLETE: {why}"))).collect()
}

fn line(own: &Own, name: &str, range: Option<&str>, counts: PerFamily<Option<Count>>) -> String {
    let total = |of: fn(Count) -> usize| counts.iter().filter_map(|(_, count)| *count).map(of).sum::<usize>();
    let (told, not_told) = (total(|count| count.told), total(|count| count.not_told));
    let mut line = format!("gateway {name}: {told} told, {not_told} not");
    for (family, count) in counts.iter() {
        if count.is_none() && own.routes[family] > 0 {
            let (family, routes) = (family.name(), own.routes[family]);
            line += &format!("; none of {routes} in {family}, which is not in its families");
        }
    }
    if let Some(range) = range {
        line += &format!("; a host of {range} that connects is not told the routes via itself");
    }
    line
}

async fn gateway(
    own: &Own,
    name: &str,
    wide: bool,
    sheet: &mut Sheet<'_>,
) -> Result<PerFamily<Option<Count>>, Failure> {
    let mut counts = PerFamily::default();
    let Some(gateway) = own.config.gateways.get(name) else { return Ok(counts) };
    for &family in &gateway.families {
        let mut count = Count::default();
        for page in own.pages(family) {
            for route in own.told(name, page).await? {
                match TellState::try_from(route.state) {
                    // No route: its claims are told of below, once.
                    Ok(TellState::Absent) => continue,
                    Ok(TellState::Told) => count.told += 1,
                    _ => count.not_told += 1,
                }
                sheet.item(&Told::new(name, &route), || told_row(name, &route, wide))?;
            }
        }
        counts[family] = Some(count);
    }
    Ok(counts)
}

fn told_row(gateway: &str, route: &ToldRoute, wide: bool) -> Vec<String> {
    let state = TellState::try_from(route.state).unwrap_or_default();
    let detail = match &route.attributes {
        Some(of) if state == TellState::Told => attributes(of),
        _ => route.reason.clone(),
    };
    let owner = route.owner.clone().unwrap_or_default();
    let next_hop = route.attributes.as_ref().map_or(owner.next_hop, |of| of.next_hop.clone());
    let mut row =
        vec![gateway.to_owned(), route.prefix.clone(), state.word(), next_hop, owner.host, route.source.clone()];
    if wide {
        row.extend([route.key.clone(), route.revision.to_string()]);
    }
    row.push(detail);
    row
}

/// What no gateway is told, whatever its policy; how much that is.
async fn unannounced(own: &Own, wide: bool, sheet: &mut Sheet<'_>) -> Result<usize, Failure> {
    let mut count = 0;
    let mut print = |item: Unannounced, sheet: &mut Sheet<'_>| {
        count += 1;
        sheet.item(&item, || unannounced_row(&item, wide))
    };
    for family in Family::ALL {
        for page in own.pages(family) {
            for route in own.routes(page).await? {
                let lost = route.claims.iter().filter(|claim| standing(claim) != Standing::Route);
                for claim in lost {
                    print(lost_claim(&route, claim), sheet)?;
                }
                if route.more_claims > 0 {
                    let reason = format!("and {} more claims", route.more_claims);
                    let prefix = Some(route.prefix.clone());
                    print(Unannounced { prefix, reason, ..Unannounced::default() }, sheet)?;
                }
            }
        }
    }
    for row in own.unresolved().await? {
        let state = "unresolved".into();
        let (prefix, reason) = (Some(row.prefix), row.reason);
        print(
            Unannounced { prefix, state, reason, source: row.source, key: row.key, ..Unannounced::default() },
            sheet,
        )?;
    }
    for source in &own.sources {
        for row in own.faults(source.id).await?.quarantined {
            let (state, reason) = ("quarantined".into(), row.why);
            let source = source.name.clone();
            print(Unannounced { state, reason, source, key: row.key, ..Unannounced::default() }, sheet)?;
        }
    }
    Ok(count)
}

fn standing(claim: &Claim) -> Standing {
    Standing::try_from(claim.standing).unwrap_or_default()
}

fn lost_claim(route: &Route, claim: &Claim) -> Unannounced {
    let reason = match (standing(claim), &route.announced) {
        (Standing::Shadowed, Some(owner)) => format!("host {} has it", owner.host),
        _ => reason(claim),
    };
    Unannounced {
        prefix: Some(route.prefix.clone()),
        state: standing(claim).word(),
        reason,
        host: Some(claim.host.clone()),
        next_hop: Some(claim.next_hop.clone()),
        source: claim.source.clone(),
        key: claim.key.clone(),
        revision: Some(claim.revision),
    }
}

fn unannounced_row(item: &Unannounced, wide: bool) -> Vec<String> {
    let Unannounced { prefix, state, reason, host, next_hop, source, key, revision } = item;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut row = vec![String::new(), text(prefix), state.clone(), text(next_hop), text(host), source.clone()];
    if wide {
        row.extend([key.clone(), revision.map(|revision| revision.to_string()).unwrap_or_default(), reason.clone()]);
    } else if host.is_none() && !key.is_empty() {
        row.push(format!("record {key}: {reason}"));
    } else {
        row.push(reason.clone());
    }
    row
}
