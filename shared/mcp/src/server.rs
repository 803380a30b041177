//! What a server is to the protocol: everything that it offers, in the protocol's terms. Eras, headers,
//! envelopes and streams are none of its business.

use std::cell::RefCell;

use ports::Millis;
use serde_json::{Map, Value, json};

use crate::Principal;

/// A server. One method per kind of request; what it does not offer in [`About`] is never asked of it.
pub trait Server {
    /// Who it is and what it offers.
    fn about(&self) -> About;

    /// A page of a list, in an order that does not change from call to call.
    async fn list(&self, call: &Call<'_>, list: List, cursor: Option<&str>) -> Result<Page, Fault>;

    /// The arguments of a tool that clients of 2026-07-28 repeat in headers: the end of the header's
    /// name (`x-mcp-header` in the tool's schema), and the argument.
    fn mirrored(&self, tool: &str) -> &'static [(&'static str, &'static str)];

    /// Call a tool; the answer is a `CallToolResult`.
    async fn call_tool(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault>;

    /// Read a resource; the answer is a `ReadResourceResult`.
    async fn read_resource(&self, call: &Call<'_>, uri: &str) -> Result<Outcome, Fault>;

    /// Get a prompt; the answer is a `GetPromptResult`.
    async fn get_prompt(
        &self,
        call: &Call<'_>,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, Fault>;

    /// How an argument could go on.
    async fn complete(&self, call: &Call<'_>, asked: &Completing) -> Result<Completed, Fault>;
}

/// Who a server is and what it offers.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What a model reads about the server as a whole.
    pub instructions: &'static str,
    /// Whether there are resources.
    pub resources: bool,
    /// Whether there are prompts.
    pub prompts: bool,
    /// Whether arguments of prompts and resource templates are completed.
    pub completions: bool,
}

impl About {
    pub(crate) fn identity(&self) -> Value {
        json!({ "name": self.name, "title": self.title, "version": self.version })
    }

    pub(crate) fn capabilities(&self) -> Value {
        let mut all = json!({ "tools": {} });
        for (name, has) in [
            ("resources", self.resources),
            ("prompts", self.prompts),
            ("completions", self.completions),
        ] {
            if has {
                all[name] = json!({});
            }
        }
        all
    }
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
    /// `prompts/list`.
    Prompts,
}

/// A page of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// As the protocol has them.
    pub items: Vec<Value>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// What is to be completed.
#[derive(Debug)]
pub struct Completing {
    /// What has the argument.
    pub of: Reference,
    /// The argument's name.
    pub argument: String,
    /// What is there of it.
    pub value: String,
    /// The arguments that are complete already.
    pub known: Map<String, Value>,
}

/// What has arguments that can be completed.
#[derive(Debug)]
pub enum Reference {
    /// The prompt of that name.
    Prompt(String),
    /// The resource template with that text.
    Template(String),
}

/// How an argument could go on.
#[derive(Debug, Default)]
pub struct Completed {
    /// At most 100, the best first.
    pub values: Vec<String>,
    /// Whether there are more.
    pub more: bool,
}

/// A request as a server sees it.
pub struct Call<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// When.
    pub now: Millis,
    /// What the client can be asked for; `None` if it cannot be asked for anything.
    pub(crate) capabilities: Option<&'a Map<String, Value>>,
    /// What the client answers to what an earlier answer has asked for.
    pub(crate) inputs: Map<String, Value>,
    /// What that earlier answer wanted to be kept.
    pub(crate) state: Option<String>,
    /// Notifications that go before the answer, if the client wants any.
    pub(crate) progress: Option<Progress>,
}

impl Call<'_> {
    /// Whether the client can be asked for anything of this kind: `elicitation`, `sampling`, `roots`.
    pub fn client_can(&self, capability: &str) -> bool {
        let declared = self.capabilities.and_then(|all| all.get(capability));
        match declared.and_then(Value::as_object) {
            // Before there were two modes, a form was the only one, and needed no word.
            Some(modes) if capability == "elicitation" => {
                modes.is_empty() || modes.contains_key("form")
            }
            Some(_) => true,
            None => false,
        }
    }

    /// What the client answers under `key` to an [`Outcome::Ask`].
    pub fn input(&self, key: &str) -> Option<&Value> {
        self.inputs.get(key)
    }

    /// The state of the [`Outcome::Ask`] that this call comes back from. It is as we made it, for this
    /// caller and these arguments.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Tell the client how far the work is, if it wants to know. `done` must grow.
    pub fn progress(&self, done: usize, total: usize, message: &str) {
        if let Some(progress) = &self.progress {
            progress.tell(done, total, message);
        }
    }
}

/// The notifications of one request.
pub(crate) struct Progress {
    token: Value,
    told: RefCell<Vec<Value>>,
}

impl Progress {
    pub(crate) fn new(token: Value) -> Self {
        Self { token, told: RefCell::default() }
    }

    fn tell(&self, done: usize, total: usize, message: &str) {
        let params = json!({
            "progressToken": self.token,
            "progress": done,
            "total": total,
            "message": message,
        });
        let note =
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
        self.told.borrow_mut().push(note);
    }

    pub(crate) fn into_told(self) -> Vec<Value> {
        self.told.into_inner()
    }
}

/// What comes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// A result.
    Done(Map<String, Value>),
    /// The client must answer something first, and call again. Only clients that can be asked
    /// ([`Call::client_can`]) may be given this.
    Ask {
        /// What is asked, by keys of our choice: `ElicitRequest` and the like.
        requests: Map<String, Value>,
        /// What we want to find again in [`Call::state`].
        state: Option<String>,
    },
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// What it names is not there, or its parameters are wrong; the text is for the developer.
    Invalid(String),
    /// No resource has that URI.
    NoResource(String),
    /// The client has not said that it can do what is needed: `ClientCapabilities`.
    Incapable(Value),
    /// The token lacks some of these scopes; they are all that the request needs.
    Scope(Vec<&'static str>),
    /// A dependency is away; the cause is for the log.
    Unavailable(String),
    /// Our fault; the cause is for the log.
    Internal(String),
}
