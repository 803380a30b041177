//! Workspaces of the caller's organization. Viewers read, members create.

use ports::{Rows, Sql, Statement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::DataError;
use crate::error::{Rule, columns, explain, only_row, required};
use crate::session::{Caller, one_as_user};

const CREATE: &str = include_str!("../queries/workspace_create.sql");
const LIST: &str = include_str!("../queries/workspace_list.sql");
/// The longest page that is served.
pub const MAX_PAGE: u16 = 100;

const RULES: &[Rule] = &[
    Rule {
        constraint: "workspaces_name_length",
        field: "name",
        reason: "must have 1 to 200 characters and not be blank",
    },
    Rule {
        constraint: "workspaces_description_length",
        field: "description",
        reason: "must have at most 4000 characters",
    },
];

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// UUID.
    pub id: String,
    /// UUID of its organization.
    pub organization_id: String,
    /// For people.
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
    /// UUID, see [`crate::new_uuid`].
    pub id: String,
    /// 1 to 200 characters.
    pub name: String,
    /// Up to 4000 characters.
    pub description: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// How many items at most, 1 to [`MAX_PAGE`]; other values are taken to the nearest bound.
    pub limit: u16,
    /// The `next_cursor` of the page before; `None` starts at the beginning.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paged<T> {
    /// In order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` if this is the last.
    pub next_cursor: Option<String>,
}

/// Create a workspace in the caller's organization.
///
/// # Errors
/// [`DataError::NotPermitted`] below the role member, [`DataError::Conflict`] if the id is taken,
/// [`DataError::Invalid`] for `id`, `name`, `description`.
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewWorkspace,
) -> Result<Workspace, DataError> {
    let organization = organization(caller)?;
    let id = uuid(&new.id, "id")?;
    let parameters = vec![Some(id), Some(organization), Some(new.name), new.description];
    let rows = one_as_user(sql, caller, Statement { text: CREATE, parameters })
        .await
        .map_err(|error| explain(error, "workspace", RULES))?;
    workspace(only_row(rows)?)
}

/// The workspaces of the caller's organization, the newest last. Empty without a membership.
///
/// # Errors
/// [`DataError::Invalid`] for a `cursor` that we did not issue.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    page: Page,
) -> Result<Paged<Workspace>, DataError> {
    let organization = organization(caller)?;
    let after = page.after.map(|cursor| uuid(&cursor, "cursor")).transpose()?;
    let limit = usize::from(page.limit.clamp(1, MAX_PAGE));
    // One more than asked for tells whether there is a next page.
    let parameters = vec![Some(organization), after, Some((limit + 1).to_string())];
    let rows = one_as_user(sql, caller, Statement { text: LIST, parameters })
        .await
        .map_err(|error| explain(error, "workspace", RULES))?;
    paged(rows, limit)
}

fn paged(rows: Rows, limit: usize) -> Result<Paged<Workspace>, DataError> {
    let more = rows.rows.len() > limit;
    let items = rows.rows.into_iter().take(limit).map(workspace).collect::<Result<Vec<_>, _>>()?;
    let next_cursor = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Paged { items, next_cursor })
}

fn workspace(row: Vec<Option<String>>) -> Result<Workspace, DataError> {
    let [id, organization_id, name, description, created_at, version] = columns(row)?;
    let version = required(version)?;
    Ok(Workspace {
        id: required(id)?,
        organization_id: required(organization_id)?,
        name: required(name)?,
        description,
        created_at: required(created_at)?,
        version: version.parse().map_err(|_| DataError::Internal(format!("version {version}")))?,
    })
}

fn organization(caller: &Caller) -> Result<String, DataError> {
    let id = caller.organization.as_deref().ok_or(DataError::NoOrganization)?;
    // What is not one of our keys names no organization.
    uuid(id, "organization").map_err(|_| DataError::NoOrganization)
}

fn uuid(text: &str, field: &'static str) -> Result<String, DataError> {
    Uuid::try_parse(text)
        .map(|uuid| uuid.to_string())
        .map_err(|_| DataError::Invalid { field, reason: "is not a UUID" })
}
