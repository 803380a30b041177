//! Every tool and operation, as tables.

mod entity;
mod query;
mod records;
mod relationship;
mod workflow;
mod workspace;

use super::operation::{Op, Operation, Tool};

pub(crate) use entity::details_of;

/// Every tool, in the order of `tools/list`.
pub(crate) const TOOLS: &[&Tool] =
    &[&workspace::TOOL, &entity::TOOL, &relationship::TOOL, &workflow::TOOL, &query::TOOL];

/// Every operation with its tool, in the order of `tools/list`.
pub(crate) fn operations() -> impl Iterator<Item = (&'static Tool, &'static Operation)> {
    TOOLS.iter().flat_map(|tool| tool.operations.iter().map(move |operation| (*tool, operation)))
}

/// The operation with its tool.
pub(crate) fn of(op: Op) -> Option<(&'static Tool, &'static Operation)> {
    operations().find(|(_, operation)| operation.op == op)
}

/// What access tokens are asked for.
pub(crate) mod scope {
    pub(crate) use oauth::scope::{WORKSPACE_READ, WORKSPACE_WRITE};

    /// Read projects and what is in them.
    pub(crate) const ENTITY_READ: &str = "atoms:entity.read";
    /// Create, change and delete them.
    pub(crate) const ENTITY_WRITE: &str = "atoms:entity.write";
    /// Read relationships.
    pub(crate) const RELATIONSHIP_READ: &str = "atoms:relationship.read";
    /// Create, change and delete them.
    pub(crate) const RELATIONSHIP_WRITE: &str = "atoms:relationship.write";
    /// Read workflows and their runs.
    pub(crate) const WORKFLOW_READ: &str = "atoms:workflow.read";
    /// Create and delete workflows.
    pub(crate) const WORKFLOW_WRITE: &str = "atoms:workflow.write";
    /// Run workflows.
    pub(crate) const WORKFLOW_RUN: &str = "atoms:workflow.run";
}
