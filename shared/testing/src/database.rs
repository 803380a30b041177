use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use data::clients::ClientRecord;
use http::{HeaderMap, StatusCode};
use ports::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::consents::FakeConsents;
use crate::world::SQL_CONNECTION_STRING;

/// The business database behind its SQL endpoint, as far as the authorization server uses it: the
/// clients, and the provisioning of people at sign-in. It does not read SQL, it recognises the
/// statements of crate `data`; what those mean is tested there on a real Postgres.
#[derive(Default)]
pub struct FakeDatabase {
    clients: RefCell<BTreeMap<String, ClientRecord>>,
    registrations: RefCell<BTreeMap<String, String>>,
    organizations: RefCell<BTreeMap<String, String>>,
    consents: FakeConsents,
}

#[derive(Deserialize)]
struct Batch {
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    params: Vec<Option<String>>,
}

/// As whom a batch runs, by its first statement.
enum Role {
    None,
    Service,
    Person(String),
}

impl Role {
    fn of(first: &Query) -> Self {
        if first.query.contains("'atoms_service'") {
            return Self::Service;
        }
        let claims = first.params.first().cloned().flatten().unwrap_or_default();
        let claims: Value = serde_json::from_str(&claims).unwrap_or_default();
        claims["sub"].as_str().map_or(Self::None, |person| Self::Person(person.to_owned()))
    }
}

type Rows = Vec<Vec<Option<String>>>;

impl FakeDatabase {
    /// Register a client, or replace it.
    pub fn register(&self, client: ClientRecord) {
        self.clients.borrow_mut().insert(client.client_id.clone(), client);
    }

    /// Change a registered client.
    ///
    /// # Panics
    /// If it is not registered.
    pub fn change(&self, client_id: &str, change: impl FnOnce(&mut ClientRecord)) {
        change(self.clients.borrow_mut().get_mut(client_id).expect("a registered client"));
    }

    /// A registered client.
    pub fn client(&self, client_id: &str) -> Option<ClientRecord> {
        self.clients.borrow().get(client_id).cloned()
    }

    /// How many organizations have been provisioned.
    pub fn organizations(&self) -> usize {
        self.organizations.borrow().len()
    }

    /// The answer to a request at the SQL endpoint.
    pub fn answer(&self, request: &Request) -> Response {
        if !has(request.headers(), "Neon-Connection-String", SQL_CONNECTION_STRING) {
            return refusal("28P01", "password authentication failed");
        }
        let plain = has(request.headers(), "Neon-Raw-Text-Output", "true")
            && has(request.headers(), "Neon-Array-Mode", "true");
        let Ok(batch) = serde_json::from_slice::<Batch>(request.body()) else {
            return refusal("08P01", "unreadable batch");
        };
        if !plain {
            return refusal("0A000", "only text rows are served here");
        }
        let role = batch.queries.first().map_or(Role::None, Role::of);
        let mut results = Vec::new();
        for query in &batch.queries {
            match self.rows(query, &role) {
                Ok(rows) => results.push(result_set(&rows)),
                Err((code, message)) => return refusal(code, message),
            }
        }
        Response::new(json!({ "results": results }).to_string().into())
    }

    fn rows(&self, query: &Query, role: &Role) -> Result<Rows, (&'static str, &'static str)> {
        let service = matches!(role, Role::Service);
        let text = query.query.as_str();
        let parameter = |at: usize| query.params.get(at).cloned().flatten();
        if text.contains("set_config") {
            return Ok(vec![vec![Some("atoms_service".to_owned()), Some(String::new())]]);
        }
        if text.contains("app.oauth_clients") {
            if !service {
                return Err(("42501", "permission denied for table oauth_clients"));
            }
            return self.clients(text, &parameter(0).unwrap_or_default(), parameter(1));
        }
        if text.contains("app.oauth_consents") {
            let Role::Person(person) = role else {
                return Err(("42501", "permission denied for table oauth_consents"));
            };
            return Ok(self.consents.answer(person, text, &query.params));
        }
        if text.contains("app.provision_member") {
            if !service {
                return Err(("42501", "permission denied for function provision_member"));
            }
            return Ok(self.provision(parameter(0), parameter(1), parameter(2), parameter(3)));
        }
        if query.params.is_empty() && !text.contains("app.") {
            return Ok(vec![vec![Some("1".to_owned())]]);
        }
        Err(("42601", "the fake database does not know the statement"))
    }

    fn clients(
        &self,
        text: &str,
        first: &str,
        second: Option<String>,
    ) -> Result<Rows, (&'static str, &'static str)> {
        if text.contains("insert into") {
            return self.enrol(first, second);
        }
        if text.contains("update") {
            let mut clients = self.clients.borrow_mut();
            if let Some(client) = clients.get_mut(first).filter(|one| !one.disabled) {
                client.expires_at = second.and_then(|until| until.parse().ok());
            }
            return Ok(Vec::new());
        }
        if text.contains("delete from") {
            // It has no clock, and so nothing that is over.
            return Ok(vec![vec![Some("0".to_owned())]]);
        }
        let hash = self.registrations.borrow().get(first).cloned();
        let client = self.client(first);
        Ok(client.iter().map(|one| vec![serde_json::to_string(one).ok(), hash.clone()]).collect())
    }

    /// As the statement has it: nobody else's registration is replaced.
    fn enrol(
        &self,
        record: &str,
        hash: Option<String>,
    ) -> Result<Rows, (&'static str, &'static str)> {
        let record: ClientRecord =
            serde_json::from_str(record).map_err(|_| ("22023", "no record"))?;
        let id = record.client_id.clone();
        let mut registrations = self.registrations.borrow_mut();
        if let Some(known) = self.client(&id)
            && (known.origin != record.origin || registrations.get(&id) != hash.as_ref())
        {
            return Ok(Vec::new());
        }
        if let Some(hash) = hash {
            registrations.insert(id.clone(), hash);
        }
        self.register(record);
        Ok(vec![vec![Some(id)]])
    }

    fn provision(
        &self,
        user: Option<String>,
        organization: Option<String>,
        role: Option<String>,
        new_id: Option<String>,
    ) -> Rows {
        let personal = organization.is_none();
        let key = organization.or(user).unwrap_or_default();
        let mut organizations = self.organizations.borrow_mut();
        let id = organizations.entry(key).or_insert(new_id.unwrap_or_default());
        let known =
            role.filter(|role| ["owner", "admin", "member", "viewer"].contains(&role.as_str()));
        let role = if personal { "owner".to_owned() } else { known.unwrap_or("member".to_owned()) };
        vec![vec![Some(id.clone()), Some(role)]]
    }
}

fn has(headers: &HeaderMap, name: &str, expected: &str) -> bool {
    headers.get(name).is_some_and(|value| value == expected)
}

fn result_set(rows: &Rows) -> Value {
    json!({
        "command": "SELECT",
        "rowCount": rows.len(),
        "rowAsArray": true,
        "fields": [],
        "rows": rows,
    })
}

/// A refused transaction, as Neon's endpoint reports it.
fn refusal(code: &str, message: &str) -> Response {
    let body = json!({ "message": message, "code": code, "severity": "ERROR" });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
