//! What callers tell of an entity, judged and in the form in which the statements take it.

use serde_json::Value;

use super::entities::{EntityFields, NewEntity};
use super::shapes::{self, EntityType};
use super::{Change, Error, Object, check};

/// Where it is to be: workspace, project, parent.
pub(crate) type Place = (Option<String>, Option<String>, Option<String>);

/// Where it is to be.
pub(crate) fn place(new: &NewEntity) -> Result<Place, Error> {
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
pub(crate) fn given(kind: EntityType, mut new: NewEntity) -> Result<Object, Error> {
    let mut title = new.title.take();
    match (kind, title.is_some()) {
        (EntityType::Block | EntityType::TestRun, true) => {
            title.as_deref().map_or(Ok(()), |title| check::line(title, 300, "title"))?;
            let parts = [title.take(), new.fields.description.take().flatten()];
            let parts: Vec<_> = parts.into_iter().flatten().collect();
            new.fields.description = Some(Some(parts.join("\n\n")));
        }
        (EntityType::Block | EntityType::TestRun, false) => {}
        (_, false) => return Err(missing("title", "this type")),
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
            let reason = format!("must not have `{name}`: it has a place of its own");
            return Err(Error::invalid("details", reason));
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

/// The statement that makes one.
pub(crate) fn insert(kind: EntityType) -> Option<&'static str> {
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
