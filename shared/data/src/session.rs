use ports::{Rows, Sql, SqlError, Statement};

/// The role of people: everything under row-level security.
pub const ROLE_USER: &str = "authenticated";
/// The role of the service itself: clients, audit, provisioning.
pub const ROLE_SERVICE: &str = "atoms_service";

const AS_USER: &str = include_str!("../queries/as_user.sql");
const AS_SERVICE: &str = include_str!("../queries/as_service.sql");
/// How often a transaction is tried that others got in the way of.
const ATTEMPTS: u32 = 3;

/// On whose behalf a transaction runs. The values come from a verified access
/// token, or the subject from an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub subject: String,
    /// The organization that the token is for.
    pub organization: Option<String>,
    /// The user's roles there. The database does not rely on them: it reads its memberships.
    pub roles: Vec<String>,
}

impl Caller {
    /// The claims that row-level security reads, as JSON.
    fn claims(&self) -> String {
        let mut claims = serde_json::json!({
            "sub": self.subject,
            "role": ROLE_USER,
            "roles": self.roles,
        });
        if let Some(organization) = &self.organization {
            claims["org"] = organization.as_str().into();
        }
        claims.to_string()
    }
}

/// Run `statements` in one transaction with the rights of `caller`.
///
/// A transaction that lost against a concurrent one (SQLSTATE 40001, 40P01) has left no trace and
/// is repeated, up to three attempts in all, after the pause that the port makes. Nothing else is
/// repeated: what became of it may be unknown.
///
/// # Errors
/// What the database or the way to it says.
pub async fn as_user(
    sql: &impl Sql,
    caller: &Caller,
    statements: Vec<Statement<'_>>,
) -> Result<Vec<Rows>, SqlError> {
    let first = Statement { text: AS_USER, parameters: vec![Some(caller.claims())] };
    run(sql, first, statements).await
}

/// Run `statements` in one transaction with the rights of the service. Repeats like [`as_user`].
///
/// # Errors
/// What the database or the way to it says.
pub async fn as_service(
    sql: &impl Sql,
    statements: Vec<Statement<'_>>,
) -> Result<Vec<Rows>, SqlError> {
    run(sql, Statement { text: AS_SERVICE, parameters: Vec::new() }, statements).await
}

/// As [`as_user`] for one statement and its rows.
pub(crate) async fn one_as_user(
    sql: &impl Sql,
    caller: &Caller,
    statement: Statement<'_>,
) -> Result<Rows, SqlError> {
    only(as_user(sql, caller, vec![statement]).await?)
}

/// As [`as_service`] for one statement and its rows.
pub(crate) async fn one_as_service(
    sql: &impl Sql,
    statement: Statement<'_>,
) -> Result<Rows, SqlError> {
    only(as_service(sql, vec![statement]).await?)
}

async fn run<'a>(
    sql: &impl Sql,
    first: Statement<'a>,
    mut statements: Vec<Statement<'a>>,
) -> Result<Vec<Rows>, SqlError> {
    statements.insert(0, first);
    let mut attempt = 1;
    loop {
        match sql.transaction(&statements).await {
            Ok(results) if results.len() == statements.len() => {
                return Ok(results.into_iter().skip(1).collect());
            }
            Ok(results) => {
                let (got, asked) = (results.len(), statements.len());
                return Err(SqlError::Protocol(format!("{got} results of {asked} statements")));
            }
            Err(error) if attempt < ATTEMPTS && lost_a_race(&error) => {
                sql.pause(attempt).await;
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn lost_a_race(error: &SqlError) -> bool {
    matches!(error, SqlError::Refused { code, .. } if code == "40001" || code == "40P01")
}

fn only(results: Vec<Rows>) -> Result<Rows, SqlError> {
    results.into_iter().next().ok_or_else(|| SqlError::Protocol("no result".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures::executor::block_on;

    use super::*;

    /// Fails with `code` the first `failures` times.
    struct Script {
        failures: Cell<usize>,
        code: &'static str,
        seen: RefCell<Vec<(String, Vec<Option<String>>)>>,
    }

    fn script(failures: usize, code: &'static str) -> Script {
        Script { failures: Cell::new(failures), code, seen: RefCell::default() }
    }

    impl Sql for Script {
        async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
            self.seen
                .borrow_mut()
                .extend(statements.iter().map(|s| (s.text.to_owned(), s.parameters.clone())));
            if self.failures.get() > 0 {
                self.failures.set(self.failures.get() - 1);
                return Err(SqlError::Refused {
                    code: self.code.to_owned(),
                    message: String::new(),
                    constraint: None,
                });
            }
            Ok(statements
                .iter()
                .map(|s| Rows { rows: vec![vec![Some(s.text.to_owned())]] })
                .collect())
        }
    }

    fn caller() -> Caller {
        Caller {
            subject: "user_1".to_owned(),
            organization: None,
            roles: vec!["member".to_owned()],
        }
    }

    fn statement() -> Statement<'static> {
        Statement { text: "select 2", parameters: Vec::new() }
    }

    #[test]
    fn claims_come_first_and_their_result_is_dropped() {
        let sql = script(0, "");
        let results = block_on(as_user(&sql, &caller(), vec![statement()])).unwrap();
        assert_eq!(results, [Rows { rows: vec![vec![Some("select 2".to_owned())]] }]);
        let seen = sql.seen.borrow();
        assert!(seen[0].0.contains("set_config('role', 'authenticated', true)"));
        let claims: serde_json::Value =
            serde_json::from_str(seen[0].1[0].as_deref().unwrap()).unwrap();
        assert_eq!(
            claims,
            serde_json::json!({"sub": "user_1", "role": "authenticated", "roles": ["member"]})
        );
    }

    #[test]
    fn the_role_constants_are_those_of_the_statements() {
        assert!(AS_USER.contains(&format!("'{ROLE_USER}'")));
        assert!(AS_SERVICE.contains(&format!("'{ROLE_SERVICE}'")));
    }

    #[test]
    fn lost_races_are_repeated_but_not_for_ever() {
        assert!(block_on(as_service(&script(2, "40001"), vec![statement()])).is_ok());
        let sql = script(9, "40P01");
        assert!(block_on(as_service(&sql, vec![statement()])).is_err());
        assert_eq!(sql.failures.get(), 6);
    }

    #[test]
    fn other_errors_are_not_repeated() {
        let sql = script(1, "23505");
        assert!(block_on(as_service(&sql, vec![statement()])).is_err());
    }
}
