//! What the model holds, as answers show it. The schemas of the answers are the tables in
//! `catalogue/records.rs`; the tests hold the two together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Id;

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// Its key.
    pub id: Id,
    /// The key of its organization.
    pub organization_id: Id,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// What is in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkspaceSummary {
    /// The workspace.
    pub workspace: Workspace,
    /// How many entities of each type.
    pub entities: BTreeMap<String, u64>,
    /// How many relationships of each kind.
    pub relationships: BTreeMap<String, u64>,
    /// How many workflows.
    pub workflows: u64,
    /// How many people can see it.
    pub members: u64,
    /// The role that the caller has in it.
    pub role: String,
}

/// A project, or something in one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// Its key.
    pub id: Id,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    pub workspace_id: Id,
    /// Its project; a project is in itself.
    pub project_id: Id,
    /// Its document or test case.
    pub parent_id: Option<Id>,
    /// One line.
    pub title: String,
    /// The text.
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
    /// What only its type has.
    pub details: Map<String, Value>,
    /// What the organization has added.
    pub attributes: Map<String, Value>,
    /// Who made it.
    pub created_by: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// An entity that a search has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Its key.
    pub id: Id,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    pub workspace_id: Id,
    /// Its project.
    pub project_id: Id,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Option<String>,
    /// How much it matters.
    pub priority: Option<String>,
    /// How another system calls it.
    pub external_id: Option<String>,
    /// How well it matches; only to be compared.
    pub rank: f64,
}

/// What a search tells besides what it has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// By type and by status, if that was asked for.
    pub facets: Option<(BTreeMap<String, u64>, BTreeMap<String, u64>)>,
}

/// What is between two entities, or an entity and a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Relationship {
    /// Its key.
    pub id: Id,
    /// What it is.
    pub kind: String,
    /// Where it is.
    pub workspace_id: Id,
    /// An entity.
    pub source_id: Id,
    /// The type of the source.
    pub source_type: String,
    /// Another entity.
    pub target_id: Option<Id>,
    /// Or a person.
    pub target_user: Option<String>,
    /// The type of the target; `user` for a person.
    pub target_type: String,
    /// Which trace link, dependency and so on.
    pub label: Option<String>,
    /// What the organization has added.
    pub attributes: Map<String, Value>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// A part of a graph: entities by their keys, and what is between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The entities, the nearest first.
    pub nodes: Vec<Entity>,
    /// What is between them.
    pub edges: Vec<Edge>,
    /// Whether there is more within the depth than the limit lets through.
    pub truncated: bool,
}

/// An edge of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The relationship.
    pub relationship_id: Id,
    /// What it is.
    pub kind: String,
    /// Which trace link, dependency and so on.
    pub label: Option<String>,
    /// From here.
    pub source_id: Id,
    /// To there.
    pub target_id: Id,
}

/// A step of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// One line.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// What it does.
    pub config: Map<String, Value>,
    /// It is skipped where this does not hold.
    pub condition: Option<Map<String, Value>>,
    /// What happens when it fails.
    pub on_failure: String,
    /// How often it is tried.
    pub max_attempts: i64,
    /// How long it may take, in seconds.
    pub timeout: i64,
}

/// A workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// Its key.
    pub id: Id,
    /// Where it is.
    pub workspace_id: Id,
    /// Its project, if it is of one.
    pub project_id: Option<Id>,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    pub status: String,
    /// In order.
    pub steps: Vec<Step>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// 1 at first; each change adds 1.
    pub version: i64,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its key.
    pub id: Id,
    /// Of what.
    pub workflow_id: Id,
    /// What it is about.
    pub subject_id: Option<Id>,
    /// Where it stands.
    pub status: String,
    /// What it works with.
    pub input: Map<String, Value>,
    /// What came of it, when it is over.
    pub output: Option<Map<String, Value>>,
    /// Why it has failed.
    pub error: Option<String>,
    /// RFC 3339, UTC.
    pub started_at: Option<String>,
    /// RFC 3339, UTC.
    pub finished_at: Option<String>,
    /// What came of its steps, in order.
    pub steps: Vec<RunStep>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStep {
    /// From 1.
    pub number: i64,
    /// Where it stands.
    pub status: String,
    /// Which try it was.
    pub attempt: i64,
    /// Why it has failed.
    pub error: Option<String>,
}

/// How queries of one kind have gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueryStatistics {
    /// Of which kind.
    pub operation: String,
    /// How many there were.
    pub executions: u64,
    /// How many of them had no result.
    pub failures: u64,
    /// How many rows they have found.
    pub rows: u64,
    /// How long they took on average, in microseconds.
    pub mean_time: u64,
    /// How long the longest took, in microseconds.
    pub max_time: u64,
    /// When the last one was: RFC 3339, UTC.
    pub last_at: String,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Its key.
    pub id: Id,
    /// What it is called.
    pub title: String,
    /// How many of what went with it.
    pub contents: BTreeMap<String, u64>,
}

/// Results in another form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Export {
    /// Which form.
    pub format: String,
    /// How many entities.
    pub rows: usize,
    /// Their text.
    pub content: String,
}
