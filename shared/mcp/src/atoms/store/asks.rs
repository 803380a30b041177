//! What a store is asked for.

use serde_json::{Map, Value};

use super::{Id, Step};

/// A change of something: what is `None` stays; an inner `None` takes the value away.
pub type Change<T> = Option<T>;

/// What is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub id: Id,
    /// Only if this is its version.
    pub version: Option<i64>,
}

/// A workspace to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkspace {
    /// Its key.
    pub id: Id,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
}

/// A change of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another name.
    pub name: Change<String>,
    /// Another description, or none.
    pub description: Change<Option<String>>,
}

/// An entity to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntity {
    /// Its key.
    pub id: Id,
    /// One of the entity types.
    pub kind: String,
    /// Where a project is to be; what is in a project is where that is.
    pub workspace: Option<Id>,
    /// The project that it is to be in; projects are in none.
    pub project: Option<Id>,
    /// The document of a block or a requirement, the test case of a test run.
    pub parent: Option<Id>,
    /// One line.
    pub title: String,
    /// What is common to all types.
    pub fields: EntityFields,
}

/// The fields that entities of all types have in common, as far as they are told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityFields {
    /// The text: of a requirement its statement, of a block its content, of a test run its notes.
    pub description: Change<Option<String>>,
    /// Where it stands; which words there are depends on the type.
    pub status: Option<String>,
    /// How much it matters.
    pub priority: Option<String>,
    /// Which kind of its type it is.
    pub subtype: Option<String>,
    /// How another system calls it.
    pub external_id: Change<Option<String>>,
    /// What only its type has, such as the rationale of a requirement. Members that are absent stay,
    /// null takes one away.
    pub details: Map<String, Value>,
    /// What the organization has added. All of it is replaced.
    pub attributes: Change<Map<String, Value>>,
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
    pub workspace: Option<Id>,
    /// Of this project.
    pub project: Option<Id>,
    /// In this document, or runs of this test case.
    pub parent: Option<Id>,
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
    pub attributes: Map<String, Value>,
    /// By what to sort: `created_at` (if it is empty), `updated_at`, `title`, `status`, `priority`.
    pub sort: String,
    /// The other way round.
    pub descending: bool,
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchFor {
    /// The words, as a web search has them: quotes, `or`, `-`.
    pub words: String,
    /// Among these; how they are sorted means nothing here.
    pub among: Filter,
    /// Whether to count what matches, by type and by status.
    pub facets: bool,
}

/// Which relationships are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RelationshipFilter {
    /// Of this workspace.
    pub workspace: Option<Id>,
    /// With this entity at an end.
    pub entity: Option<Id>,
    /// Which end it is: `outgoing` (the source), `incoming`, `both`.
    pub direction: String,
    /// Of one of these kinds; none for all.
    pub kinds: Vec<String>,
}

/// A relationship to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRelationship {
    /// Its key.
    pub id: Id,
    /// One of the kinds.
    pub kind: String,
    /// An entity.
    pub source: Id,
    /// Another one of the same workspace.
    pub target: Option<Id>,
    /// Or a person of the organization.
    pub target_user: Option<String>,
    /// Which trace link, dependency and so on it is.
    pub label: Option<String>,
    /// What the organization has added.
    pub attributes: Map<String, Value>,
}

/// A change of a relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationshipChange {
    /// Which one, and at which version.
    pub target: Target,
    /// Another label, or none.
    pub label: Change<Option<String>>,
    /// Other attributes, all of them.
    pub attributes: Change<Map<String, Value>>,
}

/// A graph around an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphAround {
    /// The entity.
    pub entity: Id,
    /// As in [`RelationshipFilter`].
    pub direction: String,
    /// As in [`RelationshipFilter`].
    pub kinds: Vec<String>,
    /// How many steps away, from 1.
    pub depth: u8,
    /// How many entities at most.
    pub limit: usize,
}

/// Which workflows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowFilter {
    /// Of this workspace.
    pub workspace: Id,
    /// Of this project.
    pub project: Option<Id>,
    /// That stand here.
    pub status: Option<String>,
}

/// A workflow to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWorkflow {
    /// Its key.
    pub id: Id,
    /// Where it is to be.
    pub workspace: Id,
    /// For this project only.
    pub project: Option<Id>,
    /// One line.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    pub status: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// A run to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its key.
    pub id: Id,
    /// Of what.
    pub workflow: Id,
    /// What it is about.
    pub subject: Option<Id>,
    /// What it works with.
    pub input: Map<String, Value>,
}
