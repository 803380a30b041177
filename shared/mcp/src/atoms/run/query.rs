use ports::{Clock, Random};
use serde_json::{Value, json};

use super::{Content, Running, as_json, page, refuse};
use crate::atoms::store::{Filter, SearchFor, Store};

const USUAL_DAYS: i64 = 7;

pub(super) async fn entities<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let filter = filter(of);
    page("entities", &of.store.list_entities(of.call.principal, &filter, &of.window()).await?)
}

pub(super) async fn search<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let facets = of.arguments.flag("facets");
    let asked = SearchFor { words: of.arguments.given("query"), among: filter(of), facets };
    let (hits, told) = of.store.search_entities(of.call.principal, &asked, &of.window()).await?;
    let mut content = page("hits", &hits)?;
    if let Some((by_type, by_status)) = told.facets {
        content.insert("by_type".to_owned(), json!(by_type));
        content.insert("by_status".to_owned(), json!(by_status));
    }
    Ok(content)
}

pub(super) async fn statistics<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let days = of.arguments.number("days").unwrap_or(USUAL_DAYS);
    let workspace = of.arguments.given("workspace_id");
    let within = u16::try_from(days).map_err(|_| refuse("days", "is too large."))?;
    let found = of.store.query_statistics(of.call.principal, &workspace, within).await?;
    let members = [("statistics", as_json(&found)?), ("days", Value::from(days))];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What all queries can be narrowed by.
pub(super) fn filter<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Filter {
    let arguments = of.arguments;
    Filter {
        workspace: arguments.text("workspace_id"),
        project: arguments.text("project_id"),
        parent: None,
        types: arguments.texts("types"),
        statuses: arguments.texts("statuses"),
        priorities: arguments.texts("priorities"),
        external_id: arguments.text("external_id"),
        created_by: arguments.text("created_by"),
        updated_after: arguments.text("updated_after"),
        updated_before: arguments.text("updated_before"),
        attributes: arguments.object("attributes").unwrap_or_default(),
        sort: arguments.text("sort").unwrap_or_else(|| "created_at".to_owned()),
        descending: arguments.text("order").as_deref() == Some("descending"),
    }
}
