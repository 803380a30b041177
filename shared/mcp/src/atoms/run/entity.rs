use ports::{Clock, Random};
use serde_json::{Map, Value};

use super::{Content, Failure, Running, one, page, refuse};
use crate::atoms::catalogue::details_of;
use crate::atoms::check::{Arguments, check};
use crate::atoms::store::{EntityChange, EntityFields, Filter, NewEntity, SearchFor, Store};
use crate::atoms::words;

pub(super) async fn list<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let arguments = of.arguments;
    let one_of = |name: &str| arguments.text(name).into_iter().collect();
    let filter = Filter {
        workspace: arguments.text("workspace_id"),
        project: arguments.text("project_id"),
        parent: arguments.text("parent_id"),
        types: one_of("type"),
        statuses: one_of("status"),
        priorities: one_of("priority"),
        ..Filter::default()
    };
    if filter.workspace.is_none() && filter.project.is_none() {
        let advice = "is missing; give it or project_id: entities are listed within one of them.";
        return Err(refuse("workspace_id", advice));
    }
    page("entities", &of.store.list_entities(of.call.principal, &filter, &of.window()).await?)
}

pub(super) async fn create<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let arguments = of.arguments;
    let kind = arguments.given("type");
    let (workspace, project) = (arguments.text("workspace_id"), arguments.text("project_id"));
    let parent = arguments.text("parent_id");
    placed(&kind, workspace.is_some(), project.is_some(), parent.is_some())?;
    let new = NewEntity {
        id: of.new_id(),
        fields: fields(arguments, &kind)?,
        title: arguments.given("title"),
        kind,
        workspace,
        project,
        parent,
    };
    let made = of.store.create_entity(of.call.principal, new, &of.attempt()).await;
    of.written("entity", made)
}

pub(super) async fn read<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let id = of.arguments.given("entity_id");
    one("entity", &of.store.read_entity(of.call.principal, &id).await?)
}

/// What is allowed depends on the type, which does not change: so it is read first.
pub(super) async fn update<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let target = of.target("entity_id");
    let found = of.store.read_entity(of.call.principal, &target.id).await?;
    let fields = fields(of.arguments, &found.kind)?;
    let title = of.arguments.text("title");
    if title.is_none() && fields == EntityFields::default() {
        let advice = "is missing; give what is to change, such as title, description or status.";
        return Err(refuse("title", advice));
    }
    let change = EntityChange { target, title, fields };
    let changed = of.store.update_entity(of.call.principal, change, &of.attempt()).await;
    of.written("entity", changed)
}

pub(super) async fn delete<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let target = of.target("entity_id");
    let gone = of.store.delete_entity(of.call.principal, &target, &of.attempt()).await;
    of.written("deleted", gone)
}

pub(super) async fn search<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let among = Filter {
        workspace: of.arguments.text("workspace_id"),
        project: of.arguments.text("project_id"),
        types: of.arguments.texts("types"),
        ..Filter::default()
    };
    let asked = SearchFor { words: of.arguments.given("query"), among, facets: false };
    let (hits, _) = of.store.search_entities(of.call.principal, &asked, &of.window()).await?;
    page("hits", &hits)
}

/// Whether it is said where the new entity is to be, and nothing else.
fn placed(kind: &str, workspace: bool, project: bool, parent: bool) -> Result<(), Failure> {
    match kind {
        "project" if !workspace => {
            Err(refuse("workspace_id", "is missing; a project is made in a workspace."))
        }
        "project" if project || parent => {
            Err(refuse("project_id", "and parent_id are not for projects; remove them."))
        }
        "project" => Ok(()),
        _ if !project => {
            Err(refuse("project_id", format_args!("is missing; a {kind} is made in a project.")))
        }
        "block" | "test_run" if !parent => {
            let whose = if kind == "block" { "document" } else { "test_case" };
            Err(refuse("parent_id", format_args!("is missing; a {kind} is made in a {whose}.")))
        }
        _ => Ok(()),
    }
}

/// The fields of an entity of a type, as far as they are given.
fn fields(arguments: &Arguments, kind: &str) -> Result<EntityFields, Failure> {
    let word = |name: &str, known: &[&str]| match arguments.text(name) {
        Some(word) if known.is_empty() => {
            Err(refuse(name, format_args!("is not for a {kind}; remove it ({word}).")))
        }
        Some(word) if !known.contains(&word.as_str()) => {
            let advice =
                format_args!("must be one of: {}; those are for a {kind}.", known.join(", "));
            Err(refuse(name, advice))
        }
        word => Ok(word),
    };
    let ranked = matches!(kind, "requirement" | "test_case" | "task");
    Ok(EntityFields {
        description: arguments.change("description"),
        status: word("status", words::statuses(kind))?,
        priority: word("priority", if ranked { words::PRIORITIES } else { &[] })?,
        subtype: word("kind", words::kinds(kind))?,
        external_id: arguments.change("external_id"),
        details: details(arguments, kind)?,
        attributes: arguments.object("attributes"),
    })
}

fn details(arguments: &Arguments, kind: &str) -> Result<Map<String, Value>, Failure> {
    let Some(given) = arguments.object("details") else { return Ok(Map::new()) };
    let names: Vec<_> = given.keys().cloned().collect();
    let read = check(&format!("a {kind}"), details_of(kind), given).map_err(|faults| {
        let nested = faults.iter().map(|fault| fault.replacen("`", "`details.", 1));
        Failure::Refused(nested.collect::<Vec<_>>().join("\n"))
    })?;
    Ok(names.into_iter().filter_map(|name| Some((name.clone(), read.value(&name)?))).collect())
}
