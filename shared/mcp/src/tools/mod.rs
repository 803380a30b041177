//! The tool registry. A tool is one file with a declaration and a `call`; it is entered in [`ALL`]
//! and in [`run`].
//!
//! Lists, schemas, scopes and the check of argument names are made here from the declarations. A
//! schema has no composition keyword at its root: some clients drop such tools without a word.

mod arguments;
mod workspace;

use ports::{Clock, Random, Sql};
use serde_json::{Map, Value, json};

use crate::{
    About, Call, Completed, Completing, Fault, List, Outcome, Page, Principal, Server, Services,
};
use arguments::Arguments;

/// What a model reads about the server as a whole.
const INSTRUCTIONS: &str = "Workspaces of your organization in Atoms. Every tool takes an \
    `operation`; its other arguments are optional in the schema, and the description of each says \
    which operation uses it. An answer with isError names the argument to change.";

/// Every tool, in the order of `tools/list`.
const ALL: &[&Tool] = &[&workspace::TOOL];

async fn run<S: Sql, P: Clock + Random>(
    tool: &Tool,
    operation: &Operation,
    arguments: Arguments,
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Result<Value, Failure> {
    match tool.name {
        workspace::NAME => workspace::call(operation.name, arguments, principal, services).await,
        _ => Err(Failure::UnknownTool),
    }
}

/// The declaration of a tool.
struct Tool {
    /// `[A-Za-z0-9_./-]`, at most 64 characters.
    name: &'static str,
    /// For people.
    title: &'static str,
    /// For models: what the tool is for.
    description: &'static str,
    operations: &'static [Operation],
    /// All arguments but `operation`.
    parameters: &'static [Parameter],
    /// The schema of `structuredContent`: an object that covers every operation.
    output: fn() -> Value,
}

/// One thing that a tool does.
struct Operation {
    name: &'static str,
    /// For models: what it does and returns.
    description: &'static str,
    /// The scope that it needs.
    scope: &'static str,
    effect: Effect,
}

/// What an operation does to the data.
#[derive(PartialEq, Eq)]
enum Effect {
    /// Nothing.
    Read,
    /// Adds something; calling it again adds another.
    Add,
}

/// An argument.
struct Parameter {
    name: &'static str,
    /// The operations that take it.
    operations: &'static [&'static str],
    schema: fn() -> Value,
}

/// Why a call gives no content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No tool has that name.
    UnknownTool,
    /// The caller can do something about it: a result with `isError` and this text.
    Refused(String),
    /// The token lacks this scope.
    Scope(&'static str),
    /// The database is away; the cause is for the log.
    Unavailable(String),
    /// Our fault; the cause is for the log.
    Internal(String),
}

impl Failure {
    /// An argument is wrong; `advice` says what to do.
    fn argument(field: &str, advice: impl std::fmt::Display) -> Self {
        Self::Refused(format!("Argument `{field}`: {advice}"))
    }
}

impl<S: Sql, P: Clock + Random> Server for Services<'_, S, P> {
    fn about(&self) -> About {
        About {
            name: "atoms-edge",
            title: "Atoms Edge",
            version: env!("CARGO_PKG_VERSION"),
            instructions: INSTRUCTIONS,
            resources: false,
            prompts: false,
            completions: false,
        }
    }

    /// There is one page, so a cursor changes nothing.
    async fn list(&self, call: &Call<'_>, of: List, _: Option<&str>) -> Result<Page, Fault> {
        let items = if of == List::Tools { list(call.principal) } else { Vec::new() };
        Ok(Page { items, next: None })
    }

    fn mirrored(&self, tool: &str) -> &'static [(&'static str, &'static str)] {
        if ALL.iter().any(|known| known.name == tool) { &[("Operation", "operation")] } else { &[] }
    }

    async fn call_tool(
        &self,
        asked: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        let result = match call(name, arguments, asked.principal, self).await {
            Ok(content) => success(&content),
            Err(Failure::Refused(text)) => refusal(&text),
            Err(Failure::UnknownTool) => {
                let text = "Unknown tool. tools/list tells which there are.";
                return Err(Fault::Invalid(text.to_owned()));
            }
            Err(Failure::Scope(scope)) => return Err(Fault::Scope(vec![scope])),
            Err(Failure::Unavailable(cause)) => return Err(Fault::Unavailable(cause)),
            Err(Failure::Internal(cause)) => return Err(Fault::Internal(cause)),
        };
        Ok(Outcome::Done(result))
    }

    async fn read_resource(&self, _: &Call<'_>, uri: &str) -> Result<Outcome, Fault> {
        Err(Fault::NoResource(uri.to_owned()))
    }

    async fn get_prompt(
        &self,
        _: &Call<'_>,
        _: &str,
        _: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        Err(Fault::Invalid("There are no prompts.".to_owned()))
    }

    async fn complete(&self, _: &Call<'_>, _: &Completing) -> Result<Completed, Fault> {
        Ok(Completed::default())
    }
}

/// The text repeats the structure for clients that know only text.
fn success(content: &Value) -> Map<String, Value> {
    members(json!({
        "content": [{ "type": "text", "text": content.to_string() }],
        "structuredContent": content,
        "isError": false,
    }))
}

fn refusal(text: &str) -> Map<String, Value> {
    members(json!({ "content": [{ "type": "text", "text": text }], "isError": true }))
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The tools that the principal may use, each with the operations that it may use.
pub(crate) fn list(principal: &Principal) -> Vec<Value> {
    ALL.iter().filter_map(|tool| tool.listing(principal)).collect()
}

/// Call a tool; the value is its structured content.
pub(crate) async fn call<S: Sql, P: Clock + Random>(
    name: &str,
    arguments: Map<String, Value>,
    principal: &Principal,
    services: &Services<'_, S, P>,
) -> Result<Value, Failure> {
    let tool = ALL.iter().find(|tool| tool.name == name).ok_or(Failure::UnknownTool)?;
    let mut arguments = Arguments::new(arguments);
    let operation = tool.operation(&mut arguments)?;
    if !principal.may(operation.scope) {
        return Err(Failure::Scope(operation.scope));
    }
    arguments.allow(operation.name, &tool.parameter_names(operation))?;
    run(tool, operation, arguments, principal, services).await
}

impl Tool {
    fn operation(&self, arguments: &mut Arguments) -> Result<&Operation, Failure> {
        let asked = arguments.required_text("operation")?;
        self.operations.iter().find(|operation| operation.name == asked).ok_or_else(|| {
            let names: Vec<_> = self.operations.iter().map(|operation| operation.name).collect();
            Failure::argument("operation", format_args!("must be one of: {}.", names.join(", ")))
        })
    }

    fn parameter_names(&self, operation: &Operation) -> Vec<&'static str> {
        let taken = self.parameters.iter().filter(|p| p.operations.contains(&operation.name));
        taken.map(|parameter| parameter.name).collect()
    }

    /// `None` if the principal may call no operation.
    fn listing(&self, principal: &Principal) -> Option<Value> {
        let permitted: Vec<&Operation> =
            self.operations.iter().filter(|operation| principal.may(operation.scope)).collect();
        if permitted.is_empty() {
            return None;
        }
        let reads = permitted.iter().all(|operation| operation.effect == Effect::Read);
        Some(json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema(&permitted),
            "outputSchema": (self.output)(),
            "annotations": {
                "readOnlyHint": reads,
                "destructiveHint": false,
                "idempotentHint": reads,
                "openWorldHint": false,
            },
        }))
    }

    fn input_schema(&self, permitted: &[&Operation]) -> Value {
        let names: Vec<_> = permitted.iter().map(|operation| operation.name).collect();
        let described: Vec<_> = permitted
            .iter()
            .map(|operation| format!("{}: {}", operation.name, operation.description))
            .collect();
        let mut properties = Map::new();
        properties.insert(
            "operation".to_owned(),
            json!({
                "type": "string",
                "enum": names,
                "description": described.join("\n"),
                "x-mcp-header": "Operation",
            }),
        );
        for parameter in self.parameters {
            if parameter.operations.iter().any(|operation| names.contains(operation)) {
                properties.insert(parameter.name.to_owned(), (parameter.schema)());
            }
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": ["operation"],
            "additionalProperties": false,
        })
    }
}
