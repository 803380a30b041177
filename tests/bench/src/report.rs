//! The results: as a table for people, as JSON for comparing, as Markdown for the README.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use stack::layout;

use crate::load::{CONNECTIONS, Sample};
use crate::machine::Machine;
use crate::memory::Memory;
use crate::race::Race;
use crate::targets;

/// All of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// Sessions that there were.
    pub(crate) sessions: usize,
    /// People who had them.
    pub(crate) people: usize,
    /// What was measured.
    pub(crate) rows: Vec<Row>,
    /// One refresh token in many hands: whose, and how it ended each time.
    pub(crate) races: Vec<(String, Vec<Race>)>,
    /// What a session takes in its ledger.
    pub(crate) storage: Option<Storage>,
    /// What the proxy needs.
    #[serde(default)]
    pub(crate) memory: Option<Memory>,
    /// How long it took, in seconds.
    pub(crate) took: u64,
}

/// A measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Of what.
    pub(crate) name: String,
    /// Requests per second: the median of the rounds.
    pub(crate) rate: f64,
    /// The rounds.
    pub(crate) rounds: Vec<f64>,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p95: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
    /// What it should be.
    pub(crate) targets: Vec<Target>,
}

/// What a number should be, and whether it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// Whether it is.
    pub(crate) met: bool,
    /// What it is and should be.
    pub(crate) text: String,
}

/// The SQLite files of the ledgers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Storage {
    /// How many.
    pub(crate) ledgers: u64,
    /// Sessions in them.
    #[serde(default)]
    pub(crate) sessions: usize,
    /// Bytes of the files.
    pub(crate) disk: u64,
    /// Bytes of their cells.
    pub(crate) content: u64,
}

impl Row {
    /// The rows of what was measured, with its targets.
    pub(crate) fn all(samples: &[(&str, &Sample)]) -> Vec<Self> {
        let row = |(name, sample): &(&str, &Sample)| Self {
            name: (*name).to_owned(),
            rate: sample.rate(),
            rounds: sample.rates.clone(),
            p50: sample.percentile(0.5),
            p95: sample.percentile(0.95),
            p99: sample.percentile(0.99),
            targets: targets::of(name, sample, samples),
        };
        samples.iter().map(row).collect()
    }
}

impl Report {
    /// As a table for a terminal.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("{}\n\n", self.circumstances());
        let _ =
            writeln!(text, "{:<42} {:>7} {:>8} {:>8} {:>8}", "", "req/s", "p50 ms", "p95", "p99");
        for row in &self.rows {
            let Row { name, rate, p50, p95, p99, targets, .. } = row;
            let _ = write!(text, "{name:<42} {rate:>7.0} {p50:>8.2} {p95:>8.2} {p99:>8.2}");
            let _ = writeln!(text, "  {}", marks(targets));
        }
        text.push('\n');
        for (name, races) in &self.races {
            let _ = writeln!(text, "{name}: {}", outcome(races));
        }
        if let Some(storage) = &self.storage {
            let _ = writeln!(text, "{}", stored(storage));
        }
        if let Some(memory) = &self.memory {
            let _ = writeln!(text, "{}", memory.text());
        }
        let _ = writeln!(text, "{} s", self.took);
        text
    }

    /// As Markdown, for the README.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.circumstances());
        text.push_str("| | req/s | p50 ms | p95 ms | p99 ms | target |\n");
        text.push_str("|---|--:|--:|--:|--:|---|\n");
        for row in &self.rows {
            let Row { name, rate, p50, p95, p99, targets, .. } = row;
            let _ = writeln!(
                text,
                "| {name} | {rate:.0} | {p50:.1} | {p95:.1} | {p99:.1} | {} |",
                marks(targets)
            );
        }
        if !self.races.is_empty() {
            text.push_str(
                "\n| one refresh token in 50 hands at once | what becomes of it |\n|---|---|\n",
            );
        }
        for (name, races) in &self.races {
            let _ = writeln!(text, "| {name} | {} |", outcome(races));
        }
        if let Some(storage) = &self.storage {
            let _ = writeln!(text, "\n{}", stored(storage));
        }
        if let Some(memory) = &self.memory {
            let _ = writeln!(text, "\n{}", memory.text());
        }
        text
    }

    /// Targets that were missed.
    pub(crate) fn missed(&self) -> usize {
        let targets = self.rows.iter().flat_map(|row| &row.targets);
        let memory = self.memory.is_some_and(|memory| !memory.is_met());
        targets.filter(|target| !target.met).count() + usize::from(memory)
    }

    /// Keep it as the latest.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn save(&self) -> Result<PathBuf> {
        let path = latest();
        fs::create_dir_all(path.parent().context("the file is in a folder")?)?;
        fs::write(&path, serde_json::to_string_pretty(self)?)?;
        Ok(path)
    }

    /// The latest one.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn latest() -> Result<Self> {
        let text = fs::read_to_string(latest()).context("nothing was measured yet")?;
        Ok(serde_json::from_str(&text)?)
    }

    fn circumstances(&self) -> String {
        let Machine { processor, cores, memory_gb, kernel, workerd, peer, commit } = &self.machine;
        let (sessions, people) = (self.sessions, self.people);
        format!(
            "{sessions} sessions of {people} people, {CONNECTIONS} connections; {cores} × {processor}, \
             {memory_gb} GB, {kernel}; {workerd}; peer: @cloudflare/workers-oauth-provider {peer}; \
             commit {commit}"
        )
    }
}

fn stored(storage: &Storage) -> String {
    let Storage { ledgers, sessions, disk, content } = *storage;
    let each = |bytes: u64| bytes as f64 / sessions.max(1) as f64;
    format!(
        "{ledgers} ledgers: {:.0} bytes per session, {:.0} on disk in SQLite's pages",
        each(content),
        each(disk)
    )
}

fn latest() -> PathBuf {
    layout::target().join("bench/latest.json")
}

fn marks(targets: &[Target]) -> String {
    let mark = |target: &Target| format!("{} {}", if target.met { "✓" } else { "✗" }, target.text);
    targets.iter().map(mark).collect::<Vec<_>>().join("; ")
}

/// The races of one service in words; a range where they differ.
fn outcome(races: &[Race]) -> String {
    let range = |of: fn(&Race) -> usize| {
        let (least, most) = (races.iter().map(of).min(), races.iter().map(of).max());
        match (least, most) {
            (Some(least), Some(most)) if least == most => least.to_string(),
            (Some(least), Some(most)) => format!("{least} to {most}"),
            _ => "no".to_owned(),
        }
    };
    format!(
        "{} granted, {} different tokens, {} of the {} can go on",
        range(|race| race.granted),
        range(|race| race.distinct),
        range(|race| race.alive),
        range(|race| race.hands)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn races_are_told_in_words() {
        let race = Race { hands: 50, granted: 50, distinct: 50, alive: 0 };
        let races = [race, Race { distinct: 49, alive: 1, ..race }];
        let expected = "50 granted, 49 to 50 different tokens, 0 to 1 of the 50 can go on";
        assert_eq!(outcome(&races), expected);
    }
}
