//! Lists of entities: which, in which order, part by part.

use ports::Sql;
use serde_json::Value;

use super::batch::{organization, part, read, statement};
use super::entities::{Entity, placed};
use super::{Error, MOST_ITEMS, Object, Part, Read, Window, check, cursor, shapes};
use crate::session::Caller;

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
/// By what a list is sorted; the first if nothing is said.
const SORTS: &[&str] = &["created_at", "updated_at", "title", "status", "priority"];
/// Words of a filter at most.
const MOST_WORDS: usize = 50;

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
