//! Runs of workflows and what came of their steps. Viewers read, members start them and say what came of
//! them. What is over stays as it was.

use ports::Sql;
use serde::Serialize;
use serde_json::Value;

use super::batch::{self, Creation, Obstacle, change, organization, part, read, statement, write};
use super::cursor::{self, Position};
use super::record::Record;
use super::workspaces::one;
use super::{
    Attempt, Error, MOST_ITEMS, Object, Part, Read, Target, Window, Write, Written, check,
};
use crate::session::Caller;

/// Where a run stands.
pub const STATUSES: &[&str] =
    &["pending", "running", "waiting", "succeeded", "failed", "cancelled"];
/// Where a step of a run stands.
pub const STEP_STATUSES: &[&str] =
    &["pending", "running", "waiting", "succeeded", "failed", "skipped", "cancelled"];
/// In bytes of JSON: of an input or an output.
const MOST_BYTES: usize = 65_536;

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its key.
    pub id: String,
    /// Of what.
    pub workflow_id: String,
    /// The version of the workflow as it was run.
    pub workflow_version: i64,
    /// What it is about.
    pub subject_id: Option<String>,
    /// One of [`STATUSES`].
    pub status: String,
    /// What it works with.
    pub input: Object,
    /// What came of it.
    pub output: Option<Object>,
    /// Why it has failed.
    pub error: Option<String>,
    /// RFC 3339, UTC, milliseconds.
    pub started_at: Option<String>,
    /// RFC 3339, UTC, milliseconds.
    pub finished_at: Option<String>,
    /// 1 at first; each change adds 1.
    pub version: i64,
    /// What came of its steps, in order.
    pub steps: Vec<RunStep>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunStep {
    /// From 1.
    pub number: i64,
    /// One of [`STEP_STATUSES`].
    pub status: String,
    /// Which try it was.
    pub attempt: i64,
    /// What came of it.
    pub output: Option<Object>,
    /// Why it has failed.
    pub error: Option<String>,
}

/// A run to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its key, see [`crate::new_uuid`].
    pub id: String,
    /// Of what.
    pub workflow: String,
    /// What it is about: an entity of the workflow's workspace.
    pub subject: Option<String>,
    /// What it works with.
    pub input: Object,
}

/// How a run, or a step of it, goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Where it stands.
    pub status: String,
    /// What came of it.
    pub output: Option<Object>,
    /// Why it has failed.
    pub error: Option<String>,
}

/// Start a workflow that is a draft or active. Its steps are pending.
///
/// # Errors
/// [`Error::NotFound`] for `workflow_id` and `subject_id`, [`Error::Invalid`] for those, `id` and `input`,
/// and for a `workflow_id` that is paused or retired; [`Error::NotPermitted`], [`Error::KeyReused`].
pub async fn start(sql: &impl Sql, caller: &Caller, new: NewRun, attempt: &Attempt) -> Write<Run> {
    let org = organization(caller)?;
    check::object(&new.input, MOST_BYTES, "input")?;
    let workflow = check::uuid(&new.workflow, "workflow_id")?;
    let subject = check::maybe_uuid(new.subject.as_ref(), "subject_id")?;
    let creation = Creation {
        what: "workflow_run",
        id: check::new_uuid(&new.id, "id")?,
        insert: include_str!("../../queries/model/run_start.sql"),
        parameters: vec![
            Some(org.clone()),
            Some(workflow.clone()),
            subject.clone(),
            Some(Value::Object(new.input).to_string()),
        ],
        replay: include_str!("../../queries/model/run_replay.sql"),
        replay_parameters: vec![Some(workflow.clone()), Some(org.clone())],
        needs: "member",
        missing: "workflow_id",
        within: vec![(include_str!("../../queries/model/run_steps_create.sql"), Vec::new())],
        reread: include_str!("../../queries/model/run_read.sql"),
        obstacle: Some(Obstacle {
            text: include_str!("../../queries/model/run_obstacle.sql"),
            parameters: vec![Some(workflow), Some(org), subject],
            verdict: obstacle,
        }),
    };
    let written = batch::create(sql, caller, attempt, creation).await?;
    Ok(Written { value: run(written.value)?, replayed: written.replayed })
}

/// Why a run did not start.
fn obstacle(row: &[Option<String>]) -> Error {
    let column = |at: usize| row.get(at).and_then(Option::as_deref);
    match (column(0), column(1)) {
        (_, Some("f")) => Error::NotFound { field: "subject_id" },
        (Some("paused" | "retired"), _) => {
            Error::invalid("workflow_id", "names a workflow that is paused or retired")
        }
        _ => Error::Unavailable("the workflow has changed meanwhile".to_owned()),
    }
}

/// A run with what came of its steps.
///
/// # Errors
/// [`Error::NotFound`] for `id`.
pub async fn find(sql: &impl Sql, caller: &Caller, id: &str) -> Read<Run> {
    run(one(sql, caller, include_str!("../../queries/model/run_find.sql"), id).await?)
}

/// The runs of a workflow in the order of their start. Empty without a membership.
///
/// # Errors
/// [`Error::Invalid`] for `workflow_id`, `status` or a `cursor` that is not of this list.
pub async fn list(
    sql: &impl Sql,
    caller: &Caller,
    workflow: &str,
    status: Option<&str>,
    window: &Window,
) -> Read<Part<Run>> {
    status.map_or(Ok(()), |status| check::word(status, STATUSES, "status"))?;
    let mut parameters = vec![
        Some(organization(caller)?),
        Some(check::uuid(workflow, "workflow_id")?),
        status.map(str::to_owned),
    ];
    let scope = format!("runs {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    parameters.extend([after.map(|after| after.id), Some((limit + 1).to_string())]);
    let text = include_str!("../../queries/model/run_page.sql");
    let rows = read(sql, caller, statement(text, parameters)).await?;
    part(rows, limit, &scope, |row| {
        let one = run(Record::of(row)?)?;
        Ok((Position { place: String::new(), id: one.id.clone() }, one))
    })
}

/// Say what came of a try of a step, while the run is not over. Saying the same again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] for `run_id`, [`Error::Invalid`] for `number` (also if the workflow has no such
/// step), `attempt`, `status` (also if it is over), `output`, `error`; [`Error::NotPermitted`].
pub async fn record_step(
    sql: &impl Sql,
    caller: &Caller,
    run_id: &str,
    number: u16,
    attempt: u8,
    progress: Progress,
) -> Read<RunStep> {
    let id = Some(check::uuid(run_id, "run_id")?);
    let org = Some(organization(caller)?);
    judge(&progress, STEP_STATUSES)?;
    within(number, 1000, "number")?;
    within(u16::from(attempt), 10, "attempt")?;
    let number = Some(number.to_string());
    let statements = vec![
        statement(
            include_str!("../../queries/model/run_step.sql"),
            vec![
                id.clone(),
                org.clone(),
                number.clone(),
                Some(attempt.to_string()),
                Some(progress.status),
                progress.output.map(|output| Value::Object(output).to_string()),
                progress.error,
            ],
        ),
        statement(include_str!("../../queries/model/run_step_obstacle.sql"), vec![id, org, number]),
    ];
    let mut results = write(sql, caller, false, "member", statements).await?.into_iter();
    let (written, state) = (results.next().unwrap_or_default(), results.next().unwrap_or_default());
    if let Some(row) = written.rows.into_iter().next() {
        return run_step(Record::of(row)?);
    }
    let state = state.rows.into_iter().next().ok_or(Error::NotFound { field: "run_id" })?;
    if state.get(1).cloned().flatten().as_deref() == Some("f") {
        return Err(Error::invalid("number", "is of no step of the workflow"));
    }
    Err(Error::invalid("status", "is final: the run is over"))
}

/// Say where a run stands. What is over stays as it was.
///
/// # Errors
/// [`Error::NotFound`] for `id`, [`Error::Stale`], [`Error::Invalid`] for `status` (also if it is over),
/// `output`, `error`; [`Error::NotPermitted`].
pub async fn update(
    sql: &impl Sql,
    caller: &Caller,
    target: &Target,
    progress: Progress,
    attempt: &Attempt,
) -> Write<Run> {
    let id = Some(check::uuid(&target.id, "id")?);
    let org = Some(organization(caller)?);
    judge(&progress, STATUSES)?;
    let statements = vec![
        statement(
            include_str!("../../queries/model/run_update.sql"),
            vec![
                id.clone(),
                org.clone(),
                target.version.map(|version| version.to_string()),
                Some(progress.status),
                progress.output.map(|output| Value::Object(output).to_string()),
                progress.error,
            ],
        ),
        statement(include_str!("../../queries/model/run_version.sql"), vec![id, org]),
    ];
    let changed =
        change(sql, caller, attempt.dry_run, "member", target.version, statements).await?;
    let (row, _) = changed.done("member")?;
    Ok(Written { value: run(Record::of(row)?)?, replayed: false })
}

fn within(value: u16, most: u16, field: &'static str) -> Result<(), Error> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("must be from 1 to {most}")))
}

fn judge(progress: &Progress, statuses: &[&str]) -> Result<(), Error> {
    check::word(&progress.status, statuses, "status")?;
    check::maybe_text(progress.error.as_ref(), 2000, "error")?;
    match &progress.output {
        Some(output) => check::object(output, MOST_BYTES, "output"),
        None => Ok(()),
    }
}

fn run(mut record: Record) -> Read<Run> {
    Ok(Run {
        id: record.text("id")?,
        workflow_id: record.text("workflow_id")?,
        workflow_version: record.number("workflow_version")?,
        subject_id: record.maybe_text("subject_id"),
        status: record.text("status")?,
        input: record.object("input"),
        output: record.maybe_object("output"),
        error: record.maybe_text("error"),
        started_at: record.maybe_moment("started_at"),
        finished_at: record.maybe_moment("finished_at"),
        version: record.number("version")?,
        steps: record.records("steps").into_iter().map(run_step).collect::<Result<_, _>>()?,
    })
}

fn run_step(mut record: Record) -> Read<RunStep> {
    Ok(RunStep {
        number: record.number("number")?,
        status: record.text("status")?,
        attempt: record.number("attempt")?,
        output: record.maybe_object("output"),
        error: record.maybe_text("error"),
    })
}
