//! The tool `workspace`: the workspaces of the caller's organization.

use data::{
    Caller, DataError,
    workspaces::{self, NewWorkspace, Page},
};
use ports::{Clock, Random, Sql};
use serde_json::{Value, json};

use super::{Arguments, Effect, Failure, Operation, Parameter, Tool};
use crate::{Principal, Services};

pub(super) const NAME: &str = "workspace";

const LIST: &str = "list_workspaces";
const CREATE: &str = "create_workspace";

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = workspaces::MAX_PAGE;
/// In characters, as JSON Schema counts them.
const NAME_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 2000;

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    title: "Workspaces",
    description: "List and create the workspaces of your organization. All its members see them.",
    operations: &[
        Operation {
            name: LIST,
            description: "Lists the workspaces you can see, page by page. Uses limit and cursor. \
                If next_cursor is in the answer, call again with it as cursor.",
            scope: "atoms:workspace.read",
            effect: Effect::Read,
        },
        Operation {
            name: CREATE,
            description: "Creates a workspace and returns it. Needs name; description is \
                optional. Calling it twice creates two workspaces.",
            scope: "atoms:workspace.write",
            effect: Effect::Add,
        },
    ],
    parameters: &[
        Parameter { name: "limit", operations: &[LIST], schema: limit_schema },
        Parameter { name: "cursor", operations: &[LIST], schema: cursor_schema },
        Parameter { name: "name", operations: &[CREATE], schema: name_schema },
        Parameter { name: "description", operations: &[CREATE], schema: description_schema },
    ],
    output: output_schema,
};

/// Run an operation of this tool.
pub(super) async fn call<S: Sql, P: Clock + Random>(
    operation: &str,
    arguments: Arguments,
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Result<Value, Failure> {
    let caller = Caller {
        subject: principal.subject.clone(),
        organization: principal.organization.clone(),
        roles: principal.roles.clone(),
    };
    match operation {
        LIST => list(arguments, &caller, services).await,
        CREATE => create(arguments, &caller, services).await,
        _ => Err(Failure::Internal(format!("{operation} is declared but not served"))),
    }
}

async fn list<S: Sql, P>(
    mut arguments: Arguments,
    caller: &Caller,
    services: &Services<'_, S, P>,
) -> Result<Value, Failure> {
    let limit = arguments.integer("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
    let after = arguments.text("cursor")?;
    let page =
        workspaces::list(services.sql, caller, Page { limit, after }).await.map_err(explain)?;
    let mut content = json!({ "workspaces": json(&page.items)? });
    if let Some(cursor) = page.next_cursor {
        content["next_cursor"] = Value::String(cursor);
    }
    Ok(content)
}

async fn create<S: Sql, P: Clock + Random>(
    mut arguments: Arguments,
    caller: &Caller,
    services: &Services<'_, S, P>,
) -> Result<Value, Failure> {
    let name = workspace_name(&arguments.required_text("name")?)?;
    let description = workspace_description(arguments.text("description")?)?;
    let id = data::new_uuid(services.platform.now(), services.platform);
    let new = NewWorkspace { id, name, description };
    let workspace = workspaces::create(services.sql, caller, new).await.map_err(explain)?;
    Ok(json!({ "workspace": json(&workspace)? }))
}

fn workspace_name(text: &str) -> Result<String, Failure> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX {
        let advice = format_args!("must have 1 to {NAME_MAX} characters, not only spaces.");
        return Err(Failure::argument("name", advice));
    }
    if name.chars().any(char::is_control) {
        let advice = "must be one line without control characters.";
        return Err(Failure::argument("name", advice));
    }
    Ok(name.to_owned())
}

fn workspace_description(text: Option<String>) -> Result<Option<String>, Failure> {
    let Some(text) = text else { return Ok(None) };
    if text.chars().count() > DESCRIPTION_MAX {
        let advice = format_args!("must have at most {DESCRIPTION_MAX} characters.");
        return Err(Failure::argument("description", advice));
    }
    let forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(forbidden) {
        let advice = "must not contain control characters other than line breaks and tabs.";
        return Err(Failure::argument("description", advice));
    }
    Ok(Some(text))
}

fn json(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Internal(error.to_string()))
}

/// What the caller can do about it, if anything.
fn explain(error: DataError) -> Failure {
    match error {
        DataError::Unavailable(cause) => Failure::Unavailable(cause),
        DataError::NoOrganization => Failure::Refused(
            "This session has no active organization. Sign in again and choose one.".to_owned(),
        ),
        DataError::NotPermitted => Failure::Refused(
            "Your role in this organization does not allow this. Ask an owner or an admin of it \
             for the role member or higher."
                .to_owned(),
        ),
        DataError::Invalid { field: "cursor", .. } => Failure::argument(
            "cursor",
            "is not valid; give next_cursor of an earlier answer unchanged, or omit it.",
        ),
        DataError::Invalid { field, reason } => Failure::argument(field, reason),
        // The caller chooses no key, so it cannot choose another.
        DataError::Conflict { what } => {
            Failure::Internal(format!("the new id of a {what} is taken"))
        }
        DataError::Internal(cause) => Failure::Internal(cause),
    }
}

fn limit_schema() -> Value {
    json!({
        "type": "integer",
        "minimum": 1,
        "maximum": LIMIT_MAX,
        "default": LIMIT_DEFAULT,
        "description": "list_workspaces: how many to return at most.",
    })
}

fn cursor_schema() -> Value {
    json!({
        "type": "string",
        "description": "list_workspaces: next_cursor of the page before; omit it for the first page.",
    })
}

fn name_schema() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": NAME_MAX,
        "description": "create_workspace: the name, one line.",
    })
}

fn description_schema() -> Value {
    json!({
        "type": "string",
        "maxLength": DESCRIPTION_MAX,
        "description": "create_workspace: what the workspace is for.",
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "workspace": workspace_schema("The new workspace (create_workspace)."),
            "workspaces": {
                "type": "array",
                "items": workspace_schema("A workspace."),
                "description": "One page (list_workspaces).",
            },
            "next_cursor": {
                "type": "string",
                "description": "There are more: give this as cursor (list_workspaces).",
            },
        },
        "additionalProperties": false,
    })
}

fn workspace_schema(description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "properties": {
            "id": { "type": "string" },
            "organization_id": { "type": "string" },
            "name": { "type": "string" },
            "description": { "type": ["string", "null"] },
            "created_at": { "type": "string", "description": "RFC 3339, UTC." },
            "version": { "type": "integer", "description": "1 at first; each change adds 1." },
        },
        "required": ["id", "organization_id", "name", "description", "created_at", "version"],
    })
}
