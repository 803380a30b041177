//! Typed relationships between entities of a workspace, and from entities to people. Viewers read,
//! members do the rest. Which types a kind may connect, that a hierarchy has no cycle and that nothing
//! has two parents is kept by the database.

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Creation, change, organization, part, read, statement};
use super::cursor::{self, Position};
use super::lists::words;
use super::record::Record;
use super::workspaces::{on, one};
use super::{
    Attempt, Change, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write,
    Written, check,
};
use crate::session::Caller;

/// What a relationship can be.
pub const KINDS: &[&str] = &[
    "hierarchy",
    "assignment",
    "dependency",
    "association",
    "trace_link",
    "membership",
    "workflow",
];
/// Which trace link it is.
pub const TRACE_LINKS: &[&str] =
    &["verifies", "satisfies", "derives_from", "refines", "implements", "traces_to"];
/// Which end of it an entity is.
pub const DIRECTIONS: &[&str] = &["outgoing", "incoming", "both"];

/// What is between two entities, or an entity and a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Relationship {
    /// Its key.
    pub id: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// Where it is.
    pub workspace_id: String,
    /// An entity; of a hierarchy the parent.
    pub source_id: String,
    /// The type of the source.
    pub source_type: String,
    /// Another entity.
    pub target_id: Option<String>,
    /// Or a person.
    pub target_user: Option<String>,
    /// The type of the target; `user` for a person.
    pub target_type: String,
    /// Which trace link, dependency and so on.
    pub label: Option<String>,
    /// What the organization has added.
    pub attributes: Object,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// A relationship to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRelationship {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// One of [`KINDS`].
    pub kind: String,
    /// An entity.
    pub source: String,
    /// Another one of the same workspace.
    pub target: Option<String>,
    /// Or a person of the organization.
    pub target_user: Option<String>,
    /// Of a trace link one of [`TRACE_LINKS`], else any small word.
    pub label: Option<String>,
    /// What the organization has added.
    pub attributes: Object,
}

/// A change of a relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationshipChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another label, or none.
    pub label: Change<Option<String>>,
    /// Other attributes, all of them.
    pub attributes: Change<Object>,
}

/// Which relationships are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelationshipFilter {
    /// Of this workspace.
    pub workspace: Option<String>,
    /// With this entity at an end.
    pub entity: Option<String>,
    /// Which end it is: `outgoing` (the source), `incoming`, `both` (if it is empty).
    pub direction: String,
    /// Of one of these kinds; none for all.
    pub kinds: Vec<String>,
}

/// Create a relationship.
///
/// # Errors
/// [`Error::Invalid`] for `id`, `kind` (also if it does not connect such types), `source_id`,
/// `target_id` (also for a cycle), `target_user`, `label`, `attributes`; [`Error::NotFound`] for the
/// ends; [`Error::Conflict`] for `target_id` if there is the same already, or another parent;
/// [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewRelationship,
    attempt: &Attempt,
) -> Write<Relationship> {
    let org = organization(caller)?;
    let (source, target) = judge(&new)?;
    let creation = Creation {
        what: "relationship",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/relationship_create.sql"),
        parameters: vec![
            Some(org.clone()),
            Some(source.clone()),
            Some(new.kind),
            target,
            new.target_user,
            new.label,
            Some(Value::Object(new.attributes).to_string()),
        ],
        replay: include_str!("../../queries/model/relationship_replay.sql"),
        replay_parameters: vec![Some(source), Some(org)],
        needs: "member",
        missing: "source_id",
        within: Vec::new(),
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: relationship(written.value)?, replayed: written.replayed })
}

/// Those of a workspace or an entity whose ends are there, in the order of their creation.
///
/// # Errors
/// [`Error::Invalid`] for a part of the filter, or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    filter: &RelationshipFilter,
    window: &Window,
) -> Read<Part<Relationship>> {
    let mut parameters = vec![
        Some(organization(caller)?),
        check::maybe_uuid(filter.workspace.as_ref(), "workspace_id")?,
        check::maybe_uuid(filter.entity.as_ref(), "entity_id")?,
        Some(direction(&filter.direction)?),
        words(&filter.kinds, KINDS, "kinds")?,
    ];
    let scope = format!("relationships {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    parameters.extend([after.map(|after| after.id), Some((limit + 1).to_string())]);
    let text = include_str!("../../queries/model/relationship_page.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = relationship(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Change it, if it has the version that the caller has seen.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::Conflict`] as [`create`], [`Error::NotFound`] for `id`,
/// [`Error::Stale`], [`Error::NotPermitted`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    new: RelationshipChange,
    attempt: &Attempt,
) -> Write<Relationship> {
    let mut given = Object::new();
    if let Some(label) = new.label {
        label.as_ref().map_or(Ok(()), |label| check::small_word(label, "label"))?;
        given.insert("label".to_owned(), label.into());
    }
    if let Some(attributes) = new.attributes {
        check::object(&attributes, check::MOST_ATTRIBUTES, "attributes")?;
        given.insert("attributes".to_owned(), Value::Object(attributes));
    }
    let statements = on(
        &new.target,
        organization(caller)?,
        Some(given),
        include_str!("../../queries/model/relationship_update.sql"),
        include_str!("../../queries/model/relationship_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "member", new.target.version, statements).await?;
    let (row, _) = changed.done("member")?;
    Ok(Written { value: relationship(Record::of(row)?)?, replayed: false })
}

/// Delete it, so that it can be restored. Its ends stay.
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
        include_str!("../../queries/model/relationship_delete.sql"),
        include_str!("../../queries/model/relationship_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "member", target.version, statements).await?;
    let (row, _) = changed.done("member")?;
    let title = row.into_iter().next().flatten().unwrap_or_default();
    let id = check::uuid(&target.id, "id")?;
    Ok(Written { value: Deleted { id, title, contents: Default::default() }, replayed: false })
}

/// One relationship.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Relationship> {
    let text = include_str!("../../queries/model/relationship_find.sql");
    relationship(one(sql, caller, text, id).await?)
}

/// The word of the direction.
pub(crate) fn direction(given: &str) -> Result<String, Error> {
    let word = if given.is_empty() { "both" } else { given };
    check::word(word, DIRECTIONS, "direction")?;
    Ok(word.to_owned())
}

pub(crate) fn relationship(mut record: Record) -> Read<Relationship> {
    Ok(Relationship {
        id: record.text("id")?,
        kind: record.text("kind")?,
        workspace_id: record.text("workspace_id")?,
        source_id: record.text("source_id")?,
        source_type: record.text("source_type")?,
        target_id: record.maybe_text("target_id"),
        target_user: record.maybe_text("target_user_id"),
        target_type: record.text("target_type")?,
        label: record.maybe_text("label"),
        attributes: record.object("attributes"),
        created_at: record.moment("created_at")?,
        version: record.number("version")?,
    })
}

/// The ends, if all else is right, too.
fn judge(new: &NewRelationship) -> Result<(String, Option<String>), Error> {
    check::word(&new.kind, KINDS, "kind")?;
    let source = check::uuid(&new.source, "source_id")?;
    let target = check::maybe_uuid(new.target.as_ref(), "target_id")?;
    if target.is_some() == new.target_user.is_some() {
        return Err(Error::invalid("target_id", "must be given, or target_user, not both"));
    }
    if target.as_ref() == Some(&source) {
        return Err(Error::invalid("target_id", "must not be the source"));
    }
    new.target_user.as_ref().map_or(Ok(()), |user| check::line(user, 255, "target_user"))?;
    match &new.label {
        None if new.kind == "trace_link" => {
            return Err(Error::invalid("label", one_of_links()));
        }
        Some(label) if new.kind == "trace_link" => check::word(label, TRACE_LINKS, "label")?,
        Some(label) => check::small_word(label, "label")?,
        None => {}
    }
    check::object(&new.attributes, check::MOST_ATTRIBUTES, "attributes")?;
    Ok((source, target))
}

fn one_of_links() -> String {
    format!("must be one of: {}", TRACE_LINKS.join(", "))
}
