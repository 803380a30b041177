//! Retention: old events are deleted, behind a sealed checkpoint that stands for them.

use data::DataError;
use data::audit::{self, CheckpointRow, EventRow};
use ports::{Millis, Sql};

use crate::Seals;
use crate::seal::SealError;
use crate::verify::link;

/// So many days are kept, unless told otherwise.
pub const DAYS: u32 = 30;

const DAY: Millis = 24 * 60 * 60 * 1_000;
/// Chains that are shortened in one transaction.
const PAGE: u16 = 100;

/// What retention has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    /// Chains that were shortened.
    pub ledgers: u64,
    /// Events that were deleted.
    pub events: u64,
    /// Chains that were left as they are: ledger and number of the row that is not as it was
    /// delivered, and what is wrong with it. `verify` says more.
    pub refused: Vec<(String, u64, &'static str)>,
}

/// Delete what happened more than `days` days ago, at least one. Of each chain the longest beginning
/// that is old enough goes, in one transaction with its checkpoint; the row that the checkpoint is
/// made of must be as it was delivered, so that nobody gets a forged chain sealed.
///
/// # Errors
/// If the database is away or refuses; what was deleted by then has its checkpoints.
pub async fn retain(
    sql: &impl Sql,
    seals: &Seals,
    now: Millis,
    days: u32,
) -> Result<Retained, DataError> {
    let before = now.saturating_sub(Millis::from(days.max(1)) * DAY);
    let (mut retained, mut after) = (Retained::default(), String::new());
    loop {
        let page = audit::old_beginnings(sql, before, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(retained) };
        after.clone_from(&last.row.ledger);
        let mut checkpoints = Vec::new();
        for beginning in page {
            let row = beginning.row;
            if let Some(problem) = problem(seals, &row) {
                retained.refused.push((row.ledger, row.number, problem));
                continue;
            }
            let EventRow { ledger, number, hash, .. } = row;
            let (seal, count) = (String::new(), beginning.count);
            let checkpoint =
                CheckpointRow { ledger, number, hash, count, at: now, seal, key_id: 0 };
            checkpoints.push(seals.seal(checkpoint));
            retained.ledgers += 1;
        }
        retained.events += audit::retain(sql, &checkpoints, before).await?;
    }
}

fn problem(seals: &Seals, row: &EventRow) -> Option<&'static str> {
    if link(row).as_deref() != Some(row.hash.as_str()) {
        return Some("the event is not the one that its link was made of");
    }
    match seals.check(row) {
        Ok(()) => None,
        Err(SealError::UnknownKey(_)) => Some("no key of its seal's version is given"),
        Err(SealError::Wrong) => Some("its seal is wrong"),
    }
}
