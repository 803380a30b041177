//! Documents as a whole: with their blocks, in the order in which they are read. Everything else about
//! documents and blocks is in [`super::entities`].

use ports::Sql;
use serde_json::Value;

use super::batch::{self, Creation, change, organization, part, statement};
use super::cursor;
use super::entities::{Entity, EntityFields, entity, placed};
use super::error::explain;
use super::record::Record;
use super::shapes::{self, EntityType};
use super::workspaces::on;
use super::{
    Attempt, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write, Written, check,
};
use crate::session::{Caller, as_user};

/// Blocks that a new document can come with.
pub const MOST_BLOCKS: usize = 500;
/// In bytes: of all blocks that a new document comes with.
pub const MOST_BYTES: usize = 4 << 20;

/// A document with a part of its blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The document.
    pub document: Entity,
    /// What it consists of, in order.
    pub blocks: Part<Entity>,
}

/// A document to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// The project that it is to be in.
    pub project: String,
    /// One line.
    pub title: String,
    /// The rest.
    pub fields: EntityFields,
    /// What it consists of, in order: of each the content as `description`, the kind, the details and
    /// the attributes.
    pub blocks: Vec<EntityFields>,
}

/// Create a document with its blocks, all or nothing.
///
/// # Errors
/// As [`super::entities::create`], and [`Error::Invalid`] for `blocks`.
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewDocument,
    attempt: &Attempt,
) -> Write<Entity> {
    let org = organization(caller)?;
    let project = check::uuid(&new.project, "project_id")?;
    let given = super::drafts::flat(Some(new.title), &new.fields)?;
    shapes::judge(EntityType::Document, &given)?;
    let blocks = blocks(&new.blocks)?;
    let creation = Creation {
        what: "document",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/document_create.sql"),
        parameters: vec![
            Some(org.clone()),
            None,
            Some(project),
            None,
            Some(Value::Object(given).to_string()),
        ],
        replay: super::entities::REPLAY,
        replay_parameters: vec![Some(org), Some("document".to_owned())],
        needs: "member",
        missing: "project_id",
        within: vec![(
            include_str!("../../queries/model/document_blocks_create.sql"),
            vec![Some(blocks)],
        )],
        reread: "",
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    let value = entity(EntityType::Document, written.value)?;
    Ok(Written { value, replayed: written.replayed })
}

/// A document with its blocks, the first of them or those after the cursor.
///
/// # Errors
/// [`Error::NotFound`] for `id`, [`Error::Invalid`] for a `cursor` that is not of this document.
pub async fn read(sql: &impl Sql, caller: &Caller, id: &str, window: &Window) -> Read<Document> {
    let (id, org) = (check::uuid(id, "id")?, organization(caller)?);
    let scope = format!("blocks {org} {id}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    let (place, last) = after.map(|after| (after.place, after.id)).unzip();
    let of = vec![Some(id), Some(org)];
    let mut blocks = of.clone();
    blocks.extend([place, last, Some((limit + 1).to_string())]);
    let statements = vec![
        statement(include_str!("../../queries/model/document_find.sql"), of),
        statement(include_str!("../../queries/model/document_blocks.sql"), blocks),
    ];
    let mut results =
        as_user(sql, caller, statements).await.map_err(|error| explain(error, "viewer"))?;
    let (blocks, document) = (results.pop().unwrap_or_default(), results.pop().unwrap_or_default());
    let document = document.rows.into_iter().next().ok_or(Error::NotFound { field: "id" })?;
    Ok(Document {
        document: entity(EntityType::Document, Record::of(document)?)?,
        blocks: part(blocks, limit, &scope, placed)?,
    })
}

/// Put a block behind another of its document, or at the beginning.
///
/// # Errors
/// [`Error::NotFound`] for `id` and `after_id`, [`Error::Stale`], [`Error::NotPermitted`].
pub async fn place(
    sql: &impl Sql,
    caller: &Caller,
    block: &Target,
    after: Option<&String>,
    attempt: &Attempt,
) -> Write<Entity> {
    let after = check::maybe_uuid(after, "after_id")?;
    let mut statements = on(
        block,
        organization(caller)?,
        None,
        include_str!("../../queries/model/block_move.sql"),
        include_str!("../../queries/model/block_version.sql"),
    )?;
    statements[0].parameters.push(after.clone());
    statements[1].parameters.push(after);
    let changed = change(sql, caller, attempt.dry_run, "member", block.version, statements).await?;
    let row = match changed {
        batch::Changed::Done(row, _) => row,
        batch::Changed::Refused(now) if now.first().cloned().flatten().as_deref() == Some("f") => {
            return Err(Error::NotFound { field: "after_id" });
        }
        batch::Changed::Refused(_) => return Err(Error::NotPermitted(Some("member"))),
    };
    Ok(Written { value: entity(EntityType::Block, Record::of(row)?)?, replayed: false })
}

fn blocks(all: &[EntityFields]) -> Result<String, Error> {
    if all.len() > MOST_BLOCKS {
        return Err(Error::invalid("blocks", format!("must be at most {MOST_BLOCKS}")));
    }
    let judged = all.iter().enumerate().map(|(at, fields)| block(fields).map_err(|e| of(at, e)));
    let all: Vec<Value> = judged.collect::<Result<_, _>>()?;
    let json = Value::Array(all).to_string();
    if json.len() > MOST_BYTES {
        return Err(Error::invalid("blocks", format!("must have at most {MOST_BYTES} bytes")));
    }
    Ok(json)
}

fn block(fields: &EntityFields) -> Result<Value, Error> {
    let given: Object = super::drafts::flat(None, fields)?;
    shapes::judge(EntityType::Block, &given)?;
    if (given.get("kind").and_then(Value::as_str) == Some("heading"))
        != given.get("level").is_some_and(|level| !level.is_null())
    {
        let reason = "must be given for headings, and for no others";
        return Err(Error::invalid("details.level", reason));
    }
    Ok(Value::Object(given))
}

fn of(at: usize, error: Error) -> Error {
    match error {
        Error::Invalid { field, reason } => Error::invalid(
            "blocks",
            format!("must be right; in number {}, {field} {reason}", at + 1),
        ),
        other => other,
    }
}
