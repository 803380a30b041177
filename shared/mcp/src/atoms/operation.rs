//! What an operation is: its name, what it takes and gives, what it needs and what it does.

use serde_json::{Map, Value, json};

use super::kind::{Kind, Member, may, record};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; what each does is in the catalogue")]
pub enum Op {
    ListWorkspaces,
    CreateWorkspace,
    ReadWorkspace,
    UpdateWorkspace,
    DeleteWorkspace,
    ListProjects,
    GetWorkspaceInfo,
    ListEntities,
    CreateEntity,
    ReadEntity,
    UpdateEntity,
    DeleteEntity,
    SearchEntities,
    CreateRelationship,
    ListRelationships,
    UpdateRelationship,
    DeleteRelationship,
    GetRelationshipGraph,
    CreateWorkflow,
    ExecuteWorkflow,
    GetWorkflowStatus,
    ListWorkflows,
    DeleteWorkflow,
    QueryEntities,
    AdvancedSearch,
    GetQueryStats,
    ExportResults,
}

/// What an operation does to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Read,
    /// Adds something; calling it again without an idempotency key adds another.
    Create,
    /// Replaces values; calling it again changes nothing more.
    Change,
    /// Takes something away for good.
    Delete,
    /// Sets something off that can do anything, also outside.
    Run,
}

/// An operation as it is told and checked.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Which one.
    pub(crate) op: Op,
    /// Its name, unique among all.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// For models: what it does and returns, and what it needs.
    pub(crate) about: &'static str,
    /// All scopes that it needs.
    pub(crate) scopes: &'static [&'static str],
    /// What it does to the data.
    pub(crate) effect: Effect,
    /// The arguments that it cannot do without; of its tool's.
    pub(crate) required: &'static [&'static str],
    /// The arguments that it also takes; of its tool's, and of [`WRITING`] and [`DELETING`].
    pub(crate) optional: &'static [&'static str],
    /// What is in `structuredContent`.
    pub(crate) output: &'static [Member],
    /// A call, as JSON.
    pub(crate) example: &'static str,
}

/// A tool: operations on one kind of thing.
#[derive(Debug)]
pub(crate) struct Tool {
    /// `[A-Za-z0-9_./-]`, at most 64 characters.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// For models: what the tool is for.
    pub(crate) about: &'static str,
    /// What it does.
    pub(crate) operations: &'static [Operation],
    /// All arguments but `operation`; each means the same to all operations that take it.
    pub(crate) arguments: &'static [Member],
}

/// What every operation takes that writes.
const WRITING: &[Member] = &[
    may(
        "dry_run",
        Kind::Flag,
        "true: check everything, tell what would come of it, and change nothing.",
    ),
    may(
        "idempotency_key",
        Kind::Token(200),
        "Any text of your choice without spaces. Calling again with the same key and the same \
         arguments changes nothing more and returns the first result.",
    ),
];
/// What those take besides that delete.
const DELETING: &[Member] = &[may(
    "confirm",
    Kind::Flag,
    "true: the person has agreed that this is deleted for good. Without it the person is asked, if the \
     client can ask.",
)];
/// What answers of those have besides that write.
const WRITTEN: &[Member] = &[
    may("dry_run", Kind::Flag, "True: nothing has changed."),
    may("replayed", Kind::Flag, "True: it had happened before, under the same idempotency_key."),
];

/// The MCP annotations of something that does all of this.
pub(crate) fn annotations(effects: &[Effect]) -> Value {
    let all = |wanted: &[Effect]| effects.iter().all(|effect| wanted.contains(effect));
    let any = |wanted: &[Effect]| effects.iter().any(|effect| wanted.contains(effect));
    json!({
        "readOnlyHint": all(&[Effect::Read]),
        "destructiveHint": any(&[Effect::Change, Effect::Delete, Effect::Run]),
        "idempotentHint": all(&[Effect::Read, Effect::Change, Effect::Delete]),
        "openWorldHint": any(&[Effect::Run]),
    })
}

impl Operation {
    /// Whether it changes anything.
    pub(crate) fn writes(&self) -> bool {
        self.effect != Effect::Read
    }

    /// Its arguments, of the tool's and of those that its effect brings with it; of the latter with
    /// those about attempts only where `attempts` are kept.
    pub(crate) fn arguments(&self, tool: &Tool, attempts: bool) -> Vec<Member> {
        let named = |names: &[&str], required: bool| -> Vec<Member> {
            let found = names
                .iter()
                .filter_map(|name| tool.arguments.iter().find(|argument| argument.name == *name));
            found.map(|argument| Member { required, ..*argument }).collect()
        };
        let mut all = named(self.required, true);
        all.extend(named(self.optional, false));
        // What null takes away is there in changes only.
        if self.effect != Effect::Change {
            all.iter_mut().for_each(|argument| argument.nullable = false);
        }
        if self.writes() && attempts {
            all.extend(WRITING);
        }
        if self.effect == Effect::Delete {
            all.extend(DELETING);
        }
        all
    }

    /// What its answers have.
    pub(crate) fn outputs(&self, attempts: bool) -> Vec<Member> {
        let mut all = self.output.to_vec();
        if self.writes() && attempts {
            all.extend(WRITTEN);
        }
        all
    }

    /// The listing as a tool of its own.
    pub(crate) fn listing(&self, tool: &Tool, attempts: bool) -> Value {
        let mut input = record(&self.arguments(tool, attempts));
        input.insert("examples".to_owned(), json!([self.call(false)]));
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.about,
            "inputSchema": input,
            "outputSchema": record(&self.outputs(attempts)),
            "annotations": annotations(&[self.effect]),
        })
    }

    /// The example, for the tool that has the operation as an argument or for the operation alone.
    pub(crate) fn call(&self, grouped: bool) -> Map<String, Value> {
        let mut call: Map<String, Value> = serde_json::from_str(self.example).unwrap_or_default();
        if grouped {
            call.insert("operation".to_owned(), self.name.into());
        }
        call
    }
}

impl Tool {
    /// The listing with these operations of it.
    pub(crate) fn listing(&self, operations: &[&Operation], attempts: bool) -> Value {
        let effects: Vec<_> = operations.iter().map(|operation| operation.effect).collect();
        let calls: Vec<_> = operations.iter().map(|operation| operation.call(true)).collect();
        let mut input = Map::new();
        input.insert("type".to_owned(), "object".into());
        input.insert("properties".to_owned(), Value::Object(self.properties(operations, attempts)));
        input.insert("required".to_owned(), json!(["operation"]));
        input.insert("additionalProperties".to_owned(), false.into());
        input.insert("examples".to_owned(), json!(calls));
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.about,
            "inputSchema": input,
            "outputSchema": record(&outputs(operations, attempts)),
            "annotations": annotations(&effects),
        })
    }

    fn properties(&self, operations: &[&Operation], attempts: bool) -> Map<String, Value> {
        let names: Vec<_> = operations.iter().map(|operation| operation.name).collect();
        let lines: Vec<_> =
            operations.iter().map(|operation| self.line(operation, attempts)).collect();
        let mut properties = Map::new();
        let operation = json!({
            "type": "string",
            "enum": names,
            "description": lines.join("\n"),
            "x-mcp-header": "Operation",
        });
        properties.insert("operation".to_owned(), operation);
        for argument in operations.iter().flat_map(|operation| operation.arguments(self, attempts))
        {
            let known = self.arguments.iter().find(|known| known.name == argument.name);
            let changes = |operation: &&Operation| operation.effect == Effect::Change;
            let nullable =
                known.is_some_and(|known| known.nullable) && operations.iter().any(changes);
            let schema = Member { nullable, ..argument }.schema();
            properties.entry(argument.name).or_insert(schema);
        }
        properties
    }

    fn line(&self, operation: &Operation, attempts: bool) -> String {
        let names = |required: bool| {
            let all = operation.arguments(self, attempts).into_iter();
            let some = all.filter(|argument| argument.required == required);
            some.map(|argument| argument.name).collect::<Vec<_>>().join(", ")
        };
        let mut line = format!("{}: {}", operation.name, operation.about);
        for (words, names) in [("Needs", names(true)), ("Takes", names(false))] {
            if !names.is_empty() {
                line.push_str(&format!(" {words} {names}."));
            }
        }
        line
    }
}

/// The members of answers of any of these: none of them is in all, so none must be there.
fn outputs(operations: &[&Operation], attempts: bool) -> Vec<Member> {
    let mut all: Vec<Member> = Vec::new();
    for member in operations.iter().flat_map(|operation| operation.outputs(attempts)) {
        if !all.iter().any(|known| known.name == member.name) {
            all.push(Member { required: false, ..member });
        }
    }
    all
}
