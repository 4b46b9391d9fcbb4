//! Lists of any length, printed while they are made: as one table for people, or as one object of JSON or YAML.

use crate::cli::admin::{Failure, Format, Table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Rows of a table that are aligned with each other.
const PAGE: usize = 1000;

/// See the module.
pub(super) struct Sheet<'a> {
    out: &'a mut dyn Write,
    format: Format,
    no_headers: bool,
    table: Table,
    /// Rows that wait to be printed.
    waiting: usize,
    /// Keys of the object so far.
    keys: usize,
    /// Items of the list so far.
    items: usize,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(out: &'a mut dyn Write, format: Format, no_headers: bool) -> Self {
        Sheet { out, format, no_headers, table: Table::new(&[], no_headers), waiting: 0, keys: 0, items: 0 }
    }

    pub(super) fn is_wide(&self) -> bool {
        self.format == Format::Wide
    }

    /// The heads of the table to come; programs have keys.
    pub(super) fn heads(&mut self, heads: &[&'static str]) {
        self.table = Table::new(heads, self.no_headers);
    }

    /// A key and its value; for programs only.
    pub(super) fn field(&mut self, key: &str, value: &impl Serialize) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide => {}
            Format::Json => {
                let text = indented(&json(value)?, "  ");
                self.key(key)?;
                write!(self.out, "{text}")?;
            }
            Format::Yaml => write!(self.out, "{}", yaml(&BTreeMap::from([(key, value)]))?)?,
        }
        Ok(())
    }

    /// A key whose value is a list.
    pub(super) fn list(&mut self, key: &str) -> Result<(), Failure> {
        self.items = 0;
        match self.format {
            Format::Table | Format::Wide => {}
            Format::Json => {
                self.key(key)?;
                write!(self.out, "[")?;
            }
            Format::Yaml => write!(self.out, "{key}:")?,
        }
        Ok(())
    }

    /// An item of the list, and the row that it is in the table.
    pub(super) fn item(&mut self, item: &impl Serialize, row: impl FnOnce() -> Vec<String>) -> Result<(), Failure> {
        match self.format {
            Format::Table | Format::Wide => {
                self.table.row(row());
                self.waiting += 1;
                if self.waiting == PAGE {
                    self.flush()?;
                }
            }
            Format::Json => {
                let text = indented(&json(item)?, "    ");
                write!(self.out, "{}\n    {text}", if self.items > 0 { "," } else { "" })?;
            }
            Format::Yaml => {
                let text = yaml(&[item])?;
                write!(self.out, "{}{text}", if self.items > 0 { "" } else { "\n" })?;
            }
        }
        self.items += 1;
        Ok(())
    }

    /// The list ends. A table goes on with the rows of the next one.
    pub(super) fn end_list(&mut self) -> Result<(), Failure> {
        match (self.format, self.items) {
            (Format::Table | Format::Wide, _) => {}
            (Format::Json, 0) => write!(self.out, "]")?,
            (Format::Json, _) => write!(self.out, "\n  ]")?,
            (Format::Yaml, 0) => writeln!(self.out, " []")?,
            (Format::Yaml, _) => {}
        }
        Ok(())
    }

    /// What is said behind the table, for people only: an empty line first.
    pub(super) fn lines(&mut self, lines: &[String]) -> Result<(), Failure> {
        if !matches!(self.format, Format::Table | Format::Wide) {
            return Ok(());
        }
        let rows = self.waiting > 0 || self.items > 0;
        self.flush()?;
        if self.no_headers {
            return Ok(());
        }
        if rows {
            writeln!(self.out)?;
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))?;
        Ok(())
    }

    /// Everything was said.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.format == Format::Json {
            writeln!(self.out, "{}}}", if self.keys > 0 { "\n" } else { "{" })?;
        }
        Ok(self.out.flush()?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.waiting = 0;
        self.table.flush(self.out, "")
    }

    fn key(&mut self, key: &str) -> io::Result<()> {
        write!(self.out, "{}\n  \"{key}\": ", if self.keys > 0 { "," } else { "{" })?;
        self.keys += 1;
        Ok(())
    }
}

fn indented(text: &str, by: &str) -> String {
    text.replace('\n', &format!("\n{by}"))
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Failed(error.to_string()))
}

/// With a line's end behind it.
fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_yaml::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(format!("{}\n", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::Sheet;
    use crate::cli::admin::Format;
    use serde_json::{Value, json};

    /// A list without items, one with two, and a field.
    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, format, false);
        sheet.heads(&["NAME", "STATE"]);
        sheet.list("none").unwrap();
        sheet.end_list().unwrap();
        sheet.list("some").unwrap();
        for name in ["a", "two\nlines"] {
            let item = json!({ "name": name, "more": { "list": ["x: y", "-"] } });
            sheet.item(&item, || vec![name.into(), "up".into()]).unwrap();
        }
        sheet.end_list().unwrap();
        sheet.field("same", &json!({ "a": [1, 2] })).unwrap();
        sheet.lines(&["that was all".into()]).unwrap();
        sheet.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_and_yaml_that_are_printed_item_by_item_are_one_object() {
        let item = |name| json!({ "name": name, "more": { "list": ["x: y", "-"] } });
        let whole = json!({ "none": [], "some": [item("a"), item("two\nlines")], "same": { "a": [1, 2] } });
        assert_eq!(serde_json::from_str::<Value>(&printed(Format::Json)).unwrap(), whole);
        assert_eq!(serde_yaml::from_str::<Value>(&printed(Format::Yaml)).unwrap(), whole);
    }

    #[test]
    fn people_get_one_table_and_what_follows_it() {
        assert_eq!(printed(Format::Table), "NAME        STATE\na           up\ntwo\\nlines  up\n\nthat was all\n");
    }
}
