//! The schema: migrations, then the scripts that verify them.

use std::path::Path;

use anyhow::{Context, Result};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Apply every migration in `folder` and run the scripts in its `verify` folder.
pub(crate) async fn migrate(url: &str, folder: &Path) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let migrator = Migrator::new(folder).await.context("cannot read the migrations")?;
    migrator.run(&mut connection).await.context("a migration failed")?;
    verify(&mut connection, &folder.join("verify")).await?;
    Ok(connection.close().await?)
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

async fn verify(connection: &mut PgConnection, folder: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut scripts: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    scripts.sort();
    for script in scripts {
        let text = std::fs::read_to_string(&script)?;
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *connection)
            .await
            .with_context(|| format!("{} failed", script.display()))?;
    }
    Ok(())
}
