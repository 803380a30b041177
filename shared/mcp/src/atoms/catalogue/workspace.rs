//! The tool `workspace`.

use super::super::kind::{Kind, clear, may, must};
use super::super::operation::{Effect, Op, Operation, Tool};
use super::super::words;
use super::records::{CURSOR, DELETED, ENTITY, LIMIT, NEXT_CURSOR, VERSION, WORKSPACE};
use super::scope::{ENTITY_READ, WORKSPACE_READ, WORKSPACE_WRITE};

pub(super) const TOOL: Tool = Tool {
    name: "workspace",
    title: "Workspaces",
    about: "The workspaces of your organization. All its members see them. Projects and everything in \
            them are in workspaces.",
    arguments: &[
        must("workspace_id", Kind::Id, "The workspace."),
        must("name", Kind::Line(200), "Its name, one line."),
        clear("description", Kind::Text(2000), "What it is for."),
        may("status", Kind::OneOf(words::PROJECT_STATUSES), "Only projects that stand here."),
        LIMIT,
        CURSOR,
        VERSION,
    ],
    operations: &[
        Operation {
            op: Op::ListWorkspaces,
            name: "list_workspaces",
            title: "List workspaces",
            about: "Lists the workspaces you can see, page by page, the oldest first.",
            scopes: &[WORKSPACE_READ],
            effect: Effect::Read,
            required: &[],
            optional: &["limit", "cursor"],
            output: &[must("workspaces", Kind::List(&WORKSPACE, 100), "One page."), NEXT_CURSOR],
            example: r#"{"limit":20}"#,
        },
        Operation {
            op: Op::CreateWorkspace,
            name: "create_workspace",
            title: "Create a workspace",
            about: "Creates a workspace and returns it.",
            scopes: &[WORKSPACE_WRITE],
            effect: Effect::Create,
            required: &["name"],
            optional: &["description"],
            output: &[must("workspace", WORKSPACE, "The workspace.")],
            example: r#"{"name":"Apollo","description":"To the moon and back."}"#,
        },
        Operation {
            op: Op::ReadWorkspace,
            name: "read_workspace",
            title: "Read a workspace",
            about: "Returns one workspace.",
            scopes: &[WORKSPACE_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &[],
            output: &[must("workspace", WORKSPACE, "The workspace.")],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001"}"#,
        },
        Operation {
            op: Op::UpdateWorkspace,
            name: "update_workspace",
            title: "Change a workspace",
            about: "Changes the name or the description and returns the workspace. What you leave out \
                    stays; a description of null takes it away.",
            scopes: &[WORKSPACE_WRITE],
            effect: Effect::Change,
            required: &["workspace_id"],
            optional: &["name", "description", "version"],
            output: &[must("workspace", WORKSPACE, "The workspace.")],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","name":"Apollo 11","version":1}"#,
        },
        Operation {
            op: Op::DeleteWorkspace,
            name: "delete_workspace",
            title: "Delete a workspace",
            about: "Deletes a workspace with everything in it. dry_run tells what that is.",
            scopes: &[WORKSPACE_WRITE],
            effect: Effect::Delete,
            required: &["workspace_id"],
            optional: &["version"],
            output: &[DELETED],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","dry_run":true}"#,
        },
        Operation {
            op: Op::ListProjects,
            name: "list_projects",
            title: "List projects",
            about: "Lists the projects of a workspace, page by page, the oldest first.",
            scopes: &[WORKSPACE_READ, ENTITY_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &["status", "limit", "cursor"],
            output: &[must("projects", Kind::List(&ENTITY, 100), "One page."), NEXT_CURSOR],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001","status":"active"}"#,
        },
        Operation {
            op: Op::GetWorkspaceInfo,
            name: "get_workspace_info",
            title: "Sum a workspace up",
            about: "Returns a workspace with your role in it and with how much of what is there: \
                    entities by type, relationships by kind, workflows, members.",
            scopes: &[WORKSPACE_READ],
            effect: Effect::Read,
            required: &["workspace_id"],
            optional: &[],
            output: &[
                must("workspace", WORKSPACE, "The workspace."),
                must("entities", Kind::Counts, "How many of each type."),
                must("relationships", Kind::Counts, "How many of each kind."),
                must("workflows", Kind::Count, ""),
                must("members", Kind::Count, ""),
                must("role", Kind::Text(20), "Yours: owner, admin, member or viewer."),
            ],
            example: r#"{"workspace_id":"01980000-0000-7000-8000-000000000001"}"#,
        },
    ],
};
