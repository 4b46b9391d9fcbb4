//! What was measured, as a table for people and as JSON.

use anyhow::Context;
use serde::Serialize;
use std::path::Path;

/// One line of the table.
#[derive(Serialize, Debug)]
pub(crate) struct Figure {
    /// Which part of the design's table it belongs to.
    pub(crate) row: u8,
    pub(crate) name: String,
    /// Of the two columns side by side.
    pub(crate) unit: &'static str,
    pub(crate) fingerpost: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bare: Option<Summary>,
    /// What the target is about.
    pub(crate) judged: Judged,
    /// Whether the median reaches the target.
    pub(crate) met: bool,
    /// What else was counted, to show that it was the work meant.
    pub(crate) notes: Vec<String>,
}

/// What the target is about.
#[derive(Serialize, Debug)]
pub(crate) struct Judged {
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// The target.
    pub(crate) most: f64,
}

/// The runs of one figure.
#[derive(Serialize, Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
    /// One value a run, in their order.
    pub(crate) runs: Vec<f64>,
}

impl Summary {
    pub(crate) fn of(runs: Vec<f64>) -> Self {
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (sorted.first().copied().unwrap_or_default(), sorted.last().copied().unwrap_or_default());
        Summary { min, median: quantile(&sorted, 0.5), max, runs }
    }
}

/// The value below which this share of the sorted values lies.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

impl Figure {
    /// Fingerpost against the bare minimum, pair by pair.
    pub(crate) fn ratio(row: u8, name: impl Into<String>, unit: &'static str, pairs: &[(f64, f64)], most: f64) -> Self {
        let ratios = pairs.iter().map(|(ours, bare)| ours / bare).collect();
        let bare = Some(Summary::of(pairs.iter().map(|pair| pair.1).collect()));
        Self::new(row, name.into(), unit, pairs.iter().map(|pair| pair.0).collect(), bare, "×", ratios, most)
    }

    /// A figure whose target is about something else than the ratio of both columns.
    #[expect(clippy::too_many_arguments, reason = "one place for all columns of a line")]
    pub(crate) fn new(
        row: u8,
        name: String,
        unit: &'static str,
        fingerpost: Vec<f64>,
        bare: Option<Summary>,
        judged_unit: &'static str,
        judged: Vec<f64>,
        most: f64,
    ) -> Self {
        let judged = Judged { unit: judged_unit, summary: Summary::of(judged), most };
        let met = judged.summary.median <= most;
        Figure { row, name, unit, fingerpost: Summary::of(fingerpost), bare, judged, met, notes: Vec::new() }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Everything that was measured, and where.
#[derive(Serialize, Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Small sizes: proves that the harness works, and nothing about speed.
    pub(crate) quick: bool,
    pub(crate) optimised: bool,
    pub(crate) figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut lines =
            vec![["row", "figure", "Fingerpost", "bare", "min / median / max", "target", "met"].map(String::from)];
        for figure in &self.figures {
            let Judged { unit, summary, most } = &figure.judged;
            lines.push([
                figure.row.to_string(),
                figure.name.clone(),
                format!("{} {}", short(figure.fingerpost.median), figure.unit),
                figure.bare.as_ref().map_or_else(String::new, |bare| format!("{} {}", short(bare.median), figure.unit)),
                format!("{} / {} / {} {unit}", short(summary.min), short(summary.median), short(summary.max)),
                format!("≤ {} {unit}", short(*most)),
                if figure.met { "yes" } else { "no" }.into(),
            ]);
        }
        let width = |column: usize| lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max();
        let widths: Vec<usize> = (0..7).map(|column| width(column).unwrap_or_default()).collect();
        let mut text = String::new();
        for line in &lines {
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        for figure in &self.figures {
            for note in &figure.notes {
                text.push_str(&format!("row {}, {}: {note}\n", figure.row, figure.name));
            }
        }
        text
    }
}

/// Three digits are enough for people.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        0.0..0.1 => format!("{value:.4}"),
        0.1..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Where it was measured.
#[derive(Serialize, Debug)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    pub(crate) memory_mib: u64,
    pub(crate) etcd: String,
    /// Of the last minute, before the measurement: other work makes the figures worse.
    pub(crate) load_before: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let etcd = std::process::Command::new("etcd").arg("--version").output().map(|output| output.stdout);
        Machine {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024,
            etcd: field(&String::from_utf8_lossy(&etcd.unwrap_or_default()), "etcd Version"),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}
