//! The server over the whole model in memory, and its clients.
#![expect(clippy::needless_pass_by_value, reason = "arguments are written where they are used")]

use futures::executor::block_on;
use mcp::atoms::{Atoms, Mode};
use mcp::{Moment, Principal, Reply};
use oauth::keys::KeyRing;
use ports::Clock;
use serde_json::{Map, Value, json};

use crate::judge;
use crate::model::{Model, ORGANIZATION};
use crate::world::Platform;

pub(crate) const SCOPES: [&str; 9] = [
    "atoms:workspace.read",
    "atoms:workspace.write",
    "atoms:entity.read",
    "atoms:entity.write",
    "atoms:relationship.read",
    "atoms:relationship.write",
    "atoms:workflow.read",
    "atoms:workflow.write",
    "atoms:workflow.run",
];

/// A server with a client.
pub(crate) struct Server {
    pub(crate) model: Model,
    pub(crate) mode: Mode,
    pub(crate) principal: Principal,
    /// What the client can be asked for; `None` for a client of 2025-11-25.
    pub(crate) capabilities: Option<Value>,
    pub(crate) platform: Platform,
}

impl Server {
    /// A member with all scopes, and a client of 2025-11-25.
    pub(crate) fn new() -> Self {
        let principal = Principal {
            subject: "user_1".to_owned(),
            organization: Some(ORGANIZATION.to_owned()),
            roles: vec!["member".to_owned()],
            scopes: SCOPES.map(str::to_owned).to_vec(),
            client_id: "client_1".to_owned(),
        };
        let (model, platform) = (Model::default(), Platform::default());
        Self { model, mode: Mode::Flat, principal, capabilities: None, platform }
    }

    /// The same for a client of 2026-07-28.
    pub(crate) fn july(capabilities: Value) -> Self {
        Self { capabilities: Some(capabilities), ..Self::new() }
    }

    pub(crate) fn version(&self) -> &'static str {
        if self.capabilities.is_some() { "2026-07-28" } else { "2025-11-25" }
    }

    pub(crate) fn post(&self, headers: &[(&str, String)], body: &[u8]) -> Reply {
        let mut request = http::Request::post("/mcp").header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let keys = KeyRing::parse(&format!("1={}", oauth::base64url(&[1; 32]))).expect("a ring");
        let moment = Moment { now: self.platform.now(), state_keys: &keys };
        let atoms = Atoms { store: &self.model, platform: &self.platform, mode: self.mode };
        block_on(mcp::handle(&parts, body, &self.principal, &atoms, &moment))
    }

    pub(crate) fn send(&self, method: &str, params: &Value) -> Reply {
        let mut params = params.clone();
        let mut headers = vec![
            ("mcp-protocol-version", self.version().to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
        ];
        if let Some(capabilities) = &self.capabilities {
            headers.push(("mcp-method", method.to_owned()));
            if let Some(name) = params["name"].as_str().or_else(|| params["uri"].as_str()) {
                headers.push(("mcp-name", name.to_owned()));
            }
            if let Some(operation) = params["arguments"]["operation"].as_str() {
                headers.push(("mcp-param-operation", operation.to_owned()));
            }
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.post(&headers, body.to_string().as_bytes())
    }

    /// The result, judged.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> Value {
        let reply = self.send(method, params);
        let mut answer: Value = serde_json::from_str(reply.body()).expect("JSON");
        let result = answer["result"].take();
        assert!(result.is_object(), "{method} {params}: {answer}");
        judge::result(self.version(), method, &result);
        result
    }

    /// Call an operation in either mode; the result.
    pub(crate) fn result(&self, operation: &str, arguments: Value) -> Value {
        self.ask("tools/call", &self.params(operation, arguments))
    }

    pub(crate) fn params(&self, operation: &str, mut arguments: Value) -> Value {
        if self.mode == Mode::Flat {
            return json!({ "name": operation, "arguments": arguments });
        }
        arguments["operation"] = json!(operation);
        json!({ "name": group_of(operation), "arguments": arguments })
    }

    /// Call an operation that must go well; the structured content.
    pub(crate) fn call(&self, operation: &str, arguments: Value) -> Value {
        let mut result = self.result(operation, arguments);
        assert_eq!(result["isError"], false, "{operation}: {result}");
        let content = result["structuredContent"].take();
        let text = result["content"][0]["text"].as_str().expect("a text");
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), content);
        content
    }

    /// The text of a call that must be refused; nothing may have changed.
    pub(crate) fn refusal(&self, operation: &str, arguments: Value) -> String {
        let before = self.model.writes.get();
        let result = self.result(operation, arguments.clone());
        assert_eq!(result["isError"], true, "{operation} {arguments}: {result}");
        assert_eq!(result.get("structuredContent"), None);
        assert_eq!(self.model.writes.get(), before);
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// A workspace, a project in it, a requirement, a test case that verifies it, an active workflow.
    pub(crate) fn seeded(self) -> (Self, Seed) {
        let id =
            |content: Value, what: &str| content[what]["id"].as_str().expect("an id").to_owned();
        let workspace = id(self.call("create_workspace", json!({ "name": "Apollo" })), "workspace");
        let project = json!({ "type": "project", "title": "Moon", "workspace_id": workspace });
        let project = id(self.call("create_entity", project), "entity");
        let make = |kind: &str, title: &str| {
            let new = json!({ "type": kind, "title": title, "project_id": project });
            id(self.call("create_entity", new), "entity")
        };
        let (requirement, test) = (make("requirement", "Abort"), make("test_case", "Press abort"));
        let link = json!({
            "kind": "trace_link", "label": "verifies", "source_id": test, "target_id": requirement,
        });
        let link = id(self.call("create_relationship", link), "relationship");
        let workflow = json!({
            "workspace_id": workspace, "name": "Review", "status": "active",
            "steps": [{ "name": "Ask", "kind": "approval" }],
        });
        let workflow = id(self.call("create_workflow", workflow), "workflow");
        let run = id(self.call("execute_workflow", json!({ "workflow_id": workflow })), "run");
        (self, Seed { workspace, project, requirement, test, link, workflow, run })
    }
}

/// What [`Server::seeded`] has made.
pub(crate) struct Seed {
    pub(crate) workspace: String,
    pub(crate) project: String,
    pub(crate) requirement: String,
    pub(crate) test: String,
    pub(crate) link: String,
    pub(crate) workflow: String,
    pub(crate) run: String,
}

impl Seed {
    /// A good call of every operation, in an order in which all go well.
    pub(crate) fn calls(&self) -> Vec<(&'static str, Value)> {
        let workspace = json!({ "workspace_id": self.workspace });
        let of = |name: &str, id: &str| json!({ name: id });
        let with = |mut base: Value, more: Value| {
            let more: Map<String, Value> = more.as_object().cloned().expect("an object");
            base.as_object_mut().expect("an object").extend(more);
            base
        };
        vec![
            ("list_workspaces", json!({ "limit": 10 })),
            ("create_workspace", json!({ "name": "Gemini", "description": "Two." })),
            ("read_workspace", workspace.clone()),
            (
                "update_workspace",
                with(workspace.clone(), json!({ "description": null, "version": 1 })),
            ),
            ("list_projects", with(workspace.clone(), json!({ "limit": 5 }))),
            ("get_workspace_info", workspace.clone()),
            ("list_entities", of("project_id", &self.project)),
            (
                "create_entity",
                json!({
                    "type": "requirement", "project_id": self.project, "title": "Land",
                    "details": { "rationale": "Once.", "level": "system" }, "priority": "critical",
                    "attributes": { "team": "a" }, "external_id": "REQ-1", "kind": "safety",
                }),
            ),
            ("read_entity", of("entity_id", &self.requirement)),
            (
                "update_entity",
                with(
                    of("entity_id", &self.requirement),
                    json!({ "status": "approved", "details": { "rationale": "So." }, "version": 1 }),
                ),
            ),
            ("search_entities", json!({ "query": "abort", "types": ["requirement", "test_case"] })),
            (
                "create_relationship",
                json!({ "kind": "assignment", "source_id": self.test, "target_user": "user_1" }),
            ),
            ("list_relationships", of("entity_id", &self.requirement)),
            (
                "update_relationship",
                with(of("relationship_id", &self.link), json!({ "attributes": { "why": "x" } })),
            ),
            (
                "get_relationship_graph",
                with(of("entity_id", &self.requirement), json!({ "depth": 3 })),
            ),
            (
                "create_workflow",
                with(
                    workspace.clone(),
                    json!({ "name": "W", "steps": [{ "name": "s", "timeout": 5 }] }),
                ),
            ),
            (
                "execute_workflow",
                with(of("workflow_id", &self.workflow), json!({ "input": { "a": 1 } })),
            ),
            ("get_workflow_status", of("run_id", &self.run)),
            ("list_workflows", workspace.clone()),
            (
                "query_entities",
                with(
                    workspace.clone(),
                    json!({ "types": ["requirement"], "sort": "title", "limit": 1 }),
                ),
            ),
            ("advanced_search", with(workspace.clone(), json!({ "query": "a", "facets": true }))),
            ("get_query_stats", with(workspace.clone(), json!({ "days": 30 }))),
            ("export_results", with(workspace.clone(), json!({ "format": "csv" }))),
            (
                "delete_relationship",
                with(of("relationship_id", &self.link), json!({ "confirm": true })),
            ),
            (
                "delete_workflow",
                with(of("workflow_id", &self.workflow), json!({ "confirm": true })),
            ),
            ("delete_entity", with(of("entity_id", &self.test), json!({ "confirm": true }))),
            ("delete_workspace", with(workspace, json!({ "confirm": true }))),
        ]
    }
}

/// The tool that has the operation as an argument.
pub(crate) fn group_of(operation: &str) -> &'static str {
    match operation {
        "query_entities" | "advanced_search" | "get_query_stats" | "export_results" => "query",
        "list_projects" => "workspace",
        name if name.contains("workspace") => "workspace",
        name if name.contains("relationship") => "relationship",
        name if name.contains("workflow") => "workflow",
        _ => "entity",
    }
}
