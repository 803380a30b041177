//! The tool `workflow`.

use super::super::kind::{Kind, Member, may, must};
use super::super::operation::{Effect, Op, Operation, Tool};
use super::super::words;
use super::records::{CURSOR, DELETED, LIMIT, NEXT_CURSOR, RUN, VERSION, WORKFLOW};
use super::scope::{WORKFLOW_READ, WORKFLOW_RUN, WORKFLOW_WRITE};

/// A step as it is given.
const STEP: Kind = Kind::Record(&[
    must("name", Kind::Line(200), "One line."),
    may("kind", Kind::OneOf(words::STEP_KINDS), "action if absent."),
    may("config", Kind::Free(16_384), "What it does."),
    may("condition", Kind::Free(16_384), "It is skipped where this does not hold."),
    may("on_failure", Kind::OneOf(words::ON_FAILURE), "stop if absent."),
    may("max_attempts", Kind::Integer(1, 10), "1 if absent; more only with on_failure retry."),
    may("timeout", Kind::Integer(1, 86_400), "In seconds; 300 if absent."),
]);

const STARTED: Member = must("run", RUN, "The run.");

pub(super) const TOOL: Tool = Tool {
    name: "workflow",
    title: "Workflows",
    about: "Steps that are run one after another, for a workspace or one project, and what came of \
            running them.",
    arguments: &[
        must("workflow_id", Kind::Id, "The workflow."),
        must("run_id", Kind::Id, "The run, from execute_workflow."),
        must("workspace_id", Kind::Id, "The workspace."),
        may("project_id", Kind::Id, "The project, if it is for one only."),
        must("name", Kind::Line(200), "Its name, one line."),
        may("description", Kind::Text(4000), "What it is for."),
        may(
            "status",
            Kind::OneOf(words::WORKFLOW_STATUSES),
            "Where it stands; a new one is a draft.",
        ),
        must("steps", Kind::List(&STEP, 100), "What it does, in order."),
        may("subject_id", Kind::Id, "The entity that the run is about."),
        may("input", Kind::Free(65_536), "What the run works with."),
        LIMIT,
        CURSOR,
        VERSION,
    ],
    operations: &[
        Operation {
            op: Op::CreateWorkflow,
            name: "create_workflow",
            title: "Create a workflow",
            about: "Creates a workflow with its steps and returns it. It is not run.",
            scopes: &[WORKFLOW_WRITE],
            effect: Effect::Create,
            required: &["workspace_id", "name", "steps"],
            optional: &["project_id", "description", "status"],
            output: &[must("workflow", WORKFLOW, "The workflow.")],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","name":"Review","status":"active","steps":[{"name":"Ask the owner","kind":"approval"}]}"#,
        },
        Operation {
            op: Op::ExecuteWorkflow,
            name: "execute_workflow",
            title: "Run a workflow",
            about: "Starts a run of an active workflow and returns it; get_workflow_status tells how it \
                    goes on. Its steps can change anything.",
            scopes: &[WORKFLOW_RUN],
            effect: Effect::Run,
            required: &["workflow_id"],
            optional: &["subject_id", "input"],
            output: &[STARTED],
            example: r#"{"workflow_id":"01980000-0000-7000-8000-000000000006","input":{"due":"2026-12-01"},"idempotency_key":"review-42"}"#,
        },
        Operation {
            op: Op::GetWorkflowStatus,
            name: "get_workflow_status",
            title: "See how a run goes",
            about: "Returns a run with what came of its steps so far.",
            scopes: &[WORKFLOW_READ],
            effect: Effect::Read,
            required: &["run_id"],
            optional: &[],
            output: &[STARTED],
            example: r#"{"run_id":"01980000-0000-7000-8000-000000000007"}"#,
        },
        Operation {
            op: Op::ListWorkflows,
            name: "list_workflows",
            title: "List workflows",
            about: "Lists the workflows of a workspace page by page, the oldest first.",
            scopes: &[WORKFLOW_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &["project_id", "status", "limit", "cursor"],
            output: &[must("workflows", Kind::List(&WORKFLOW, 100), "One page."), NEXT_CURSOR],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001"}"#,
        },
        Operation {
            op: Op::DeleteWorkflow,
            name: "delete_workflow",
            title: "Delete a workflow",
            about: "Deletes a workflow with its runs.",
            scopes: &[WORKFLOW_WRITE],
            effect: Effect::Delete,
            required: &["workflow_id"],
            optional: &["version"],
            output: &[DELETED],
            example: r#"{"workflow_id":"01980000-0000-7000-8000-000000000006","dry_run":true}"#,
        },
    ],
};
