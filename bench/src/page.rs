//! The figures in a page for people: what stands between two marks is replaced, row by row.

use crate::report::{Judged, Report, short};
use anyhow::Context;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

/// Puts the report into a Markdown file that has both marks. What the page says of rows that were not measured now stays.
pub(crate) fn write(report: &Report, file: &Path) -> anyhow::Result<()> {
    let place = || format!("{}", file.display());
    let page = std::fs::read_to_string(file).with_context(place)?;
    let page = merged(&page, &section(report)?).with_context(place)?;
    std::fs::write(file, page).with_context(place)
}

/// What stands between the marks, line by line.
#[derive(Default)]
struct Section {
    /// Which rows were measured where.
    places: Vec<(BTreeSet<u8>, String)>,
    /// Each figure's line in the table, with its row.
    figures: Vec<(u8, String)>,
    notes: Vec<(u8, String)>,
}

const HEAD: &str =
    "| row | figure | Fingerpost | bare | min / median / max | target | met |\n|---|---|---|---|---|---|---|\n";

impl Section {
    fn parse(text: &str) -> Self {
        let mut section = Section::default();
        let number = |text: &str| text.trim().parse::<u8>().ok();
        for text in text.lines() {
            let line = || text.to_owned();
            if let Some((row, _)) = text.strip_prefix("| ").and_then(|rest| rest.split_once(" |")) {
                section.figures.extend(number(row).map(|row| (row, line())));
            } else if let Some((row, _)) = text.strip_prefix("- Row ").and_then(|rest| rest.split_once(',')) {
                section.notes.extend(number(row).map(|row| (row, line())));
            } else if let Some((rows, place)) = text.strip_prefix("- Rows ").and_then(|rest| rest.split_once(": ")) {
                section.places.push((rows.split(',').filter_map(number).collect(), place.to_owned()));
            }
        }
        section
    }

    /// Takes the place of what was said of the same rows.
    fn merge(mut self, newer: Section) -> Self {
        let measured: BTreeSet<u8> = newer.figures.iter().map(|(row, _)| *row).collect();
        for (rows, _) in &mut self.places {
            rows.retain(|row| !measured.contains(row));
        }
        self.places.retain(|(rows, _)| !rows.is_empty());
        self.figures.retain(|(row, _)| !measured.contains(row));
        self.notes.retain(|(row, _)| !measured.contains(row));
        self.places.extend(newer.places);
        self.figures.extend(newer.figures);
        self.notes.extend(newer.notes);
        self.places.sort();
        self.figures.sort_by_key(|(row, _)| *row);
        self.notes.sort_by_key(|(row, _)| *row);
        self
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (rows, place) in &self.places {
            let rows: Vec<String> = rows.iter().map(u8::to_string).collect();
            text.push_str(&format!("- Rows {}: {place}\n", rows.join(", ")));
        }
        let lines = |lines: &[(u8, String)]| lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
        text.push('\n');
        text.push_str(HEAD);
        text.push_str(&lines(&self.figures));
        text.push('\n');
        text.push_str(&lines(&self.notes));
        text
    }
}

fn merged(page: &str, newer: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no line <!-- measured: begin -->")?;
    let (older, after) = rest.split_once(END).context("the page has no line <!-- measured: end -->")?;
    let section = Section::parse(older).merge(Section::parse(newer)).text();
    Ok([before, BEGIN, &section, END, after].concat())
}

fn section(report: &Report) -> Result<String, std::fmt::Error> {
    let machine = &report.machine;
    let rows: BTreeSet<u8> = report.figures.iter().map(|figure| figure.row).collect();
    let rows: Vec<String> = rows.iter().map(u8::to_string).collect();
    let mut text = format!(
        "- Rows {}: {}, {} cores, {} MiB, Linux {}, etcd {}; load before: {}.",
        rows.join(", "),
        machine.processor,
        machine.cores,
        machine.memory_mib,
        machine.kernel,
        machine.etcd,
        machine.load_before
    );
    if report.quick || !report.optimised {
        text.push_str(" **Small sizes or a debug build: this shows that the harness works, and nothing about speed.**");
    }
    text.push('\n');
    for figure in &report.figures {
        let Judged { unit, summary, most } = &figure.judged;
        let bare =
            figure.bare.as_ref().map_or_else(String::new, |bare| format!("{} {}", short(bare.median), figure.unit));
        writeln!(
            text,
            "| {} | {} | {} {} | {bare} | {} / {} / {} {unit} | ≤ {} {unit} | {} |",
            figure.row,
            figure.name,
            short(figure.fingerpost.median),
            figure.unit,
            short(summary.min),
            short(summary.median),
            short(summary.max),
            short(*most),
            if figure.met { "yes" } else { "**no**" }
        )?;
    }
    for figure in &report.figures {
        for note in &figure.notes {
            writeln!(text, "- Row {}, {}: {note}.", figure.row, figure.name)?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, HEAD, merged};

    #[test]
    fn only_what_was_measured_is_replaced() {
        let page = format!(
            "# Title\n{BEGIN}- Rows 1, 2: here.\n\n{HEAD}| 1 | one | old |\n| 2 | two | old |\n\n- Row 1, one: old.\n{END}\nThe end.\n"
        );
        let newer = "- Rows 2, 5: there.\n| 2 | two | new |\n| 5 | five | new |\n- Row 5, five: new.\n";
        let expected = format!(
            "# Title\n{BEGIN}- Rows 1: here.\n- Rows 2, 5: there.\n\n{HEAD}| 1 | one | old |\n| 2 | two | new |\n| 5 | five | new |\n\n\
             - Row 1, one: old.\n- Row 5, five: new.\n{END}\nThe end.\n"
        );
        assert_eq!(merged(&page, newer).unwrap(), expected);
        assert_eq!(merged(&expected, newer).unwrap(), expected, "the same again");
        assert!(merged("no marks", newer).is_err());
    }
}
