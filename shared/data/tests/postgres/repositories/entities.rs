use data::Caller;
use data::model::documents::{self, NewDocument};
use data::model::entities::{self, EntityChange, EntityFields, NewEntity};
use data::model::workspaces::{self, NewWorkspace, WorkspaceChange};
use data::model::{EntityType, Error};
use serde_json::json;

use super::{
    Somewhere, World, any, at, id, new, object, once, trial, value, verdict, verdicts, window,
    world,
};

/// One of each type that there is in the project.
async fn one_of_each(world: &World) -> Vec<(EntityType, String)> {
    let document = world.made(new(EntityType::Document, "Document").inside(&world.project)).await;
    let case = world.made(new(EntityType::TestCase, "Case").inside(&world.project)).await;
    let block = new(EntityType::Block, "").under(&document);
    let block = block.with(|fields| fields.description = Some(Some("Text\nmore".to_owned())));
    vec![
        (EntityType::Block, world.made(block).await),
        (EntityType::TestRun, world.made(new(EntityType::TestRun, "").under(&case)).await),
        (
            EntityType::Requirement,
            world.made(new(EntityType::Requirement, "Requirement").under(&document)).await,
        ),
        (EntityType::Task, world.task("Task").await),
        (EntityType::Document, document),
        (EntityType::TestCase, case),
        (EntityType::Project, world.project.clone()),
    ]
}

fn change(id: &str, version: Option<i64>, fields: EntityFields) -> EntityChange {
    let target = data::model::Target { id: id.to_owned(), version };
    EntityChange { target, title: None, fields }
}

fn noted() -> EntityFields {
    EntityFields { attributes: Some(object(json!({ "a": 1 }))), ..EntityFields::default() }
}

#[tokio::test]
async fn entities_of_all_types_live_and_each_role_has_its_rights() {
    let world = world().await;
    for (kind, key) in one_of_each(&world).await {
        let mut read = Vec::new();
        let mut changed = Vec::new();
        for (_, who) in world.people() {
            read.push(entities::find(&world.sql, who, &key).await);
            changed.push(
                entities::update(&world.sql, who, change(&key, None, noted()), &once()).await,
            );
        }
        let word = kind.word();
        let absent = "no id";
        assert_eq!(verdicts(&read), ["ok", "ok", "ok", "ok", absent, absent], "{word}");
        assert_eq!(
            verdicts(&changed),
            ["ok", "ok", "ok", "not permitted", absent, absent],
            "{word}"
        );
        let entity = entities::find(&world.sql, &world.viewer, &key).await.unwrap();
        assert_eq!((entity.kind.as_str(), entity.version), (word, 4));
        assert_eq!(entity.project_id.as_deref(), Some(world.project.as_str()));
        assert_eq!(entity.attributes, object(json!({ "a": 1 })));
        assert_eq!(&entity.updated_at[23..], "Z");

        let mut deleted = Vec::new();
        for (_, who) in world.people().into_iter().rev() {
            deleted.push(entities::delete(&world.sql, who, &any(&key), &once()).await);
        }
        let member = if kind == EntityType::Project { "not permitted" } else { "ok" };
        let admin = if kind == EntityType::Project { "ok" } else { absent };
        assert_eq!(
            verdicts(&deleted),
            [absent, absent, "not permitted", member, admin, absent],
            "{word}"
        );
    }
}

#[tokio::test]
async fn each_role_creates_what_it_may_where_it_may() {
    let world = world().await;
    for (kind, place) in [(EntityType::Project, "workspace_id"), (EntityType::Task, "project_id")] {
        let mut created = Vec::new();
        for (name, who) in world.people() {
            let new = new(kind, name);
            let new = match kind {
                EntityType::Project => new.at(&world.workspace),
                _ => new.inside(&world.project),
            };
            created.push(entities::create(&world.sql, who, new, &once()).await);
        }
        let absent = format!("no {place}");
        assert_eq!(verdicts(&created), ["ok", "ok", "ok", "not permitted", &absent, &absent]);
        let entity = value(created.remove(0));
        assert_eq!((entity.title.as_str(), entity.version), ("owner", 1));
        assert_eq!(entity.created_by, "user_owner");
    }
    let nobody = Caller { organization: None, ..world.owner.clone() };
    let task = new(EntityType::Task, "x").inside(&world.project);
    let refused = entities::create(&world.sql, &nobody, task, &once()).await;
    assert_eq!(verdict(&refused), "no organization");
}

#[tokio::test]
async fn what_is_told_of_an_entity_is_kept() {
    let world = world().await;
    let requirement = new(EntityType::Requirement, "Brakes").inside(&world.project).details(json!({
        "rationale": "Safety", "level": "subsystem", "ears_pattern": "event_driven",
        "ears_trigger": "the pedal is pressed", "ears_system": "car", "ears_response": "stop",
        "incose_met": ["complete", "singular"], "incose_score": 80, "incose_findings": [{ "rule": "R1" }],
    }));
    let requirement = requirement.with(|fields| {
        fields.description =
            Some(Some("When the pedal is pressed, the car shall stop.".to_owned()));
        fields.external_id = Some(Some("REQ-1".to_owned()));
        fields.status = Some("approved".to_owned());
        fields.priority = Some("critical".to_owned());
        fields.subtype = Some("safety".to_owned());
    });
    let key = requirement.id.clone();
    let made = value(entities::create(&world.sql, &world.member, requirement, &once()).await);
    assert_eq!(made, entities::find(&world.sql, &world.viewer, &key).await.unwrap());
    assert_eq!(made.details["ears_trigger"], "the pedal is pressed");
    assert_eq!(made.details["incose_met"], json!(["complete", "singular"]));
    assert_eq!(
        (made.subtype.as_deref(), made.status.as_deref()),
        (Some("safety"), Some("approved"))
    );

    let fields = EntityFields {
        description: Some(None),
        details: object(json!({ "rationale": null, "incose_score": 90 })),
        external_id: Some(None),
        ..EntityFields::default()
    };
    let change = change(&key, Some(1), fields);
    let changed = value(entities::update(&world.sql, &world.member, change, &once()).await);
    assert_eq!(
        (changed.description.as_deref(), changed.external_id, changed.version),
        (Some(""), None, 2)
    );
    assert_eq!(changed.details.get("rationale"), None);
    assert_eq!(changed.details["incose_score"], 90);
    // What was not told stays.
    assert_eq!((changed.title.as_str(), changed.priority.as_deref()), ("Brakes", Some("critical")));
    assert_eq!(changed.details["ears_response"], "stop");

    let run_of = world.made(new(EntityType::TestCase, "Case").inside(&world.project)).await;
    let run = new(EntityType::TestRun, "").under(&run_of).details(json!({
        "started_at": "2026-11-21T10:00:00+02:00", "build": "7",
    }));
    let run = value(entities::create(&world.sql, &world.member, run, &once()).await);
    assert_eq!(run.details["started_at"], "2026-11-21T08:00:00.000Z");
    assert_eq!((run.title.as_str(), run.parent_id.as_ref()), ("Case", Some(&run_of)));
    let run = new(EntityType::TestRun, "Friday").under(&run_of);
    let run = run.with(|fields| fields.description = Some(Some("All well.".to_owned())));
    let run = value(entities::create(&world.sql, &world.member, run, &once()).await);
    assert_eq!(run.description.as_deref(), Some("Friday\n\nAll well."));
    let task = new(EntityType::Task, "T")
        .inside(&world.project)
        .details(json!({ "due_on": "2026-12-24" }));
    let task = value(entities::create(&world.sql, &world.member, task, &once()).await);
    assert_eq!(task.details["due_on"], "2026-12-24");
}

#[tokio::test]
async fn bad_input_names_its_field_and_writes_nothing() {
    let world = world().await;
    let before = (world.count("entity_keys").await, world.count("change_events").await);
    let case = |new: NewEntity, field: &'static str| (new, field);
    let task = || new(EntityType::Task, "Task").inside(&world.project);
    let document = world.made(new(EntityType::Document, "D").inside(&world.project)).await;
    let other_workspace = world.workspace_of("Other").await;
    let other = new(EntityType::Project, "P").at(&other_workspace);
    let other_project = world.made(other).await;
    let keys = world.count("entity_keys").await;
    assert_eq!(keys, before.0 + 2);
    let changes = world.count("change_events").await;
    for (new, verdict_) in [
        case(NewEntity { id: "x".to_owned(), ..task() }, "invalid id"),
        case(
            NewEntity { id: "01900000-0000-4000-8000-000000000001".to_owned(), ..task() },
            "invalid id",
        ),
        case(NewEntity { title: Some("a\0b".to_owned()), ..task() }, "invalid title"),
        case(NewEntity { title: Some(" ".to_owned()), ..task() }, "invalid title"),
        case(NewEntity { title: Some("x".repeat(301)), ..task() }, "invalid title"),
        case(NewEntity { title: None, ..task() }, "invalid title"),
        case(task().with(|f| f.description = Some(Some("a\0".to_owned()))), "invalid description"),
        case(
            task().with(|f| f.description = Some(Some("x".repeat(10 << 20)))),
            "invalid description",
        ),
        case(task().with(|f| f.status = Some("draft".to_owned())), "invalid status"),
        case(task().with(|f| f.priority = Some("urgent".to_owned())), "invalid priority"),
        case(task().with(|f| f.subtype = Some("bug".to_owned())), "invalid kind"),
        case(task().with(|f| f.external_id = Some(Some("a b".to_owned()))), "invalid external_id"),
        case(
            task().with(|f| f.attributes = Some(object(json!({ "a": "\0" })))),
            "invalid attributes",
        ),
        case(
            task().with(|f| f.attributes = Some(object(json!({ "a": "x".repeat(20_000) })))),
            "invalid attributes",
        ),
        case(task().details(json!({ "estimate": "long" })), "invalid details.estimate"),
        case(task().details(json!({ "estimate": 1e9 })), "invalid details.estimate"),
        case(task().details(json!({ "due_on": "2026-02-30" })), "invalid details.due_on"),
        case(task().details(json!({ "rationale": "x" })), "invalid details.rationale"),
        case(task().details(json!({ "organization_id": "x" })), "invalid details"),
        case(task().details(json!({ "title": "x" })), "invalid details"),
        case(new(EntityType::Task, "T").inside("nowhere"), "invalid project_id"),
        case(new(EntityType::Task, "T").inside(&id()), "no project_id"),
        case(new(EntityType::Task, "T").inside(&document), "no project_id"),
        case(task().at(&other_workspace), "no project_id"),
        case(new(EntityType::Task, "T"), "invalid project_id"),
        case(task().under(&document), "invalid parent_id"),
        case(new(EntityType::Block, "B").inside(&world.project), "invalid parent_id"),
        case(new(EntityType::Block, "B").under(&world.project), "no parent_id"),
        case(new(EntityType::Block, "B").under(&document).inside(&other_project), "no parent_id"),
        case(new(EntityType::Requirement, "R").inside(&world.project).under(&id()), "no parent_id"),
        case(new(EntityType::TestRun, "a\nb").under(&id()), "invalid title"),
        case(new(EntityType::TestRun, "").under(&id()), "no parent_id"),
        case(new(EntityType::Project, "P").at(&id()), "no workspace_id"),
        case(new(EntityType::Workflow, "W").at(&world.workspace), "invalid type"),
        // What only the database knows.
        case(
            new(EntityType::Block, "B").under(&document).details(json!({ "level": 2 })),
            "invalid details.level",
        ),
        case(
            new(EntityType::Requirement, "R")
                .inside(&world.project)
                .details(json!({ "ears_pattern": "complex" })),
            "invalid details.ears_pattern",
        ),
        case(
            new(EntityType::Requirement, "R")
                .inside(&world.project)
                .details(json!({ "block_id": id() })),
            "no details.block_id",
        ),
    ] {
        let shown = format!("{:?} {:?}", new.kind, new.title);
        let result = entities::create(&world.sql, &world.member, new, &once()).await;
        assert_eq!(verdict(&result), verdict_, "{shown}");
    }
    assert_eq!(world.count("entity_keys").await, keys);
    assert_eq!(world.count("change_events").await, changes);
}

#[tokio::test]
async fn a_change_is_judged_by_the_type_that_the_database_knows() {
    let world = world().await;
    let (task, version) = (world.task("Task").await, Some(1));
    let document = world.made(new(EntityType::Document, "D").inside(&world.project)).await;
    let block = world.made(new(EntityType::Block, "B").under(&document)).await;
    for (key, fields, expected) in [
        (&task, json!({ "level": "system" }), "invalid details.level"),
        (&task, json!({ "estimate": -1 }), "invalid details.estimate"),
        (&task, json!({ "nothing": 1 }), "invalid details"),
        (&block, json!({ "level": "system" }), "invalid details"),
        (&block, json!({ "rationale": "x" }), "invalid details.rationale"),
    ] {
        let fields = EntityFields { details: object(fields), ..EntityFields::default() };
        let new = change(key, version, fields);
        let result = entities::update(&world.sql, &world.member, new, &once()).await;
        assert_eq!(verdict(&result), expected);
    }
    let status = EntityFields { status: Some("draft".to_owned()), ..EntityFields::default() };
    for (key, expected) in [(&task, "invalid status"), (&block, "invalid status"), (&id(), "no id")]
    {
        let new = change(key, version, status.clone());
        let result = entities::update(&world.sql, &world.member, new, &once()).await;
        assert_eq!(verdict(&result), expected);
    }
    assert_eq!(entities::find(&world.sql, &world.viewer, &task).await.unwrap().version, 1);
}

#[tokio::test]
async fn names_of_other_systems_are_unique_in_a_project() {
    let world = world().await;
    let named = || {
        new(EntityType::Task, "T")
            .inside(&world.project)
            .with(|fields| fields.external_id = Some(Some("T-1".to_owned())))
    };
    let first = world.made(named()).await;
    let second = entities::create(&world.sql, &world.member, named(), &once()).await;
    assert_eq!(verdict(&second), "taken external_id");
    let same = NewEntity { id: first.clone(), ..new(EntityType::Task, "T").inside(&world.project) };
    let same = entities::create(&world.sql, &world.member, same, &once()).await;
    assert_eq!(verdict(&same), "taken id");
    value(entities::delete(&world.sql, &world.member, &any(&first), &once()).await);
    world.made(named()).await;
}

#[tokio::test]
async fn what_is_deleted_takes_along_what_is_in_it_and_a_trial_changes_nothing() {
    let world = world().await;
    one_of_each(&world).await;
    let project = any(&world.project);
    let tried = value(entities::delete(&world.sql, &world.admin, &project, &trial()).await);
    let contents: Vec<_> = tried.contents.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    assert_eq!(
        contents,
        [
            ("block", 1),
            ("document", 1),
            ("requirement", 1),
            ("task", 1),
            ("test_case", 1),
            ("test_run", 1)
        ]
    );
    assert!(entities::find(&world.sql, &world.viewer, &world.project).await.is_ok());
    let done = value(entities::delete(&world.sql, &world.admin, &project, &once()).await);
    assert_eq!((done.title.as_str(), &done.contents), ("Project", &tried.contents));
    let gone = entities::find(&world.sql, &world.viewer, &world.project).await;
    assert_eq!(verdict(&gone), "no id");
    let nothing = new(EntityType::Task, "T").inside(&world.project);
    let nothing = entities::create(&world.sql, &world.member, nothing, &once()).await;
    assert_eq!(verdict(&nothing), "no project_id");

    let before = world.count("entity_keys").await;
    let task = new(EntityType::Project, "Trial").at(&world.workspace);
    let key = task.id.clone();
    let made = value(entities::create(&world.sql, &world.member, task, &trial()).await);
    assert_eq!((made.title.as_str(), made.id.as_str()), ("Trial", key.as_str()));
    assert_eq!(world.count("entity_keys").await, before);
    let bad = new(EntityType::Project, "Trial").at(&world.workspace);
    let bad = entities::create(&world.sql, &world.viewer, bad, &trial()).await;
    assert_eq!(verdict(&bad), "not permitted");
}

#[tokio::test]
async fn documents_are_read_with_their_blocks_in_order() {
    let world = world().await;
    let text = |text: &str| EntityFields {
        description: Some(Some(text.to_owned())),
        ..EntityFields::default()
    };
    let heading = EntityFields {
        subtype: Some("heading".to_owned()),
        details: object(json!({ "level": 1 })),
        ..text("Title")
    };
    let document = |blocks: Vec<EntityFields>| NewDocument {
        id: id(),
        project: world.project.clone(),
        title: "Document".to_owned(),
        fields: EntityFields::default(),
        blocks,
    };
    let all = vec![heading.clone(), text("one"), text("two"), text("three")];
    let made = documents::create(&world.sql, &world.member, document(all), &once()).await;
    let key = value(made).id;
    let contents = async |limit, after| {
        let read = documents::read(&world.sql, &world.viewer, &key, &window(limit, after)).await;
        let read = read.unwrap();
        let texts: Vec<_> =
            read.blocks.items.iter().map(|block| block.description.clone().unwrap()).collect();
        (texts.join(" "), read.blocks)
    };
    let (texts, part) = contents(3, None).await;
    assert_eq!(texts, "Title one two");
    let (rest, last) = contents(3, part.next.clone()).await;
    assert_eq!((rest.as_str(), last.next), ("three", None));

    let three = &last.items[0];
    let one = &part.items[1].id;
    let place = async |id: &str, version, after: Option<&String>| {
        documents::place(&world.sql, &world.member, &at(id, version), after, &once()).await
    };
    value(place(&three.id, 1, Some(&part.items[0].id)).await);
    assert_eq!(contents(9, None).await.0, "Title three one two");
    value(place(one, 1, None).await);
    assert_eq!(contents(9, None).await.0, "one Title three two");
    assert_eq!(verdict(&place(one, 1, None).await), "stale 2");
    assert_eq!(verdict(&place(one, 2, Some(one)).await), "no after_id");
    assert_eq!(verdict(&place(&id(), 1, None).await), "no id");
    let viewer = documents::place(&world.sql, &world.viewer, &at(one, 2), None, &once()).await;
    assert_eq!(verdict(&viewer), "not permitted");

    let before = world.count("documents").await;
    for bad in [
        vec![text("a"), text("b\0")],
        vec![EntityFields { subtype: Some("heading".to_owned()), ..text("no level") }],
        vec![text("x"); 501],
        vec![text(&"x".repeat(10 << 20))],
        vec![text(&"x".repeat(99_999)); 50],
    ] {
        let bad = documents::create(&world.sql, &world.member, document(bad), &once()).await;
        assert_eq!(verdict(&bad), "invalid blocks");
    }
    assert_eq!(world.count("documents").await, before);
    let stranger = documents::read(&world.sql, &world.stranger, &key, &window(3, None)).await;
    assert_eq!(verdict(&stranger), "no id");
}

#[tokio::test]
async fn workspaces_live_and_each_role_has_its_rights() {
    let world = world().await;
    let new = |id: String, name: &str| NewWorkspace {
        id,
        name: name.to_owned(),
        description: Some("d".to_owned()),
    };
    let mut created = Vec::new();
    let mut found = Vec::new();
    for (name, who) in world.people() {
        created.push(workspaces::create(&world.sql, who, new(id(), name), &once()).await);
        found.push(workspaces::summarize(&world.sql, who, &world.workspace).await);
    }
    assert_eq!(verdicts(&created), ["ok", "ok", "ok", "not permitted", "ok", "not permitted"]);
    assert_eq!(verdicts(&found), ["ok", "ok", "ok", "ok", "no id", "no id"]);
    let summary = found.remove(3).unwrap();
    assert_eq!((summary.role.as_str(), summary.members, summary.workflows), ("viewer", 4, 0));
    assert_eq!(summary.entities.get("project"), Some(&1));
    assert_eq!(summary.workspace.name, "Work");

    let first = workspaces::list(&world.sql, &world.viewer, &window(3, None)).await.unwrap();
    let names: Vec<_> = first.items.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Work", "owner", "admin"]);
    let rest = workspaces::list(&world.sql, &world.viewer, &window(3, first.next)).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let own = workspaces::list(&world.sql, &world.stranger, &window(9, None)).await.unwrap();
    assert_eq!(own.items.len(), 1);
    let none = workspaces::list(&world.sql, &world.forger, &window(9, None)).await.unwrap();
    assert_eq!(none.items, []);

    let change = |version, name: Option<&str>| WorkspaceChange {
        target: at(&world.workspace, version),
        name: name.map(str::to_owned),
        description: Some(None),
    };
    let mut changed = Vec::new();
    for (_, who) in world.people() {
        changed.push(workspaces::update(&world.sql, who, change(1, Some("New")), &once()).await);
    }
    assert_eq!(verdicts(&changed), ["ok", "stale 2", "stale 2", "stale 2", "no id", "no id"]);
    let viewer = workspaces::update(&world.sql, &world.viewer, change(2, None), &once()).await;
    assert_eq!(viewer, Err(Error::NotPermitted(Some("member"))));
    let long = "x".repeat(201);
    let bad = workspaces::update(&world.sql, &world.owner, change(2, Some(&long)), &once()).await;
    assert_eq!(verdict(&bad), "invalid name");

    let mut deleted = Vec::new();
    for (_, who) in world.people().into_iter().rev() {
        deleted.push(workspaces::delete(&world.sql, who, &any(&world.workspace), &once()).await);
    }
    let denied = "not permitted";
    assert_eq!(verdicts(&deleted), ["no id", "no id", denied, denied, "ok", "no id"]);
    assert_eq!(deleted.remove(4).unwrap().value.contents.get("project"), Some(&1));
    let page = data::workspaces::Page { limit: 9, after: None };
    let left = data::workspaces::list(&world.sql, &world.viewer, page).await.unwrap();
    assert!(!left.items.iter().any(|one| one.id == world.workspace));
}
