use data::DataError;
use data::audit::{self, CheckpointRow, EventRow, HeadRow};
use ports::Sql;

use crate::Seals;
use crate::verify::{Anchor, Report, Verifier};

/// Rows that are read at a time.
const PAGE: u16 = 1_000;

/// Verify all that is stored. The database must answer out of one snapshot (a transaction that reads
/// repeatably): what is delivered in between would look like rows without a head.
///
/// # Errors
/// If the database is away, or holds what is no row of a trail.
pub async fn walk(
    sql: &impl Sql,
    seals: &Seals,
    anchors: Vec<Anchor>,
) -> Result<Report, DataError> {
    let (heads, checkpoints) = (heads(sql).await?, checkpoints(sql).await?);
    let mut verifier = Verifier::new(seals, heads, checkpoints, anchors);
    let mut last: Option<EventRow> = None;
    loop {
        let mut page = audit::events(sql, last.as_ref(), PAGE).await?;
        page.iter().for_each(|row| verifier.event(row));
        match page.pop() {
            Some(row) => last = Some(row),
            None => return Ok(verifier.finish()),
        }
    }
}

async fn heads(sql: &impl Sql) -> Result<Vec<HeadRow>, DataError> {
    let mut all: Vec<HeadRow> = Vec::new();
    loop {
        let page = audit::heads(sql, all.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn checkpoints(sql: &impl Sql) -> Result<Vec<CheckpointRow>, DataError> {
    let mut all: Vec<CheckpointRow> = Vec::new();
    loop {
        let page = audit::checkpoints(sql, all.last(), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
