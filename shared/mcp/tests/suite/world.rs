//! A database in memory, a principal, and calls in one line.

use std::cell::RefCell;

use futures::executor::block_on;
use http::request::Parts;
use mcp::atoms::{Atoms, Mode, SqlStore};
use mcp::{Moment, Principal, Reply};
use oauth::keys::KeyRing;
use ports::{Clock, Millis, Random, Rows, Sql, SqlError, Statement};
use serde_json::{Value, json};

pub(crate) const ORGANIZATION: &str = "0190b3a0-0000-7000-8000-000000000001";
const CREATED: &str = "2026-11-20T12:00:00.000Z";

/// Workspaces of one organization, or a database that fails.
#[derive(Default)]
pub(crate) struct Database {
    rows: RefCell<Vec<Vec<Option<String>>>>,
    pub(crate) failure: Option<SqlError>,
}

impl Sql for Database {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        Ok(statements.iter().map(|statement| Rows { rows: self.run(statement) }).collect())
    }
}

impl Database {
    fn run(&self, statement: &Statement<'_>) -> Vec<Vec<Option<String>>> {
        let given = |n: usize| statement.parameters.get(n).cloned().flatten();
        if statement.text.contains("insert into app.workspaces") {
            let fixed = [Some(CREATED.to_owned()), Some("1".to_owned())];
            let row: Vec<_> = statement.parameters.iter().cloned().chain(fixed).collect();
            self.rows.borrow_mut().push(row.clone());
            return vec![row];
        }
        if !statement.text.contains("from app.workspaces") {
            return Vec::new();
        }
        let limit = given(2).and_then(|limit| limit.parse().ok()).unwrap_or(0);
        let rows = self.rows.borrow();
        rows.iter().filter(|row| row[0] > given(1)).take(limit).cloned().collect()
    }
}

/// Time advances by one with each random number, so that keys differ and sort.
#[derive(Default)]
pub(crate) struct Platform(RefCell<u64>);

impl Clock for Platform {
    fn now(&self) -> Millis {
        1_800_000_000_000 + *self.0.borrow()
    }
}

impl Random for Platform {
    fn fill(&self, out: &mut [u8]) {
        *self.0.borrow_mut() += 1;
        out.fill(7);
    }
}

/// Everything that a call needs; tests change what they are about.
pub(crate) struct World {
    pub(crate) sql: Database,
    pub(crate) platform: Platform,
    pub(crate) principal: Principal,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

impl World {
    /// A user with all scopes and a client that speaks 2025-11-25.
    pub(crate) fn new() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            sql: Database::default(),
            platform: Platform::default(),
            principal: Principal {
                subject: "user_1".to_owned(),
                organization: Some(ORGANIZATION.to_owned()),
                roles: owned(&["member"]),
                scopes: owned(&["atoms:workspace.read", "atoms:workspace.write"]),
                client_id: "client_1".to_owned(),
            },
            headers: vec![
                ("content-type", "application/json"),
                ("mcp-protocol-version", "2025-11-25"),
            ],
        }
    }

    /// The same with a database that answers `error`.
    pub(crate) fn failing(error: SqlError) -> Self {
        let mut world = Self::new();
        world.sql.failure = Some(error);
        world
    }

    /// Only these scopes.
    pub(crate) fn with_scopes(scopes: &[&str]) -> Self {
        let mut world = Self::new();
        world.principal.scopes.retain(|scope| scopes.contains(&scope.as_str()));
        world
    }

    /// Send a body.
    pub(crate) fn post(&self, body: impl AsRef<[u8]>) -> Reply {
        let store = SqlStore { sql: &self.sql };
        let atoms = Atoms { store: &store, platform: &self.platform, mode: Mode::Grouped };
        let keys = KeyRing::parse(&format!("1={}", oauth::base64url(&[7; 32]))).expect("a ring");
        let moment = Moment { now: self.platform.now(), state_keys: &keys };
        block_on(mcp::handle(&self.parts(), body.as_ref(), &self.principal, &atoms, &moment))
    }

    fn parts(&self) -> Parts {
        let mut request = http::Request::post("/mcp");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("valid headers").into_parts().0
    }

    /// Send a request with id 1; the answer with its status.
    pub(crate) fn ask(&self, method: &str, params: &Value) -> (u16, Value) {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        answer(&self.post(body.to_string()))
    }

    /// Call the tool `workspace`; the `result`.
    pub(crate) fn call(&self, arguments: &Value) -> Value {
        let params = json!({ "name": "workspace", "arguments": arguments });
        let (status, mut answer) = self.ask("tools/call", &params);
        assert_eq!((status, &answer["id"]), (200, &json!(1)), "{answer}");
        answer["result"].take()
    }

    /// The text of a call that must be refused with `isError`.
    pub(crate) fn refusal(&self, arguments: &Value) -> String {
        let result = self.call(arguments);
        assert_eq!(result["isError"], true, "{arguments} gave {result}");
        assert_eq!(result.get("structuredContent"), None);
        result["content"][0]["text"].as_str().expect("a text").to_owned()
    }
}

/// Status and body.
pub(crate) fn answer(reply: &Reply) -> (u16, Value) {
    (reply.status().as_u16(), serde_json::from_str(reply.body()).expect("JSON"))
}
