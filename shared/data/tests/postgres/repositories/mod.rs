//! The repositories of the model over HTTP: the client, the proxy, a real Postgres.

mod entities;
mod lists;
mod others;
mod races;
mod relationships;
mod search;
mod workflows;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use data::membership;
use data::model::entities::{EntityFields, NewEntity};
use data::model::workspaces::{self, NewWorkspace};
use data::model::{Attempt, EntityType, Error, Idempotency, Target, Window, Write};
use data::{Caller, NeonSql};
use ports::{Fetch, FetchError, Request, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Cluster, DEPLOYER};

/// A database, the proxy before it, and the people of an organization.
pub(crate) struct World {
    pub(crate) sql: NeonSql<'static, Native>,
    pub(crate) owner: Caller,
    pub(crate) admin: Caller,
    pub(crate) member: Caller,
    pub(crate) viewer: Caller,
    /// The owner of another organization.
    pub(crate) stranger: Caller,
    /// The stranger, who claims to be an owner here.
    pub(crate) forger: Caller,
    pub(crate) workspace: String,
    pub(crate) project: String,
    pub(crate) cluster: Cluster,
}

pub(crate) async fn world() -> World {
    let port = free_port().await;
    let cluster = Cluster::listening("127.0.0.1", port).await;
    cluster.migrate(DEPLOYER).await;
    let sql = proxied(port).await;
    let person = async |name: &str, org: Option<&str>, role: Option<&str>, number: u32| {
        let key = format!("01900000-0000-7000-8000-{number:012}");
        let of = membership::provision(&sql, name, org, role, &key).await.unwrap();
        Caller {
            subject: name.to_owned(),
            organization: Some(of.organization_id),
            roles: vec![of.role],
        }
    };
    let of = async |role: &str| person(&format!("user_{role}"), Some("org_1"), Some(role), 1).await;
    let (owner, admin) = (of("owner").await, of("admin").await);
    let (member, viewer) = (of("member").await, of("viewer").await);
    let stranger = person("user_stranger", None, None, 2).await;
    let forger = Caller { organization: owner.organization.clone(), ..stranger.clone() };
    let mut world = World {
        sql,
        owner,
        admin,
        member,
        viewer,
        stranger,
        forger,
        workspace: String::new(),
        project: String::new(),
        cluster,
    };
    world.workspace = world.workspace_of("Work").await;
    let new = new(EntityType::Project, "Project").at(&world.workspace);
    world.project = world.made(new).await;
    world
}

impl World {
    /// Everybody with the name of what they are.
    pub(crate) fn people(&self) -> [(&'static str, &Caller); 6] {
        [
            ("owner", &self.owner),
            ("admin", &self.admin),
            ("member", &self.member),
            ("viewer", &self.viewer),
            ("stranger", &self.stranger),
            ("forger", &self.forger),
        ]
    }

    /// A new workspace of the organization.
    pub(crate) async fn workspace_of(&self, name: &str) -> String {
        let new = NewWorkspace { id: id(), name: name.to_owned(), description: None };
        workspaces::create(&self.sql, &self.owner, new, &once()).await.unwrap().value.id
    }

    /// Create it as a member; its key.
    pub(crate) async fn made(&self, new: NewEntity) -> String {
        let made = data::model::entities::create(&self.sql, &self.member, new, &once()).await;
        made.unwrap().value.id
    }

    /// A task in the project.
    pub(crate) async fn task(&self, title: &str) -> String {
        self.made(new(EntityType::Task, title).inside(&self.project)).await
    }

    /// How many rows a superuser sees.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        use sqlx::{AssertSqlSafe, Row};
        let mut connection = self.cluster.connect(crate::support::SUPERUSER).await;
        let text = AssertSqlSafe(format!("select count(*) from app.{table}"));
        sqlx::query(text).fetch_one(&mut connection).await.unwrap().get(0)
    }
}

/// A new key; later ones sort behind.
#[expect(clippy::disallowed_methods, reason = "tests are native")]
pub(crate) fn id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let millis = now.as_millis();
    let time = format!("{millis:012x}");
    format!("{}-{}-7000-8000-{count:012x}", &time[..8], &time[8..])
}

/// Another key each time, whatever is created.
pub(crate) fn once() -> Attempt {
    Attempt::default()
}

pub(crate) fn keyed(key: &str, digest: &str) -> Attempt {
    let idempotency = Idempotency { key: key.to_owned(), digest: digest.to_owned() };
    Attempt { idempotency: Some(idempotency), dry_run: false }
}

pub(crate) fn trial() -> Attempt {
    Attempt { idempotency: None, dry_run: true }
}

pub(crate) fn at(id: &str, version: i64) -> Target {
    Target { id: id.to_owned(), version: Some(version) }
}

pub(crate) fn any(id: &str) -> Target {
    Target { id: id.to_owned(), version: None }
}

pub(crate) fn window(limit: usize, after: Option<String>) -> Window {
    Window { limit, after }
}

/// An entity to be, without a place.
pub(crate) fn new(kind: EntityType, title: &str) -> NewEntity {
    NewEntity {
        id: id(),
        kind,
        workspace: None,
        project: None,
        parent: None,
        title: (!title.is_empty()).then(|| title.to_owned()),
        fields: EntityFields::default(),
    }
}

pub(crate) trait Somewhere: Sized {
    fn at(self, workspace: &str) -> Self;
    fn inside(self, project: &str) -> Self;
    fn under(self, parent: &str) -> Self;
    fn with(self, change: impl FnOnce(&mut EntityFields)) -> Self;
    fn details(self, details: Value) -> Self;
}

impl Somewhere for NewEntity {
    fn at(self, workspace: &str) -> Self {
        Self { workspace: Some(workspace.to_owned()), ..self }
    }

    fn inside(self, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..self }
    }

    fn under(self, parent: &str) -> Self {
        Self { parent: Some(parent.to_owned()), ..self }
    }

    fn with(mut self, change: impl FnOnce(&mut EntityFields)) -> Self {
        change(&mut self.fields);
        self
    }

    fn details(self, details: Value) -> Self {
        self.with(|fields| fields.details = details.as_object().unwrap().clone())
    }
}

/// What somebody gets: `ok`, or the kind of error with its field.
pub(crate) fn verdict<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Error::Unavailable(_)) => "unavailable".to_owned(),
        Err(Error::NoOrganization) => "no organization".to_owned(),
        Err(Error::NotPermitted(_)) => "not permitted".to_owned(),
        Err(Error::NotFound { field }) => format!("no {field}"),
        Err(Error::Stale { version }) => format!("stale {version}"),
        Err(Error::Conflict { field }) => format!("taken {field}"),
        Err(Error::Invalid { field, .. }) => format!("invalid {field}"),
        Err(Error::KeyReused) => "reused".to_owned(),
        Err(Error::Internal(cause)) => format!("internal {cause}"),
    }
}

/// The verdicts in the order of [`World::people`].
pub(crate) fn verdicts<T>(results: &[Result<T, Error>]) -> Vec<String> {
    results.iter().map(verdict).collect()
}

pub(crate) fn value<T>(written: Write<T>) -> T {
    written.unwrap().value
}

pub(crate) fn object(value: Value) -> data::model::Object {
    let Value::Object(object) = value else { panic!("no object") };
    object
}

#[test]
fn keys_of_tests_are_in_order() {
    let (first, second) = (id(), id());
    assert!(first < second);
    assert_eq!(object(json!({})).len(), 0);
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

async fn proxied(port: u16) -> NeonSql<'static, Native> {
    let database = format!("postgres://authenticator@127.0.0.1:{port}/atoms?sslmode=disable");
    let settings =
        proxy::Settings::new(proxy::Database::parse(&database).unwrap(), "secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sql", listener.local_addr().unwrap());
    tokio::spawn(proxy::serve(listener, settings, std::future::pending()));
    let platform: &'static Native = Box::leak(Box::new(Native(reqwest::Client::new())));
    NeonSql::new(platform, url, "postgres://authenticator:secret@db.test/atoms".to_owned())
}

/// HTTP as a native host has it.
#[derive(Clone)]
pub(crate) struct Native(reqwest::Client);

impl Fetch for Native {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        let lost = |error: reqwest::Error| FetchError::Connection(error.to_string());
        let (parts, body) = request.into_parts();
        let sent = self.0.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let answer = sent.body(body).timeout(timeout).send().await.map_err(lost)?;
        let mut response = Response::default();
        *response.status_mut() = answer.status();
        *response.body_mut() = answer.bytes().await.map_err(lost)?;
        Ok(response)
    }
}
