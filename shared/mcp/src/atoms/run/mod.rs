//! The operations: from checked arguments over the store to `structuredContent`.

mod entity;
mod export;
mod query;
mod relationship;
mod workflow;
mod workspace;

use ports::{Clock, Random};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::check::{Arguments, fault};
use super::operation::{Op, Operation};
use super::store::{Attempt, Id, Idempotency, Part, Store, StoreError, Target, Window, Write};
use crate::{Call, Fault};

/// The page of callers who do not say how long it is to be.
const USUAL_PAGE: i64 = 50;

/// Why an operation gives no content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Failure {
    /// The caller can do something about it: a result with `isError` and this text.
    Refused(String),
    /// Anything else.
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        explain(error)
    }
}

/// An operation under way.
pub(crate) struct Running<'a, S, P> {
    pub(crate) store: &'a S,
    pub(crate) platform: &'a P,
    pub(crate) call: &'a Call<'a>,
    pub(crate) operation: &'static Operation,
    pub(crate) arguments: &'a Arguments,
}

/// What an answer holds.
type Content = Result<Map<String, Value>, Failure>;

impl<'a, S: Store, P: Clock + Random> Running<'a, S, P> {
    /// The same with other arguments.
    pub(crate) fn with_arguments<'b>(&'b self, arguments: &'b Arguments) -> Running<'b, S, P> {
        Running { arguments, ..*self }
    }

    /// Do it.
    pub(crate) async fn run(&self) -> Content {
        match self.operation.op {
            Op::ListWorkspaces => workspace::list(self).await,
            Op::CreateWorkspace => workspace::create(self).await,
            Op::ReadWorkspace => workspace::read(self).await,
            Op::UpdateWorkspace => workspace::update(self).await,
            Op::DeleteWorkspace => workspace::delete(self).await,
            Op::ListProjects => workspace::projects(self).await,
            Op::GetWorkspaceInfo => workspace::info(self).await,
            Op::ListEntities => entity::list(self).await,
            Op::CreateEntity => entity::create(self).await,
            Op::ReadEntity => entity::read(self).await,
            Op::UpdateEntity => entity::update(self).await,
            Op::DeleteEntity => entity::delete(self).await,
            Op::SearchEntities => entity::search(self).await,
            Op::CreateRelationship => relationship::create(self).await,
            Op::ListRelationships => relationship::list(self).await,
            Op::UpdateRelationship => relationship::update(self).await,
            Op::DeleteRelationship => relationship::delete(self).await,
            Op::GetRelationshipGraph => relationship::graph(self).await,
            Op::CreateWorkflow => workflow::create(self).await,
            Op::ExecuteWorkflow => workflow::execute(self).await,
            Op::GetWorkflowStatus => workflow::status(self).await,
            Op::ListWorkflows => workflow::list(self).await,
            Op::DeleteWorkflow => workflow::delete(self).await,
            Op::QueryEntities => query::entities(self).await,
            Op::AdvancedSearch => query::search(self).await,
            Op::GetQueryStats => query::statistics(self).await,
            Op::ExportResults => export::results(self).await,
        }
    }

    /// How the write is meant.
    fn attempt(&self) -> Attempt {
        // What only says how it is called makes it no other call.
        let named =
            [self.operation.name, &self.arguments.canonical(&["idempotency_key", "confirm"])];
        let idempotency = self.arguments.text("idempotency_key").map(|key| {
            let digest = Sha256::digest(named.join("\n"));
            Idempotency { key, digest: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
        });
        Attempt { idempotency, dry_run: self.arguments.flag("dry_run") }
    }

    /// Which part of a list.
    fn window(&self) -> Window {
        let limit = self.arguments.number("limit").unwrap_or(USUAL_PAGE);
        Window { limit: limit.max(1) as usize, after: self.arguments.text("cursor") }
    }

    /// What is to be changed or deleted.
    fn target(&self, name: &str) -> Target {
        Target { id: self.arguments.given(name), version: self.arguments.number("version") }
    }

    fn new_id(&self) -> Id {
        data::new_uuid(self.call.now, self.platform)
    }

    /// The content of an answer to a write.
    fn written<T: Serialize>(&self, name: &str, written: Write<T>) -> Content {
        let written = written?;
        let mut content = Map::new();
        content.insert(name.to_owned(), as_json(&written.value)?);
        if self.arguments.flag("dry_run") {
            content.insert("dry_run".to_owned(), true.into());
        }
        if written.replayed {
            content.insert("replayed".to_owned(), true.into());
        }
        Ok(content)
    }
}

/// The content of a page.
fn page<T: Serialize>(name: &str, part: &Part<T>) -> Content {
    let mut content = Map::new();
    content.insert(name.to_owned(), as_json(&part.items)?);
    if let Some(next) = &part.next {
        content.insert("next_cursor".to_owned(), json!(next));
    }
    Ok(content)
}

/// The content of one thing.
fn one<T: Serialize>(name: &str, value: &T) -> Content {
    let mut content = Map::new();
    content.insert(name.to_owned(), as_json(value)?);
    Ok(content)
}

fn as_json(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Fault::Internal(error.to_string()).into())
}

/// The caller can do something about an argument.
fn refuse(field: &str, advice: impl std::fmt::Display) -> Failure {
    Failure::Refused(fault(field, advice))
}

/// What the caller can do about it, if anything.
pub(crate) fn explain(error: StoreError) -> Failure {
    match error {
        StoreError::Unavailable(cause) => Fault::Unavailable(cause).into(),
        StoreError::NoOrganization => Failure::Refused(
            "This session has no active organization. Sign in again and choose one.".to_owned(),
        ),
        StoreError::NotPermitted(role) => {
            let role = role.unwrap_or("member");
            Failure::Refused(format!(
                "Your role in this organization does not allow this. Ask an owner or an admin of it for \
                 the role {role} or higher."
            ))
        }
        StoreError::NotFound { field } => refuse(
            field,
            "names nothing that is there for you. It may be deleted, or of another organization; list or \
             search to find the right id.",
        ),
        StoreError::Stale { version } => {
            let advice = format_args!(
                "is not the current one, which is {version}: somebody has changed it. Read it again, \
                 look at what has changed, and repeat the call with version {version}."
            );
            refuse("version", advice)
        }
        StoreError::Conflict { field } => refuse(field, "is taken; choose another one."),
        StoreError::Invalid { field: "cursor", .. } => refuse(
            "cursor",
            "is not valid; give next_cursor of an earlier answer unchanged, or omit it.",
        ),
        StoreError::Invalid { field, reason } => refuse(field, reason),
        StoreError::KeyReused => refuse(
            "idempotency_key",
            "was used for another call; choose another one, or repeat that call unchanged.",
        ),
        StoreError::Absent => Fault::Internal("served but not there".to_owned()).into(),
        StoreError::Internal(cause) => Fault::Internal(cause).into(),
    }
}
