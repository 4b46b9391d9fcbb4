//! docs/interop.md: made of the outcomes, and compared with what is committed.

use std::collections::BTreeMap;
use std::fmt::Write;

use integration::lab::gateway::Daemon;

use crate::cell::{FEATURES, Outcome};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/interop.md");

const HEAD: &str = "\
# Interop

What Fingerpost does with each of these BGP implementations. This page is made by `make interop`, which runs every cell against
the real daemon in network namespaces (`integration/tests/interop`); `make test` fails when a cell fails or comes out other than
it stands here.

";
const FOOT: &str = "
BIRD and FRR put the routes into the kernel, and the kernel's table is what was looked at; of the others, which have no
forwarding table here, it is their own table. ExaBGP keeps no table: what it reports to its API is added up.
";

/// The page for the outcomes.
pub(crate) fn render(outcome: impl Fn(Daemon, &str) -> Outcome) -> String {
    let mut page = HEAD.to_owned();
    let columns = Daemon::ALL.map(|daemon| format!(" {} {} |", daemon.name(), daemon.version())).concat();
    let mut notes: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    let mut line = |text: String| writeln!(page, "{text}").expect("a string can be written to");
    line(format!("| |{columns}"));
    line(format!("|---|{}", "---|".repeat(Daemon::ALL.len())));
    for feature in FEATURES {
        let cells = Daemon::ALL.map(|daemon| match outcome(daemon, feature.word) {
            Outcome::Passed => " yes |".to_owned(),
            Outcome::Failed => " **failed** |".to_owned(),
            Outcome::Unsupported(reason) => {
                let next = notes.len() + 1;
                let number = *notes.entry(reason.clone()).or_insert_with(|| {
                    order.push(reason);
                    next
                });
                format!(" no ({number}) |")
            }
        });
        line(format!("| {} |{}", feature.title, cells.concat()));
    }
    if !order.is_empty() {
        line("\nNot supported by that daemon:\n".to_owned());
    }
    for (number, reason) in (1..).zip(&order) {
        line(format!("{number}. {reason}"));
    }
    line("\nWhat a \"yes\" has shown:\n".to_owned());
    for feature in FEATURES {
        line(format!("- **{}** (`{}`): {}", feature.title, feature.word, feature.claim));
    }
    page + FOOT
}

/// Writes the page where that was asked for, and otherwise compares it with the committed one; the difference.
pub(crate) fn settle(page: &str) -> Result<(), String> {
    if std::env::var_os("FINGERPOST_BLESS").is_some() {
        return std::fs::write(PAGE, page).map_err(|error| format!("{PAGE} cannot be written: {error}"));
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    // Another distribution has other versions; that is no fault, and what came out there is compared all the same.
    let comparable = |text: &str| text.lines().filter(|line| !line.starts_with("| |")).collect::<Vec<_>>().join("\n");
    if comparable(page) == comparable(&committed) {
        return Ok(());
    }
    let new: Vec<&str> = page.lines().filter(|line| !committed.lines().any(|other| other == *line)).collect();
    Err(format!("docs/interop.md does not say what came out; make interop writes it. New lines:\n{}", new.join("\n")))
}
