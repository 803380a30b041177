//! Workflows of a workspace with their steps. Viewers read, admins do the rest. For runs see
//! [`super::runs`].

use ports::Sql;
use serde::Serialize;
use serde_json::{Value, json};

use super::batch::{self, Creation, change, organization, part, read, statement};
use super::cursor::{self, Position};
use super::record::Record;
use super::workspaces::{on, one};
use super::{
    Attempt, Change, Deleted, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write,
    Written, check,
};
use crate::session::Caller;

/// Where a workflow stands.
pub const STATUSES: &[&str] = &["draft", "active", "paused", "retired"];
/// What a step is.
pub const STEP_KINDS: &[&str] = &["action", "approval", "condition", "notification", "wait"];
/// What happens when a step fails.
pub const ON_FAILURE: &[&str] = &["stop", "continue", "retry"];
/// Steps of a workflow at most.
pub const MOST_STEPS: usize = 100;

/// A step of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// One line.
    pub name: String,
    /// One of [`STEP_KINDS`].
    pub kind: String,
    /// What it does.
    pub config: Object,
    /// It is skipped where this does not hold.
    pub condition: Option<Object>,
    /// One of [`ON_FAILURE`].
    pub on_failure: String,
    /// How often it is tried, 1 to 10; more than once only if it is to be retried.
    pub max_attempts: i64,
    /// How long it may take, in seconds, up to a day.
    pub timeout: i64,
}

/// A workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// Its key.
    pub id: String,
    /// Where it is.
    pub workspace_id: String,
    /// Its project, if it is of one.
    pub project_id: Option<String>,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// One of [`STATUSES`].
    pub status: String,
    /// In order.
    pub steps: Vec<Step>,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
    /// Each change adds 1, of a step too: a new one has 1 and as many as it has steps.
    pub version: i64,
}

/// A workflow to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorkflow {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// Where it is to be.
    pub workspace: String,
    /// For this project only.
    pub project: Option<String>,
    /// One line of 1 to 200 characters.
    pub name: String,
    /// Up to 4000 characters.
    pub description: Option<String>,
    /// One of [`STATUSES`].
    pub status: String,
    /// In order, up to [`MOST_STEPS`].
    pub steps: Vec<Step>,
}

/// A change of a workflow. Its steps stay.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another name.
    pub name: Change<String>,
    /// Another description, or none.
    pub description: Change<Option<String>>,
    /// Another status.
    pub status: Change<String>,
}

/// Which workflows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Of this workspace.
    pub workspace: String,
    /// Of this project.
    pub project: Option<String>,
    /// That stand here.
    pub status: Option<String>,
}

/// Create a workflow with its steps.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `workspace_id` and `project_id`, [`Error::Conflict`] for
/// `id`, [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn create(
    sql: &impl Sql,
    caller: &Caller,
    new: NewWorkflow,
    attempt: &Attempt,
) -> Write<Workflow> {
    let org = organization(caller)?;
    check::line(&new.name, 200, "name")?;
    check::maybe_text(new.description.as_ref(), 4000, "description")?;
    check::word(&new.status, STATUSES, "status")?;
    if new.steps.len() > MOST_STEPS {
        return Err(Error::invalid("steps", format!("must be at most {MOST_STEPS}")));
    }
    new.steps.iter().try_for_each(judge)?;
    let steps: Value = new.steps.iter().map(json_of).collect();
    let creation = Creation {
        what: "workflow",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/workflow_create.sql"),
        parameters: vec![
            Some(org.clone()),
            Some(check::uuid(&new.workspace, "workspace_id")?),
            check::maybe_uuid(new.project.as_ref(), "project_id")?,
            Some(new.name),
            new.description,
            Some(new.status),
        ],
        replay: include_str!("../../queries/model/workflow_replay.sql"),
        replay_parameters: vec![Some(org)],
        needs: "admin",
        missing: "workspace_id",
        within: vec![(
            include_str!("../../queries/model/workflow_steps_create.sql"),
            vec![Some(steps.to_string())],
        )],
        reread: include_str!("../../queries/model/workflow_read.sql"),
        obstacle: None,
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: workflow(written.value)?, replayed: written.replayed })
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Workflow> {
    let text = include_str!("../../queries/model/workflow_find.sql");
    workflow(one(sql, caller, text, id).await?)
}

/// Those of a workspace in the order of their creation. Empty without a membership.
///
/// # Errors
/// [`Error::Invalid`] for a part of the filter, or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    filter: &WorkflowFilter,
    window: &Window,
) -> Read<Part<Workflow>> {
    let status = filter.status.as_deref();
    status.map_or(Ok(()), |status| check::word(status, STATUSES, "status"))?;
    let mut parameters = vec![
        Some(organization(caller)?),
        Some(check::uuid(&filter.workspace, "workspace_id")?),
        check::maybe_uuid(filter.project.as_ref(), "project_id")?,
        filter.status.clone(),
    ];
    let scope = format!("workflows {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    parameters.extend([after.map(|after| after.id), Some((limit + 1).to_string())]);
    let text = include_str!("../../queries/model/workflow_page.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = workflow(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Change it, if it has the version that the caller has seen.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`] for `id`, [`Error::Stale`], [`Error::NotPermitted`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    new: WorkflowChange,
    attempt: &Attempt,
) -> Write<Workflow> {
    let mut given = Object::new();
    if let Some(name) = new.name {
        check::line(&name, 200, "name")?;
        given.insert("name".to_owned(), name.into());
    }
    if let Some(description) = new.description {
        check::maybe_text(description.as_ref(), 4000, "description")?;
        given.insert("description".to_owned(), description.into());
    }
    if let Some(status) = new.status {
        check::word(&status, STATUSES, "status")?;
        given.insert("status".to_owned(), status.into());
    }
    let statements = on(
        &new.target,
        organization(caller)?,
        Some(given),
        include_str!("../../queries/model/workflow_update.sql"),
        include_str!("../../queries/model/workflow_version.sql"),
    )?;
    let changed =
        change(sql, caller, attempt.dry_run, "admin", new.target.version, statements).await?;
    let (row, _) = changed.done("admin")?;
    Ok(Written { value: workflow(Record::of(row)?)?, replayed: false })
}

/// Delete it, so that it can be restored. Its runs stay as records.
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
        include_str!("../../queries/model/workflow_delete.sql"),
        include_str!("../../queries/model/workflow_version.sql"),
    )?;
    let changed = change(sql, caller, attempt.dry_run, "admin", target.version, statements).await?;
    let (row, _) = changed.done("admin")?;
    let title = row.into_iter().next().flatten().unwrap_or_default();
    let id = check::uuid(&target.id, "id")?;
    Ok(Written { value: Deleted { id, title, contents: Default::default() }, replayed: false })
}

fn judge(step: &Step) -> Result<(), Error> {
    check::line(&step.name, 200, "steps")?;
    check::word(&step.kind, STEP_KINDS, "steps")?;
    check::word(&step.on_failure, ON_FAILURE, "steps")?;
    check::object(&step.config, check::MOST_ATTRIBUTES, "steps")?;
    if let Some(condition) = &step.condition {
        check::object(condition, check::MOST_ATTRIBUTES, "steps")?;
    }
    if !(1..=10).contains(&step.max_attempts) || !(1..=86_400).contains(&step.timeout) {
        let reason = "must be tried 1 to 10 times, and take 1 to 86400 seconds";
        return Err(Error::invalid("steps", reason));
    }
    if step.max_attempts > 1 && step.on_failure != "retry" {
        return Err(Error::invalid("steps", "must be retried to be tried more than once"));
    }
    Ok(())
}

fn json_of(step: &Step) -> Value {
    json!({
        "name": step.name,
        "kind": step.kind,
        "config": step.config,
        "condition": step.condition,
        "on_failure": step.on_failure,
        "max_attempts": step.max_attempts,
        "timeout": step.timeout,
    })
}

fn workflow(mut record: Record) -> Read<Workflow> {
    Ok(Workflow {
        id: record.text("id")?,
        workspace_id: record.text("workspace_id")?,
        project_id: record.maybe_text("project_id"),
        name: record.text("name")?,
        description: record.maybe_text("description"),
        status: record.text("status")?,
        steps: record.records("steps").into_iter().map(step).collect::<Result<_, _>>()?,
        created_at: record.moment("created_at")?,
        version: record.number("version")?,
    })
}

fn step(mut record: Record) -> Read<Step> {
    Ok(Step {
        name: record.text("name")?,
        kind: record.text("kind")?,
        config: record.object("config"),
        condition: record.maybe_object("condition"),
        on_failure: record.text("on_failure")?,
        max_attempts: record.number("max_attempts")?,
        timeout: record.number("timeout")?,
    })
}
