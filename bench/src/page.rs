//! The figures in a page for people: what stands between two marks is replaced.

use crate::report::{Judged, Report, short};
use anyhow::Context;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

/// Puts the report into a Markdown file that has both marks.
pub(crate) fn write(report: &Report, file: &Path) -> anyhow::Result<()> {
    let place = || format!("{}", file.display());
    let page = std::fs::read_to_string(file).with_context(place)?;
    let page = replaced(&page, &section(report)?).with_context(place)?;
    std::fs::write(file, page).with_context(place)
}

fn replaced(page: &str, section: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).context("the page has no line <!-- measured: begin -->")?;
    let (_, after) = rest.split_once(END).context("the page has no line <!-- measured: end -->")?;
    Ok([before, BEGIN, section, END, after].concat())
}

fn section(report: &Report) -> Result<String, std::fmt::Error> {
    let machine = &report.machine;
    let mut text = format!(
        "{}, {} cores, {} MiB, Linux {}, etcd {}; load before: {}.\n",
        machine.processor, machine.cores, machine.memory_mib, machine.kernel, machine.etcd, machine.load_before
    );
    if report.quick || !report.optimised {
        text.push_str(
            "\n**Small sizes or a debug build: this shows that the harness works, and nothing about speed.**\n",
        );
    }
    text.push_str("\n| row | figure | Fingerpost | bare | min / median / max | target | met |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
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
    text.push('\n');
    for figure in &report.figures {
        for note in &figure.notes {
            writeln!(text, "- Row {}, {}: {note}.", figure.row, figure.name)?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced};

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = format!("# Title\n{BEGIN}old\n{END}\nThe end.\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("# Title\n{BEGIN}new\n{END}\nThe end.\n"));
        assert!(replaced("no marks", "new").is_err());
    }
}
