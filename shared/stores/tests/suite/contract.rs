//! Every store under the suite of all ledgers.

use std::net::{Ipv4Addr, SocketAddr};

use stores::{MemoryStore, PostgresStore, RedisRest, RedisStore, SqliteStore};
use testing::contract;
use testing::redis::{RedisServer, serve_bridge};

use crate::postgres::{Cluster, DEPLOYER};
use crate::sqlite::{Database, Several};
use crate::support::{Native, Tested};

#[tokio::test]
async fn memory_keeps_ledgers() {
    contract::ledgers(&Tested::new(MemoryStore::default())).await;
}

#[tokio::test]
async fn sqlite_keeps_ledgers() {
    let database = Database::new();
    let mut several = Vec::new();
    for _ in 0..4 {
        several.push(SqliteStore::open(database.connect()).await.unwrap());
    }
    contract::ledgers(&Tested::new(Several::new(several))).await;
}

#[tokio::test]
async fn redis_keeps_ledgers() {
    let server = RedisServer::start().await;
    contract::ledgers(&Tested::new(RedisStore::new(server.client()))).await;
}

#[tokio::test]
async fn redis_over_http_keeps_ledgers() {
    let server = RedisServer::start().await;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let address = serve_bridge(anywhere, server.port(), "secret").await.unwrap();
    let rest = RedisRest::new(Native::new(), format!("http://{address}"), "secret".to_owned());
    contract::ledgers(&Tested::new(RedisStore::new(rest))).await;
}

#[tokio::test]
async fn postgres_keeps_ledgers() {
    let cluster = Cluster::start().await;
    cluster.migrate(DEPLOYER).await;
    contract::ledgers(&Tested::new(PostgresStore::new(cluster.sql()))).await;
}
