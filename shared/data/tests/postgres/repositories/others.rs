use data::model::Error;
use data::model::exports::{self, Made, NewExport};
use data::model::queries::{self, Execution, NewSavedQuery, SavedQueryChange};
use serde_json::json;

use super::{World, any, at, id, keyed, object, once, value, verdict, verdicts, window, world};

fn saved(world: &World, name: &str, visibility: &str) -> NewSavedQuery {
    NewSavedQuery {
        id: id(),
        workspace: world.workspace.clone(),
        name: name.to_owned(),
        description: None,
        query: object(json!({ "types": ["task"] })),
        visibility: visibility.to_owned(),
    }
}

fn execution(world: &World) -> Execution {
    Execution {
        workspace: world.workspace.clone(),
        operation: "search".to_owned(),
        fingerprint: "0123456789abcdef".to_owned(),
        saved_query: None,
        failed: false,
        rows: 5,
        time: 300,
    }
}

fn export(world: &World) -> NewExport {
    NewExport {
        id: id(),
        workspace: world.workspace.clone(),
        project: Some(world.project.clone()),
        format: "json".to_owned(),
        filter: object(json!({})),
    }
}

#[tokio::test]
async fn saved_queries_are_of_those_who_keep_them() {
    let world = world().await;
    let mut private = Vec::new();
    let mut shared = Vec::new();
    for (_, who) in world.people() {
        let attempt = once();
        let new = saved(&world, "Mine", "private");
        private.push(queries::create(&world.sql, who, new, &attempt).await);
        let new = saved(&world, "Ours", "workspace");
        shared.push(queries::create(&world.sql, who, new, &attempt).await);
    }
    let absent = "no workspace_id";
    assert_eq!(verdicts(&private), ["ok", "ok", "ok", "ok", absent, absent]);
    assert_eq!(verdicts(&shared), ["ok", "ok", "ok", "not permitted", absent, absent]);
    let seen = queries::list(&world.sql, &world.viewer, &world.workspace, &window(9, None)).await;
    assert_eq!(seen.unwrap().items.len(), 4);
    let first = queries::list(&world.sql, &world.viewer, &world.workspace, &window(3, None)).await;
    let rest = window(3, first.unwrap().next);
    let rest = queries::list(&world.sql, &world.viewer, &world.workspace, &rest).await.unwrap();
    assert_eq!(rest.items.len(), 1);

    let same = saved(&world, "MINE", "private");
    let same = queries::create(&world.sql, &world.member, same, &once()).await;
    assert_eq!(verdict(&same), "taken name");
    let ours = value(shared.remove(0));
    let change = |version| SavedQueryChange {
        target: at(&ours.id, version),
        name: Some("Renamed".to_owned()),
        description: None,
        query: Some(object(json!({ "types": [] }))),
        visibility: None,
    };
    // Admins see it, but it is the owner's.
    let admin = queries::update(&world.sql, &world.admin, change(1), &once()).await;
    assert_eq!(admin, Err(Error::NotPermitted(None)));
    let changed = value(queries::update(&world.sql, &world.owner, change(1), &once()).await);
    assert_eq!((changed.name.as_str(), changed.version), ("Renamed", 2));
    let stale = queries::update(&world.sql, &world.owner, change(1), &once()).await;
    assert_eq!(verdict(&stale), "stale 2");
    let theirs = value(private.remove(0));
    assert_eq!(verdict(&queries::find(&world.sql, &world.admin, &theirs.id).await), "no id");
    let delete = async |who, id: &str| queries::delete(&world.sql, who, &any(id), &once()).await;
    assert_eq!(verdict(&delete(&world.viewer, &ours.id).await), "not permitted");
    assert_eq!(verdict(&delete(&world.owner, &ours.id).await), "ok");
    assert_eq!(verdict(&delete(&world.owner, &ours.id).await), "no id");
    for (new, field) in [
        (saved(&world, "", "private"), "name"),
        (saved(&world, "x", "secret"), "visibility"),
        (
            NewSavedQuery { query: object(json!({ "a": "\0" })), ..saved(&world, "x", "private") },
            "query",
        ),
        (
            NewSavedQuery { workspace: "x".to_owned(), ..saved(&world, "x", "private") },
            "workspace_id",
        ),
    ] {
        let bad = queries::create(&world.sql, &world.member, new, &once()).await;
        assert_eq!(verdict(&bad), format!("invalid {field}"));
    }
}

#[tokio::test]
async fn queries_are_counted_and_members_see_how_they_went() {
    let world = world().await;
    let mut recorded = Vec::new();
    for (_, who) in world.people() {
        recorded.push(queries::record(&world.sql, who, &execution(&world)).await);
    }
    let denied = "not permitted";
    assert_eq!(verdicts(&recorded), ["ok", "ok", "ok", "ok", denied, denied]);
    let slow = Execution { failed: true, rows: 0, time: 500, ..execution(&world) };
    queries::record(&world.sql, &world.member, &slow).await.unwrap();
    let of = async |who| queries::statistics(&world.sql, who, &world.workspace, 7).await.unwrap();
    let statistics = of(&world.member).await.remove(0);
    assert_eq!((statistics.executions, statistics.failures, statistics.rows), (5, 1, 20));
    assert_eq!((statistics.mean_time, statistics.max_time), (340, 500));
    assert_eq!(&statistics.last_at[23..], "Z");
    assert_eq!(of(&world.viewer).await, []);
    assert_eq!(of(&world.forger).await, []);

    let lost = Execution { saved_query: Some(id()), ..execution(&world) };
    let lost = queries::record(&world.sql, &world.member, &lost).await;
    assert_eq!(verdict(&lost), "no saved_query_id");
    for (went, field) in [
        (Execution { operation: "A".to_owned(), ..execution(&world) }, "operation"),
        (Execution { fingerprint: "x".to_owned(), ..execution(&world) }, "fingerprint"),
        (Execution { workspace: "x".to_owned(), ..execution(&world) }, "workspace_id"),
    ] {
        let bad = queries::record(&world.sql, &world.member, &went).await;
        assert_eq!(verdict(&bad), format!("invalid {field}"));
    }
    let bad = queries::statistics(&world.sql, &world.member, &world.workspace, 0).await;
    assert_eq!(verdict(&bad), "invalid days");
}

#[tokio::test]
async fn exports_are_ordered_made_and_forgotten() {
    let world = world().await;
    let mut ordered = Vec::new();
    for (_, who) in world.people() {
        ordered.push(exports::order(&world.sql, who, export(&world), &keyed("k", "d")).await);
    }
    let absent = "no workspace_id";
    assert_eq!(verdicts(&ordered), ["ok", "ok", "ok", "not permitted", absent, absent]);
    let again = exports::order(&world.sql, &world.member, export(&world), &keyed("k", "d")).await;
    assert!(again.unwrap().replayed);
    let mine = ordered.remove(2).unwrap().value;
    assert_eq!((mine.status.as_str(), mine.version), ("queued", 1));
    let lists = async |who| {
        let list = exports::list(&world.sql, who, &world.workspace, &window(9, None)).await;
        list.unwrap().items.len()
    };
    assert_eq!((lists(&world.admin).await, lists(&world.member).await), (3, 1));
    assert_eq!((lists(&world.viewer).await, lists(&world.forger).await), (0, 0));

    // Each maker takes another.
    let (first, second) = tokio::join!(exports::claim(&world.sql), exports::claim(&world.sql));
    let (first, second) = (first.unwrap().unwrap(), second.unwrap().unwrap());
    assert_ne!(first.id, second.id);
    let third = exports::claim(&world.sql).await.unwrap().unwrap();
    assert_eq!(exports::claim(&world.sql).await, Ok(None));
    for (claimed, made) in [
        (&first, Made::Content("[]".to_owned(), 0)),
        (&second, Made::Failed("too much".to_owned())),
        (&third, Made::Location("bucket/1".to_owned(), 7)),
    ] {
        let target = at(&claimed.id, claimed.version);
        assert_eq!(exports::finish(&world.sql, &target, made.clone()).await, Ok(true));
        assert_eq!(exports::finish(&world.sql, &target, made).await, Ok(false));
    }
    let done = exports::find(&world.sql, &world.admin, &first.id).await.unwrap();
    assert_eq!((done.status.as_str(), done.content.as_deref()), ("succeeded", Some("[]")));
    let failed = exports::find(&world.sql, &world.admin, &second.id).await.unwrap();
    assert_eq!(failed.error.as_deref(), Some("too much"));
    let long = Made::Content("x".repeat(exports::MOST_CONTENT + 1), 1);
    let bad = exports::finish(&world.sql, &at(&first.id, 2), long).await;
    assert_eq!(verdict(&bad), "invalid content");

    let owners = exports::erase(&world.sql, &world.member, &first.id, &once()).await;
    assert_eq!(verdict(&owners), "no id");
    value(exports::erase(&world.sql, &world.member, &mine.id, &once()).await);
    assert_eq!(verdict(&exports::find(&world.sql, &world.member, &mine.id).await), "no id");
    let expire = "update app.exports set expires_at = now() - interval '1 day'";
    world.cluster.script(crate::support::SUPERUSER, expire).await.unwrap();
    assert_eq!(lists(&world.admin).await, 0);
    assert_eq!(exports::forget(&world.sql, 1).await, Ok(1));
    assert_eq!(exports::forget(&world.sql, 9).await, Ok(1));
    for (new, field) in [
        (NewExport { format: "pdf".to_owned(), ..export(&world) }, "invalid format"),
        (NewExport { workspace: id(), ..export(&world) }, "no workspace_id"),
        (NewExport { project: Some(id()), ..export(&world) }, "no project_id"),
    ] {
        let bad = exports::order(&world.sql, &world.member, new, &once()).await;
        assert_eq!(verdict(&bad), field);
    }
}
