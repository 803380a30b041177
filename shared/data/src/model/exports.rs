//! Exports: members order them, the service makes them, and after a week they are gone. Everybody sees
//! their own, admins all.

use ports::{Rows, Sql};
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Creation, change, explain_service, organization, part, read, statement};
use super::cursor::{self, Position};
use super::record::Record;
use super::workspaces::one;
use super::{
    Attempt, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write, Written, check,
};
use crate::session::{Caller, one_as_service};

/// Which forms there are.
pub const FORMATS: &[&str] = &["json", "csv", "markdown", "reqif"];
/// In bytes: of what is kept in the database.
pub const MOST_CONTENT: usize = 8_388_608;

/// An export.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Export {
    /// Its key.
    pub id: String,
    /// Of this workspace.
    pub workspace_id: String,
    /// Of this project of it alone.
    pub project_id: Option<String>,
    /// One of [`FORMATS`].
    pub format: String,
    /// Which entities.
    pub filter: Object,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// What came of it, where one is asked for and it is not elsewhere.
    pub content: Option<String>,
    /// Where else it lies.
    pub location: Option<String>,
    /// How many entities.
    pub rows: Option<i64>,
    /// Why it has failed.
    pub error: Option<String>,
    /// Who ordered it.
    pub created_by: String,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// RFC 3339, UTC, milliseconds: from then on it is gone.
    pub expires_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// An export to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExport {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// Of this workspace.
    pub workspace: String,
    /// Of this project of it alone.
    pub project: Option<String>,
    /// One of [`FORMATS`].
    pub format: String,
    /// Which entities; what it means is the maker's affair.
    pub filter: Object,
}

/// What the service has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// The text itself, up to [`MOST_CONTENT`] bytes, with how many entities.
    Content(String, u64),
    /// Where it lies, with how many entities.
    Location(String, u64),
    /// Nothing, for this reason, which people read.
    Failed(String),
}

/// Order an export.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `workspace_id` and `project_id`, [`Error::Conflict`] for
/// `id`, [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn order(
    sql: &impl Sql,
    caller: &Caller,
    new: NewExport,
    attempt: &Attempt,
) -> Write<Export> {
    let org = organization(caller)?;
    check::word(&new.format, FORMATS, "format")?;
    check::object(&new.filter, check::MOST_ATTRIBUTES, "filter")?;
    let creation = Creation {
        what: "export",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/export_create.sql"),
        parameters: vec![
            Some(org.clone()),
            Some(check::uuid(&new.workspace, "workspace_id")?),
            check::maybe_uuid(new.project.as_ref(), "project_id")?,
            Some(new.format),
            Some(Value::Object(new.filter).to_string()),
        ],
        replay: include_str!("../../queries/model/export_replay.sql"),
        replay_parameters: vec![Some(org)],
        needs: "member",
        missing: "workspace_id",
        within: Vec::new(),
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: export(written.value)?, replayed: written.replayed })
}

/// One of them with its content.
///
/// # Errors
/// [`Error::NotFound`] for `id`, also when it has expired.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Export> {
    export(one(sql, caller, include_str!("../../queries/model/export_find.sql"), id).await?)
}

/// Those of a workspace that the caller may see, in the order of their creation, without contents.
///
/// # Errors
/// [`Error::Invalid`] for `workspace_id` or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    workspace: &str,
    window: &Window,
) -> Read<Part<Export>> {
    let mut parameters =
        vec![Some(organization(caller)?), Some(check::uuid(workspace, "workspace_id")?)];
    let scope = format!("exports {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    parameters.extend([after.map(|after| after.id), Some((limit + 1).to_string())]);
    let text = include_str!("../../queries/model/export_page.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = export(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Delete it for good.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn erase(sql: &impl Sql, caller: &Caller, id: &str, attempt: &Attempt) -> Write<Deleted> {
    let id = check::uuid(id, "id")?;
    let parameters = vec![Some(id.clone()), Some(organization(caller)?)];
    let statements = vec![
        statement(include_str!("../../queries/model/export_erase.sql"), parameters.clone()),
        statement(include_str!("../../queries/model/export_version.sql"), parameters),
    ];
    let changed = change(sql, caller, attempt.dry_run, "member", None, statements).await?;
    let (row, _) = changed.done("admin")?;
    let title = row.into_iter().next().flatten().unwrap_or_default();
    Ok(Written { value: Deleted { id, title, contents: Default::default() }, replayed: false })
}

/// Take the oldest export that is to be made, or whose maker has not been heard of for ten minutes. Of
/// two at the same time each takes another.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Internal`].
pub async fn claim(sql: &impl Sql) -> Read<Option<Export>> {
    let rows =
        service(sql, include_str!("../../queries/model/export_claim.sql"), Vec::new()).await?;
    rows.rows.into_iter().next().map(|row| export(Record::of(row)?)).transpose()
}

/// Say what has been made of `claimed`; whether anybody still waits for it.
///
/// # Errors
/// [`Error::Invalid`] for `content`, `location`, `error`.
pub async fn finish(sql: &impl Sql, claimed: &Target, made: Made) -> Read<bool> {
    let id = Some(check::uuid(&claimed.id, "id")?);
    let version = Some(claimed.version.unwrap_or_default().to_string());
    let succeed = include_str!("../../queries/model/export_succeed.sql");
    let (text, parameters) = match made {
        Made::Content(content, rows) => {
            check::text(&content, MOST_CONTENT, "content")?;
            if content.len() > MOST_CONTENT {
                let reason = format!("must have at most {MOST_CONTENT} bytes");
                return Err(Error::invalid("content", reason));
            }
            (succeed, vec![id, Some(content), None, Some(rows.to_string()), version])
        }
        Made::Location(location, rows) => {
            check::line(&location, 2000, "location")?;
            (succeed, vec![id, None, Some(location), Some(rows.to_string()), version])
        }
        Made::Failed(error) => {
            check::text(&error, 2000, "error")?;
            let text = include_str!("../../queries/model/export_fail.sql");
            (text, vec![id, Some(error), version])
        }
    };
    Ok(!service(sql, text, parameters).await?.rows.is_empty())
}

/// Forget up to `most` exports that have expired; how many there were.
///
/// # Errors
/// [`Error::Unavailable`], [`Error::Internal`].
pub async fn forget(sql: &impl Sql, most: u16) -> Read<usize> {
    let text = include_str!("../../queries/model/export_forget.sql");
    Ok(service(sql, text, vec![Some(most.to_string())]).await?.rows.len())
}

async fn service(
    sql: &impl Sql,
    text: &str,
    parameters: Vec<Option<String>>,
) -> Result<Rows, Error> {
    one_as_service(sql, statement(text, parameters)).await.map_err(explain_service)
}

fn export(mut record: Record) -> Read<Export> {
    Ok(Export {
        id: record.text("id")?,
        workspace_id: record.text("workspace_id")?,
        project_id: record.maybe_text("project_id"),
        format: record.text("format")?,
        filter: record.object("filter"),
        status: record.text("status")?,
        content: record.maybe_text("content"),
        location: record.maybe_text("location"),
        rows: record.take("rows").and_then(|rows| rows.as_i64()),
        error: record.maybe_text("error"),
        created_by: record.text("created_by")?,
        created_at: record.moment("created_at")?,
        expires_at: record.moment("expires_at")?,
        version: record.number("version")?,
    })
}
