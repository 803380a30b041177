//! Is the stored trail the one that the ledgers have delivered?
//!
//! What is found without looking anywhere else: a row that was removed from, changed in or inserted
//! into a chain; the end of a chain that was cut off (the sealed head says how far it went); a
//! beginning that was cut off (only a sealed checkpoint may stand for it). None of it can be covered
//! up by whoever has the database and not the keys, but by putting back an older state of it as a
//! whole, or by removing all there is of a ledger. That is found with [`Anchor`]s: heads that were
//! noted elsewhere, as by an earlier verification or by the ledgers themselves.
//!
//! A ledger whose store has lost writes goes on from an earlier link: a fork, both branches of which
//! are genuine. It is noted, and no finding; of the branch that was left, a removed end is not found.
//!
//! Pure: rows are fed in the order of ledger, number and link.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use data::audit::{CheckpointRow, EventRow, HeadRow};
use ledger::{AuditEvent, ChainedEvent, Link};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Seals;
use crate::seal::SealError;

/// A head that was noted outside of the database: so far, at least, a chain had been delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The address of the ledger.
    pub ledger: String,
    /// The last event.
    pub number: u64,
    /// Its link.
    pub hash: String,
}

/// Something that is not as it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The address of the ledger.
    pub ledger: String,
    /// At which event.
    pub number: u64,
    /// Its link, where there is a row.
    pub hash: Option<String>,
    /// What it is.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The event is not the one that the link was made of.
    Changed,
    /// The event says another number than its row.
    Misnumbered,
    /// The seal is wrong: the row was not delivered as it is.
    BadSeal,
    /// No key of the seal's version is given, so it cannot be told.
    UnknownKey(u8),
    /// It does not follow any row of the number before: one was removed or changed, or this inserted.
    Detached,
    /// The events from this number up to before the row are gone.
    Missing(u64),
    /// A checkpoint stands for the row, which should have been deleted with it.
    Deleted,
    /// There is no row of the head: the end of the chain was cut off.
    Truncated,
    /// The chain goes on behind its head: the head was put back.
    BehindHead,
    /// The chain has no head.
    Headless,
    /// The seal of the head or of the checkpoint is wrong.
    ForgedSeal,
    /// What was noted elsewhere is not there any more.
    AnchorLost,
}

/// What a verification came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains that were walked.
    pub ledgers: u64,
    /// Rows that were read.
    pub events: u64,
    /// Rows that are in no chain: of those, only a change is found.
    pub alone: u64,
    /// Chains that begin behind a checkpoint.
    pub checkpoints: u64,
    /// Where chains fork: ledger and number.
    pub forks: Vec<(String, u64)>,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<Finding>,
    /// The heads, to be noted elsewhere.
    pub anchors: Vec<Anchor>,
}

/// A verification under way.
pub struct Verifier<'a> {
    seals: &'a Seals,
    heads: BTreeMap<String, HeadRow>,
    checkpoints: BTreeMap<String, CheckpointRow>,
    anchors: BTreeMap<String, Vec<Anchor>>,
    chain: Option<Chain>,
    report: Report,
}

/// The chain that is being walked.
struct Chain {
    ledger: String,
    /// The number of the last row, or of the checkpoint.
    number: u64,
    /// The links of the number before, and of the number itself.
    before: BTreeSet<String>,
    here: BTreeSet<String>,
    /// Whether there is a row.
    rows: bool,
}

/// The link that a row should have; `None` if its links are none.
pub fn link(row: &EventRow) -> Option<String> {
    let prev: Link = row.prev.parse().ok()?;
    let hash = Sha256::new().chain_update(prev.as_bytes()).chain_update(&row.event).finalize();
    Some(Link::from_bytes(hash.into()).to_string())
}

/// Whether the event is in no chain, as on a store whose writers do not see each other.
pub(crate) fn is_alone(row: &EventRow) -> bool {
    row.number >= ChainedEvent::ALONE && row.prev == Link::default().to_string()
}

impl<'a> Verifier<'a> {
    /// Against these heads, checkpoints and anchors.
    pub fn new(
        seals: &'a Seals,
        heads: Vec<HeadRow>,
        checkpoints: Vec<CheckpointRow>,
        anchors: Vec<Anchor>,
    ) -> Self {
        let mut verifier = Self {
            seals,
            heads: heads.into_iter().map(|head| (head.ledger.clone(), head)).collect(),
            checkpoints: BTreeMap::new(),
            anchors: BTreeMap::new(),
            chain: None,
            report: Report::default(),
        };
        for anchor in anchors {
            verifier.anchors.entry(anchor.ledger.clone()).or_default().push(anchor);
        }
        verifier.take_checkpoints(checkpoints);
        verifier
    }

    /// The next row.
    pub fn event(&mut self, row: &EventRow) {
        if is_alone(row) {
            self.report.events += 1;
            self.report.alone += 1;
            self.check_row(row);
            self.look_for_anchors(row);
            return;
        }
        if self.chain.as_ref().is_none_or(|chain| chain.ledger != row.ledger) {
            self.end_chain();
            self.chain = Some(self.begin_chain(&row.ledger));
        }
        self.report.events += 1;
        self.check_row(row);
        let Some(chain) = self.chain.as_mut() else { return };
        match chain.advance(row) {
            Step::Fits => {}
            Step::Forks => self.report.forks.push((row.ledger.clone(), row.number)),
            Step::Wrong(problem) => self.find(row, problem),
        }
        self.look_for_anchors(row);
    }

    /// All rows have been fed.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.end_chain();
        // Ledgers of which there is no row.
        for ledger in self.heads.keys().cloned().collect::<Vec<_>>() {
            self.chain = Some(self.begin_chain(&ledger));
            self.end_chain();
        }
        let lost = std::mem::take(&mut self.anchors);
        for Anchor { ledger, number, hash } in lost.into_values().flatten() {
            let hash = Some(hash);
            self.report.findings.push(Finding {
                ledger,
                number,
                hash,
                problem: Problem::AnchorLost,
            });
        }
        self.report.findings.sort();
        self.report
    }

    /// The farthest genuine checkpoint of each chain counts.
    fn take_checkpoints(&mut self, checkpoints: Vec<CheckpointRow>) {
        for checkpoint in checkpoints {
            if let Err(error) = self.seals.check(&checkpoint) {
                let CheckpointRow { ledger, number, hash, .. } = checkpoint;
                self.report.findings.push(Finding {
                    ledger,
                    number,
                    hash: Some(hash),
                    problem: forged(error),
                });
                continue;
            }
            let farthest = self.checkpoints.get(&checkpoint.ledger).map_or(0, |other| other.number);
            if checkpoint.number > farthest {
                self.checkpoints.insert(checkpoint.ledger.clone(), checkpoint);
            }
        }
    }

    fn begin_chain(&mut self, ledger: &str) -> Chain {
        self.report.ledgers += 1;
        let checkpoint = self.checkpoints.get(ledger);
        self.report.checkpoints += u64::from(checkpoint.is_some());
        let (number, hash) = match checkpoint {
            Some(checkpoint) => (checkpoint.number, checkpoint.hash.clone()),
            None => (0, Link::default().to_string()),
        };
        if let Some(anchors) = self.anchors.get_mut(ledger) {
            // What was deleted behind a checkpoint had been there.
            anchors.retain(|anchor| {
                anchor.number > number || anchor.number == number && anchor.hash != hash
            });
        }
        let here = BTreeSet::from([hash]);
        Chain { ledger: ledger.to_owned(), number, before: BTreeSet::new(), here, rows: false }
    }

    fn check_row(&mut self, row: &EventRow) {
        if link(row).as_ref() != Some(&row.hash) {
            self.find(row, Problem::Changed);
        } else if serde_json::from_str::<AuditEvent>(&row.event)
            .is_ok_and(|event| event.id != row.number)
        {
            self.find(row, Problem::Misnumbered);
        }
        match self.seals.check(row) {
            Ok(()) => {}
            Err(SealError::UnknownKey(key)) => self.find(row, Problem::UnknownKey(key)),
            Err(SealError::Wrong) => self.find(row, Problem::BadSeal),
        }
    }

    fn end_chain(&mut self) {
        let Some(chain) = self.chain.take() else { return };
        let Some(head) = self.heads.remove(&chain.ledger) else {
            let Chain { ledger, number, .. } = chain;
            let problem = Problem::Headless;
            self.report.findings.push(Finding { ledger, number, hash: None, problem });
            return;
        };
        let problem = match self.seals.check(&head) {
            Err(error) => Some(forged(error)),
            Ok(()) if head.number > chain.number => Some(Problem::Truncated),
            Ok(()) if head.number < chain.number => Some(Problem::BehindHead),
            Ok(()) if !chain.here.contains(&head.hash) => Some(Problem::Truncated),
            Ok(()) => None,
        };
        let HeadRow { ledger, number, hash, .. } = head;
        if let Some(problem) = problem {
            let hash = Some(hash.clone());
            self.report.findings.push(Finding { ledger: ledger.clone(), number, hash, problem });
        }
        self.report.anchors.push(Anchor { ledger, number, hash });
    }

    fn look_for_anchors(&mut self, row: &EventRow) {
        if let Some(anchors) = self.anchors.get_mut(&row.ledger) {
            anchors.retain(|anchor| anchor.number != row.number || anchor.hash != row.hash);
        }
    }

    fn find(&mut self, row: &EventRow, problem: Problem) {
        self.report.findings.push(Finding {
            ledger: row.ledger.clone(),
            number: row.number,
            hash: Some(row.hash.clone()),
            problem,
        });
    }
}

enum Step {
    Fits,
    Forks,
    Wrong(Problem),
}

impl Chain {
    /// Goes on to the next row. Whatever is wrong with it, the rows behind it are held against it: one
    /// change is one finding.
    fn advance(&mut self, row: &EventRow) -> Step {
        if row.number < self.number || row.number == self.number && !self.rows {
            return Step::Wrong(Problem::Deleted);
        }
        if row.number == self.number {
            let fits = self.before.contains(&row.prev);
            self.here.insert(row.hash.clone());
            return if fits { Step::Forks } else { Step::Wrong(Problem::Detached) };
        }
        let first_missing = self.number + 1;
        self.before = std::mem::replace(&mut self.here, BTreeSet::from([row.hash.clone()]));
        (self.number, self.rows) = (row.number, true);
        if row.number > first_missing {
            // So that others of this number are held against the same.
            self.before = BTreeSet::from([row.prev.clone()]);
            return Step::Wrong(Problem::Missing(first_missing));
        }
        if self.before.contains(&row.prev) { Step::Fits } else { Step::Wrong(Problem::Detached) }
    }
}

const fn forged(error: SealError) -> Problem {
    match error {
        SealError::UnknownKey(key) => Problem::UnknownKey(key),
        SealError::Wrong => Problem::ForgedSeal,
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger {} event {}", self.ledger, self.number)?;
        if let Some(hash) = &self.hash {
            write!(f, " ({hash})")?;
        }
        match self.problem {
            Problem::Changed => f.write_str(": changed; the event is not the one of its link"),
            Problem::Misnumbered => f.write_str(": the event says another number"),
            Problem::BadSeal => f.write_str(": changed or inserted; its seal is wrong"),
            Problem::UnknownKey(key) => write!(f, ": no key {key} is given, by which it is sealed"),
            Problem::Detached => f.write_str(": does not follow the event before it"),
            Problem::Missing(from) if from + 1 == self.number => {
                write!(f, ": event {from} before it is missing")
            }
            Problem::Missing(from) => {
                write!(f, ": events {from} to {} before it are missing", self.number - 1)
            }
            Problem::Deleted => f.write_str(": a checkpoint says that it was deleted"),
            Problem::Truncated => f.write_str(": missing, and it is the head of the chain"),
            Problem::BehindHead => f.write_str(
                ": is said to be the head, and the chain goes on; the head was put back",
            ),
            Problem::Headless => f.write_str(": the chain has no head"),
            Problem::ForgedSeal => f.write_str(": the seal of the head or checkpoint is wrong"),
            Problem::AnchorLost => f.write_str(": was noted as a head, and is gone"),
        }
    }
}
