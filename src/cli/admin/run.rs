//! Asks, and prints.

use super::client::{Client, Failure, connect};
use super::output::{Format, Table, print_data};
use super::{
    AdminCommand, Connect, FamilyName, HoldsOptions, KindName, TargetOptions, events, explain, replicas, tables,
};
use crate::admin::proto;
use crate::admin::proto::holds::Which as WhichHolds;
use crate::admin::proto::target::Which as WhichTarget;
use std::io::Write;

/// Items of a page.
const PAGE: u32 = 1000;

/// Does it.
pub(crate) fn run(command: AdminCommand, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(carry_out(command, out))
}

async fn carry_out(command: AdminCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        AdminCommand::Status(options) => status(&options, out).await,
        AdminCommand::Gateways { name, connect } => gateways(name, &connect, out).await,
        AdminCommand::Routes { prefix, host, family, connect } => {
            let family = family.map(|family| match family {
                FamilyName::Ipv4 => "ipv4",
                FamilyName::Ipv6 => "ipv6",
            });
            let request = proto::ListRoutesRequest {
                page_size: PAGE,
                page_token: String::new(),
                prefix: prefix.unwrap_or_default(),
                host: host.unwrap_or_default(),
                family: family.unwrap_or_default().to_owned(),
            };
            routes(request, &connect, out).await
        }
        AdminCommand::Explain { target, connect } => explained(target, &connect, out).await,
        AdminCommand::Events(options) => events::run(&options, out).await,
        AdminCommand::Holds(options) => holds(&options, out).await,
        AdminCommand::Approve(options) => {
            let request = proto::ApproveRequest { holds: Some(which(&options)) };
            let mut client = connect(&options.connect).await?;
            let answer = client.approve(request).await?.into_inner();
            let denied = match answer.denied_before {
                0 => String::new(),
                denied => format!(", {denied} of which had been denied"),
            };
            let later = if answer.frozen { "; frozen: they pass after fingerpost unfreeze" } else { "" };
            decided(out, &options.connect, &answer, "approved", answer.count, &format!("{denied}{later}"))?;
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Deny(options) => {
            let request = proto::DenyRequest { holds: Some(which(&options)) };
            let mut client = connect(&options.connect).await?;
            let answer = client.deny(request).await?.into_inner();
            decided(out, &options.connect, &answer, "denied", answer.count, "")?;
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Freeze(options) => {
            let answer = connect(&options).await?.freeze(proto::FreezeRequest {}).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let since = tables::moment(answer.frozen_since.as_ref());
                let before = if answer.changed { "frozen" } else { "was frozen already" };
                writeln!(out, "{before} since {since}: nothing changes at any gateway before fingerpost unfreeze")?;
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Unfreeze(options) => {
            let answer = connect(&options).await?.unfreeze(proto::UnfreezeRequest {}).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let text = if answer.changed {
                    "not frozen any more: what came meanwhile passes the guard (fingerpost holds)"
                } else {
                    "was not frozen"
                };
                writeln!(out, "{text}")?;
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Withdraw { force, target, connect: options } => {
            let request = proto::WithdrawRequest { target: Some(of(&target)), force };
            let answer = connect(&options).await?.withdraw(request).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let routes = count(answer.count, "route");
                let when = if answer.frozen { "will withdraw, after fingerpost unfreeze," } else { "withdrew" };
                writeln!(
                    out,
                    "{when} {routes}; this stands, for later ones too, until fingerpost restore {}",
                    named(&target)
                )?;
                if answer.count == 0 {
                    writeln!(out, "nothing that is announced is meant by it: is it spelt right?")?;
                }
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Restore { target, connect: options } => {
            let request = proto::RestoreRequest { target: Some(of(&target)) };
            let answer = connect(&options).await?.restore(request).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let still: Vec<String> = answer.still.iter().map(tables::restoring).collect();
                let done = match &*still {
                    [] => "restored: what the sources say of it passes the guard (fingerpost explain, holds)".into(),
                    _ => format!(
                        "taken back, and withdrawn by another order as before, all or in part: {}",
                        still.join(", ")
                    ),
                };
                writeln!(out, "{done}")?;
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Forced(options) => {
            let answer = connect(&options).await?.list_forced(proto::ListForcedRequest {}).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let mut table = Table::new(&tables::FORCED, options.no_headers);
                for (what, name) in answer.forced.iter().map(tables::forced) {
                    table.row(vec![what.into(), name.into()]);
                }
                print_or_say(out, table, answer.forced.is_empty(), "nothing is withdrawn by order")?;
            }
            Ok(())
        }
        AdminCommand::Refresh { gateway, connect: options } => {
            let request = proto::RefreshRequest { gateway: gateway.clone() };
            let answer = connect(&options).await?.refresh(request).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                writeln!(out, "{gateway} is sent everything again: {}", answer.families.join(", "))?;
            }
            Ok(())
        }
        AdminCommand::Drain { gateway: Some(gateway), connect: options, .. } => {
            let request = proto::DrainGatewayRequest { gateway: gateway.clone() };
            let answer = connect(&options).await?.drain_gateway(request).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let is = if answer.changed { "is" } else { "was already" };
                writeln!(
                    out,
                    "{gateway} {is} drained, with GRACEFUL_SHUTDOWN on every route, until fingerpost undrain --gateway {gateway}"
                )?;
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Undrain { gateway, connect: options } => {
            let request = proto::UndrainGatewayRequest { gateway: gateway.clone() };
            let answer = connect(&options).await?.undrain_gateway(request).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                let text = if answer.still_drained {
                    "is still drained: the configuration says so"
                } else {
                    "is not drained any more"
                };
                writeln!(out, "{gateway} {text}")?;
            }
            warn_unkept(&answer.not_kept);
            spread(answer.reach.as_ref())
        }
        AdminCommand::Drain { withdraw, gateway: None, connect: options } => {
            let answer = connect(&options).await?.drain(proto::DrainRequest { withdraw }).await?.into_inner();
            if !print_data(out, options.output, &answer)? {
                writeln!(out, "{}", answer.leaving.as_ref().map(tables::leaving).unwrap_or_default())?;
            }
            Ok(())
        }
    }
}

/// Beside what programs read, who find it in the answer.
fn warn_unkept(why: &str) {
    if !why.is_empty() {
        // The last resort: stderr may be closed.
        let _ = writeln!(std::io::stderr(), "in force, but a restart will not know it: {why}");
    }
}

/// It is in force here, and at the others it may not be.
fn spread(reach: Option<&proto::Reach>) -> Result<(), Failure> {
    let Some(proto::Reach { not_stored, behind, away, overruled, unheard, .. }) = reach else { return Ok(()) };
    let mut said = Vec::new();
    if !overruled.is_empty() {
        said.push(format!("a later order stands instead: {overruled}"));
    }
    if !not_stored.is_empty() {
        let others = if behind.is_empty() { "every other replica".into() } else { behind.join(", ") };
        said.push(format!(
            "it is in force at this replica only, and will reach the others through the store as soon as it can ({not_stored}): \
             until then give it to {others}, too"
        ));
    } else if !behind.is_empty() {
        said.push(format!("not taken yet by {}: see fingerpost status there", behind.join(", ")));
    }
    if !away.is_empty() {
        said.push(format!(
            "not there: {}; who is back waits up to 5 s for the orders before it changes anything",
            away.join(", ")
        ));
    }
    if !unheard.is_empty() {
        said.push(unheard.clone());
    }
    if said.is_empty() { Ok(()) } else { Err(Failure::NotEverywhere(said.join("\n"))) }
}

fn is_table(options: &Connect) -> bool {
    matches!(options.output, Format::Table | Format::Wide)
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// An empty list is an answer, and said beside what programs read.
fn print_or_say(out: &mut dyn Write, mut table: Table, empty: bool, nothing: &str) -> Result<(), Failure> {
    if empty {
        // The last resort: stderr may be closed.
        let _ = writeln!(std::io::stderr(), "{nothing}");
    }
    Ok(table.flush(out, "")?)
}

fn decided(
    out: &mut dyn Write,
    options: &Connect,
    answer: &impl serde::Serialize,
    done: &str,
    concerned: u64,
    later: &str,
) -> Result<(), Failure> {
    if concerned == 0 {
        return Err(Failure::NothingMatched("nothing like that is held: fingerpost holds lists what is".into()));
    }
    if !print_data(out, options.output, answer)? {
        writeln!(out, "{done} {}{later}", count(concerned, "held change"))?;
    }
    Ok(())
}

fn which(options: &HoldsOptions) -> proto::Holds {
    let kind = options.kind.map(|kind| match kind {
        KindName::Withdrawal => proto::ChangeKind::Withdrawal,
        KindName::Move => proto::ChangeKind::Move,
        KindName::Addition => proto::ChangeKind::Addition,
    });
    let of = &options.which;
    let which = if let Some(prefix) = &of.prefix {
        Some(WhichHolds::Prefix(prefix.clone()))
    } else if let Some(host) = &of.host {
        Some(WhichHolds::Host(host.clone()))
    } else if let Some(name) = &of.source {
        let kind = kind.unwrap_or_default().into();
        Some(WhichHolds::Source(proto::HoldsOfSource { name: name.clone(), kind }))
    } else if of.reload {
        Some(WhichHolds::Reload(true))
    } else {
        of.all.then_some(WhichHolds::All(true))
    };
    proto::Holds { which }
}

fn of(target: &TargetOptions) -> proto::Target {
    let prefix = target.prefix.clone().map(WhichTarget::Prefix);
    proto::Target { which: prefix.or_else(|| target.host.clone().map(WhichTarget::Host)) }
}

fn named(target: &TargetOptions) -> String {
    match (&target.prefix, &target.host) {
        (Some(prefix), _) => prefix.clone(),
        (None, Some(host)) => format!("--host {host}"),
        (None, None) => String::new(),
    }
}

async fn status(options: &Connect, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = connect(options).await?.status(proto::StatusRequest {}).await?.into_inner();
    if !print_data(out, options.output, &answer)? {
        tables::status(out, &answer, options.no_headers)?;
        replicas::show(out, &answer, options.output == Format::Wide, options.no_headers)?;
    }
    Ok(())
}

async fn gateways(name: Option<String>, options: &Connect, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = connect(options).await?;
    let mut all = proto::ListGatewaysResponse::default();
    loop {
        let page_token = std::mem::take(&mut all.next_page_token);
        let request =
            proto::ListGatewaysRequest { page_size: PAGE, page_token, name: name.clone().unwrap_or_default() };
        let page = client.list_gateways(request).await?.into_inner();
        all.gateways.extend(page.gateways);
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    if !print_data(out, options.output, &all)? {
        let wide = options.output == Format::Wide;
        let heads = if wide { &tables::GATEWAYS_WIDE[..] } else { &tables::GATEWAYS };
        let mut table = Table::new(heads, options.no_headers);
        all.gateways.iter().for_each(|gateway| table.row(tables::gateway_row(gateway, wide)));
        print_or_say(out, table, all.gateways.is_empty(), "no gateway is configured")?;
    }
    Ok(())
}

/// A table is printed page by page: there may be millions.
async fn routes(mut request: proto::ListRoutesRequest, options: &Connect, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = connect(options).await?;
    let wide = options.output == Format::Wide;
    let heads = if wide { &tables::ROUTES_WIDE[..] } else { &tables::ROUTES };
    let mut table = Table::new(heads, options.no_headers);
    let mut all = proto::ListRoutesResponse::default();
    let mut found = false;
    loop {
        let page = client.list_routes(request.clone()).await?.into_inner();
        found |= !page.routes.is_empty();
        if is_table(options) {
            for route in &page.routes {
                let rows = if wide { tables::claim_rows(route) } else { vec![tables::route_row(route)] };
                rows.into_iter().for_each(|row| table.row(row));
            }
            table.flush(out, "")?;
        } else {
            all.routes.extend(page.routes);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let asked = !request.prefix.is_empty() || !request.host.is_empty();
    if !found && asked {
        return Err(Failure::NothingMatched("nobody claims such a prefix".into()));
    }
    if !print_data(out, options.output, &all)? {
        print_or_say(out, table, !found, "there are no routes")?;
    }
    Ok(())
}

async fn explained(target: String, options: &Connect, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = connect(options).await?;
    let mut all = explain_page(&mut client, &target, String::new()).await?;
    while !all.next_page_token.is_empty() {
        let page = explain_page(&mut client, &target, std::mem::take(&mut all.next_page_token)).await?;
        all.routes.extend(page.routes);
        all.next_page_token = page.next_page_token;
    }
    let is_told = |event: &proto::Event| !event.prefix.is_empty();
    if all.routes.is_empty() && all.unresolved.is_empty() && all.forced.is_empty() && !all.events.iter().any(is_told) {
        return Err(Failure::NothingMatched(format!("nothing is known of {target}: no record states it")));
    }
    if !print_data(out, options.output, &all)? {
        explain::print(out, &all, options.no_headers)?;
    }
    Ok(())
}

async fn explain_page(client: &mut Client, target: &str, token: String) -> Result<proto::ExplainResponse, Failure> {
    let request = proto::ExplainRequest { target: target.to_owned(), page_size: PAGE, page_token: token };
    Ok(client.explain(request).await?.into_inner())
}

async fn holds(options: &Connect, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = connect(options).await?;
    let mut table = Table::new(&tables::HOLDS, options.no_headers);
    let mut all = proto::ListHoldsResponse::default();
    let mut found = false;
    loop {
        let page_token = std::mem::take(&mut all.next_page_token);
        let page = client.list_holds(proto::ListHoldsRequest { page_size: PAGE, page_token }).await?.into_inner();
        found |= !page.holds.is_empty() || !page.reload.is_empty();
        if is_table(options) {
            page.reload.iter().for_each(|hold| table.row(tables::reload_row(hold)));
            page.holds.iter().for_each(|hold| table.row(tables::hold_row(hold)));
            table.flush(out, "")?;
        } else {
            all.holds.extend(page.holds);
            all.reload.extend(page.reload);
        }
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    if !print_data(out, options.output, &all)? {
        print_or_say(out, table, !found, "nothing is held")?;
    }
    Ok(())
}
