//! The schema, and what the functions' login needs besides.

use anyhow::Result;
use migrations::{Direct, Migrations, Runner};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Apply every migration of the project; each is checked with it.
pub(crate) async fn migrate(url: &str) -> Result<()> {
    let migrations = Migrations::read(migrations::folder())?;
    let mut connection = Direct::connect(url).await?;
    Runner::new(&mut connection, &migrations).up(None, |_| {}).await?;
    Ok(())
}

/// Let the functions' login role in with a password of this run.
pub(crate) async fn set_password(url: &str, role: &str, password: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let statement = format!("alter role {role} with login password '{password}'");
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}

/// Let the login role make schemas of its own.
pub(crate) async fn grant_schemas(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let database: String =
        sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await?;
    let statement = format!("grant create on database \"{database}\" to authenticator");
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}
