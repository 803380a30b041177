//! The SQL proxy beside the database itself.

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
const CLAIMS: &str = r#"{"sub":"user_1"}"#;

/// Sends the same batch again and again.
pub(crate) struct Batches {
    connection: String,
    body: Bytes,
}

impl Batches {
    /// One statement without a transaction.
    pub(crate) fn single(info: &StackInfo) -> Self {
        Self::of(info, &json!({ "query": "select 1" }))
    }

    /// What every statement of a person is: two in a transaction, the first of which says for whom.
    pub(crate) fn transaction(info: &StackInfo) -> Self {
        let claims = "select set_config('role', 'authenticated', true), \
                      set_config('request.jwt.claims', $1, true)";
        Self::of(
            info,
            &json!({ "queries": [
                { "query": claims, "params": [CLAIMS] },
                { "query": "select $1::int as n, current_user::text as u", "params": [7] },
            ] }),
        )
    }

    fn of(info: &StackInfo, body: &Value) -> Self {
        Self { connection: info.sql_connection_string.clone(), body: body.to_string().into() }
    }
}

impl Load for Batches {
    async fn next(&self, _lane: usize, link: &mut Link) -> Result<bool> {
        let request = Request::post("/sql")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("neon-connection-string", &self.connection)
            .body(Full::new(self.body.clone()))?;
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
