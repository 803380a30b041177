use std::cell::Cell;
use std::time::Duration;

use data::model::documents::{self, NewDocument};
use data::model::entities::{self, EntityChange, EntityFields};
use data::model::queries::{self, NewSavedQuery};
use data::model::relationships::{self, NewRelationship};
use data::model::workflows::{self, NewWorkflow};
use data::model::workspaces::{self, NewWorkspace, WorkspaceChange};
use data::model::{EntityType, Error};
use data::{Backoff, as_user};
use futures::future::join_all;
use ports::{Random, Statement, Timer};
use serde_json::json;

use super::{
    Somewhere, any, at, id, keyed, new, object, once, trial, value, verdict, verdicts, world,
};

#[tokio::test]
async fn of_many_changes_of_one_version_one_wins() {
    let world = world().await;
    let task = world.task("Task").await;
    let change = |number: usize| EntityChange {
        target: at(&task, 1),
        title: Some(format!("by {number}")),
        fields: EntityFields::default(),
    };
    let attempt = once();
    let all = (0..8).map(|n| entities::update(&world.sql, &world.member, change(n), &attempt));
    let verdicts = verdicts(&join_all(all).await);
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "ok").count(), 1);
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "stale 2").count(), 7);
}

#[tokio::test]
async fn the_same_idempotency_key_creates_once_however_often_and_at_the_same_time() {
    let world = world().await;
    let before = world.count("tasks").await;
    let attempt = keyed("k", "d");
    let task = || new(EntityType::Task, "Task").inside(&world.project);
    let all = (0..8).map(|_| entities::create(&world.sql, &world.member, task(), &attempt));
    let results: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(world.count("tasks").await, before + 1);
    assert_eq!(results.iter().filter(|written| !written.replayed).count(), 1);
    assert!(results.iter().all(|written| written.value.id == results[0].value.id));

    // Another request, another person, another type, another key.
    let reused = entities::create(&world.sql, &world.member, task(), &keyed("k", "e")).await;
    assert_eq!(reused, Err(Error::KeyReused));
    let other = entities::create(&world.sql, &world.admin, task(), &attempt).await.unwrap();
    let document = new(EntityType::Document, "D").inside(&world.project);
    let document = entities::create(&world.sql, &world.member, document, &attempt).await.unwrap();
    let key = entities::create(&world.sql, &world.member, task(), &keyed("l", "d")).await.unwrap();
    assert!(![other.replayed, document.replayed, key.replayed].contains(&true));
    let bad = entities::create(&world.sql, &world.member, task(), &keyed("", "d")).await;
    assert_eq!(verdict(&bad), "invalid idempotency_key");
    // Nothing that failed is remembered.
    let lost = new(EntityType::Task, "T").inside(&id());
    let lost = entities::create(&world.sql, &world.member, lost, &keyed("m", "d")).await;
    assert_eq!(verdict(&lost), "no project_id");
    let found =
        entities::create(&world.sql, &world.member, task(), &keyed("m", "d")).await.unwrap();
    assert!(!found.replayed);

    let workspace = || NewWorkspace { id: id(), name: "W".to_owned(), description: None };
    let create =
        async || workspaces::create(&world.sql, &world.member, workspace(), &attempt).await;
    let (first, second) = (create().await.unwrap(), create().await.unwrap());
    assert_eq!((first.replayed, second.replayed, &first.value), (false, true, &second.value));
}

#[tokio::test]
async fn whatever_is_created_is_created_once_under_its_key() {
    let world = world().await;
    let (sql, admin, attempt) = (&world.sql, &world.admin, keyed("k", "d"));
    let (one, two) = (world.task("one").await, world.task("two").await);
    let mut told = Vec::new();
    for _ in 0..2 {
        let link = NewRelationship {
            id: id(),
            kind: "dependency".to_owned(),
            source: one.clone(),
            target: Some(two.clone()),
            target_user: None,
            label: None,
            attributes: object(json!({})),
        };
        let link = relationships::create(sql, admin, link, &attempt).await.unwrap();
        let query = NewSavedQuery {
            id: id(),
            workspace: world.workspace.clone(),
            name: "Q".to_owned(),
            description: None,
            query: object(json!({})),
            visibility: "private".to_owned(),
        };
        let query = queries::create(sql, admin, query, &attempt).await.unwrap();
        let workflow = NewWorkflow {
            id: id(),
            workspace: world.workspace.clone(),
            project: None,
            name: "W".to_owned(),
            description: None,
            status: "draft".to_owned(),
            steps: Vec::new(),
        };
        let workflow = workflows::create(sql, admin, workflow, &attempt).await.unwrap();
        let document = NewDocument {
            id: id(),
            project: world.project.clone(),
            title: "D".to_owned(),
            fields: EntityFields::default(),
            blocks: vec![EntityFields::default()],
        };
        let document = documents::create(sql, admin, document, &attempt).await.unwrap();
        let replayed = [link.replayed, query.replayed, workflow.replayed, document.replayed];
        told.push((replayed, link.value, query.value, workflow.value, document.value));
    }
    let (first, second) = (told.remove(0), told.remove(0));
    assert_eq!((first.0, second.0), ([false; 4], [true; 4]));
    assert_eq!((first.1, first.2, first.3, first.4), (second.1, second.2, second.3, second.4));
    assert_eq!((world.count("blocks").await, world.count("relationships").await), (1, 1));
}

#[tokio::test]
async fn a_trial_of_a_change_leaves_the_version() {
    let world = world().await;
    let change = |version| WorkspaceChange {
        target: at(&world.workspace, version),
        name: Some("New".to_owned()),
        description: None,
    };
    let tried = workspaces::update(&world.sql, &world.member, change(1), &trial()).await;
    assert_eq!(value(tried).name, "New");
    let stale = workspaces::update(&world.sql, &world.member, change(2), &trial()).await;
    assert_eq!(verdict(&stale), "stale 1");
    let found = workspaces::find(&world.sql, &world.viewer, &world.workspace).await.unwrap();
    assert_eq!((found.name.as_str(), found.version), ("Work", 1));
}

/// Waits as the test's runtime does, and counts.
#[derive(Default)]
struct Watch(Cell<u32>);

impl Timer for Watch {
    async fn sleep(&self, duration: Duration) {
        self.0.set(self.0.get() + 1);
        tokio::time::sleep(duration).await;
    }
}

impl Random for Watch {
    fn fill(&self, out: &mut [u8]) {
        out.fill(0x7f);
    }
}

/// Change one, wait, change the other.
fn both<'a>(first: &str, second: &str) -> Vec<Statement<'a>> {
    let rename = "update app.workspaces set name = name || '.' where id = $1::uuid";
    let with = |id: &str| Statement { text: rename, parameters: vec![Some(id.to_owned())] };
    let wait = Statement { text: "select pg_sleep(0.5)", parameters: Vec::new() };
    vec![with(first), wait, with(second)]
}

#[tokio::test]
async fn what_lost_a_race_is_repeated_after_a_wait() {
    let world = world().await;
    let (one, two) = (world.workspace.clone(), world.workspace_of("Two").await);
    let watch = Watch::default();
    let sql = Backoff::new(world.sql.clone(), &watch);
    let (first, second) = tokio::join!(
        as_user(&sql, &world.member, both(&one, &two)),
        as_user(&sql, &world.member, both(&two, &one)),
    );
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(watch.0.get(), 1);
    let found = workspaces::find(&world.sql, &world.viewer, &one).await.unwrap();
    // Each of the two took effect once.
    assert_eq!((found.name.as_str(), found.version), ("Work..", 3));
}

#[tokio::test]
async fn what_takes_too_long_or_finds_no_database_is_to_be_tried_later() {
    let world = world().await;
    let hasty = world.sql.clone().with_timeout(Duration::from_millis(1));
    let late = entities::find(&hasty, &world.viewer, &world.project).await;
    assert_eq!(verdict(&late), "unavailable");
    let sql = world.sql.clone();
    let (viewer, project) = (world.viewer.clone(), world.project.clone());
    drop(world);
    let away = entities::find(&sql, &viewer, &project).await;
    assert_eq!(verdict(&away), "unavailable");
    let away = entities::delete(&sql, &viewer, &any(&project), &once()).await;
    assert_eq!(verdict(&away), "unavailable");
}
