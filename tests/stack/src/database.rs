//! The SQL port over a connection of its own to Postgres, for commands and tests that need no proxy.

use ports::{Rows, Sql, SqlError, Statement};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::sync::Mutex;

/// A connection. All columns that are asked for must be text.
pub struct Database {
    connection: Mutex<PgConnection>,
    snapshot: bool,
}

impl Database {
    /// Connect; each transaction is one.
    ///
    /// # Errors
    /// If Postgres lets nobody in.
    pub async fn connect(url: &str) -> Result<Self, sqlx::Error> {
        let connection = Mutex::new(PgConnection::connect(url).await?);
        Ok(Self { connection, snapshot: false })
    }

    /// Connect, and read the state of this moment from now on: all transactions are part of one that
    /// reads only.
    ///
    /// # Errors
    /// If Postgres lets nobody in.
    pub async fn snapshot(url: &str) -> Result<Self, sqlx::Error> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("begin transaction isolation level repeatable read read only").await?;
        Ok(Self { connection: Mutex::new(connection), snapshot: true })
    }
}

impl Sql for Database {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        let mut connection = self.connection.lock().await;
        if self.snapshot {
            return run(&mut connection, statements).await;
        }
        let mut transaction = connection.begin().await.map_err(|error| refusal(&error))?;
        let results = run(&mut transaction, statements).await?;
        transaction.commit().await.map_err(|error| refusal(&error))?;
        Ok(results)
    }
}

async fn run(
    connection: &mut PgConnection,
    statements: &[Statement<'_>],
) -> Result<Vec<Rows>, SqlError> {
    let mut results = Vec::new();
    for statement in statements {
        let mut query = sqlx::query(AssertSqlSafe(statement.text.to_owned()));
        for parameter in &statement.parameters {
            query = query.bind(parameter.clone());
        }
        let rows = query.fetch_all(&mut *connection).await.map_err(|error| refusal(&error))?;
        let rows: Result<_, _> = rows.iter().map(texts).collect();
        results.push(Rows { rows: rows.map_err(|error| refusal(&error))? });
    }
    Ok(results)
}

fn texts(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len()).map(|index| row.try_get(index)).collect()
}

fn refusal(error: &sqlx::Error) -> SqlError {
    match error.as_database_error() {
        Some(refusal) => SqlError::Refused {
            code: refusal.code().unwrap_or_default().into_owned(),
            message: refusal.message().to_owned(),
            constraint: refusal.constraint().map(str::to_owned),
        },
        None => SqlError::Unavailable(error.to_string()),
    }
}
