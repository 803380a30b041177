//! The Atoms server: tools, resources and prompts over a [`Store`].
//!
//! What there is stands in the tables of [`catalogue`]; lists, schemas, scopes and checks are made
//! from them. An operation is its row there and a function in [`run`].

mod catalogue;
mod check;
mod complete;
mod confirm;
mod kind;
mod operation;
mod prompts;
mod resources;
mod run;
mod sql;
pub mod store;
mod words;

use ports::{Clock, Random};
use serde_json::{Map, Value, json};

pub use operation::Op;
pub use sql::SqlStore;
pub use store::Store;

use catalogue::TOOLS;
use check::{Arguments, check, fault};
use kind::members;
use operation::{Operation, Tool};
use run::{Failure, Running, explain};

use crate::{About, Call, Completed, Completing, Fault, List, Outcome, Page, Principal, Server};

/// What a model reads about the server as a whole.
const INSTRUCTIONS: &str = "The requirements, documents and tests of your organization in Atoms. An \
    answer with isError names each argument to change and says how. Lists come in pages: give \
    next_cursor as cursor to go on. With dry_run nothing is changed; with idempotency_key a call can be \
    repeated safely. Where a tool takes an `operation`, its description says which arguments each one \
    needs.";

/// How operations are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// One tool for each kind of thing, with the operation as an argument: few tools to choose from.
    #[default]
    Grouped,
    /// One tool for each operation, with hints that are exact for it.
    Flat,
}

/// The server for one request.
#[derive(Debug)]
pub struct Atoms<'a, S, P> {
    /// The model.
    pub store: &'a S,
    /// Time and randomness, for new identifiers.
    pub platform: &'a P,
    /// How operations are offered.
    pub mode: Mode,
}

impl<S: Store, P: Clock + Random> Server for Atoms<'_, S, P> {
    fn about(&self) -> About {
        About {
            name: "atoms-edge",
            title: "Atoms Edge",
            version: env!("CARGO_PKG_VERSION"),
            instructions: INSTRUCTIONS,
            resources: self.has_resources(),
            prompts: self.has_prompts(),
            completions: self.has_resources() || self.has_prompts(),
        }
    }

    /// But for resources there is one page, so a cursor changes nothing.
    async fn list(&self, call: &Call<'_>, of: List, cursor: Option<&str>) -> Result<Page, Fault> {
        let items = match of {
            List::Tools => self.tools(call.principal),
            List::Resources => return self.resources(call, cursor).await,
            List::ResourceTemplates => self.templates(call),
            List::Prompts => self.prompts(call),
        };
        Ok(Page { items, next: None })
    }

    fn mirrored(&self, tool: &str) -> &'static [(&'static str, &'static str)] {
        let grouped = self.mode == Mode::Grouped && TOOLS.iter().any(|known| known.name == tool);
        if grouped { &[("Operation", "operation")] } else { &[] }
    }

    async fn call_tool(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        match self.operate(call, name, arguments).await {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Refused(text)) => Ok(Outcome::Done(refusal(&text))),
            Err(Failure::Fault(fault)) => Err(fault),
        }
    }

    async fn read_resource(&self, call: &Call<'_>, uri: &str) -> Result<Outcome, Fault> {
        self.resource(call, uri).await
    }

    async fn get_prompt(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault> {
        self.prompt(call, name, arguments).await
    }

    async fn complete(&self, call: &Call<'_>, asked: &Completing) -> Result<Completed, Fault> {
        self.completed(call, asked).await
    }
}

impl<S: Store, P: Clock + Random> Atoms<'_, S, P> {
    /// The tools that the principal may use, each with the operations that it may use.
    fn tools(&self, principal: &Principal) -> Vec<Value> {
        let usable = |operation: &&Operation| {
            self.store.serves(operation.op) && allowed(principal, operation)
        };
        let attempts = self.store.keeps_attempts();
        let mut all = Vec::new();
        for tool in TOOLS {
            let operations: Vec<_> = tool.operations.iter().filter(usable).collect();
            match self.mode {
                Mode::Flat => {
                    all.extend(operations.iter().map(|one| one.listing(tool, attempts)));
                }
                Mode::Grouped if operations.is_empty() => {}
                Mode::Grouped => all.push(tool.listing(&operations, attempts)),
            }
        }
        all
    }

    /// 1. which operation, 2. the scopes, 3. the arguments, 4. whether a deletion is meant, 5. the
    ///    operation.
    async fn operate(
        &self,
        call: &Call<'_>,
        name: &str,
        mut arguments: Map<String, Value>,
    ) -> Result<Outcome, Failure> {
        let (tool, operation) = self.operation(name, &mut arguments)?;
        let arguments = self.checked(call, tool, operation, arguments)?;
        let running = self.running(call, operation, &arguments);
        if let Some(question) = confirm::question(&running).await? {
            return Ok(question);
        }
        Ok(Outcome::Done(success(running.run().await?)))
    }

    /// What an operation reads, for other parts of the protocol than tools.
    async fn perform(
        &self,
        call: &Call<'_>,
        op: Op,
        arguments: Map<String, Value>,
    ) -> Result<Map<String, Value>, Failure> {
        let known = catalogue::of(op).ok_or_else(|| Fault::Internal(format!("{op:?} is no row")));
        let (tool, operation) = known?;
        let arguments = self.checked(call, tool, operation, arguments)?;
        self.running(call, operation, &arguments).run().await
    }

    fn checked(
        &self,
        call: &Call<'_>,
        tool: &Tool,
        operation: &Operation,
        arguments: Map<String, Value>,
    ) -> Result<Arguments, Failure> {
        if !allowed(call.principal, operation) {
            return Err(Fault::Scope(operation.scopes.to_vec()).into());
        }
        let table = operation.arguments(tool, self.store.keeps_attempts());
        let checked = check(operation.name, &table, arguments);
        checked.map_err(|faults| Failure::Refused(faults.join("\n")))
    }

    fn running<'b>(
        &'b self,
        call: &'b Call<'b>,
        operation: &'static Operation,
        arguments: &'b Arguments,
    ) -> Running<'b, S, P> {
        Running { store: self.store, platform: self.platform, call, operation, arguments }
    }

    /// Whether the caller can call the operation at all.
    fn may(&self, call: &Call<'_>, op: Op) -> bool {
        let known = catalogue::of(op);
        self.store.serves(op) && known.is_some_and(|(_, known)| allowed(call.principal, known))
    }

    /// The operation that a call means, of those that are served.
    fn operation(
        &self,
        name: &str,
        arguments: &mut Map<String, Value>,
    ) -> Result<(&'static Tool, &'static Operation), Failure> {
        let unknown =
            || Fault::Invalid("Unknown tool. tools/list tells which there are.".to_owned());
        let mut served =
            catalogue::operations().filter(|(_, operation)| self.store.serves(operation.op));
        if self.mode == Mode::Flat {
            return served.find(|(_, known)| known.name == name).ok_or_else(|| unknown().into());
        }
        let served: Vec<_> = served.filter(|(tool, _)| tool.name == name).collect();
        if served.is_empty() {
            return Err(unknown().into());
        }
        let asked = arguments.remove("operation");
        let asked = asked.as_ref().and_then(Value::as_str);
        let found = served.iter().find(|(_, operation)| Some(operation.name) == asked).copied();
        found.ok_or_else(|| {
            let names: Vec<_> = served.iter().map(|(_, operation)| operation.name).collect();
            let advice = format_args!("must be one of: {}.", names.join(", "));
            Failure::Refused(fault("operation", advice))
        })
    }
}

fn allowed(principal: &Principal, operation: &Operation) -> bool {
    operation.scopes.iter().all(|scope| principal.may(scope))
}

/// The text repeats the structure for clients that know only text.
fn success(content: Map<String, Value>) -> Map<String, Value> {
    let content = Value::Object(content);
    members(json!({
        "content": [{ "type": "text", "text": content.to_string() }],
        "structuredContent": content,
        "isError": false,
    }))
}

fn refusal(text: &str) -> Map<String, Value> {
    members(json!({ "content": [{ "type": "text", "text": text }], "isError": true }))
}
