//! Databases that sqlx has migrated carry on, and sqlx carries on where we were.

use migrations::{Runner, is_complete};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use crate::support::{By, Cluster, own};

/// As sqlx-cli reads the same files.
async fn migrator() -> Migrator {
    Migrator::new(migrations::folder()).await.unwrap()
}

#[tokio::test]
async fn what_sqlx_began_is_gone_on_with() {
    let (cluster, own) = (Cluster::start(By::Session).await, own());
    let versions: Vec<_> = own.iter().map(|step| step.version).collect();
    let mut session = PgConnection::connect(&cluster.url()).await.unwrap();
    migrator().await.run_to(versions[4], &mut session).await.unwrap();
    let mut way = cluster.connect().await;
    let mut runner = Runner::new(&mut way, &own);
    let there = runner.revertible(Some(0)).await.unwrap();
    assert_eq!(there.len(), 5);
    assert_eq!(runner.up(None, |_| {}).await.unwrap(), versions.len() - 5);
    assert!(is_complete(&runner.status().await.unwrap()));
    assert_eq!(runner.down(Some(versions[2]), |_| {}).await.unwrap(), versions.len() - 3);
}

#[tokio::test]
async fn sqlx_goes_on_with_what_we_began() {
    let (cluster, own) = (Cluster::start(By::Session).await, own());
    let versions: Vec<_> = own.iter().map(|step| step.version).collect();
    let mut way = cluster.connect().await;
    Runner::new(&mut way, &own).up(Some(versions[4]), |_| {}).await.unwrap();
    let mut session = PgConnection::connect(&cluster.url()).await.unwrap();
    migrator().await.run(&mut session).await.unwrap();
    let row = "select count(*)::text from _sqlx_migrations where success and execution_time > 0";
    assert_eq!(cluster.ask(row).await, Some(versions.len().to_string()));
    migrator().await.undo(&mut session, 0).await.unwrap();
    assert_eq!(
        cluster.ask("select count(*)::text from _sqlx_migrations").await.as_deref(),
        Some("0")
    );
}
