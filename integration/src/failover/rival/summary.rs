//! What the rows of the alternatives say together, beside Fingerpost's.

use std::cmp::Ordering;

use super::page::row_of;
use super::{Row, Speaker};
use crate::failover::page::line;
use crate::failover::{CASES, Case};
use crate::lab::gateway::Daemon;

/// So much later or sooner is no difference, in seconds: it is looked some ten times a second, on a machine that has other things to do.
const SAME: f64 = 1.0;

const HEAD: &str = "
## In short

Requests that were lost or went astray, in both families, and how long the change took to the gateway's kernel (`–`: it never got there
while it was looked), at the worse of the two gateways and in the worst of the rows for this fault; `none`: there is no such thing. Until
the gateway is told, its requests for the subnet that moves reach the old host, which still answers here: what that costs says the time, not the
loss. Fingerpost's figures are those of failover.md; for the others \"leader\" is \"the one whose paths are preferred\". What a mesh loses
depends on how long a fault lasts, which its rows say.

";
const VERDICTS: &str = "
Each row beside Fingerpost's with the same fault at the same gateway. \"Sooner\" and \"later\" is by more than a second; \"rewrites\": entries of the
gateway's kernel that are the same before and after.

| Fingerpost, compared with | rows | loses or misleads fewer | as many | more | tells sooner | alike | later | rewrites fewer | as many | more |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";
const WHY: &str = "
Why they differ: where nobody leads, a gateway goes on preferring whom it prefers, though that one is stopped or hears nothing from etcd any
more, and what is kept of a dead one goes on drawing packets where it is more specific. GoBGP has no routes when it starts, and none to keep
while etcd cannot be read. In a mesh nobody else says what a host owns, and the host that loses a subnet may say so before the one that
gets it; but nobody else's is concerned: what changes at another host is told meanwhile. For Fingerpost's part, a new leader makes the
gateway prefer another path once more, by saying that it leads: that rewrites more IPv6 entries, and where a gateway dampens it counts as
one more change of the path. (There the others' ten restarts take longer, too, as the requests sent tell: each waits for all paths,
or half a minute.)

Rows in which Fingerpost loses or misleads more, or tells later:

";

/// What a row says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    /// Lost or gone astray.
    lost: u64,
    rewritten: u64,
    wrong_at_end: bool,
    /// In seconds; infinite where it did not happen.
    told: f64,
}

impl Figures {
    /// Reads a row, which says after so many cells when the gateway was told.
    fn read(line: &str, told: usize) -> Option<Self> {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = |place: usize| cells.get(place)?.split([' ', ',']).next()?.parse::<u64>().ok();
        let told = *cells.get(told)?;
        Some(Self {
            lost: number(4)? + number(5)? + number(6)?,
            rewritten: number(7)? + number(8)?,
            wrong_at_end: line.contains("wrong at the end"),
            told: if told == "–" { f64::INFINITY } else { told.strip_suffix(" s")?.parse().ok()? },
        })
    }

    fn of_theirs(line: &str) -> Option<Self> {
        Self::read(line, 9)
    }

    fn of_ours(case: &Case, daemon: Daemon, page: &str) -> Option<Self> {
        Self::read(row_of(&line(case, daemon, None), page)?, 11)
    }

    fn worse(self, other: Self) -> Self {
        Self {
            lost: self.lost.max(other.lost),
            rewritten: self.rewritten.max(other.rewritten),
            wrong_at_end: self.wrong_at_end || other.wrong_at_end,
            told: self.told.max(other.told),
        }
    }

    fn told(self) -> String {
        if self.told.is_finite() { format!("{:.1} s", self.told) } else { "–".to_owned() }
    }

    /// Fingerpost's figures beside these: less is better.
    fn beside(self, theirs: Self) -> [Ordering; 3] {
        // Two that did not happen are no number apart.
        let apart = self.told - theirs.told;
        let told = if apart.abs() > SAME { self.told.total_cmp(&theirs.told) } else { Ordering::Equal };
        let told = if apart.is_nan() { Ordering::Equal } else { told };
        [self.lost.cmp(&theirs.lost), told, self.rewritten.cmp(&theirs.rewritten)]
    }
}

/// Two tables, and where Fingerpost does worse. `rows` are those of the page, `ours` is Fingerpost's page.
pub(super) fn text(rows: &[(Row, Daemon, String)], ours: &str) -> String {
    let mut kinds: Vec<Speaker> = Vec::new();
    for (row, _, _) in rows {
        if !kinds.contains(&row.case.speaker) {
            kinds.push(row.case.speaker);
        }
    }
    let cells = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let head = [vec!["what happens".to_owned(), Speaker::Fingerpost.to_string()], names].concat();
    let mut text = format!("{HEAD}{}|---{}|\n", cells(&head), "|--:".repeat(head.len() - 1));
    for case in &CASES {
        let of = |kind: &Speaker| {
            let lines = rows.iter().filter(|(row, _, _)| row.ours == *case && row.case.speaker == *kind);
            worst(lines.map(|(_, _, line)| Figures::of_theirs(line)))
        };
        // At the gateways that the others are measured at.
        let daemons = rows.iter().filter(|(row, _, _)| row.ours == *case).map(|(_, daemon, _)| *daemon);
        let own = worst(daemons.map(|daemon| Figures::of_ours(case, daemon, ours)));
        let title = if case.replicas == 3 { format!("{}, three replicas", case.title) } else { case.title.to_owned() };
        text += &cells(&[vec![title, own], kinds.iter().map(of).collect()].concat());
    }
    text += VERDICTS;
    let mut worse = String::new();
    for kind in &kinds {
        let mut counts = [[0; 3]; 3];
        let of_kind = rows.iter().filter(|(row, _, _)| row.case.speaker == *kind);
        for (row, daemon, line) in of_kind {
            let own = Figures::of_ours(&row.ours, *daemon, ours);
            let Some((own, theirs)) = own.zip(Figures::of_theirs(line)) else { continue };
            let found = own.beside(theirs);
            for (counts, found) in counts.iter_mut().zip(found) {
                counts[(found as i8 + 1).unsigned_abs() as usize] += 1;
            }
            let [lost, told, _] = found;
            let mut add =
                |what: String| worse += &format!("- {}, {kind}, at {}: {what}.\n", row.case.title, daemon.name());
            if lost.is_gt() {
                add(format!("Fingerpost {}, they {}", own.lost, theirs.lost));
            }
            if told.is_gt() {
                add(format!("Fingerpost tells after {}, they after {}", own.told(), theirs.told()));
            }
        }
        let compared: i32 = counts[0].iter().sum();
        let counts = counts.iter().flatten().map(ToString::to_string);
        text += &cells(&[kind.to_string(), compared.to_string()].into_iter().chain(counts).collect::<Vec<_>>());
    }
    if worse.is_empty() {
        worse = "- None.\n".to_owned();
    }
    format!("{text}{WHY}{worse}")
}

/// The worst of several rows in a cell.
fn worst(rows: impl Iterator<Item = Option<Figures>>) -> String {
    let rows: Vec<Option<Figures>> = rows.collect();
    if rows.is_empty() {
        return "none".to_owned();
    }
    let found = rows.into_iter().collect::<Option<Vec<_>>>();
    let found = found.and_then(|rows| rows.into_iter().reduce(Figures::worse));
    let shown = |worst: Figures| {
        let wrong = if worst.wrong_at_end { "; wrong at the end" } else { "" };
        format!("{}; {}{wrong}", worst.lost, worst.told())
    };
    found.map_or("not measured".to_owned(), shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str =
        "| a fault | BIRD 2.0.12 | FRR | 3 of 90 | 4 of 91 | 2, wrong at the end | 1 | 8 | 2.5 s | abc |";
    const OURS: &str = "| a fault | 2 | FRR | 0 of 90 | 0 of 91 | 0 | 0 | 16 | 0.1 s | – | 1.4 s | 2 |";

    #[test]
    fn rows_are_read_and_compared() {
        let (ours, theirs) = (Figures::read(OURS, 11).unwrap(), Figures::of_theirs(THEIRS).unwrap());
        assert_eq!(theirs, Figures { lost: 9, rewritten: 9, wrong_at_end: true, told: 2.5 });
        assert_eq!(ours.beside(theirs), [Ordering::Less, Ordering::Less, Ordering::Greater]);
        assert_eq!(ours.beside(ours), [Ordering::Equal; 3]);
        let never = Figures::of_theirs(&THEIRS.replace("2.5 s", "–")).unwrap();
        assert_eq!(never.beside(never)[1], Ordering::Equal);
        assert_eq!([ours.beside(never)[1], never.beside(ours)[1]], [Ordering::Less, Ordering::Greater]);
        assert_eq!(Figures::of_theirs(&THEIRS.replace("3 of 90", "not measured")), None);
    }

    #[test]
    fn the_worst_of_all_is_shown_and_what_is_missing_is_said() {
        let theirs = Figures::of_theirs(THEIRS);
        assert_eq!(worst([theirs, Figures::read(OURS, 11)].into_iter()), "9; 2.5 s; wrong at the end");
        assert_eq!(worst([theirs, None].into_iter()), "not measured");
        assert_eq!(worst(std::iter::empty()), "none");
    }
}
