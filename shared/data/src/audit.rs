//! The audit trail: added to and verified by the service, read by the person it is about.

use ports::{Millis, Rows, Sql, Statement};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::error::{Rule, columns, explain, explain_service, only_row, required};
use crate::session::{Caller, as_service, one_as_service, one_as_user};

const ADD: &str = include_str!("../queries/audit_add.sql");
const MOVE_HEAD: &str = include_str!("../queries/audit_move_head.sql");
const LIST: &str = include_str!("../queries/audit_list.sql");
const EVENTS: &str = include_str!("../queries/audit_events.sql");
const HEADS: &str = include_str!("../queries/audit_heads.sql");
const CHECKPOINTS: &str = include_str!("../queries/audit_checkpoints.sql");
const OLD: &str = include_str!("../queries/audit_old.sql");
const RETAIN: &str = include_str!("../queries/audit_retain.sql");
const WHAT: &str = "audit trail";
const RULES: &[Rule] = &[];

/// The longest page that people are served.
pub const MAX_PAGE: u16 = 100;

/// An event as it is stored. Links, addresses and seals are lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its link: SHA-256 over `prev` and `event`. Its name, too.
    pub hash: String,
    /// The address of the ledger.
    pub ledger: String,
    /// Its place in the chain of the ledger, from 1.
    pub number: u64,
    /// The link before it.
    pub prev: String,
    /// The seal over ledger, number, hash and subject.
    pub seal: String,
    /// The version of the key of the seal.
    pub key_id: u8,
    /// The person whose ledger it is.
    pub subject: Option<String>,
    /// The event, as the ledger has hashed it.
    pub event: String,
}

/// How far a chain has been delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadRow {
    /// The address of the ledger.
    pub ledger: String,
    /// The last event that was delivered.
    pub number: u64,
    /// Its link.
    pub hash: String,
    /// The seal over the above.
    pub seal: String,
    /// The version of the key of the seal.
    pub key_id: u8,
}

/// Up to where a chain has been deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRow {
    /// The address of the ledger.
    pub ledger: String,
    /// The last event that was deleted.
    pub number: u64,
    /// Its link.
    pub hash: String,
    /// How many rows were deleted.
    pub count: u64,
    /// When.
    pub at: Millis,
    /// The seal over the above.
    pub seal: String,
    /// The version of the key of the seal.
    pub key_id: u8,
}

/// The beginning of a chain that is old enough to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Beginning {
    /// Its last event.
    pub row: EventRow,
    /// How many rows it has.
    pub count: u64,
}

/// An event as the person it is about is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its link.
    pub hash: String,
    /// Its place in the chain.
    pub number: u64,
    /// What happened.
    pub kind: String,
    /// When.
    pub at: Millis,
    /// To which session.
    pub session_id: Option<String>,
    /// Whose client.
    pub client_id: Option<String>,
    /// In which organization.
    pub organization_id: Option<String>,
    /// `client`, `operator` or `service`.
    pub actor: String,
    /// How it came out.
    pub outcome: String,
    /// Why, or what is to be known besides.
    pub reason: Option<String>,
    /// On which device.
    pub device: Option<String>,
    /// In which network.
    pub network: Option<String>,
    /// By which request.
    pub request_id: Option<String>,
    /// In which trace.
    pub trace_id: Option<String>,
    /// For how many alike it stands.
    pub count: u32,
}

/// Which events are wanted; `None` wants all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this session.
    pub session: Option<String>,
    /// Of one of these kinds.
    pub kinds: Option<Vec<String>>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// That happened then or later.
    pub from: Option<Millis>,
    /// That happened before.
    pub to: Option<Millis>,
    /// That come after this one.
    pub after: Option<Place>,
}

/// A place in the list: the newest first, and of those at one moment the greatest link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub at: Millis,
    /// Which.
    pub hash: String,
}

/// Add events; those that are there already stay as they are. For [`crate::as_service`].
///
/// # Errors
/// [`DataError::Internal`] if they have no JSON form.
pub fn add(rows: &[EventRow]) -> Result<Statement<'static>, DataError> {
    Ok(Statement { text: ADD, parameters: vec![Some(json(&rows)?)] })
}

/// Move the head of a chain forward; one that is farther stays as it is. For [`crate::as_service`].
///
/// # Errors
/// [`DataError::Internal`] if it has no JSON form.
pub fn move_head(head: &HeadRow) -> Result<Statement<'static>, DataError> {
    Ok(Statement { text: MOVE_HEAD, parameters: vec![Some(json(head)?)] })
}

/// The caller's events, the newest first, at most `limit` (1 to [`MAX_PAGE`]), and where the next
/// page begins.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    filter: Filter,
    limit: u16,
) -> Result<(Vec<Entry>, Option<Place>), DataError> {
    let limit = usize::from(limit.clamp(1, MAX_PAGE));
    let millis = |at: Option<Millis>| at.map(|at| at.to_string());
    let (after_at, after_hash) = filter.after.map(|place| (place.at, place.hash)).unzip();
    let parameters = vec![
        filter.session,
        filter.kinds.map(|kinds| json(&kinds)).transpose()?,
        filter.outcome,
        millis(filter.from),
        millis(filter.to),
        millis(after_at),
        after_hash,
        // One more than asked for tells whether there is a next page.
        Some((limit + 1).to_string()),
    ];
    let rows = one_as_user(sql, caller, Statement { text: LIST, parameters })
        .await
        .map_err(|error| explain(error, WHAT, RULES))?;
    let mut entries: Vec<Entry> = read(rows)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let next = last.map(|entry| Place { at: entry.at, hash: entry.hash.clone() });
    Ok((entries, next))
}

/// Events of all ledgers by address, number and link, from behind this one on.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn events(
    sql: &impl Sql,
    after: Option<&EventRow>,
    limit: u16,
) -> Result<Vec<EventRow>, DataError> {
    let (ledger, number, hash) =
        after.map(|row| (row.ledger.clone(), row.number, row.hash.clone())).unwrap_or_default();
    let parameters = vec![Some(ledger), Some(number.to_string()), Some(hash), page(limit)];
    all(sql, Statement { text: EVENTS, parameters }).await
}

/// Heads by address, from behind this one on.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn heads(
    sql: &impl Sql,
    after: Option<&HeadRow>,
    limit: u16,
) -> Result<Vec<HeadRow>, DataError> {
    let ledger = after.map(|row| row.ledger.clone()).unwrap_or_default();
    all(sql, Statement { text: HEADS, parameters: vec![Some(ledger), page(limit)] }).await
}

/// Checkpoints by address and number, from behind this one on.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn checkpoints(
    sql: &impl Sql,
    after: Option<&CheckpointRow>,
    limit: u16,
) -> Result<Vec<CheckpointRow>, DataError> {
    let (ledger, number) = after.map(|row| (row.ledger.clone(), row.number)).unwrap_or_default();
    let parameters = vec![Some(ledger), Some(number.to_string()), page(limit)];
    all(sql, Statement { text: CHECKPOINTS, parameters }).await
}

/// The longest beginnings of chains all of which happened before that moment, by address, from behind
/// this one on. Each ends in the only row of its number.
///
/// # Errors
/// [`DataError::Unavailable`], [`DataError::Internal`].
pub async fn old_beginnings(
    sql: &impl Sql,
    before: Millis,
    after: &str,
    limit: u16,
) -> Result<Vec<Beginning>, DataError> {
    let parameters = vec![Some(before.to_string()), Some(after.to_owned()), page(limit)];
    all(sql, Statement { text: OLD, parameters }).await
}

/// Delete beginnings of chains, all of which happened before that moment, and leave the checkpoints
/// behind: all of it or nothing. Says how many rows it were.
///
/// # Errors
/// [`DataError::Internal`] if a checkpoint is not that of the rows, or the moment is less than a day
/// ago.
pub async fn retain(
    sql: &impl Sql,
    checkpoints: &[CheckpointRow],
    before: Millis,
) -> Result<u64, DataError> {
    let statement = |checkpoint| -> Result<Statement<'_>, DataError> {
        let parameters = vec![Some(json(checkpoint)?), Some(before.to_string())];
        Ok(Statement { text: RETAIN, parameters })
    };
    let statements = checkpoints.iter().map(statement).collect::<Result<_, _>>()?;
    let results =
        as_service(sql, statements).await.map_err(|error| explain_service(error, WHAT, RULES))?;
    let count = |rows| -> Result<u64, DataError> {
        let [count] = columns(only_row(rows)?)?;
        let count = required(count)?;
        count.parse().map_err(|_| DataError::Internal(format!("a count of {count}")))
    };
    results.into_iter().map(count).sum()
}

async fn all<T: DeserializeOwned>(
    sql: &impl Sql,
    statement: Statement<'_>,
) -> Result<Vec<T>, DataError> {
    let rows = one_as_service(sql, statement)
        .await
        .map_err(|error| explain_service(error, WHAT, RULES))?;
    read(rows)
}

/// Rows of one column of JSON.
fn read<T: DeserializeOwned>(rows: Rows) -> Result<Vec<T>, DataError> {
    let parse = |row: Vec<Option<String>>| {
        let [text] = columns(row)?;
        serde_json::from_slice(required(text)?.as_bytes())
            .map_err(|error| DataError::Internal(format!("{WHAT}: {error}")))
    };
    rows.rows.into_iter().map(parse).collect()
}

fn json(value: &impl Serialize) -> Result<String, DataError> {
    serde_json::to_string(value).map_err(|error| DataError::Internal(error.to_string()))
}

fn page(limit: u16) -> Option<String> {
    Some(limit.to_string())
}
