//! Statements that stay prepared.

mod support;

use serde_json::{Value, json};
use support::{Postgres, Proxy};

/// A proxy with a single connection: every request gets the session of the one before.
async fn setup() -> (Postgres, Proxy) {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = 1).await;
    (postgres, proxy)
}

async fn prepared(proxy: &Proxy, sql: &str) -> Value {
    let question = "select count(*)::int n, coalesce(sum(generic_plans + custom_plans), 0)::int uses \
                    from pg_prepared_statements where statement = $1";
    proxy.rows(question, json!([sql])).await[0].take()
}

#[tokio::test]
async fn a_statement_is_prepared_once_and_used_again() {
    let (_postgres, proxy) = setup().await;
    let sql = "select $1::int + 1 n";
    for number in 0..3 {
        assert_eq!(proxy.rows(sql, json!([number])).await, json!([{"n": number + 1}]));
    }
    let batch = json!({"queries": [{"query": sql, "params": [7]}, {"query": sql, "params": [8]}]});
    let body = proxy.expect(200, &batch).await;
    assert_eq!(body["results"][1]["rows"], json!([{"n": 9}]));
    assert_eq!(prepared(&proxy, sql).await, json!({"n": 1, "uses": 5}));
    assert_eq!(proxy.metric("atoms_edge_proxy_statements_total{result=\"hit\"}").await, 4);
    assert_eq!(proxy.metric("atoms_edge_proxy_statements_total{result=\"miss\"}").await, 2);

    let proxy = Proxy::start(&_postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.statement_cache = 0;
    })
    .await;
    proxy.rows(sql, json!([1])).await;
    assert_eq!(prepared(&proxy, sql).await, json!({"n": 0, "uses": 0}));
}

#[tokio::test]
async fn there_are_never_more_than_allowed() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.statement_cache = 16;
    })
    .await;
    for number in 0..100 {
        let rows = proxy.rows(&format!("select {number} n"), json!([])).await;
        assert_eq!(rows, json!([{"n": number}]));
    }
    // A batch with more statements than there are places for.
    let query = |number: i32| json!({"query": format!("select {number} n")});
    let batch = json!({"queries": (0..40).map(query).collect::<Vec<_>>()});
    let body = proxy.expect(200, &batch).await;
    assert_eq!(body["results"][39]["rows"], json!([{"n": 39}]));
    let count = "select count(*)::int n from pg_prepared_statements";
    let count = proxy.rows(count, json!([])).await[0]["n"].as_i64().unwrap();
    assert!((1..=16).contains(&count), "{count}");
    assert_eq!(proxy.metric("atoms_edge_proxy_sessions_opened_total{result=\"done\"}").await, 1);
}

#[tokio::test]
async fn people_with_the_same_statement_see_their_own_rows() {
    let (postgres, proxy) = setup().await;
    postgres.psql(
        "create table notes (owner text, body text);
         insert into notes values ('ann', 'a1'), ('ben', 'b1'), ('ann', 'a2');
         alter table notes enable row level security;
         create policy own on notes using (owner = nullif(current_setting('request.jwt.claims', true), '')::json->>'sub');
         grant select on notes to authenticated;",
    );
    let read = async |person: &str| {
        let claims = "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)";
        let batch = json!({"queries": [
            {"query": claims, "params": [{"sub": person}]},
            {"query": "select body from notes order by body", "arrayMode": true}]});
        proxy.expect(200, &batch).await["results"][1]["rows"].take()
    };
    // More often than it takes Postgres to choose a plan for all parameters.
    for _ in 0..8 {
        assert_eq!(read("ann").await, json!([["a1"], ["a2"]]));
        assert_eq!(read("ben").await, json!([["b1"]]));
        assert_eq!(read("eve").await, json!([]));
        assert_eq!(proxy.code("select body from notes order by body").await, "42501");
    }
}

#[tokio::test]
async fn a_table_that_changes_under_a_statement_is_not_noticed() {
    let (postgres, proxy) = setup().await;
    postgres.psql(
        "create table t (a int); create table log (n int); insert into t values (1);
         grant all on t, log to authenticator;",
    );
    let all = json!({"query": "select * from t"});
    proxy.expect(200, &all).await;
    postgres.psql("alter table t add b int");
    assert_eq!(proxy.expect(200, &all).await["rows"], json!([{"a": 1, "b": null}]));

    // In a transaction that has written before: it is written once.
    let batch = json!({"queries": [{"query": "insert into log values (1)"}, all]});
    proxy.expect(200, &batch).await;
    postgres.psql("alter table t add c int");
    let body = proxy.expect(200, &batch).await;
    assert_eq!(body["results"][1]["rows"], json!([{"a": 1, "b": null, "c": null}]));
    assert_eq!(postgres.psql("select count(*) from log"), "2");

    // Where something was committed before, it is told and not repeated.
    let commits = json!({"queries": [
        {"query": "insert into log values (2)"}, {"query": "commit"}, all]});
    proxy.expect(200, &commits).await;
    postgres.psql("alter table t add d int");
    assert_eq!(proxy.expect(400, &commits).await["code"], "0A000");
    assert_eq!(postgres.psql("select count(*) from log where n = 2"), "2");
    assert_eq!(proxy.expect(200, &all).await["fields"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn statements_that_sql_removed_are_prepared_again() {
    let (_postgres, proxy) = setup().await;
    let sql = "select 4711 n";
    proxy.rows(sql, json!([])).await;
    let batch = json!({"queries": [{"query": "deallocate all"}, {"query": sql}]});
    let body = proxy.expect(200, &batch).await;
    assert_eq!(body["results"][1]["rows"], json!([{"n": 4711}]));
    assert_eq!(proxy.rows(sql, json!([])).await, json!([{"n": 4711}]));
}

#[tokio::test]
async fn an_error_costs_neither_the_session_nor_its_statements() {
    let (postgres, proxy) = setup().await;
    postgres.psql("create table t (id int primary key); grant all on t to authenticator;");
    let sql = "insert into t values ($1)";
    proxy.rows(sql, json!([1])).await;
    let pid = proxy.rows("select pg_backend_pid()", json!([])).await;
    let twice = json!({"queries": [
        {"query": "select 'new'"}, {"query": sql, "params": [1]}, {"query": "select 'never'"}]});
    for _ in 0..3 {
        assert_eq!(proxy.expect(400, &twice).await["code"], "23505");
        assert_eq!(proxy.expect(400, &json!({"query": sql, "params": [1]})).await["code"], "23505");
        assert_eq!(proxy.code("select wrong").await, "42703");
    }
    assert_eq!(proxy.rows("select pg_backend_pid()", json!([])).await, pid);
    assert_eq!(prepared(&proxy, sql).await["n"], 1);
    assert_eq!(prepared(&proxy, "select 'new'").await["n"], 1);
    for never in ["select 'never'", "select wrong"] {
        assert_eq!(prepared(&proxy, never).await["n"], 0);
        assert_eq!(
            proxy.send(&json!({"query": never})).await.status() == 200,
            never.contains('\'')
        );
    }
}
