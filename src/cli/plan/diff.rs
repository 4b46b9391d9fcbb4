//! `--diff`: what would change at each gateway of the running process if everything in the file and in the stores were in force.

use super::own::Own;
use super::running::{Now, Running};
use super::sheet::Sheet;
use super::show::source_lines;
use crate::admin::proto::{Attributes, Gateway, Standing, TellState, ToldRoute};
use crate::cli::admin::{Client, Failure, attributes, reason};
use fingerpost_core::model::{Family, Prefix};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const HEADS: [&str; 6] = ["", "GATEWAY", "PREFIX", "NOW", "PLANNED", "REASON"];

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Added,
    Changed,
    Withdrawn,
}

impl Kind {
    fn sign(self) -> &'static str {
        match self {
            Kind::Added => "+",
            Kind::Changed => "~",
            Kind::Withdrawn => "-",
        }
    }
}

/// One difference. Without a prefix it is the whole gateway.
#[derive(Serialize)]
struct Change<'a> {
    change: Kind,
    gateway: &'a str,
    prefix: Option<String>,
    now: Option<&'a Attributes>,
    planned: Option<&'a Attributes>,
    reason: String,
}

/// What became of a gateway's routes.
#[derive(Serialize, Default)]
struct Summary {
    name: String,
    added: usize,
    changed: usize,
    withdrawn: usize,
    same: usize,
    /// Of sources that could not be read.
    not_compared: usize,
    /// Whether the running process has a session with it.
    session: bool,
    /// Whether the running process knows it at all.
    known: bool,
    /// Whether it is a range of gateways.
    range: bool,
}

struct Diff<'a> {
    own: &'a Own,
    running: Running,
    /// Sources that were not read: what comes from them is not known to be gone.
    unread: BTreeSet<&'a str>,
}

/// Prints it; true if there are differences. `all`: gateways that the file lacks, too.
pub(super) async fn diff(
    own: &Own,
    names: &[String],
    all: bool,
    client: Client,
    guarded: bool,
    sheet: &mut Sheet<'_>,
) -> Result<bool, Failure> {
    let running = Running::ask(client).await?;
    // What a person has withdrawn stays so when the file is read again.
    for target in &running.forced {
        own.withdraw(target.clone()).await?;
    }
    let unread = own.sources.iter().filter(|source| !source.complete).map(|source| source.name.as_str()).collect();
    let mut diff = Diff { own, running, unread };
    sheet.heads(&HEADS);
    sheet.field("complete", &diff.unread.is_empty())?;
    sheet.field("frozen_since", &diff.running.frozen_since)?;
    sheet.field("sources", &own.source_messages())?;
    sheet.list("changes")?;
    let mut summaries = Vec::new();
    for name in names {
        summaries.push(diff.gateway(name, sheet).await?);
    }
    let mut gone = Vec::new();
    if all {
        gone = self::gone(&diff.running.gateways, |name| own.config.gateways.contains_key(name));
        for (name, routes) in &gone {
            let reason = "the file lacks the gateway: its session would end".to_owned();
            let change =
                Change { change: Kind::Withdrawn, gateway: name, prefix: None, now: None, planned: None, reason };
            sheet.item(&change, || row(&change, &format!("{routes} routes")))?;
        }
    }
    sheet.end_list()?;
    let same =
        gone.is_empty() && summaries.iter().all(|summary| summary.added + summary.changed + summary.withdrawn == 0);
    sheet.field("gateways", &summaries)?;
    sheet.field("same", &same)?;
    let mut lines = source_lines(own);
    lines.extend(summaries.iter().map(Summary::line));
    if let Some(since) = &diff.running.frozen_since {
        lines.push(format!("frozen since {since}: nothing changes before fingerpost unfreeze"));
    }
    if !same && guarded {
        lines.push("the guard may hold a part of it: fingerpost holds".into());
    }
    sheet.lines(&lines)?;
    Ok(!same)
}

impl Summary {
    fn line(&self) -> String {
        let Summary { name, added, changed, withdrawn, same, not_compared, session, known, range } = self;
        let mut line =
            format!("gateway {name}: {added} added, {changed} changed, {withdrawn} withdrawn, {same} the same");
        if *not_compared > 0 {
            line += &format!(", {not_compared} not compared: their source was not read");
        }
        if !known {
            line += "; the running process does not know it";
        } else if *range {
            line += "; a range: compared with what whoever comes from it is told";
        } else if !session {
            line += "; without a session now: compared with what it would be told of";
        }
        line
    }
}

impl Diff<'_> {
    async fn gateway(&mut self, name: &str, sheet: &mut Sheet<'_>) -> Result<Summary, Failure> {
        let told = self.running.told(name).await?;
        let session = self.running.is_up(name);
        let Some(gateway) = self.own.config.gateways.get(name) else { return Ok(Summary::default()) };
        let range = gateway.remote.range().is_some();
        let mut summary =
            Summary { name: name.to_owned(), session, known: told.is_some(), range, ..Summary::default() };
        let mut told = told.unwrap_or_default();
        for family in Family::ALL {
            let mut now = std::mem::take(&mut told[family]);
            if gateway.families.contains(&family) {
                for page in self.own.pages(family) {
                    for planned in self.own.told(name, page).await? {
                        let Ok(prefix) = planned.prefix.parse::<Prefix>() else { continue };
                        while let Some(entry) = now.first_entry().filter(|entry| *entry.key() < prefix) {
                            let (gone, now) = entry.remove_entry();
                            self.compare(&mut summary, gone, Some(&now), None, sheet).await?;
                        }
                        let now = now.remove(&prefix);
                        self.compare(&mut summary, prefix, now.as_deref(), Some(&planned), sheet).await?;
                    }
                }
            } else if !session {
                continue; // only what there is a session for is taken away with a family
            }
            for (gone, now) in now {
                self.compare(&mut summary, gone, Some(&now), None, sheet).await?;
            }
        }
        Ok(summary)
    }

    /// One prefix. `planned`: None if nobody claims it, or its family is not the gateway's.
    async fn compare(
        &self,
        summary: &mut Summary,
        prefix: Prefix,
        now: Option<&Now>,
        planned: Option<&ToldRoute>,
        sheet: &mut Sheet<'_>,
    ) -> Result<(), Failure> {
        let state = planned.map(|planned| TellState::try_from(planned.state).unwrap_or_default());
        let then = planned.filter(|_| state == Some(TellState::Told)).and_then(|planned| planned.attributes.as_ref());
        if now.is_some_and(|now| self.unread.contains(now.source.as_str())) {
            summary.not_compared += 1;
            return Ok(());
        }
        // Nobody knows what the cap leaves out where there is no session.
        let is_same = |now: &Now| then == Some(&now.attributes) || (now.assumed && state == Some(TellState::Capped));
        let (change, mut reason) = match (now, then) {
            (None, None) => return Ok(()),
            (Some(now), _) if is_same(now) => {
                summary.same += 1;
                return Ok(());
            }
            (None, Some(_)) => (Kind::Added, planned.map(owner).unwrap_or_default()),
            (Some(now), Some(_)) => (Kind::Changed, planned.map(|planned| moved(now, planned)).unwrap_or_default()),
            (Some(_), None) => (Kind::Withdrawn, self.why_not(prefix, planned).await?),
        };
        if self.running.held.contains(&prefix) {
            reason += if reason.is_empty() { "" } else { "; " };
            reason += "the guard holds a change of it now";
        }
        match change {
            Kind::Added => summary.added += 1,
            Kind::Changed => summary.changed += 1,
            Kind::Withdrawn => summary.withdrawn += 1,
        }
        let now = now.map(|now| &now.attributes);
        let change =
            Change { change, gateway: &summary.name, prefix: Some(prefix.to_string()), now, planned: then, reason };
        sheet.item(&change, || row(&change, &now.map(said).unwrap_or_default()))
    }

    /// Why nothing would be told of it any more.
    async fn why_not(&self, prefix: Prefix, planned: Option<&ToldRoute>) -> Result<String, Failure> {
        if let Some(planned) = planned.filter(|planned| !planned.reason.is_empty()) {
            return Ok(planned.reason.clone());
        }
        let routes = self.own.routes(&[prefix]).await?;
        let Some(claim) = routes.iter().flat_map(|route| &route.claims).next() else {
            return Ok("no record states it".into());
        };
        let standing = Standing::try_from(claim.standing).unwrap_or_default();
        Ok(match standing {
            Standing::Route => format!("{} is not in the gateway's families", prefix.family().name()),
            _ => format!("{}: {}", standing.word(), reason(claim)),
        })
    }
}

/// Gateways with a session that the file lacks, and how many routes each is told.
fn gone(running: &BTreeMap<String, Gateway>, is_in_file: impl Fn(&str) -> bool) -> Vec<(String, u64)> {
    // Who came from a range is named after it, and told what it is.
    let of_range = |name: &str| name.split_once('/').is_some_and(|(range, _)| is_in_file(range));
    let gone = running.iter().filter(|(name, _)| !is_in_file(name) && !of_range(name));
    let told = gone.filter_map(|(name, gateway)| {
        let mut families = gateway.families.iter().filter(|family| family.negotiated).peekable();
        families.peek()?;
        Some((name.clone(), families.map(|family| family.exported.saturating_sub(family.capped)).sum()))
    });
    told.collect()
}

fn owner(planned: &ToldRoute) -> String {
    let host = planned.owner.as_ref().map(|owner| owner.host.as_str()).unwrap_or_default();
    format!("host {host}, record {} of {}", planned.key, planned.source)
}

fn moved(now: &Now, planned: &ToldRoute) -> String {
    match &planned.owner {
        Some(owner) if owner.host != now.host => {
            format!("from host {} to {}", now.host, self::owner(planned).trim_start_matches("host "))
        }
        _ => String::new(),
    }
}

fn said(of: &Attributes) -> String {
    match attributes(of) {
        none if none.is_empty() => of.next_hop.clone(),
        some => format!("{}, {some}", of.next_hop),
    }
}

fn row(change: &Change<'_>, now: &str) -> Vec<String> {
    let Change { change, gateway, prefix, planned, reason, .. } = change;
    let planned = planned.map(said).unwrap_or_default();
    let prefix = prefix.clone().unwrap_or_default();
    vec![change.sign().into(), (*gateway).into(), prefix, now.into(), planned, reason.clone()]
}

#[cfg(test)]
mod tests {
    use super::gone;
    use crate::admin::proto::{Gateway, GatewayFamily};

    #[test]
    fn only_gateways_with_a_session_are_gone_and_who_joined_a_range_goes_with_the_range() {
        let family = |negotiated| GatewayFamily { negotiated, exported: 5, capped: 2, ..GatewayFamily::default() };
        let up = Gateway { families: vec![family(true), family(false)], ..Gateway::default() };
        let down = Gateway { families: vec![family(false)], ..Gateway::default() };
        let running =
            [("core-a", &up), ("core-b", &down), ("core-c", &up), ("old/10.168.0.12", &up), ("racks/10.168.0.11", &up)];
        let running = running.into_iter().map(|(name, gateway)| (name.to_owned(), gateway.clone())).collect();
        let gone = gone(&running, |name| ["core-c", "racks"].contains(&name));
        assert_eq!(gone, [("core-a".into(), 3), ("old/10.168.0.12".into(), 3)]);
    }
}
