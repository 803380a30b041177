use data::model::runs::{self, NewRun, Progress};
use data::model::workflows::{self, NewWorkflow, Step, WorkflowChange, WorkflowFilter};
use data::model::{Error, Target, entities};
use serde_json::json;

use super::{
    World, any, at, id, keyed, object, once, trial, value, verdict, verdicts, window, world,
};

fn step(name: &str) -> Step {
    Step {
        name: name.to_owned(),
        kind: "action".to_owned(),
        config: object(json!({ "do": name })),
        condition: None,
        on_failure: "retry".to_owned(),
        max_attempts: 3,
        timeout: 60,
    }
}

fn workflow(world: &World, steps: Vec<Step>) -> NewWorkflow {
    NewWorkflow {
        id: id(),
        workspace: world.workspace.clone(),
        project: Some(world.project.clone()),
        name: "Release".to_owned(),
        description: None,
        status: "active".to_owned(),
        steps,
    }
}

fn run_of(workflow: &str) -> NewRun {
    NewRun {
        id: id(),
        workflow: workflow.to_owned(),
        subject: None,
        input: object(json!({ "n": 1 })),
    }
}

fn progress(status: &str) -> Progress {
    Progress { status: status.to_owned(), output: None, error: None }
}

#[tokio::test]
async fn workflows_live_and_each_role_has_its_rights() {
    let world = world().await;
    let steps = || {
        let condition = Some(object(json!({ "status": "approved" })));
        vec![step("build"), Step { condition, ..step("ship") }]
    };
    let mut created = Vec::new();
    for (_, who) in world.people() {
        created.push(workflows::create(&world.sql, who, workflow(&world, steps()), &once()).await);
    }
    let (denied, absent) = ("not permitted", "no workspace_id");
    assert_eq!(verdicts(&created), ["ok", "ok", denied, denied, absent, absent]);
    let made = value(created.remove(0));
    assert_eq!((&made.steps, made.version), (&steps(), 3));
    assert_eq!(workflows::find(&world.sql, &world.viewer, &made.id).await.as_ref(), Ok(&made));
    let filter = WorkflowFilter {
        workspace: world.workspace.clone(),
        project: Some(world.project.clone()),
        status: Some("active".to_owned()),
    };
    let first =
        workflows::list(&world.sql, &world.viewer, &filter, &window(1, None)).await.unwrap();
    assert_eq!(first.items, std::slice::from_ref(&made));
    let rest = workflows::list(&world.sql, &world.viewer, &filter, &window(1, first.next)).await;
    assert_eq!(rest.unwrap().items.len(), 1);
    let none = workflows::list(&world.sql, &world.forger, &filter, &window(1, None)).await.unwrap();
    assert_eq!(none.items, []);

    let change = |version| WorkflowChange {
        target: at(&made.id, version),
        name: Some("New".to_owned()),
        description: None,
        status: Some("paused".to_owned()),
    };
    // It is an entity to be read, not to be changed as one.
    let entity = entities::find(&world.sql, &world.viewer, &made.id).await.unwrap();
    assert_eq!((entity.kind.as_str(), entity.title.as_str()), ("workflow", "Release"));
    let deleted = entities::delete(&world.sql, &world.admin, &any(&made.id), &once()).await;
    assert_eq!(verdict(&deleted), "invalid id");

    let mut changed = Vec::new();
    let mut deleted = Vec::new();
    for (_, who) in world.people().into_iter().rev() {
        changed.push(workflows::update(&world.sql, who, change(3), &once()).await);
    }
    assert_eq!(verdicts(&changed), ["no id", "no id", denied, denied, "ok", "stale 4"]);
    for (_, who) in world.people().into_iter().rev() {
        deleted.push(workflows::delete(&world.sql, who, &any(&made.id), &once()).await);
    }
    assert_eq!(verdicts(&deleted), ["no id", "no id", denied, denied, "ok", "no id"]);
}

#[tokio::test]
async fn steps_that_are_wrong_are_named_and_nothing_is_written() {
    let world = world().await;
    let many = vec![step("x"); 101];
    for steps in [
        vec![step("")],
        vec![step("a\0")],
        vec![Step { kind: "magic".to_owned(), ..step("x") }],
        vec![Step { on_failure: "stop".to_owned(), ..step("x") }],
        vec![Step { max_attempts: 11, ..step("x") }],
        vec![Step { timeout: 0, ..step("x") }],
        vec![Step { config: object(json!({ "a": "x".repeat(20_000) })), ..step("x") }],
        many,
    ] {
        let result =
            workflows::create(&world.sql, &world.admin, workflow(&world, steps), &once()).await;
        assert_eq!(verdict(&result), "invalid steps");
    }
    let lost = NewWorkflow { project: Some(id()), ..workflow(&world, Vec::new()) };
    let lost = workflows::create(&world.sql, &world.admin, lost, &once()).await;
    assert_eq!(verdict(&lost), "no project_id");
    let new = workflow(&world, vec![step("x")]);
    let tried = workflows::create(&world.sql, &world.admin, new, &trial()).await;
    assert_eq!(value(tried).steps.len(), 1);
    assert_eq!((world.count("workflows").await, world.count("workflow_steps").await), (0, 0));
}

#[tokio::test]
async fn runs_tell_how_they_go_until_they_are_over() {
    let world = world().await;
    let steps = vec![step("build"), step("ship")];
    let made =
        value(workflows::create(&world.sql, &world.admin, workflow(&world, steps), &once()).await);
    let mut started = Vec::new();
    for (_, who) in world.people() {
        started.push(runs::start(&world.sql, who, run_of(&made.id), &once()).await);
    }
    let absent = "no workflow_id";
    assert_eq!(verdicts(&started), ["ok", "ok", "ok", "not permitted", absent, absent]);
    let run = value(started.remove(0));
    assert_eq!((run.status.as_str(), run.workflow_version), ("running", 3));
    let pending: Vec<_> =
        run.steps.iter().map(|step| (step.number, step.status.as_str())).collect();
    assert_eq!(pending, [(1, "pending"), (2, "pending")]);

    let record = async |who, number, attempt, status: &str| {
        let output = Some(object(json!({ "log": "x" })));
        let went = Progress { output, ..progress(status) };
        runs::record_step(&world.sql, who, &run.id, number, attempt, went).await
    };
    for (number, attempt, status, expected) in [
        (1, 1, "failed", "ok"),
        (1, 1, "failed", "ok"),
        (1, 1, "succeeded", "invalid status"),
        (1, 2, "succeeded", "ok"),
        (3, 1, "succeeded", "invalid number"),
        (0, 1, "succeeded", "invalid number"),
        (2, 11, "succeeded", "invalid attempt"),
        (2, 1, "done", "invalid status"),
    ] {
        let result = record(&world.member, number, attempt, status).await;
        assert_eq!(verdict(&result), expected, "{number} {attempt} {status}");
    }
    let denied = record(&world.viewer, 2, 1, "running").await;
    assert_eq!(verdict(&denied), "not permitted");
    assert_eq!(verdict(&record(&world.forger, 2, 1, "running").await), "no run_id");
    let seen = runs::find(&world.sql, &world.viewer, &run.id).await.unwrap();
    let steps: Vec<_> =
        seen.steps.iter().map(|s| (s.number, s.attempt, s.status.as_str())).collect();
    assert_eq!(steps, [(1, 1, "failed"), (1, 2, "succeeded"), (2, 1, "pending")]);

    let finish = async |who, target: &Target, status: &str| {
        runs::update(&world.sql, who, target, progress(status), &once()).await
    };
    assert_eq!(verdict(&finish(&world.viewer, &any(&run.id), "failed").await), "not permitted");
    assert_eq!(verdict(&finish(&world.member, &at(&run.id, 7), "failed").await), "stale 1");
    let over = value(finish(&world.member, &at(&run.id, 1), "succeeded").await);
    assert!(over.finished_at.is_some());
    assert_eq!(verdict(&finish(&world.member, &any(&run.id), "running").await), "invalid status");
    assert_eq!(verdict(&record(&world.member, 2, 1, "running").await), "invalid status");
    let list =
        runs::list(&world.sql, &world.viewer, &made.id, Some("running"), &window(9, None)).await;
    assert_eq!(list.unwrap().items.len(), 2);
}

#[tokio::test]
async fn a_run_is_of_a_live_workflow_and_of_something_in_its_workspace() {
    let world = world().await;
    let made = value(
        workflows::create(&world.sql, &world.admin, workflow(&world, Vec::new()), &once()).await,
    );
    let start = async |new: NewRun| runs::start(&world.sql, &world.member, new, &once()).await;
    let about = |subject: &str| NewRun { subject: Some(subject.to_owned()), ..run_of(&made.id) };
    assert_eq!(value(start(about(&world.project)).await).subject_id.as_ref(), Some(&world.project));
    assert_eq!(verdict(&start(about(&id())).await), "no subject_id");
    assert_eq!(verdict(&start(about("x")).await), "invalid subject_id");
    let large = NewRun { input: object(json!({ "a": "x".repeat(70_000) })), ..run_of(&made.id) };
    assert_eq!(verdict(&start(large).await), "invalid input");

    let again = async |digest: &str| {
        runs::start(&world.sql, &world.member, run_of(&made.id), &keyed("k", digest)).await
    };
    let first = again("d").await.unwrap();
    let second = again("d").await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.value, second.value);
    assert_eq!(again("e").await, Err(Error::KeyReused));

    let pause = WorkflowChange {
        target: any(&made.id),
        name: None,
        description: None,
        status: Some("paused".to_owned()),
    };
    value(workflows::update(&world.sql, &world.admin, pause, &once()).await);
    assert_eq!(verdict(&start(run_of(&made.id)).await), "invalid workflow_id");
    value(workflows::delete(&world.sql, &world.admin, &any(&made.id), &once()).await);
    assert_eq!(verdict(&start(run_of(&made.id)).await), "no workflow_id");
}
