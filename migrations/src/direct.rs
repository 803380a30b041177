//! The direct way: a session with Postgres.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, PgConnection, Row, ValueRef};

use crate::connection::{Connection, Failure, Refusal, Rows, Statement};
use crate::place::options;

/// A session with Postgres.
pub struct Direct {
    session: PgConnection,
}

impl Direct {
    /// Connect. `url` is a `postgresql://` URL; `sslmode` in it works as in libpq, against Mozilla's roots
    /// and `sslrootcert`.
    ///
    /// # Errors
    /// [`Failure`], also for what is no such URL.
    pub async fn connect(url: &str) -> Result<Self, Failure> {
        let session = options(url)?.disable_statement_logging().connect().await;
        Ok(Self { session: session.map_err(|error| failure(&error, None, false))? })
    }
}

impl Connection for Direct {
    async fn transaction(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
        let begin = "begin isolation level read committed";
        let mut transaction =
            self.session.begin_with(begin).await.map_err(|error| failure(&error, None, false))?;
        let mut results = Vec::new();
        for (index, statement) in statements.iter().enumerate() {
            let rows = run(&mut transaction, statement).await;
            results.push(rows.map_err(|error| failure(&error, Some(index), false))?);
        }
        transaction.commit().await.map_err(|error| failure(&error, None, true))?;
        // `set role` outlives the transaction that it is in.
        let reset = self.session.execute("reset role; reset all").await;
        reset.map_err(|error| failure(&error, None, true))?;
        Ok(results)
    }
}

async fn run(session: &mut PgConnection, statement: &Statement) -> Result<Rows, sqlx::Error> {
    let text = AssertSqlSafe(statement.text.clone());
    let rows = if statement.parameters.is_empty() {
        sqlx::raw_sql(text).fetch_all(session).await?
    } else {
        let mut query = sqlx::query(text).persistent(false);
        for parameter in &statement.parameters {
            query = query.bind(parameter.clone());
        }
        query.fetch_all(session).await?
    };
    rows.iter().map(texts).collect()
}

/// The bytes of a text are the same in both formats of Postgres.
fn texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            let text = (!value.is_null()).then(|| value.as_str().map(str::to_owned));
            text.transpose().map_err(sqlx::Error::Decode)
        })
        .collect()
}

fn failure(error: &sqlx::Error, statement: Option<usize>, committing: bool) -> Failure {
    let refusal = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>());
    match refusal {
        Some(error) => Failure::Refused(Box::new(Refusal {
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            statement,
            position: match error.position() {
                Some(PgErrorPosition::Original(position)) => Some(position),
                Some(PgErrorPosition::Internal { .. }) | None => None,
            },
        })),
        None if committing => Failure::Unknown(error.to_string()),
        None => Failure::Unreachable(error.to_string()),
    }
}
