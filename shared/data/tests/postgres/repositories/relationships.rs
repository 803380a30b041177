use data::model::graph::{self, GraphAround};
use data::model::relationships::{
    self, NewRelationship, Relationship, RelationshipChange, RelationshipFilter,
};
use data::model::{EntityType, Error, Write, entities};
use serde_json::json;

use super::{
    Somewhere, World, any, at, id, new, object, once, value, verdict, verdicts, window, world,
};

fn link(kind: &str, source: &str, target: &str) -> NewRelationship {
    NewRelationship {
        id: id(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        target: Some(target.to_owned()),
        target_user: None,
        label: (kind == "trace_link").then(|| "verifies".to_owned()),
        attributes: object(json!({})),
    }
}

fn assigned(source: &str, user: &str) -> NewRelationship {
    NewRelationship {
        target: None,
        target_user: Some(user.to_owned()),
        ..link("assignment", source, source)
    }
}

async fn make(world: &World, new: NewRelationship) -> Write<Relationship> {
    relationships::create(&world.sql, &world.member, new, &once()).await
}

async fn graph_of(
    world: &World,
    entity: &str,
    direction: &str,
    depth: u8,
    limit: usize,
) -> graph::Graph {
    let asked = GraphAround {
        entity: entity.to_owned(),
        direction: direction.to_owned(),
        kinds: Vec::new(),
        depth,
        limit,
    };
    graph::around(&world.sql, &world.viewer, &asked).await.unwrap()
}

fn titles(graph: &graph::Graph) -> String {
    let titles: Vec<_> = graph.nodes.iter().map(|node| node.title.as_str()).collect();
    titles.join(" ")
}

#[tokio::test]
async fn relationships_live_and_each_role_has_its_rights() {
    let world = world().await;
    let (one, two) = (world.task("one").await, world.task("two").await);
    let mut created = Vec::new();
    for (number, (_, who)) in world.people().into_iter().enumerate() {
        let label = Some(format!("label_{number}"));
        let new = NewRelationship { label, ..link("dependency", &one, &two) };
        created.push(relationships::create(&world.sql, who, new, &once()).await);
    }
    let absent = "no source_id";
    assert_eq!(verdicts(&created), ["ok", "ok", "ok", "not permitted", absent, absent]);
    let made = value(created.remove(0));
    assert_eq!((made.source_type.as_str(), made.target_type.as_str()), ("task", "task"));
    assert_eq!((made.target_id.as_deref(), made.version), (Some(two.as_str()), 1));
    let found = relationships::find(&world.sql, &world.viewer, &made.id).await;
    assert_eq!(found.as_ref(), Ok(&made));

    let change = |version| RelationshipChange {
        target: at(&made.id, version),
        label: Some(None),
        attributes: Some(object(json!({ "a": 1 }))),
    };
    let mut changed = Vec::new();
    let mut deleted = Vec::new();
    for (_, who) in world.people() {
        changed.push(relationships::update(&world.sql, who, change(1), &once()).await);
    }
    assert_eq!(verdicts(&changed), ["ok", "stale 2", "stale 2", "stale 2", "no id", "no id"]);
    let viewer = relationships::update(&world.sql, &world.viewer, change(2), &once()).await;
    assert_eq!(viewer, Err(Error::NotPermitted(Some("member"))));
    let changed = value(changed.remove(0));
    assert_eq!((changed.label, changed.attributes), (None, object(json!({ "a": 1 }))));
    for (_, who) in world.people().into_iter().rev() {
        deleted.push(relationships::delete(&world.sql, who, &any(&made.id), &once()).await);
    }
    assert_eq!(verdicts(&deleted), ["no id", "no id", "not permitted", "ok", "no id", "no id"]);
}

#[tokio::test]
async fn what_the_model_does_not_allow_between_entities_is_named() {
    let world = world().await;
    let (one, two, three) =
        (world.task("one").await, world.task("two").await, world.task("three").await);
    let requirement = world.made(new(EntityType::Requirement, "R").inside(&world.project)).await;
    let other = world.workspace_of("Other").await;
    let elsewhere = world.made(new(EntityType::Project, "P").at(&other)).await;
    value(make(&world, link("hierarchy", &one, &two)).await);
    value(make(&world, link("hierarchy", &two, &three)).await);
    value(make(&world, link("association", &one, &requirement)).await);
    value(make(&world, link("trace_link", &one, &requirement)).await);
    value(make(&world, assigned(&one, "user_viewer")).await);
    let before = world.count("relationships").await;
    let with = |label: &str, new: NewRelationship| NewRelationship {
        label: Some(label.to_owned()).filter(|label| !label.is_empty()),
        ..new
    };
    for (new, expected) in [
        (link("friendship", &one, &two), "invalid kind"),
        (link("hierarchy", &one, &requirement), "invalid kind"),
        (link("workflow", &one, &two), "invalid kind"),
        (link("hierarchy", &three, &one), "invalid target_id"),
        (link("hierarchy", &one, &one), "invalid target_id"),
        (link("hierarchy", &one, &three), "taken target_id"),
        (link("hierarchy", &one, &two), "taken target_id"),
        (link("association", &requirement, &one), "taken target_id"),
        (link("dependency", &one, &elsewhere), "no target_id"),
        (link("dependency", &one, &id()), "no target_id"),
        (link("dependency", &id(), &one), "no source_id"),
        (link("dependency", "x", &one), "invalid source_id"),
        (link("dependency", &one, "x\0"), "invalid target_id"),
        (with("", link("trace_link", &one, &requirement)), "invalid label"),
        (with("likes", link("trace_link", &one, &requirement)), "invalid label"),
        (with("A b", link("dependency", &one, &two)), "invalid label"),
        (assigned(&one, "user_stranger"), "no target_user"),
        (assigned(&one, "a\0"), "invalid target_user"),
        (assigned(&one, "user_viewer"), "taken target_id"),
        (NewRelationship { target: None, ..link("dependency", &one, &two) }, "invalid target_id"),
        (
            NewRelationship {
                attributes: object(json!({ "a": "\0" })),
                ..link("dependency", &one, &two)
            },
            "invalid attributes",
        ),
    ] {
        let shown = format!("{new:?}");
        assert_eq!(verdict(&make(&world, new).await), expected, "{shown}");
    }
    assert_eq!(world.count("relationships").await, before);
}

#[tokio::test]
async fn relationships_are_listed_by_ends_and_kinds() {
    let world = world().await;
    let (one, two) = (world.task("one").await, world.task("two").await);
    value(make(&world, link("hierarchy", &one, &two)).await);
    value(make(&world, link("dependency", &two, &one)).await);
    value(make(&world, assigned(&one, "user_viewer")).await);
    let list = async |entity: Option<&String>, direction: &str, kinds: &[&str]| {
        let filter = RelationshipFilter {
            workspace: Some(world.workspace.clone()),
            entity: entity.cloned(),
            direction: direction.to_owned(),
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        };
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let part =
                relationships::list(&world.sql, &world.viewer, &filter, &window(1, after)).await;
            let part = part.unwrap();
            all.extend(part.items.into_iter().map(|one| one.kind));
            after = part.next;
            if after.is_none() {
                break all.join(" ");
            }
        }
    };
    assert_eq!(list(None, "", &[]).await, "hierarchy dependency assignment");
    assert_eq!(list(Some(&one), "both", &[]).await, "hierarchy dependency assignment");
    assert_eq!(list(Some(&one), "outgoing", &[]).await, "hierarchy assignment");
    assert_eq!(list(Some(&one), "incoming", &[]).await, "dependency");
    assert_eq!(list(None, "", &["dependency", "assignment"]).await, "dependency assignment");
    // Whose end is deleted is not there.
    value(entities::delete(&world.sql, &world.member, &any(&two), &once()).await);
    assert_eq!(list(None, "", &[]).await, "assignment");
    for (direction, kind, expected) in
        [("up", "hierarchy", "invalid direction"), ("", "x", "invalid kinds")]
    {
        let filter = RelationshipFilter {
            direction: direction.to_owned(),
            kinds: vec![kind.to_owned()],
            ..RelationshipFilter::default()
        };
        let bad = relationships::list(&world.sql, &world.viewer, &filter, &window(1, None)).await;
        assert_eq!(verdict(&bad), expected);
    }
    for (_, who) in world.people().into_iter().skip(4) {
        let filter = RelationshipFilter::default();
        let none = relationships::list(&world.sql, who, &filter, &window(9, None)).await.unwrap();
        assert_eq!(none.items, []);
    }
}

#[tokio::test]
async fn graphs_end_at_their_limits_and_show_cycles() {
    let world = world().await;
    let mut tasks = Vec::new();
    for title in ["a", "b", "c", "d", "e"] {
        tasks.push(world.task(title).await);
    }
    // a → b → c → a, c → d → e.
    for (source, target) in [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)] {
        value(make(&world, link("dependency", &tasks[source], &tasks[target])).await);
    }
    let all = graph_of(&world, &tasks[0], "outgoing", 10, 100).await;
    assert_eq!((titles(&all).as_str(), all.truncated), ("a b c d e", false));
    let cycle: Vec<_> = all.edges.iter().map(|edge| edge.in_cycle).collect();
    assert_eq!(cycle, [true, true, true, false, false]);

    let near = graph_of(&world, &tasks[0], "outgoing", 1, 100).await;
    assert_eq!((titles(&near).as_str(), near.truncated, near.edges.len()), ("a b", false, 1));
    let back = graph_of(&world, &tasks[3], "incoming", 1, 100).await;
    assert_eq!(titles(&back), "d c");
    let both = graph_of(&world, &tasks[3], "both", 1, 100).await;
    assert_eq!((both.nodes[0].title.as_str(), both.nodes.len()), ("d", 3));
    let few = graph_of(&world, &tasks[0], "outgoing", 10, 3).await;
    assert_eq!((titles(&few).as_str(), few.truncated, few.edges.len()), ("a b c", true, 3));

    let asked = |entity: &str, depth, limit, kind: &str| GraphAround {
        entity: entity.to_owned(),
        direction: String::new(),
        kinds: vec![kind.to_owned()],
        depth,
        limit,
    };
    let alone = asked(&tasks[0], 3, 9, "hierarchy");
    let alone = graph::around(&world.sql, &world.viewer, &alone).await.unwrap();
    assert_eq!((titles(&alone).as_str(), alone.edges.len()), ("a", 0));
    for (asked, expected) in [
        (asked(&tasks[0], 0, 9, "hierarchy"), "invalid depth"),
        (asked(&tasks[0], 11, 9, "hierarchy"), "invalid depth"),
        (asked(&tasks[0], 1, 501, "hierarchy"), "invalid limit"),
        (asked("x", 1, 9, "hierarchy"), "invalid entity_id"),
        (asked(&id(), 1, 9, "hierarchy"), "no entity_id"),
        (asked(&tasks[0], 1, 9, "x"), "invalid kinds"),
    ] {
        let result = graph::around(&world.sql, &world.viewer, &asked).await;
        assert_eq!(verdict(&result), expected);
    }
    let asked = asked(&tasks[0], 1, 9, "hierarchy");
    let forger = graph::around(&world.sql, &world.forger, &asked).await;
    assert_eq!(verdict(&forger), "no entity_id");
}
