use data::model::entities::{self, Entity, EntityFields};
use data::model::lists::{self, Filter};
use data::model::{EntityType, Part};
use serde_json::json;

use super::{Somewhere, World, any, id, new, object, once, value, verdict, window, world};

fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

async fn part(world: &World, filter: &Filter, limit: usize, after: Option<String>) -> Part<Entity> {
    lists::list(&world.sql, &world.viewer, filter, &window(limit, after)).await.unwrap()
}

/// The titles of the whole list, read in parts.
async fn titles(world: &World, filter: &Filter, limit: usize) -> Vec<String> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let part = part(world, filter, limit, after).await;
        all.extend(part.items.into_iter().map(|entity| entity.title));
        after = part.next;
        if after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn lists_are_sorted_and_read_in_parts_without_gaps_or_repetitions() {
    let world = world().await;
    for (title, priority) in [
        ("delta", "low"),
        ("alpha", "high"),
        ("Charlie", "critical"),
        ("bravo", "high"),
        ("éa", "low"),
    ] {
        let task = new(EntityType::Task, title).inside(&world.project);
        world.made(task.with(|fields| fields.priority = Some(priority.to_owned()))).await;
    }
    let sorted = |sort: &str, descending| {
        let sort = sort.to_owned();
        filter(move |f| {
            f.types = vec!["task".to_owned()];
            f.sort = sort;
            f.descending = descending;
        })
    };
    for (sort, expected) in [
        ("", "delta alpha Charlie bravo éa"),
        ("created_at", "delta alpha Charlie bravo éa"),
        ("updated_at", "delta alpha Charlie bravo éa"),
        ("title", "alpha bravo Charlie delta éa"),
        ("status", "delta alpha Charlie bravo éa"),
        ("priority", "delta éa alpha bravo Charlie"),
    ] {
        for limit in [1, 2, 100] {
            assert_eq!(
                titles(&world, &sorted(sort, false), limit).await.join(" "),
                expected,
                "{sort}"
            );
            let mut down = titles(&world, &sorted(sort, true), limit).await;
            down.reverse();
            assert_eq!(down.join(" "), expected, "{sort} descending");
        }
    }
}

#[tokio::test]
async fn cursors_hold_while_others_add_change_and_delete() {
    let world = world().await;
    let mut there = Vec::new();
    for number in 0..12 {
        there.push(world.task(&format!("first {number:02}")).await);
    }
    let tasks = filter(|f| f.types = vec!["task".to_owned()]);
    let (mut seen, mut after) = (Vec::new(), None);
    let mut round = 0;
    loop {
        let add = async {
            for number in 0..2 {
                world.task(&format!("later {round} {number}")).await;
            }
        };
        let (part, ()) = tokio::join!(part(&world, &tasks, 3, after), add);
        seen.extend(part.items.into_iter().map(|entity| entity.id));
        // What the cursor stands on goes away.
        let last = any(seen.last().unwrap());
        value(entities::delete(&world.sql, &world.member, &last, &once()).await);
        round += 1;
        after = part.next;
        if after.is_none() || round > 20 {
            break;
        }
    }
    let mut once_each = seen.clone();
    once_each.sort();
    once_each.dedup();
    assert_eq!(once_each.len(), seen.len());
    assert!(there.iter().all(|id| seen.contains(id)));
}

#[tokio::test]
async fn filters_let_through_what_fits_all_of_them() {
    let world = world().await;
    let document = world.made(new(EntityType::Document, "D").inside(&world.project)).await;
    world.made(new(EntityType::Block, "B").under(&document)).await;
    let other = world.workspace_of("Other").await;
    world.made(new(EntityType::Project, "P2").at(&other)).await;
    let special = new(EntityType::Task, "T").inside(&world.project).with(|fields| {
        *fields = EntityFields {
            status: Some("blocked".to_owned()),
            external_id: Some(Some("T-1".to_owned())),
            attributes: Some(object(json!({ "team": "a", "more": [1] }))),
            ..EntityFields::default()
        };
    });
    world.made(special).await;
    world.task("U").await;
    let list = |value: &str| vec![value.to_owned()];
    for (filter, expected) in [
        (filter(|f| f.workspace = Some(other.clone())), "P2"),
        (filter(|f| f.project = Some(world.project.clone())), "B D Project T U"),
        (filter(|f| f.parent = Some(document.clone())), "B"),
        (filter(|f| f.types = list("task")), "T U"),
        (filter(|f| f.statuses = vec!["blocked".to_owned(), "draft".to_owned()]), "D T"),
        (filter(|f| f.priorities = list("medium")), "T U"),
        (filter(|f| f.external_id = Some("T-1".to_owned())), "T"),
        (filter(|f| f.created_by = Some("user_owner".to_owned())), ""),
        (filter(|f| f.attributes = object(json!({ "team": "a" }))), "T"),
        (filter(|f| f.attributes = object(json!({ "team": "b" }))), ""),
        (filter(|f| f.updated_after = Some("2100-01-01T00:00:00Z".to_owned())), ""),
        (
            filter(|f| f.updated_before = Some("2100-01-01T00:00:00Z".to_owned())),
            "B D P2 Project T U",
        ),
        (filter(|f| f.workspace = Some(id())), ""),
    ] {
        let mut found = titles(&world, &filter, 2).await;
        found.sort();
        assert_eq!(found.join(" "), expected, "{filter:?}");
    }
    for (_, who) in world.people().into_iter().skip(4) {
        let all = lists::list(&world.sql, who, &Filter::default(), &window(9, None)).await;
        assert_eq!(all.unwrap().items, []);
    }
}

#[tokio::test]
async fn filters_and_cursors_that_are_none_are_named() {
    let world = world().await;
    for number in 0..3 {
        world.task(&format!("{number}")).await;
    }
    let list = |value: &str| vec![value.to_owned()];
    for (filter, field) in [
        (filter(|f| f.workspace = Some("x".to_owned())), "workspace_id"),
        (filter(|f| f.project = Some("x\0".to_owned())), "project_id"),
        (filter(|f| f.types = list("user")), "types"),
        (filter(|f| f.types = list("task},{")), "types"),
        (filter(|f| f.statuses = list("lost")), "statuses"),
        (filter(|f| f.priorities = vec!["low".to_owned(); 51]), "priorities"),
        (filter(|f| f.external_id = Some("'".to_owned())), "external_id"),
        (filter(|f| f.created_by = Some("\0".to_owned())), "created_by"),
        (filter(|f| f.updated_after = Some("yesterday".to_owned())), "updated_after"),
        (filter(|f| f.updated_before = Some("2026-13-01T00:00:00Z".to_owned())), "updated_before"),
        (filter(|f| f.attributes = object(json!({ "a": "\0" }))), "attributes"),
        (filter(|f| f.sort = "id; drop".to_owned()), "sort"),
    ] {
        let result = lists::list(&world.sql, &world.viewer, &filter, &window(9, None)).await;
        assert_eq!(verdict(&result), format!("invalid {field}"));
    }
    let tasks = filter(|f| f.types = list("task"));
    let next = part(&world, &tasks, 1, None).await.next.unwrap();
    // Of another list, of another organization, changed, and none at all.
    let all = Filter::default();
    for (who, filter, cursor) in [
        (&world.viewer, &all, next.clone()),
        (&world.stranger, &tasks, next.clone()),
        (&world.viewer, &tasks, next.replace(&next[..4], "AAAA")),
        (&world.viewer, &tasks, "x".repeat(10_000)),
        (&world.viewer, &tasks, String::new()),
    ] {
        let result = lists::list(&world.sql, who, filter, &window(9, Some(cursor))).await;
        assert_eq!(verdict(&result), "invalid cursor");
    }
}
