//! The store over the business database, as far as it goes.

use data::{
    Caller, DataError,
    workspaces::{self, Page},
};
use ports::Sql;

use super::operation::Op;
use super::store::{
    Attempt, Entities, NewWorkspace, Part, Queries, Read, Relationships, Store, StoreError, Window,
    Workflows, Workspace, Workspaces, Write, Written,
};
use crate::Principal;

/// The Atoms model in Postgres, under row-level security.
#[derive(Debug)]
pub struct SqlStore<'a, S> {
    /// The way to the database.
    pub sql: &'a S,
}

impl<S: Sql> Store for SqlStore<'_, S> {
    fn serves(&self, op: Op) -> bool {
        matches!(op, Op::ListWorkspaces | Op::CreateWorkspace)
    }

    /// The database has no place for keys yet.
    fn keeps_attempts(&self) -> bool {
        false
    }
}

impl<S: Sql> Workspaces for SqlStore<'_, S> {
    async fn list_workspaces(
        &self,
        principal: &Principal,
        window: &Window,
    ) -> Read<Part<Workspace>> {
        let limit = window.limit.min(usize::from(workspaces::MAX_PAGE)) as u16;
        let page = Page { limit, after: window.after.clone() };
        let found = workspaces::list(self.sql, &caller(principal), page).await.map_err(explain)?;
        let items = found.items.into_iter().map(workspace).collect();
        Ok(Part { items, next: found.next_cursor })
    }

    async fn create_workspace(
        &self,
        principal: &Principal,
        new: NewWorkspace,
        _: &Attempt,
    ) -> Write<Workspace> {
        let new =
            workspaces::NewWorkspace { id: new.id, name: new.name, description: new.description };
        let made = workspaces::create(self.sql, &caller(principal), new).await.map_err(explain)?;
        Ok(Written { value: workspace(made), replayed: false })
    }
}

impl<S: Sql> Entities for SqlStore<'_, S> {}
impl<S: Sql> Relationships for SqlStore<'_, S> {}
impl<S: Sql> Workflows for SqlStore<'_, S> {}
impl<S: Sql> Queries for SqlStore<'_, S> {}

fn caller(principal: &Principal) -> Caller {
    Caller {
        subject: principal.subject.clone(),
        organization: principal.organization.clone(),
        roles: principal.roles.clone(),
    }
}

fn workspace(of: workspaces::Workspace) -> Workspace {
    Workspace {
        id: of.id,
        organization_id: of.organization_id,
        name: of.name,
        description: of.description,
        created_at: of.created_at,
        version: of.version,
    }
}

fn explain(error: DataError) -> StoreError {
    match error {
        DataError::Unavailable(cause) => StoreError::Unavailable(cause),
        DataError::NoOrganization => StoreError::NoOrganization,
        DataError::NotPermitted => StoreError::NotPermitted(Some("member")),
        DataError::Invalid { field, reason } => {
            StoreError::Invalid { field, reason: reason.to_owned() }
        }
        // The caller chooses no key, so it cannot choose another.
        DataError::Conflict { what } => {
            StoreError::Internal(format!("the new id of a {what} is taken"))
        }
        DataError::Internal(cause) => StoreError::Internal(cause),
    }
}
