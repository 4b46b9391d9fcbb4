//! Tables of plain text, and the same answers for programs.

use super::client::Failure;
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;

/// How to print.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Aligned columns
    #[default]
    Table,
    /// More columns
    Wide,
    /// One JSON object
    Json,
    /// The same as YAML
    Yaml,
}

/// Prints for programs; false if a table is wanted.
pub(super) fn print_data(out: &mut dyn Write, format: Format, value: &impl Serialize) -> Result<bool, Failure> {
    let text = match format {
        Format::Table | Format::Wide => return Ok(false),
        Format::Json => serde_json::to_string_pretty(value).map_err(|error| Failure::Failed(error.to_string()))?,
        Format::Yaml => serde_yaml::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?,
    };
    writeln!(out, "{}", text.trim_end())?;
    Ok(true)
}

/// Columns, as wide as the widest cell so far: a table may come in pages.
pub(crate) struct Table {
    heads: Vec<&'static str>,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
    headed: bool,
}

impl Table {
    pub(crate) fn new(heads: &[&'static str], no_headers: bool) -> Self {
        let widths = heads.iter().map(|head| if no_headers { 0 } else { head.len() }).collect();
        Table { heads: heads.to_vec(), widths, rows: Vec::new(), headed: no_headers }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| plain(&cell)).collect();
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    /// Prints the rows that were not printed yet, each line after this indent.
    pub(crate) fn flush(&mut self, out: &mut dyn Write, indent: &str) -> std::io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.headed, true) {
            let heads: Vec<String> = self.heads.iter().map(|head| (*head).to_owned()).collect();
            self.line(out, indent, &heads)?;
        }
        rows.iter().try_for_each(|row| self.line(out, indent, row))
    }

    fn line(&self, out: &mut dyn Write, indent: &str, cells: &[String]) -> std::io::Result<()> {
        let mut line = indent.to_owned();
        for (cell, width) in cells.iter().zip(&self.widths) {
            let pad = width.saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', pad));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// Text of others on one line of a terminal, whatever it holds; `-` for nothing.
pub(super) fn plain(text: &str) -> String {
    if text.is_empty() {
        return "-".into();
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::Table;

    fn printed(no_headers: bool, pages: &[&[[&str; 2]]]) -> String {
        let mut table = Table::new(&["NAME", "STATE"], no_headers);
        let mut out = Vec::new();
        for page in pages {
            page.iter().for_each(|row| table.row(row.map(str::to_owned).into()));
            table.flush(&mut out, "").unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_headed_once() {
        assert_eq!(
            printed(false, &[&[["a", "up"], ["core-a", "down"]], &[["b", ""]]]),
            "NAME    STATE\na       up\ncore-a  down\nb       -\n"
        );
        assert_eq!(printed(true, &[&[["a", "up"]]]), "a  up\n");
        assert_eq!(printed(false, &[&[]]), "");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        assert_eq!(printed(true, &[&[["a\u{1b}[2J\n", "up"]]]), "a\\u{1b}[2J\\n  up\n");
    }
}
