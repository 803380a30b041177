//! What the operations need of the Atoms model: a port, in the words of the model. Who may see or
//! change what is decided behind it.
//!
//! A store serves what it says in [`Store::serves`]; of the rest nothing is listed and nothing can be
//! called, so its methods need not be there.

mod asks;
mod records;

pub use asks::{
    Change, EntityChange, EntityFields, Filter, GraphAround, NewEntity, NewRelationship, NewRun,
    NewWorkflow, NewWorkspace, RelationshipChange, RelationshipFilter, SearchFor, Target,
    WorkflowFilter, WorkspaceChange,
};
pub use records::{
    Deleted, Edge, Entity, Export, Graph, Hit, QueryStatistics, Relationship, Run, RunStep, Search,
    Step, Workflow, Workspace, WorkspaceSummary,
};

use super::operation::Op;
use crate::Principal;

/// A whole model.
pub trait Store: Workspaces + Entities + Relationships + Workflows + Queries {
    /// Whether the operation can be called at all.
    fn serves(&self, op: Op) -> bool;

    /// Whether it keeps what an [`Attempt`] promises. If not, none is ever asked for.
    fn keeps_attempts(&self) -> bool;
}

/// An id that does not exist yet, or of something that does: a UUID in small letters.
pub type Id = String;
/// What comes of a read.
pub type Read<T> = Result<T, StoreError>;
/// What comes of a write.
pub type Write<T> = Result<Written<T>, StoreError>;

/// How a write is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempt {
    /// If it comes again with the same key, it has happened already, and its result is told again.
    pub idempotency: Option<Idempotency>,
    /// Judge it as if it would happen, tell what would come of it, and leave everything as it is.
    pub dry_run: bool,
}

/// What makes two writes the same one. A key belongs to its user and organization for at least a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Chosen by the caller.
    pub key: String,
    /// Operation and arguments, in hexadecimal: the same key with another digest is
    /// [`StoreError::KeyReused`].
    pub digest: String,
}

/// A write that has happened, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// What came of it.
    pub value: T,
    /// Whether it had happened before, under the same idempotency key.
    pub replayed: bool,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// How many at most, from 1.
    pub limit: usize,
    /// The [`Part::next`] of the part before.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// In order.
    pub items: Vec<T>,
    /// Where the next part starts, if there is one: characters without spaces, for [`Window::after`].
    pub next: Option<String>,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// A dependency is away: try again later. The cause is for the log.
    Unavailable(String),
    /// The caller has no active organization.
    NoOrganization,
    /// The caller's role does not allow it; the role that would, if that is known.
    NotPermitted(Option<&'static str>),
    /// What the argument names is not there, or is not for the caller to see.
    NotFound {
        /// The argument.
        field: &'static str,
    },
    /// It has been changed since the caller has seen it.
    Stale {
        /// Its version now.
        version: i64,
    },
    /// The argument's value is taken.
    Conflict {
        /// The argument.
        field: &'static str,
    },
    /// The model does not allow the argument's value.
    Invalid {
        /// The argument.
        field: &'static str,
        /// What it must be, to follow its name in a sentence.
        reason: String,
    },
    /// The idempotency key has been used for another call.
    KeyReused,
    /// The store does not serve this.
    Absent,
    /// A defect of ours; the cause is for the log.
    Internal(String),
}

/// The workspaces of the caller's organization.
pub trait Workspaces {
    /// In the order of their creation.
    async fn list_workspaces(&self, _: &Principal, _: &Window) -> Read<Part<Workspace>> {
        Err(StoreError::Absent)
    }

    /// A new one.
    async fn create_workspace(
        &self,
        _: &Principal,
        _: NewWorkspace,
        _: &Attempt,
    ) -> Write<Workspace> {
        Err(StoreError::Absent)
    }

    /// One of them.
    async fn read_workspace(&self, _: &Principal, _: &str) -> Read<Workspace> {
        Err(StoreError::Absent)
    }

    /// Change it, if it has the version that the caller has seen.
    async fn update_workspace(
        &self,
        _: &Principal,
        _: WorkspaceChange,
        _: &Attempt,
    ) -> Write<Workspace> {
        Err(StoreError::Absent)
    }

    /// Delete it with all that is in it.
    async fn delete_workspace(&self, _: &Principal, _: &Target, _: &Attempt) -> Write<Deleted> {
        Err(StoreError::Absent)
    }

    /// What is in it.
    async fn summarize_workspace(&self, _: &Principal, _: &str) -> Read<WorkspaceSummary> {
        Err(StoreError::Absent)
    }
}

/// Projects and what is in them.
pub trait Entities {
    /// Those that the filter lets through.
    async fn list_entities(&self, _: &Principal, _: &Filter, _: &Window) -> Read<Part<Entity>> {
        Err(StoreError::Absent)
    }

    /// A new one.
    async fn create_entity(&self, _: &Principal, _: NewEntity, _: &Attempt) -> Write<Entity> {
        Err(StoreError::Absent)
    }

    /// One of them.
    async fn read_entity(&self, _: &Principal, _: &str) -> Read<Entity> {
        Err(StoreError::Absent)
    }

    /// Change it, if it has the version that the caller has seen.
    async fn update_entity(&self, _: &Principal, _: EntityChange, _: &Attempt) -> Write<Entity> {
        Err(StoreError::Absent)
    }

    /// Delete it with what is in it.
    async fn delete_entity(&self, _: &Principal, _: &Target, _: &Attempt) -> Write<Deleted> {
        Err(StoreError::Absent)
    }

    /// Those that match the words, best first.
    async fn search_entities(
        &self,
        _: &Principal,
        _: &SearchFor,
        _: &Window,
    ) -> Read<(Part<Hit>, Search)> {
        Err(StoreError::Absent)
    }
}

/// What is between entities.
pub trait Relationships {
    /// Those of a workspace or an entity, in the order of their creation.
    async fn list_relationships(
        &self,
        _: &Principal,
        _: &RelationshipFilter,
        _: &Window,
    ) -> Read<Part<Relationship>> {
        Err(StoreError::Absent)
    }

    /// A new one.
    async fn create_relationship(
        &self,
        _: &Principal,
        _: NewRelationship,
        _: &Attempt,
    ) -> Write<Relationship> {
        Err(StoreError::Absent)
    }

    /// Change it, if it has the version that the caller has seen.
    async fn update_relationship(
        &self,
        _: &Principal,
        _: RelationshipChange,
        _: &Attempt,
    ) -> Write<Relationship> {
        Err(StoreError::Absent)
    }

    /// Delete it. Its ends stay.
    async fn delete_relationship(&self, _: &Principal, _: &Target, _: &Attempt) -> Write<Deleted> {
        Err(StoreError::Absent)
    }

    /// What can be reached from an entity.
    async fn relationship_graph(&self, _: &Principal, _: &GraphAround) -> Read<Graph> {
        Err(StoreError::Absent)
    }
}

/// Workflows and their runs.
pub trait Workflows {
    /// Those of a workspace, in the order of their creation.
    async fn list_workflows(
        &self,
        _: &Principal,
        _: &WorkflowFilter,
        _: &Window,
    ) -> Read<Part<Workflow>> {
        Err(StoreError::Absent)
    }

    /// A new one with its steps.
    async fn create_workflow(&self, _: &Principal, _: NewWorkflow, _: &Attempt) -> Write<Workflow> {
        Err(StoreError::Absent)
    }

    /// Delete it with its runs.
    async fn delete_workflow(&self, _: &Principal, _: &Target, _: &Attempt) -> Write<Deleted> {
        Err(StoreError::Absent)
    }

    /// Start it. The run may be over when this comes back, or go on by itself.
    async fn start_run(&self, _: &Principal, _: NewRun, _: &Attempt) -> Write<Run> {
        Err(StoreError::Absent)
    }

    /// A run with what came of its steps.
    async fn read_run(&self, _: &Principal, _: &str) -> Read<Run> {
        Err(StoreError::Absent)
    }
}

/// How queries have gone.
pub trait Queries {
    /// Of a workspace, in the last so many days, those that took most time first.
    async fn query_statistics(
        &self,
        _: &Principal,
        _workspace: &str,
        _days: u16,
    ) -> Read<Vec<QueryStatistics>> {
        Err(StoreError::Absent)
    }
}
