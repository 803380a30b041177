use ports::{Clock, Random};
use serde_json::json;

use super::{Content, Running, as_json, one, page, refuse};
use crate::atoms::store::{Filter, NewWorkspace, Store, WorkspaceChange};

pub(super) async fn list<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    page("workspaces", &of.store.list_workspaces(of.call.principal, &of.window()).await?)
}

pub(super) async fn create<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let new = NewWorkspace {
        id: of.new_id(),
        name: of.arguments.given("name"),
        description: of.arguments.text("description"),
    };
    let made = of.store.create_workspace(of.call.principal, new, &of.attempt()).await;
    of.written("workspace", made)
}

pub(super) async fn read<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let id = of.arguments.given("workspace_id");
    one("workspace", &of.store.read_workspace(of.call.principal, &id).await?)
}

pub(super) async fn update<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let change = WorkspaceChange {
        target: of.target("workspace_id"),
        name: of.arguments.text("name"),
        description: of.arguments.change("description"),
    };
    if change.name.is_none() && change.description.is_none() {
        return Err(refuse(
            "name",
            "is missing; give what is to change: name, description or both.",
        ));
    }
    let changed = of.store.update_workspace(of.call.principal, change, &of.attempt()).await;
    of.written("workspace", changed)
}

pub(super) async fn delete<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let target = of.target("workspace_id");
    let gone = of.store.delete_workspace(of.call.principal, &target, &of.attempt()).await;
    of.written("deleted", gone)
}

pub(super) async fn projects<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let filter = Filter {
        workspace: of.arguments.text("workspace_id"),
        types: vec!["project".to_owned()],
        statuses: of.arguments.text("status").into_iter().collect(),
        ..Filter::default()
    };
    page("projects", &of.store.list_entities(of.call.principal, &filter, &of.window()).await?)
}

pub(super) async fn info<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let id = of.arguments.given("workspace_id");
    let summary = of.store.summarize_workspace(of.call.principal, &id).await?;
    Ok(crate::atoms::kind::members(json!(as_json(&summary)?)))
}
