//! Workspaces of the caller's organization. Viewers read, members create and change, admins delete.

use std::collections::BTreeMap;

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Creation, change, organization, part, read, statement};
use super::cursor::{self, Position};
use super::entities::CONTENTS;
use super::record::{Record, counts};
use super::{
    Attempt, Change, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write,
    Written, check,
};
use crate::session::Caller;

const NAME: usize = 200;
const DESCRIPTION: usize = 4000;
const LIST: &str = "workspaces";

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// Its key.
    pub id: String,
    /// The key of its organization.
    pub organization_id: String,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// A workspace to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkspace {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// One line of 1 to 200 characters.
    pub name: String,
    /// Up to 4000 characters.
    pub description: Option<String>,
}

/// A change of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another name.
    pub name: Change<String>,
    /// Another description, or none.
    pub description: Change<Option<String>>,
}

/// What is in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkspaceSummary {
    /// The workspace.
    pub workspace: Workspace,
    /// How many entities of each type.
    pub entities: BTreeMap<String, u64>,
    /// How many relationships of each kind.
    pub relationships: BTreeMap<String, u64>,
    /// How many workflows.
    pub workflows: u64,
    /// How many people can see it.
    pub members: u64,
    /// The role that the caller has in it.
    pub role: String,
}

/// Create a workspace.
///
/// # Errors
/// [`Error::Invalid`] for `id`, `name`, `description`, [`Error::Conflict`] for `id`,
/// [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewWorkspace,
    attempt: &Attempt,
) -> Write<Workspace> {
    let org = organization(caller)?;
    check::line(&new.name, NAME, "name")?;
    check::maybe_text(new.description.as_ref(), DESCRIPTION, "description")?;
    let creation = Creation {
        what: "workspace",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/workspace_create.sql"),
        parameters: vec![Some(org.clone()), Some(new.name), new.description],
        replay: include_str!("../../queries/model/workspace_replay.sql"),
        replay_parameters: vec![Some(org)],
        needs: "member",
        missing: "id",
        within: Vec::new(),
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: workspace(written.value)?, replayed: written.replayed })
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Workspace> {
    let text = include_str!("../../queries/model/workspace_find.sql");
    workspace(one(sql, caller, text, id).await?)
}

/// What is in it.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn summarize(sql: &impl Sql, caller: &Caller, id: &str) -> Read<WorkspaceSummary> {
    let text = include_str!("../../queries/model/workspace_summary.sql");
    let mut record = one(sql, caller, text, id).await?;
    Ok(WorkspaceSummary {
        workspace: workspace(record.record("workspace"))?,
        entities: record.counts("entities"),
        relationships: record.counts("relationships"),
        workflows: record.number("workflows")?.unsigned_abs(),
        members: record.number("members")?.unsigned_abs(),
        role: record.text("role")?,
    })
}

/// All of them in the order of their creation. Empty without a membership.
///
/// # Errors
/// [`Error::Invalid`] for a `cursor` that is not of this list.
pub async fn list(sql: &impl Sql, caller: &Caller, window: &Window) -> Read<Part<Workspace>> {
    let org = organization(caller)?;
    let scope = format!("{LIST} {org}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    let text = include_str!("../../queries/model/workspace_page.sql");
    let parameters = vec![Some(org), after.map(|after| after.id), Some((limit + 1).to_string())];
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = workspace(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Change it, if it has the version that the caller has seen.
///
/// # Errors
/// As [`create`], and [`Error::Stale`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    new: WorkspaceChange,
    attempt: &Attempt,
) -> Write<Workspace> {
    let mut given = Object::new();
    if let Some(name) = new.name {
        check::line(&name, NAME, "name")?;
        given.insert("name".to_owned(), name.into());
    }
    if let Some(description) = new.description {
        check::maybe_text(description.as_ref(), DESCRIPTION, "description")?;
        given.insert("description".to_owned(), description.into());
    }
    let statements = on(
        &new.target,
        organization(caller)?,
        Some(given),
        include_str!("../../queries/model/workspace_update.sql"),
        include_str!("../../queries/model/workspace_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "member", new.target.version, statements).await?;
    let (row, _) = changed.done("member")?;
    Ok(Written { value: workspace(Record::of(row)?)?, replayed: false })
}

/// Delete it with all that is in it, so that it can be restored.
///
/// # Errors
/// [`Error::NotFound`] for `id`, [`Error::Stale`], [`Error::NotPermitted`].
pub async fn delete(
    sql: &impl Sql,
    caller: &Caller,
    target: &Target,
    attempt: &Attempt,
) -> Write<Deleted> {
    let mut statements = on(
        target,
        organization(caller)?,
        None,
        include_str!("../../queries/model/workspace_delete.sql"),
        include_str!("../../queries/model/workspace_version.sql"),
    )?;
    let id = check::uuid(&target.id, "id")?;
    statements.push(statement(CONTENTS, vec![Some(id.clone())]));
    let changed = change(sql, caller, attempt.dry_run, "admin", target.version, statements).await?;
    let (row, contents) = changed.done("admin")?;
    let title = row.into_iter().next().flatten().unwrap_or_default();
    Ok(Written { value: Deleted { id, title, contents: counts(contents)? }, replayed: false })
}

/// A statement about one thing, with what is to change in it if anything, and the one that tells its
/// version afterwards.
pub(crate) fn on<'a>(
    target: &Target,
    org: String,
    given: Option<Object>,
    text: &'a str,
    version: &'a str,
) -> Result<Vec<ports::Statement<'a>>, Error> {
    let id = Some(check::uuid(&target.id, "id")?);
    let mut parameters =
        vec![id.clone(), Some(org.clone()), target.version.map(|version| version.to_string())];
    parameters.extend(given.map(|given| Some(Value::Object(given).to_string())));
    Ok(vec![statement(text, parameters), statement(version, vec![id, Some(org)])])
}

/// What a statement finds by a key in the caller's organization.
pub(crate) async fn one(
    sql: &impl Sql,
    caller: &Caller,
    text: &str,
    id: &str,
) -> Result<Record, Error> {
    let parameters = vec![Some(check::uuid(id, "id")?), Some(organization(caller)?)];
    let rows = read(sql, caller, statement(text, parameters)).await?;
    Record::of(rows.rows.into_iter().next().ok_or(Error::NotFound { field: "id" })?)
}

fn workspace(mut record: Record) -> Read<Workspace> {
    Ok(Workspace {
        id: record.text("id")?,
        organization_id: record.text("organization_id")?,
        name: record.text("name")?,
        description: record.maybe_text("description"),
        created_at: record.moment("created_at")?,
        version: record.number("version")?,
    })
}
