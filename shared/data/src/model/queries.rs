//! Queries that people keep, and how queries have gone. A private query is its maker's alone; to let the
//! workspace see it takes the role member.

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Creation, change, organization, part, read, statement, write};
use super::cursor::{self, Position};
use super::record::Record;
use super::workspaces::{on, one};
use super::{
    Attempt, Change, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write,
    Written, check,
};
use crate::session::Caller;

/// Who sees a query.
pub const VISIBILITIES: &[&str] = &["private", "workspace"];
/// The longest time that statistics are told of, in days.
pub const MOST_DAYS: u16 = 366;

/// A query that somebody keeps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SavedQuery {
    /// Its key.
    pub id: String,
    /// Where it is.
    pub workspace_id: String,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is asked for; what it means is the caller's affair.
    pub query: Object,
    /// One of [`VISIBILITIES`].
    pub visibility: String,
    /// Whose it is.
    pub created_by: String,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// A query to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSavedQuery {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// Where it is to be.
    pub workspace: String,
    /// One line of 1 to 200 characters, another than the caller's others there.
    pub name: String,
    /// Up to 4000 characters.
    pub description: Option<String>,
    /// What is asked for.
    pub query: Object,
    /// One of [`VISIBILITIES`].
    pub visibility: String,
}

/// A change of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedQueryChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another name.
    pub name: Change<String>,
    /// Another description, or none.
    pub description: Change<Option<String>>,
    /// Another query.
    pub query: Change<Object>,
    /// Another visibility.
    pub visibility: Change<String>,
}

/// How a query went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// In which workspace.
    pub workspace: String,
    /// Of which kind: a small word.
    pub operation: String,
    /// The same for all that differ in values only: 16 to 64 hexadecimal digits.
    pub fingerprint: String,
    /// Which one that somebody keeps, if it is.
    pub saved_query: Option<String>,
    /// Whether it had no result.
    pub failed: bool,
    /// How many rows it found.
    pub rows: u32,
    /// How long it took, in microseconds.
    pub time: u32,
}

/// How queries of one kind have gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueryStatistics {
    /// Of which kind.
    pub operation: String,
    /// How many there were.
    pub executions: u64,
    /// How many of them had no result.
    pub failures: u64,
    /// How many rows they have found.
    pub rows: u64,
    /// How long they took on average, in microseconds.
    pub mean_time: u64,
    /// How long the longest took, in microseconds.
    pub max_time: u64,
    /// When the last one was: RFC 3339, UTC, milliseconds.
    pub last_at: String,
}

/// Keep a query.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `workspace_id`, [`Error::Conflict`] for `name` and `id`,
/// [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewSavedQuery,
    attempt: &Attempt,
) -> Write<SavedQuery> {
    let org = organization(caller)?;
    let workspace = check::uuid(&new.workspace, "workspace_id")?;
    check::line(&new.name, 200, "name")?;
    check::maybe_text(new.description.as_ref(), 4000, "description")?;
    check::object(&new.query, check::MOST_ATTRIBUTES, "query")?;
    check::word(&new.visibility, VISIBILITIES, "visibility")?;
    let needs = if new.visibility == "private" { "viewer" } else { "member" };
    let creation = Creation {
        what: "saved_query",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/saved_query_create.sql"),
        parameters: vec![
            Some(org.clone()),
            Some(workspace.clone()),
            Some(new.name),
            new.description,
            Some(Value::Object(new.query).to_string()),
            Some(new.visibility),
        ],
        replay: include_str!("../../queries/model/saved_query_replay.sql"),
        replay_parameters: vec![Some(workspace), Some(org)],
        needs,
        missing: "workspace_id",
        within: Vec::new(),
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: saved(written.value)?, replayed: written.replayed })
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<SavedQuery> {
    saved(one(sql, caller, include_str!("../../queries/model/saved_query_find.sql"), id).await?)
}

/// Those of a workspace that the caller may see, in the order of their creation.
///
/// # Errors
/// [`Error::Invalid`] for `workspace_id` or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    workspace: &str,
    window: &Window,
) -> Read<Part<SavedQuery>> {
    let mut parameters =
        vec![Some(organization(caller)?), Some(check::uuid(workspace, "workspace_id")?)];
    let scope = format!("saved queries {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    parameters.extend([after.map(|after| after.id), Some((limit + 1).to_string())]);
    let text = include_str!("../../queries/model/saved_query_page.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = saved(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Change it, if it is the caller's and has the version that the caller has seen.
///
/// # Errors
/// As [`create`], and [`Error::Stale`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    new: SavedQueryChange,
    attempt: &Attempt,
) -> Write<SavedQuery> {
    let mut given = Object::new();
    if let Some(name) = new.name {
        check::line(&name, 200, "name")?;
        given.insert("name".to_owned(), name.into());
    }
    if let Some(description) = new.description {
        check::maybe_text(description.as_ref(), 4000, "description")?;
        given.insert("description".to_owned(), description.into());
    }
    if let Some(query) = new.query {
        check::object(&query, check::MOST_ATTRIBUTES, "query")?;
        given.insert("query".to_owned(), Value::Object(query));
    }
    if let Some(visibility) = new.visibility {
        check::word(&visibility, VISIBILITIES, "visibility")?;
        given.insert("visibility".to_owned(), visibility.into());
    }
    let statements = on(
        &new.target,
        organization(caller)?,
        Some(given),
        include_str!("../../queries/model/saved_query_update.sql"),
        include_str!("../../queries/model/saved_query_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "member", new.target.version, statements).await?;
    // What others keep is theirs, whatever the role.
    let (row, _) = changed.done("member").map_err(theirs)?;
    Ok(Written { value: saved(Record::of(row)?)?, replayed: false })
}

/// Delete it, so that it can be restored.
///
/// # Errors
/// [`Error::NotFound`] for `id`, [`Error::Stale`], [`Error::NotPermitted`].
pub async fn delete(
    sql: &impl Sql,
    caller: &Caller,
    target: &Target,
    attempt: &Attempt,
) -> Write<Deleted> {
    let statements = on(
        target,
        organization(caller)?,
        None,
        include_str!("../../queries/model/saved_query_delete.sql"),
        include_str!("../../queries/model/saved_query_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "viewer", target.version, statements).await?;
    let (row, _) = changed.done("viewer").map_err(theirs)?;
    let title = row.into_iter().next().flatten().unwrap_or_default();
    let id = check::uuid(&target.id, "id")?;
    Ok(Written { value: Deleted { id, title, contents: Default::default() }, replayed: false })
}

/// Count how a query went.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `saved_query_id`, [`Error::NotPermitted`] where the caller
/// may not read.
pub async fn record(sql: &impl Sql, caller: &Caller, went: &Execution) -> Read<()> {
    check::small_word(&went.operation, "operation")?;
    let digits = went.fingerprint.as_bytes();
    if !(16..=64).contains(&digits.len())
        || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return Err(Error::invalid("fingerprint", "must have 16 to 64 hexadecimal digits"));
    }
    let parameters = vec![
        Some(check::uuid(&went.workspace, "workspace_id")?),
        Some(went.operation.clone()),
        Some(went.fingerprint.clone()),
        check::maybe_uuid(went.saved_query.as_ref(), "saved_query_id")?,
        Some(went.failed.to_string()),
        Some(went.rows.to_string()),
        Some(went.time.to_string()),
    ];
    let text = include_str!("../../queries/model/query_record.sql");
    write(sql, caller, false, "viewer", vec![statement(text, parameters)]).await.map(drop)
}

/// How the queries of a workspace have gone in the last so many days, those that took most time first.
/// Empty below the role member.
///
/// # Errors
/// [`Error::Invalid`] for `workspace_id` and `days`.
pub async fn statistics(
    sql: &impl Sql,
    caller: &Caller,
    workspace: &str,
    days: u16,
) -> Read<Vec<QueryStatistics>> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::invalid("days", format!("must be from 1 to {MOST_DAYS}")));
    }
    let parameters = vec![
        Some(organization(caller)?),
        Some(check::uuid(workspace, "workspace_id")?),
        Some(days.to_string()),
    ];
    let text = include_str!("../../queries/model/query_statistics.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    rows.rows.into_iter().map(|row| one_of_statistics(Record::of(row)?)).collect()
}

fn theirs(error: Error) -> Error {
    match error {
        Error::NotPermitted(_) => Error::NotPermitted(None),
        other => other,
    }
}

fn saved(mut record: Record) -> Read<SavedQuery> {
    Ok(SavedQuery {
        id: record.text("id")?,
        workspace_id: record.text("workspace_id")?,
        name: record.text("name")?,
        description: record.maybe_text("description"),
        query: record.object("query"),
        visibility: record.text("visibility")?,
        created_by: record.text("created_by")?,
        created_at: record.moment("created_at")?,
        version: record.number("version")?,
    })
}

fn one_of_statistics(mut record: Record) -> Read<QueryStatistics> {
    Ok(QueryStatistics {
        operation: record.text("operation")?,
        executions: record.number("executions")?.unsigned_abs(),
        failures: record.number("failures")?.unsigned_abs(),
        rows: record.number("rows")?.unsigned_abs(),
        mean_time: record.number("mean_time")?.unsigned_abs(),
        max_time: record.number("max_time")?.unsigned_abs(),
        last_at: record.moment("last_at")?,
    })
}
