use ports::{Clock, Random};
use serde_json::{Map, Value};

use super::{Content, Running, one, page, refuse};
use crate::atoms::store::{NewRun, NewWorkflow, Step, Store, WorkflowFilter};

const USUAL_TIMEOUT: i64 = 300;

pub(super) async fn create<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let arguments = of.arguments;
    let steps: Vec<_> = arguments.objects("steps").iter().map(step).collect();
    if steps.is_empty() {
        return Err(refuse("steps", "must have an entry: a workflow does something."));
    }
    let often = |step: &Step| step.max_attempts > 1 && step.on_failure != "retry";
    if let Some(at) = steps.iter().position(often) {
        let advice = "must be 1, or on_failure must be retry.";
        return Err(refuse(&format!("steps[{at}].max_attempts"), advice));
    }
    let new = NewWorkflow {
        id: of.new_id(),
        workspace: arguments.given("workspace_id"),
        project: arguments.text("project_id"),
        name: arguments.given("name"),
        description: arguments.text("description"),
        status: arguments.text("status").unwrap_or_else(|| "draft".to_owned()),
        steps,
    };
    let made = of.store.create_workflow(of.call.principal, new, &of.attempt()).await;
    of.written("workflow", made)
}

pub(super) async fn execute<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let new = NewRun {
        id: of.new_id(),
        workflow: of.arguments.given("workflow_id"),
        subject: of.arguments.text("subject_id"),
        input: of.arguments.object("input").unwrap_or_default(),
    };
    let started = of.store.start_run(of.call.principal, new, &of.attempt()).await;
    of.written("run", started)
}

pub(super) async fn status<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let id = of.arguments.given("run_id");
    one("run", &of.store.read_run(of.call.principal, &id).await?)
}

pub(super) async fn list<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let filter = WorkflowFilter {
        workspace: of.arguments.given("workspace_id"),
        project: of.arguments.text("project_id"),
        status: of.arguments.text("status"),
    };
    page("workflows", &of.store.list_workflows(of.call.principal, &filter, &of.window()).await?)
}

pub(super) async fn delete<S: Store, P: Clock + Random>(of: &Running<'_, S, P>) -> Content {
    let target = of.target("workflow_id");
    let gone = of.store.delete_workflow(of.call.principal, &target, &of.attempt()).await;
    of.written("deleted", gone)
}

/// A step with what it does not say.
fn step(given: &Map<String, Value>) -> Step {
    let text = |name: &str, usual: &str| {
        given.get(name).and_then(Value::as_str).unwrap_or(usual).to_owned()
    };
    let number = |name: &str, usual: i64| {
        given.get(name).and_then(Value::as_f64).map_or(usual, |number| number as i64)
    };
    let object = |name: &str| given.get(name).and_then(Value::as_object).cloned();
    Step {
        name: text("name", ""),
        kind: text("kind", "action"),
        config: object("config").unwrap_or_default(),
        condition: object("condition"),
        on_failure: text("on_failure", "stop"),
        max_attempts: number("max_attempts", 1),
        timeout: number("timeout", USUAL_TIMEOUT),
    }
}
