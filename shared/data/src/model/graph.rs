//! What can be reached from an entity by relationships, nearest first, in one round trip. Cycles are
//! walked once and shown.

use std::collections::{BTreeMap, BTreeSet};

use ports::Sql;
use serde::Serialize;

use super::batch::{organization, statement};
use super::entities::{Entity, placed};
use super::error::explain;
use super::lists::words;
use super::record::Record;
use super::relationships::{KINDS, direction, relationship};
use super::{Error, Read, check};
use crate::session::{Caller, as_user};

const NODES: &str = concat!(
    include_str!("../../queries/model/graph_walk.sql"),
    include_str!("../../queries/model/graph_nodes.sql"),
    include_str!("../../queries/model/entity_records_up.sql")
);
const EDGES: &str = concat!(
    include_str!("../../queries/model/graph_walk.sql"),
    include_str!("../../queries/model/graph_edges.sql")
);
/// The furthest that a graph goes.
pub const MOST_STEPS: u8 = 10;
/// The most entities of a graph.
pub const MOST_NODES: usize = 500;
/// The most edges of a graph.
pub const MOST_EDGES: usize = 2000;

/// A graph around an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphAround {
    /// The entity.
    pub entity: String,
    /// From sources to targets `outgoing`, the other way `incoming`, else `both` (if it is empty).
    pub direction: String,
    /// By relationships of one of these kinds; none for all.
    pub kinds: Vec<String>,
    /// How many steps away, from 1 to [`MOST_STEPS`].
    pub depth: u8,
    /// How many entities at most, from 1 to [`MOST_NODES`].
    pub limit: usize,
}

/// A part of the graph of a workspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// The entities, the nearest first; the first is the one that was asked about.
    pub nodes: Vec<Entity>,
    /// All that is between them, of the kinds that were asked for.
    pub edges: Vec<Edge>,
    /// Whether there is more within the depth than the limits let through.
    pub truncated: bool,
}

/// An edge of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The relationship.
    pub relationship_id: String,
    /// What it is.
    pub kind: String,
    /// Which trace link, dependency and so on.
    pub label: Option<String>,
    /// From here.
    pub source_id: String,
    /// To there.
    pub target_id: String,
    /// Whether there is a way back along other edges of the graph.
    pub in_cycle: bool,
}

/// The graph around an entity.
///
/// # Errors
/// [`Error::NotFound`] for `entity_id`, [`Error::Invalid`] for the rest.
pub async fn around(sql: &impl Sql, caller: &Caller, asked: &GraphAround) -> Read<Graph> {
    if !(1..=MOST_STEPS).contains(&asked.depth) {
        return Err(Error::invalid("depth", format!("must be from 1 to {MOST_STEPS}")));
    }
    if !(1..=MOST_NODES).contains(&asked.limit) {
        return Err(Error::invalid("limit", format!("must be from 1 to {MOST_NODES}")));
    }
    let walk = vec![
        Some(organization(caller)?),
        Some(check::uuid(&asked.entity, "entity_id")?),
        Some(direction(&asked.direction)?),
        words(&asked.kinds, KINDS, "kinds")?,
        Some(asked.depth.to_string()),
        Some(asked.limit.to_string()),
    ];
    let mut edges = walk.clone();
    edges.push(Some((MOST_EDGES + 1).to_string()));
    let statements = vec![statement(NODES, walk), statement(EDGES, edges)];
    let mut results =
        as_user(sql, caller, statements).await.map_err(|error| explain(error, "viewer"))?;
    let (edges, nodes) = (results.pop().unwrap_or_default(), results.pop().unwrap_or_default());
    let mut nodes: Vec<_> = nodes
        .rows
        .into_iter()
        .map(|row| placed(row).map(|(_, node)| node))
        .collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        return Err(Error::NotFound { field: "entity_id" });
    }
    let truncated = nodes.len() > asked.limit || edges.rows.len() > MOST_EDGES;
    nodes.truncate(asked.limit);
    let edges = edges.rows.into_iter().take(MOST_EDGES).map(edge);
    let mut edges: Vec<Edge> = edges.collect::<Result<_, _>>()?;
    let there: BTreeSet<_> = nodes.iter().map(|node| node.id.as_str()).collect();
    edges.retain(|edge| {
        there.contains(edge.source_id.as_str()) && there.contains(edge.target_id.as_str())
    });
    mark_cycles(&mut edges);
    Ok(Graph { nodes, edges, truncated })
}

fn edge(row: Vec<Option<String>>) -> Read<Edge> {
    let of = relationship(Record::of(row)?)?;
    Ok(Edge {
        relationship_id: of.id,
        kind: of.kind,
        label: of.label,
        source_id: of.source_id,
        target_id: of.target_id.unwrap_or_default(),
        in_cycle: false,
    })
}

/// An edge is in a cycle if both of its ends are in the same strongly connected component. Associations
/// go both ways and make none.
fn mark_cycles(edges: &mut [Edge]) {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut previous: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.kind != "association") {
        next.entry(&edge.source_id).or_default().push(&edge.target_id);
        previous.entry(&edge.target_id).or_default().push(&edge.source_id);
    }
    // Kosaraju: in the reverse of the order in which nodes were left, backwards.
    let (mut left, mut seen) = (Vec::new(), BTreeSet::new());
    for node in next.keys() {
        depth_first(node, &next, &mut seen, &mut left);
    }
    let (mut component, mut assigned) = (BTreeMap::new(), BTreeSet::new());
    for (number, node) in left.iter().rev().enumerate() {
        let mut members = Vec::new();
        depth_first(node, &previous, &mut assigned, &mut members);
        component.extend(members.into_iter().map(|member| (member.to_owned(), number)));
    }
    for edge in edges.iter_mut().filter(|edge| edge.kind != "association") {
        let (source, target) = (component.get(&edge.source_id), component.get(&edge.target_id));
        edge.in_cycle = source.is_some() && source == target;
    }
}

/// Visit what is to be reached from `start`, without recursion; `left` tells in which order it was left.
fn depth_first<'a>(
    start: &'a str,
    next: &BTreeMap<&'a str, Vec<&'a str>>,
    seen: &mut BTreeSet<&'a str>,
    left: &mut Vec<&'a str>,
) {
    if !seen.insert(start) {
        return;
    }
    let mut path = vec![(start, 0)];
    while let Some((node, tried)) = path.last_mut() {
        match next.get(node).and_then(|all| all.get(*tried)) {
            Some(neighbour) => {
                *tried += 1;
                if seen.insert(neighbour) {
                    path.push((neighbour, 0));
                }
            }
            None => {
                left.push(node);
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(all: &[(&str, &str)]) -> Vec<bool> {
        let edge = |(source, target): &(&str, &str)| Edge {
            relationship_id: String::new(),
            kind: "dependency".to_owned(),
            label: None,
            source_id: (*source).to_owned(),
            target_id: (*target).to_owned(),
            in_cycle: false,
        };
        let mut edges: Vec<_> = all.iter().map(edge).collect();
        mark_cycles(&mut edges);
        edges.iter().map(|edge| edge.in_cycle).collect()
    }

    #[test]
    fn edges_with_a_way_back_are_in_a_cycle() {
        assert_eq!(cycles(&[("a", "b"), ("b", "c"), ("a", "c")]), [false; 3]);
        assert_eq!(cycles(&[("a", "b"), ("b", "a")]), [true; 2]);
        assert_eq!(
            cycles(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "y")]),
            [false, true, true, true, false]
        );
        assert_eq!(
            cycles(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]),
            [true, true, false, true, true]
        );
    }
}
