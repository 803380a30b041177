use ports::{Clock, Random};
use serde_json::Value;

use super::{Content, Running, as_json, page, refuse};
use crate::atoms::store::{
    GraphAround, NewRelationship, RelationshipChange, RelationshipFilter, Store,
};
use crate::atoms::words;

const USUAL_DEPTH: i64 = 2;

pub(super) async fn create<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let arguments = of.arguments;
    let new = NewRelationship {
        id: of.new_id(),
        kind: arguments.given("kind"),
        source: arguments.given("source_id"),
        target: arguments.text("target_id"),
        target_user: arguments.text("target_user"),
        label: arguments.text("label"),
        attributes: arguments.object("attributes").unwrap_or_default(),
    };
    if new.target.is_some() == new.target_user.is_some() {
        let advice = "or target_user is needed, and not both: where the relationship ends.";
        return Err(refuse("target_id", advice));
    }
    if new.target.as_ref() == Some(&new.source) {
        return Err(refuse("target_id", "must be another entity than source_id."));
    }
    let label = new.label.as_deref();
    if new.kind == "trace_link" && !label.is_some_and(|label| words::TRACE_LINKS.contains(&label)) {
        let known = words::TRACE_LINKS.join(", ");
        return Err(refuse(
            "label",
            format_args!("must be one of: {known}; a trace_link needs it."),
        ));
    }
    let made = of.store.create_relationship(of.call.principal, new, &of.attempt()).await;
    of.written("relationship", made)
}

pub(super) async fn list<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let filter = RelationshipFilter {
        workspace: of.arguments.text("workspace_id"),
        entity: of.arguments.text("entity_id"),
        direction: direction(of),
        kinds: of.arguments.texts("kinds"),
    };
    if filter.workspace.is_none() && filter.entity.is_none() {
        let advice = "is missing; give it or entity_id: relationships are listed of one of them.";
        return Err(refuse("workspace_id", advice));
    }
    let found = of.store.list_relationships(of.call.principal, &filter, &of.window()).await?;
    page("relationships", &found)
}

pub(super) async fn update<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let change = RelationshipChange {
        target: of.target("relationship_id"),
        label: of.arguments.change("label"),
        attributes: of.arguments.object("attributes"),
    };
    if change.label.is_none() && change.attributes.is_none() {
        let advice = "is missing; give what is to change: label, attributes or both.";
        return Err(refuse("label", advice));
    }
    let changed = of.store.update_relationship(of.call.principal, change, &of.attempt()).await;
    of.written("relationship", changed)
}

pub(super) async fn delete<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let target = of.target("relationship_id");
    let gone = of.store.delete_relationship(of.call.principal, &target, &of.attempt()).await;
    of.written("deleted", gone)
}

pub(super) async fn graph<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let asked = GraphAround {
        entity: of.arguments.given("entity_id"),
        direction: direction(of),
        kinds: of.arguments.texts("kinds"),
        depth: of.arguments.number("depth").unwrap_or(USUAL_DEPTH) as u8,
        limit: of.window().limit,
    };
    let graph = of.store.relationship_graph(of.call.principal, &asked).await?;
    let members = [
        ("nodes", as_json(&graph.nodes)?),
        ("edges", as_json(&graph.edges)?),
        ("truncated", Value::Bool(graph.truncated)),
    ];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn direction<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> String {
    of.arguments.text("direction").unwrap_or_else(|| "both".to_owned())
}
