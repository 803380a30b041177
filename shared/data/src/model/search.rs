//! Full-text search over entities, best first, with the filters of lists.

use std::collections::BTreeMap;

use ports::Sql;
use serde::Serialize;

use super::batch::{organization, part, statement};
use super::check;
use super::cursor::{self, Position};
use super::error::explain;
use super::lists::{Filter, wanted};
use super::record::Record;
use super::{Error, MOST_ITEMS, Part, Read, Window};
use crate::session::{Caller, as_user};

const SEARCH: &str = concat!(
    include_str!("../../queries/model/entity_all.sql"),
    include_str!("../../queries/model/entity_hits.sql"),
    include_str!("../../queries/model/entity_search.sql")
);
const FACETS: &str = concat!(
    include_str!("../../queries/model/entity_all.sql"),
    include_str!("../../queries/model/entity_hits.sql"),
    include_str!("../../queries/model/entity_facets.sql")
);
/// In characters.
const MOST_WORDS: usize = 1000;

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

/// What a search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The best first.
    pub part: Part<Hit>,
    /// How many match on all parts, if that was asked for.
    pub facets: Option<Facets>,
}

/// How many match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facets {
    /// By type.
    pub types: BTreeMap<String, u64>,
    /// By status.
    pub statuses: BTreeMap<String, u64>,
}

/// An entity that a search has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Its key.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    pub workspace_id: String,
    /// Its project. `None`: a workflow of the whole workspace.
    pub project_id: Option<String>,
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
    /// The places of its text that match best, the words between `**`.
    pub highlight: String,
}

/// The entities that match, best first. Empty without a membership.
///
/// # Errors
/// [`Error::Invalid`] for `words`, a part of the filter, or a `cursor` that is not of this search.
pub async fn search(
    sql: &impl Sql,
    caller: &Caller,
    asked: &SearchFor,
    window: &Window,
) -> Read<Found> {
    check::text(&asked.words, MOST_WORDS, "words")?;
    if asked.words.trim().is_empty() {
        return Err(Error::invalid("words", "must not be blank"));
    }
    let mut parameters = wanted(&organization(caller)?, &asked.among)?;
    parameters.push(Some(asked.words.clone()));
    let scope = format!("search {parameters:?}");
    let after = window.after.as_deref().map(|after| cursor::decode(&scope, after)).transpose()?;
    let limit = window.limit.clamp(1, MOST_ITEMS);
    let mut statements = Vec::new();
    if asked.facets {
        statements.push(statement(FACETS, parameters.clone()));
    }
    let (place, id) = after.map(|after| (after.place, after.id)).unzip();
    parameters.extend([place, id, Some((limit + 1).to_string())]);
    statements.push(statement(SEARCH, parameters));
    let mut results =
        as_user(sql, caller, statements).await.map_err(|error| explain(error, "viewer"))?;
    let part = part(results.pop().unwrap_or_default(), limit, &scope, hit)?;
    let facets = results.pop().and_then(|rows| rows.rows.into_iter().next()).map(facets);
    Ok(Found { part, facets: facets.transpose()? })
}

fn facets(row: Vec<Option<String>>) -> Read<Facets> {
    let mut record = Record::of(row)?;
    Ok(Facets { types: record.counts("type"), statuses: record.counts("status") })
}

fn hit(row: Vec<Option<String>>) -> Read<(Position, Hit)> {
    let row: [Option<String>; 10] =
        row.try_into().map_err(|_| Error::internal("a hit with other columns"))?;
    let [rank, kind, id, workspace_id, project_id, title, status, priority, external_id, highlight] =
        row;
    let place = rank.unwrap_or_default();
    let hit = Hit {
        id: id.unwrap_or_default(),
        kind: kind.unwrap_or_default(),
        workspace_id: workspace_id.unwrap_or_default(),
        project_id,
        title: title.unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        status,
        priority,
        external_id,
        rank: place.parse().map_err(Error::internal)?,
        highlight: highlight.unwrap_or_default(),
    };
    Ok((Position { place, id: hit.id.clone() }, hit))
}
