//! The SQL proxy beside the database itself.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::future::try_join_all;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use stack::StackInfo;

use crate::load::{CONNECTIONS, Link, Load, Sample};

/// The claims that a transaction of a person begins with.
pub(crate) const CLAIMS: &str = r#"{"sub":"user_1"}"#;

/// What is measured, in this order.
pub(crate) const NAMES: [&str; 7] = [
    "Postgres: one statement",
    "proxy: one statement",
    "Postgres: a person's transaction",
    "proxy: a person's transaction",
    PGBENCH,
    PGBENCH_PREPARED,
    PROXY_NOTES,
];
/// pgbench as it is run by default.
pub(crate) const PGBENCH: &str = "pgbench: a person's row";
/// pgbench with prepared statements.
pub(crate) const PGBENCH_PREPARED: &str = "pgbench -M prepared: a person's row";
/// The same through the proxy.
pub(crate) const PROXY_NOTES: &str = "proxy: a person's row";
/// How many rows the table with row-level security has.
const NOTES: usize = 10_000;
/// The statement that says for whom a transaction is.
const SET_CLAIMS: &str = "select set_config('role', 'authenticated', true), \
                          set_config('request.jwt.claims', $1, true)";

/// Sends batches, one after the other and from the beginning again.
pub(crate) struct Batches {
    connection: String,
    bodies: Vec<Bytes>,
    turn: Cell<usize>,
}

impl Batches {
    /// One statement without a transaction.
    pub(crate) fn single(info: &StackInfo) -> Self {
        Self::of(info, &[json!({ "query": "select 1" })])
    }

    /// What every statement of a person is: two in a transaction, the first of which says for whom.
    pub(crate) fn transaction(info: &StackInfo) -> Self {
        Self::of(
            info,
            &[json!({ "queries": [
                { "query": SET_CLAIMS, "params": [CLAIMS] },
                { "query": "select $1::int as n, current_user::text as u", "params": [7] },
            ] })],
        )
    }

    /// A person's transaction that reads a row of a table with row-level security.
    pub(crate) fn notes(info: &StackInfo) -> Self {
        let batch = |id: usize| {
            json!({ "queries": [
                { "query": SET_CLAIMS, "params": [CLAIMS] },
                { "query": "select id, body from bench.notes where id = $1", "params": [id] },
            ] })
        };
        // A step that has no factor in common with their number: they come in no order.
        let ids = (0..256).map(|turn| turn * 7919 % NOTES + 1);
        Self::of(info, &ids.map(batch).collect::<Vec<_>>())
    }

    fn of(info: &StackInfo, bodies: &[Value]) -> Self {
        Self {
            connection: info.sql_connection_string.clone(),
            bodies: bodies.iter().map(|body| body.to_string().into()).collect(),
            turn: Cell::new(0),
        }
    }
}

/// Makes the table that `Batches::notes` and `pgbench` read.
///
/// # Errors
/// If the database refuses.
pub(crate) async fn prepare(info: &StackInfo) -> Result<()> {
    let text = format!(
        "drop schema if exists bench cascade; create schema bench; grant usage on schema bench to authenticated;
         create table bench.notes (id int primary key, owner text not null, body text not null);
         insert into bench.notes select n, 'user_' || n % 100, repeat('x', 50)
         from generate_series(1, {NOTES}) n;
         alter table bench.notes enable row level security;
         alter table bench.notes force row level security;
         create policy own on bench.notes to authenticated using (owner =
         (select nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub'));
         grant select on bench.notes to authenticated; analyze bench.notes"
    );
    let mut connection = PgConnection::connect(&info.postgres_url).await?;
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text))).await?;
    Ok(())
}

impl Load for Batches {
    async fn next(&self, _lane: usize, link: &mut Link) -> Result<bool> {
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        let request = Request::post("/sql")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("neon-connection-string", &self.connection)
            .body(Full::new(self.bodies[turn % self.bodies.len()].clone()))?;
        link.send(request).await?.expect(200)?;
        Ok(true)
    }
}

/// The port of the proxy.
///
/// # Errors
/// If its address has none.
pub(crate) fn proxy_port(info: &StackInfo) -> Result<u16> {
    url::Url::parse(&info.sql_url)?.port().context("the proxy has no port")
}

/// The same without the proxy: over as many connections to the database, a round trip each.
///
/// # Errors
/// If the database refuses.
pub(crate) async fn direct(
    sample: &mut Sample,
    info: &StackInfo,
    lasting: Duration,
    transaction: bool,
) -> Result<()> {
    let text = if transaction {
        format!(
            "begin; select set_config('role', 'authenticated', true), \
             set_config('request.jwt.claims', '{CLAIMS}', true); select 7::int as n, \
             current_user::text as u; commit"
        )
    } else {
        "select 1".to_owned()
    };
    let connect = || PgConnection::connect(&info.postgres_url);
    let mut connections = try_join_all((0..CONNECTIONS).map(|_| connect())).await?;
    let since = Instant::now();
    let lanes = connections.iter_mut().map(|connection| {
        let text = text.as_str();
        async move {
            let mut micros = Vec::new();
            while since.elapsed() < lasting {
                let asked = Instant::now();
                connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text))).await?;
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            anyhow::Ok(micros)
        }
    });
    let micros = try_join_all(lanes).await?.concat();
    sample.rates.push(micros.len() as f64 / since.elapsed().as_secs_f64());
    sample.micros.extend(micros);
    Ok(())
}
