//! Entities: projects, and the documents, blocks, requirements, test cases, test runs and tasks in
//! them. Viewers read, members create, change and delete, and it takes admins to delete projects.

use std::collections::BTreeMap;

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Changed, Creation, change, organization, part, read, statement};
use super::check;
use super::cursor::{self, Position};
use super::record::{Record, counts};
use super::shapes::{self, EntityType};
use super::{
    Attempt, Change, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write, Written,
};
use crate::session::Caller;

const FIND: &str = concat!(
    include_str!("../../queries/model/entity_find.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
pub(crate) const REPLAY: &str = concat!(
    include_str!("../../queries/model/entity_replay.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
const UP: &str = concat!(
    include_str!("../../queries/model/entity_all.sql"),
    include_str!("../../queries/model/entity_page_up.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
const DOWN: &str = concat!(
    include_str!("../../queries/model/entity_all.sql"),
    include_str!("../../queries/model/entity_page_down.sql"),
    include_str!("../../queries/model/entity_records_down.sql")
);
const UPDATE: &str = include_str!("../../queries/model/entity_update.sql");
const VERSION: &str = include_str!("../../queries/model/entity_version.sql");
const DELETE: &str = include_str!("../../queries/model/entity_delete.sql");
pub(crate) const CONTENTS: &str = include_str!("../../queries/model/deleted_contents.sql");

/// By what a list is sorted; the first if nothing is said.
const SORTS: &[&str] = &["created_at", "updated_at", "title", "status", "priority"];
/// Words of a filter at most.
const MOST_WORDS: usize = 50;

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
    /// One line. A block has none, so that it is the content if there is no other; nor has a test run.
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

/// Which entities are wanted: those that fit all that is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// Of this workspace.
    pub workspace: Option<String>,
    /// Of this project.
    pub project: Option<String>,
    /// In this document, or runs of this test case.
    pub parent: Option<String>,
    /// Of one of these types; none for all.
    pub types: Vec<String>,
    /// At one of these; none for all.
    pub statuses: Vec<String>,
    /// Of one of these; none for all.
    pub priorities: Vec<String>,
    /// Called this by another system.
    pub external_id: Option<String>,
    /// Made by this user.
    pub created_by: Option<String>,
    /// Changed since then, RFC 3339.
    pub updated_after: Option<String>,
    /// Not changed since then, RFC 3339.
    pub updated_before: Option<String>,
    /// With these attributes, each with this value.
    pub attributes: Object,
    /// By what to sort: `created_at` (if it is empty), `updated_at`, `title`, `status`, `priority`.
    pub sort: String,
    /// The other way round.
    pub descending: bool,
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

/// Those that the filter lets through. Empty without a membership.
///
/// # Errors
/// [`Error::Invalid`] for a part of the filter, or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    filter: &Filter,
    window: &Window,
) -> Read<Part<Entity>> {
    let sort = if filter.sort.is_empty() { SORTS[0] } else { filter.sort.as_str() };
    check::word(sort, SORTS, "sort")?;
    let mut parameters = wanted(&organization(caller)?, filter)?;
    let scope = format!("entities {sort} {} {parameters:?}", filter.descending);
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    let (place, id) = after.map(|after| (after.place, after.id)).unzip();
    parameters.extend([Some(sort.to_owned()), place, id, Some((limit + 1).to_string())]);
    let text = if filter.descending { DOWN } else { UP };
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, placed)
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
            shapes::judge(type_of(&now)?, &given)?;
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
    let (row, contents) = changed.done("member")?;
    let title = row.into_iter().next_back().flatten().unwrap_or_default();
    let value = Deleted { id, title: first_line(&title), contents: counts(contents)? };
    Ok(Written { value, replayed: false })
}

/// The parameters of the filter.
pub(crate) fn wanted(org: &str, filter: &Filter) -> Result<Vec<Option<String>>, Error> {
    let types: Vec<_> = shapes::ALL.iter().map(|of| of.word()).collect();
    let statuses: Vec<_> = shapes::ALL.iter().flat_map(|of| of.statuses()).copied().collect();
    let external = filter.external_id.as_deref();
    external.map_or(Ok(()), |text| check::external_id(text, "external_id"))?;
    check::maybe_text(filter.created_by.as_ref(), 255, "created_by")?;
    for (at, field) in
        [(&filter.updated_after, "updated_after"), (&filter.updated_before, "updated_before")]
    {
        at.as_deref().map_or(Ok(()), |at| check::moment(at, field))?;
    }
    check::object(&filter.attributes, check::MOST_ATTRIBUTES, "attributes")?;
    let attributes = (!filter.attributes.is_empty())
        .then(|| Value::Object(filter.attributes.clone()).to_string());
    Ok(vec![
        Some(org.to_owned()),
        check::maybe_uuid(filter.workspace.as_ref(), "workspace_id")?,
        check::maybe_uuid(filter.project.as_ref(), "project_id")?,
        check::maybe_uuid(filter.parent.as_ref(), "parent_id")?,
        words(&filter.types, &types, "types")?,
        words(&filter.statuses, &statuses, "statuses")?,
        words(&filter.priorities, &["low", "medium", "high", "critical"], "priorities")?,
        filter.external_id.clone(),
        filter.created_by.clone(),
        filter.updated_after.clone(),
        filter.updated_before.clone(),
        attributes,
    ])
}

/// Known words as an array of Postgres; none if there are none.
pub(crate) fn words(
    given: &[String],
    known: &[&str],
    field: &'static str,
) -> Result<Option<String>, Error> {
    if given.is_empty() {
        return Ok(None);
    }
    if given.len() > MOST_WORDS {
        return Err(Error::invalid(field, format!("must have at most {MOST_WORDS} words")));
    }
    given.iter().try_for_each(|word| check::word(word, known, field))?;
    Ok(Some(format!("{{{}}}", given.join(","))))
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

fn insert(kind: EntityType) -> Option<&'static str> {
    Some(match kind {
        EntityType::Project => include_str!("../../queries/model/project_create.sql"),
        EntityType::Document => include_str!("../../queries/model/document_create.sql"),
        EntityType::Block => include_str!("../../queries/model/block_create.sql"),
        EntityType::Requirement => include_str!("../../queries/model/requirement_create.sql"),
        EntityType::TestCase => include_str!("../../queries/model/test_case_create.sql"),
        EntityType::TestRun => include_str!("../../queries/model/test_run_create.sql"),
        EntityType::Task => include_str!("../../queries/model/task_create.sql"),
        EntityType::Workflow => return None,
    })
}

type Place = (Option<String>, Option<String>, Option<String>);

/// Where it is to be: workspace, project, parent.
fn place(new: &NewEntity) -> Result<Place, Error> {
    use EntityType::{Block, Project, Requirement, TestRun};
    let workspace = check::maybe_uuid(new.workspace.as_ref(), "workspace_id")?;
    let project = check::maybe_uuid(new.project.as_ref(), "project_id")?;
    let parent = check::maybe_uuid(new.parent.as_ref(), "parent_id")?;
    match new.kind {
        Project if workspace.is_none() => return Err(missing("workspace_id", "a project")),
        Project if project.is_some() => {
            return Err(Error::invalid("project_id", "is not for projects"));
        }
        Block if parent.is_none() => return Err(missing("parent_id", "a block: its document")),
        TestRun if parent.is_none() => {
            return Err(missing("parent_id", "a test run: its test case"));
        }
        Block | TestRun | Requirement => {}
        other if parent.is_some() => {
            let word = other.word().replace('_', " ");
            return Err(Error::invalid("parent_id", format!("is not for a {word}")));
        }
        _ => {}
    }
    if new.kind != Project && project.is_none() && parent.is_none() {
        return Err(missing("project_id", "this type"));
    }
    Ok((workspace, project, parent))
}

fn missing(field: &'static str, of: &str) -> Error {
    Error::invalid(field, format!("must be given for {of}"))
}

/// The fields of a new entity, judged.
fn given(kind: EntityType, mut new: NewEntity) -> Result<Object, Error> {
    let mut title = new.title.take();
    match kind {
        EntityType::Block if matches!(new.fields.description, None | Some(None)) => {
            new.fields.description = Some(title.take());
        }
        EntityType::Block | EntityType::TestRun => {}
        _ if title.is_none() => return Err(missing("title", "this type")),
        _ => {}
    }
    let given = flat(title, &new.fields)?;
    shapes::judge(kind, &given)?;
    Ok(given)
}

/// What is told, by the names of the fields.
pub(crate) fn flat(title: Option<String>, fields: &EntityFields) -> Result<Object, Error> {
    let mut flat = Object::new();
    for (name, value) in &fields.details {
        // What is no detail has its own place.
        if shapes::ALL.iter().any(|of| of.fields().iter().any(|f| !f.detail() && f.name() == name))
        {
            return Err(Error::invalid("details", format!("must not have `{name}`")));
        }
        flat.insert(name.clone(), value.clone());
    }
    let text = |given: &Option<String>| given.clone().map(Value::String);
    let change = |given: &Change<Option<String>>| {
        given.clone().map(|given| given.map_or(Value::Null, Value::String))
    };
    for (name, value) in [
        ("title", title.map(Value::String)),
        ("description", change(&fields.description)),
        ("status", text(&fields.status)),
        ("priority", text(&fields.priority)),
        ("kind", text(&fields.subtype)),
        ("external_id", change(&fields.external_id)),
        ("attributes", fields.attributes.clone().map(Value::Object)),
    ] {
        if let Some(value) = value {
            flat.insert(name.to_owned(), value);
        }
    }
    Ok(flat)
}

/// How many of which, as searches tell.
pub type Facet = BTreeMap<String, u64>;
