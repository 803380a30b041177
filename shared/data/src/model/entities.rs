//! Entities: projects, and the documents, blocks, requirements, test cases, test runs and tasks in
//! them. Viewers read, members create, change and delete, and it takes admins to delete projects.

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Changed, Creation, change, organization, read, statement};
use super::cursor::Position;
use super::drafts::{flat, given, insert, place};
use super::record::{Record, counts};
use super::shapes::{self, EntityType};
use super::{Attempt, Change, Deleted, Error, Object, Read, Target, Write, Written, check};
use crate::session::Caller;

const FIND: &str = concat!(
    include_str!("../../queries/model/entity_find.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
pub(crate) const REPLAY: &str = concat!(
    include_str!("../../queries/model/entity_replay.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
const UPDATE: &str = include_str!("../../queries/model/entity_update.sql");
const VERSION: &str = include_str!("../../queries/model/entity_version.sql");
const DELETE: &str = include_str!("../../queries/model/entity_delete.sql");
pub(crate) const CONTENTS: &str = include_str!("../../queries/model/deleted_contents.sql");

/// A project, or something in one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// Its key.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    pub workspace_id: String,
    /// Its project; a project is in itself. `None`: a workflow of the whole workspace.
    pub project_id: Option<String>,
    /// Its document or test case.
    pub parent_id: Option<String>,
    /// One line; of a block its first, of a test run that of its test case.
    pub title: String,
    /// The text: of a requirement its statement, of a block its content, of a test run its notes.
    pub description: Option<String>,
    /// Where it stands; none for blocks.
    pub status: Option<String>,
    /// How much it matters, if its type has that.
    pub priority: Option<String>,
    /// Which kind of its type it is.
    #[serde(rename = "kind")]
    pub subtype: Option<String>,
    /// How another system calls it.
    pub external_id: Option<String>,
    /// What only its type has and is not null.
    pub details: Object,
    /// What the organization has added.
    pub attributes: Object,
    /// Who made it.
    pub created_by: String,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// RFC 3339, UTC, milliseconds.
    pub updated_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// An entity to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntity {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// What it is to be; not a workflow.
    pub kind: EntityType,
    /// Where a project is to be. What is in a project is where that is; it may be said.
    pub workspace: Option<String>,
    /// The project that it is to be in; projects are in none. Not needed beside a parent.
    pub project: Option<String>,
    /// The document of a block or a requirement, the test case of a test run.
    pub parent: Option<String>,
    /// One line. Blocks and test runs have none of their own: it becomes the first line of the text.
    pub title: Option<String>,
    /// The rest.
    pub fields: EntityFields,
}

/// The fields of entities, as far as they are told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityFields {
    /// The text, see [`Entity::description`].
    pub description: Change<Option<String>>,
    /// Where it stands.
    pub status: Option<String>,
    /// How much it matters.
    pub priority: Option<String>,
    /// Which kind of its type it is.
    pub subtype: Option<String>,
    /// How another system calls it: unique in the project.
    pub external_id: Change<Option<String>>,
    /// What only its type has. Members that are absent stay, null takes one away.
    pub details: Object,
    /// What the organization has added; all of it is replaced.
    pub attributes: Change<Object>,
}

/// A change of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another title.
    pub title: Change<String>,
    /// The rest.
    pub fields: EntityFields,
}

/// Create an entity.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `workspace_id`, `project_id` and `parent_id`,
/// [`Error::Conflict`] for `external_id` and `id`, [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewEntity,
    attempt: &Attempt,
) -> Write<Entity> {
    let org = organization(caller)?;
    let kind = new.kind;
    let insert = insert(kind).ok_or_else(|| Error::invalid("type", "is not made this way"))?;
    let (workspace, project, parent) = place(&new)?;
    let missing = match (kind, &project) {
        (EntityType::Project, _) => "workspace_id",
        (_, Some(_)) => "project_id",
        _ => "parent_id",
    };
    let id = check::new_uuid(&new.id, "id")?;
    let given = given(kind, new)?;
    let creation = Creation {
        what: kind.word(),
        id,
        insert,
        parameters: vec![
            Some(org.clone()),
            workspace,
            project,
            parent,
            Some(Value::Object(given).to_string()),
        ],
        replay: REPLAY,
        replay_parameters: vec![Some(org), Some(kind.word().to_owned())],
        needs: "member",
        missing,
        within: Vec::new(),
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: entity(kind, written.value)?, replayed: written.replayed })
}

/// One entity; a workflow, too.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Entity> {
    let parameters = vec![Some(check::uuid(id, "id")?), Some(organization(caller)?)];
    let rows = read(sql, caller, statement(FIND, parameters)).await?;
    let row = rows.rows.into_iter().next().ok_or(Error::NotFound { field: "id" })?;
    placed(row).map(|(_, entity)| entity)
}

/// Change an entity, if it has the version that the caller has seen.
///
/// # Errors
/// As [`create`], and [`Error::Stale`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    new: EntityChange,
    attempt: &Attempt,
) -> Write<Entity> {
    let org = organization(caller)?;
    let id = check::uuid(&new.target.id, "id")?;
    let version = new.target.version;
    let given = flat(new.title.clone(), &new.fields)?;
    shapes::judge_any(&given)?;
    let json = Value::Object(given.clone()).to_string();
    let statements = vec![
        statement(
            UPDATE,
            vec![Some(id.clone()), Some(org.clone()), version.map(|v| v.to_string()), Some(json)],
        ),
        statement(VERSION, vec![Some(id), Some(org)]),
    ];
    let changed = change(sql, caller, attempt.dry_run, "member", version, statements).await?;
    let value = match changed {
        Changed::Done(row, _) => record(row)?,
        Changed::Refused(now) => {
            // Its type may not have what was given.
            shapes::judge(ours(&now)?, &given)?;
            return Err(Error::NotPermitted(Some("member")));
        }
    };
    Ok(Written { value, replayed: false })
}

/// Delete an entity with what is in it, so that it can be restored.
///
/// # Errors
/// [`Error::NotFound`] for `id`, [`Error::Stale`], [`Error::NotPermitted`].
pub async fn delete(
    sql: &impl Sql,
    caller: &Caller,
    target: &Target,
    attempt: &Attempt,
) -> Write<Deleted> {
    let org = organization(caller)?;
    let id = check::uuid(&target.id, "id")?;
    let version = target.version.map(|version| version.to_string());
    let statements = vec![
        statement(DELETE, vec![Some(id.clone()), Some(org.clone()), version]),
        statement(VERSION, vec![Some(id.clone()), Some(org)]),
        statement(CONTENTS, vec![Some(id.clone())]),
    ];
    let changed = change(sql, caller, attempt.dry_run, "admin", target.version, statements).await?;
    let (row, contents) = match changed {
        Changed::Done(row, contents) => (row, contents),
        Changed::Refused(now) => {
            ours(&now)?;
            return Err(Error::NotPermitted(Some("member")));
        }
    };
    let title = row.into_iter().next_back().flatten().unwrap_or_default();
    let value = Deleted { id, title: first_line(&title), contents: counts(contents)? };
    Ok(Written { value, replayed: false })
}

/// An entity with its position, of a row with its type, its place and its record.
pub(crate) fn placed(row: Vec<Option<String>>) -> Read<(Position, Entity)> {
    let place = row.get(1).cloned().flatten().unwrap_or_default();
    let entity = record(row)?;
    Ok((Position { place, id: entity.id.clone() }, entity))
}

fn record(row: Vec<Option<String>>) -> Read<Entity> {
    entity(type_of(&row)?, Record::of(row)?)
}

/// The type, if it is one that is changed here.
fn ours(row: &[Option<String>]) -> Read<EntityType> {
    match type_of(row)? {
        EntityType::Workflow => Err(Error::invalid("id", "names a workflow: change it as one")),
        other => Ok(other),
    }
}

fn type_of(row: &[Option<String>]) -> Read<EntityType> {
    let word = row.first().and_then(Option::as_deref);
    word.and_then(EntityType::from_word).ok_or_else(|| Error::internal("an unknown type"))
}

pub(crate) fn entity(kind: EntityType, mut record: Record) -> Read<Entity> {
    let (title, description) = match kind {
        EntityType::Project | EntityType::Workflow => ("name", "description"),
        EntityType::Block => ("content", "content"),
        EntityType::Requirement => ("title", "statement"),
        EntityType::TestRun => ("title", "notes"),
        _ => ("title", "description"),
    };
    let description = if title == description {
        record.peek(description)
    } else {
        record.maybe_text(description)
    };
    let id = record.text("id")?;
    let own = (kind == EntityType::Project).then(|| id.clone());
    let details = kind.fields().iter().filter(|field| field.detail());
    Ok(Entity {
        kind: kind.word().to_owned(),
        workspace_id: record.text("workspace_id")?,
        project_id: own.or_else(|| record.maybe_text("project_id")),
        parent_id: record.maybe_text("document_id").or_else(|| record.maybe_text("test_case_id")),
        title: first_line(&record.text(title)?),
        description,
        status: record.maybe_text("status"),
        priority: record.maybe_text("priority"),
        subtype: record.maybe_text("kind"),
        external_id: record.maybe_text("external_id"),
        details: details
            .filter_map(|field| Some((field.name().to_owned(), detail(field.name(), &mut record)?)))
            .collect(),
        attributes: record.object("attributes"),
        created_by: record.text("created_by")?,
        created_at: record.moment("created_at")?,
        updated_at: record.moment("updated_at")?,
        version: record.number("version")?,
        id,
    })
}

fn detail(name: &str, record: &mut Record) -> Option<Value> {
    if name.ends_with("_at") {
        return record.maybe_moment(name).map(Value::String);
    }
    record.take(name)
}

/// The first line of a text, 300 characters of it at most.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}
