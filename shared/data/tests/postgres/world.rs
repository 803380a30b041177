//! A seeded database (`world.sql`) and the people, the service and the login role that work in it.

use crate::support::{Cluster, DEPLOYER, SUPERUSER, refusal, texts};
use ports::SqlError;
use sqlx::{AssertSqlSafe, PgConnection};

/// On whose behalf a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Principal {
    /// A person, by the subject of the claims.
    Person(&'static str),
    /// The role of people with these claims as they are.
    Claims(&'static str),
    /// The service.
    Service,
    /// The login role that has taken no other.
    Login,
}

pub(crate) const OWNER: Principal = Principal::Person("user_owner");
pub(crate) const ADMIN: Principal = Principal::Person("user_admin");
pub(crate) const MEMBER: Principal = Principal::Person("user_member");
pub(crate) const VIEWER: Principal = Principal::Person("user_viewer");
/// The owner of another organization.
pub(crate) const STRANGER: Principal = Principal::Person("user_stranger");
/// Was an admin.
pub(crate) const REMOVED: Principal = Principal::Person("user_removed");
/// An admin of both organizations.
pub(crate) const BOTH: Principal = Principal::Person("user_both");
/// Has taken the role of people and forgotten the claims.
pub(crate) const NOBODY: Principal = Principal::Claims("");

impl Principal {
    /// The subject of the claims.
    pub(crate) fn subject(self) -> &'static str {
        match self {
            Self::Person(subject) => subject,
            _ => "",
        }
    }

    fn role_and_claims(self) -> String {
        let (role, claims) = match self {
            Self::Person(subject) => ("authenticated", format!(r#"{{"sub":"{subject}"}}"#)),
            Self::Claims(claims) => ("authenticated", claims.to_owned()),
            Self::Service => ("atoms_service", String::new()),
            Self::Login => return "select 1".to_owned(),
        };
        let claims = claims.replace('\'', "''");
        format!(
            "select set_config('role', '{role}', true), set_config('request.jwt.claims', '{claims}', true)"
        )
    }
}

/// A database with everything of `world.sql` in it.
pub(crate) async fn world() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    cluster.script(SUPERUSER, include_str!("world.sql")).await.unwrap();
    cluster
}

/// The key with this number; in statements `$number` stands for it.
pub(crate) fn key(number: u32) -> String {
    format!("01900000-0000-7000-8000-{number:012}")
}

/// A connection of the login role, as the functions have it.
pub(crate) struct Session(PgConnection);

impl Session {
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        Self(cluster.connect("authenticator").await)
    }

    /// Run a statement in a transaction of its own; how many rows it found or changed. Keys are
    /// written as `$number`.
    pub(crate) async fn run(&mut self, who: Principal, text: &str) -> Result<u64, SqlError> {
        self.transaction(who, text, "commit").await
    }

    /// As [`Session::run`], and undo it.
    pub(crate) async fn attempt(&mut self, who: Principal, text: &str) -> Result<u64, SqlError> {
        self.transaction(who, text, "rollback").await
    }

    /// Take the role and the claims in a transaction that stays open.
    pub(crate) async fn begin(&mut self, isolation: &str, who: Principal) {
        self.execute(&format!("begin isolation level {isolation}")).await.unwrap();
        self.execute(&who.role_and_claims()).await.unwrap();
    }

    /// A statement as it is, but for keys.
    pub(crate) async fn execute(&mut self, text: &str) -> Result<u64, SqlError> {
        let text = with_keys(text);
        let done = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut self.0).await;
        done.map(|result| result.rows_affected()).map_err(|error| refusal(&error))
    }

    /// The rows that a statement returns, as text, in a transaction that is undone.
    pub(crate) async fn rows(&mut self, who: Principal, text: &str) -> Vec<Vec<Option<String>>> {
        self.begin("read committed", who).await;
        let rows = sqlx::raw_sql(AssertSqlSafe(with_keys(text))).fetch_all(&mut self.0).await;
        self.execute("rollback").await.unwrap();
        rows.unwrap().iter().map(texts).collect()
    }

    /// The only column of the only row of [`Session::rows`].
    pub(crate) async fn value(&mut self, who: Principal, text: &str) -> String {
        let rows = self.rows(who, text).await;
        rows.first().and_then(|row| row.first().cloned()).flatten().unwrap_or_default()
    }

    async fn transaction(
        &mut self,
        who: Principal,
        text: &str,
        end: &str,
    ) -> Result<u64, SqlError> {
        self.begin("read committed", who).await;
        let result = self.execute(text).await;
        // What is deferred to the end of the transaction counts, too.
        let checked = match result {
            Ok(_) => self.execute("set constraints all immediate").await,
            Err(_) => Ok(0),
        };
        let end = if result.is_ok() && checked.is_ok() { end } else { "rollback" };
        self.execute(end).await.unwrap();
        checked.and(result)
    }
}

/// `$12` becomes the key with the number 12, quoted.
fn with_keys(text: &str) -> String {
    let mut pieces = text.split('$');
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.chars().take_while(char::is_ascii_digit).count();
        match piece[..digits].parse() {
            Ok(number) => whole.push_str(&format!("'{}'::uuid", key(number))),
            Err(_) => whole.push('$'),
        }
        whole.push_str(&piece[digits..]);
    }
    whole
}

/// The SQLSTATE and the constraint of a refusal.
pub(crate) fn refused<T>(result: Result<T, SqlError>) -> (String, String) {
    match result {
        Err(SqlError::Refused { code, constraint, .. }) => (code, constraint.unwrap_or_default()),
        Err(error) => panic!("{error}"),
        Ok(_) => (String::new(), String::new()),
    }
}
