//! `POST /sql` against a real Postgres.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Postgres, Proxy, nothing_sleeps};

/// One cluster and one proxy with a single connection, so that every request gets the session of
/// the one before.
async fn setup() -> (Postgres, Proxy) {
    let postgres = Postgres::start("scram-sha-256");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = 1).await;
    (postgres, proxy)
}

#[tokio::test]
async fn values_and_shapes() {
    let (_postgres, proxy) = setup().await;
    let sql = "select true b, 1::int2 s, 2 i, 3::int8 l, 1.5::float8 f, 'NaN'::float4 n, 1.10::numeric d, \
               '{\"a\":[1]}'::jsonb j, array[1,null] a, array['x,y'] t, null::text nul, 'é\"' u, \
               timestamp '2026-01-02 03:04:05' ts, 1 dup, 2 dup";
    let body = proxy.expect(200, &json!({"query": sql})).await;
    assert_eq!(
        body["rows"],
        json!([{"b": true, "s": 1, "i": 2, "l": "3", "f": 1.5, "n": "NaN", "d": "1.10",
            "j": {"a": [1]}, "a": [1, null], "t": ["x,y"], "nul": null, "u": "é\"",
            "ts": "2026-01-02 03:04:05", "dup": 2}])
    );
    assert_eq!((&body["command"], &body["rowCount"]), (&json!("SELECT"), &json!(1)));
    assert_eq!(
        body["fields"][2],
        json!({"name": "i", "dataTypeID": 23, "tableID": 0, "columnID": 0, "dataTypeSize": 4,
            "dataTypeModifier": -1, "format": "text"})
    );
    let request = json!({"query": "select true, array[1], null", "arrayMode": true});
    let raw = proxy.post().header("Neon-Raw-Text-Output", "true").json(&request);
    let raw: Value = raw.send().await.unwrap().json().await.unwrap();
    assert_eq!(raw["rows"], json!([["t", "{1}", null]]));
    assert_eq!(raw["rowAsArray"], true);
}

#[tokio::test]
async fn parameters() {
    let (_postgres, proxy) = setup().await;
    let rows = proxy
        .rows(
            "select $1::text a, $2::int b, $3::bool c, $4::jsonb d, $5::text[] e, $6::bytea f, $7::numeric g",
            json!([null, 7, true, {"k": "v\""}, ["a\"b", null, "c\\d\n"], "\\x00ff", "1.50"]),
        )
        .await;
    assert_eq!(
        rows,
        json!([{"a": null, "b": 7, "c": true, "d": {"k": "v\""}, "e": ["a\"b", null, "c\\d\n"],
            "f": "\\x00ff", "g": "1.50"}])
    );
    // A digit more than a double has.
    let exact = r#"{"query":"select $1::numeric n","params":[12345678901234567890.123]}"#;
    let exact = proxy.post().body(exact).send().await.unwrap().text().await.unwrap();
    assert!(exact.contains("12345678901234567890.123"), "{exact}");
    assert_eq!(proxy.rows("select 1 where false", json!(null)).await, json!([]));
}

#[tokio::test]
async fn errors_are_told_in_full() {
    let (postgres, proxy) = setup().await;
    postgres.psql(
        "create table t (id int constraint t_key primary key); grant all on t to authenticator;",
    );
    proxy.rows("insert into t values (1)", json!([])).await;
    let error = proxy.expect(400, &json!({"query": "insert into t values (1)"})).await;
    assert_eq!(error["code"], "23505");
    assert_eq!(error["constraint"], "t_key");
    assert_eq!(error["detail"], "Key (id)=(1) already exists.");
    assert_eq!((&error["severity"], &error["table"]), (&json!("ERROR"), &json!("t")));
    assert!(error["hint"].is_null() && error["internalPosition"].is_null());
    let error = proxy.expect(400, &json!({"query": "select nope"})).await;
    assert_eq!((&error["code"], &error["position"]), (&json!("42703"), &json!("8")));
    assert_eq!(proxy.code("select 1; select 2").await, "42601");
    assert_eq!(proxy.code("copy (select 1) to stdout").await, "0A000");
    assert_eq!(proxy.code("copy t from stdin").await, "0A000");
    assert_eq!(proxy.code("select $1::int").await, "08P01");
    assert_eq!(proxy.rows("", json!([])).await, json!([]));
    assert_eq!(proxy.rows("select 1 n", json!([])).await, json!([{"n": 1}]));
}

#[tokio::test]
async fn batches_are_transactions() {
    let (postgres, proxy) = setup().await;
    postgres.psql(
        "create table t (id int primary key, v text default current_setting('request.jwt.claims', true));
         create table later (id int references t deferrable initially deferred);
         grant all on t, later to authenticated;",
    );
    // Without the role nothing is allowed.
    assert_eq!(proxy.code("select * from t").await, "42501");
    let claims = json!({"query": "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", "params": [{"sub": "u"}]});
    let batch = |statements: &[&str]| {
        let mut queries = vec![claims.clone()];
        queries.extend(statements.iter().map(|sql| json!({"query": sql})));
        json!({"queries": queries})
    };
    let body = proxy.expect(200, &batch(&["insert into t values (1)", "select v from t"])).await;
    assert_eq!(body["results"].as_array().unwrap().len(), 3);
    assert_eq!(body["results"][1]["rowCount"], 1);
    assert_eq!(body["results"][2]["rows"], json!([{"v": "{\"sub\":\"u\"}"}]));
    // An error, also one of the commit itself, rolls everything back.
    for bad in ["select 1/0", "insert into t values (1)", "insert into later values (99)"] {
        let error = proxy.expect(400, &batch(&["insert into t values (2)", bad, "select 1"])).await;
        assert!(error["code"].is_string());
    }
    assert_eq!(postgres.psql("select count(*) from t"), "1");
    // Role and claims ended with their transaction.
    assert_eq!(proxy.code("select * from t").await, "42501");
    assert_eq!(proxy.expect(200, &json!({"queries": []})).await, json!({"results": []}));
}

#[tokio::test]
async fn batch_headers() {
    let (postgres, proxy) = setup().await;
    postgres.psql("create table t (id int); grant all on t to authenticator;");
    let show = json!({"queries": [
        {"query": "show transaction_isolation"}, {"query": "show transaction_read_only"},
        {"query": "show transaction_deferrable"}, {"query": "insert into t values (1)"}]});
    let send = |read_only: &'static str, body: Value| {
        proxy
            .post()
            .header("Neon-Batch-Isolation-Level", "Serializable")
            .header("Neon-Batch-Read-Only", read_only)
            .header("Neon-Batch-Deferrable", "true")
            .json(&body)
            .send()
    };
    let response = send("false", show.clone()).await.unwrap();
    assert_eq!(response.headers()["neon-batch-isolation-level"], "Serializable");
    assert_eq!(response.headers()["neon-batch-deferrable"], "true");
    assert!(!response.headers().contains_key("neon-batch-read-only"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["results"][0]["rows"][0]["transaction_isolation"], "serializable");
    assert_eq!(body["results"][1]["rows"][0]["transaction_read_only"], "off");
    assert_eq!(body["results"][2]["rows"][0]["transaction_deferrable"], "on");
    let response = send("true", show).await.unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "25006");
}

#[tokio::test]
async fn nothing_of_a_session_survives_its_request() {
    let postgres = Postgres::start("scram-sha-256");
    for statement_cache in [100, 0] {
        let proxy = Proxy::start(&postgres.url(), |settings| {
            settings.pool_size = 1;
            settings.statement_cache = statement_cache;
        })
        .await;
        nothing_survives(&proxy, statement_cache > 0).await;
    }
}

async fn nothing_survives(proxy: &Proxy, keeps_statements: bool) {
    let mut pid = proxy.rows("select pg_backend_pid() p", json!([])).await;
    for leak in [
        "set role authenticated",
        "select set_config('role', 'authenticated', false)",
        "select set_config('request.jwt.claims', '{\"sub\":\"evil\"}', false)",
        "set statement_timeout = 0",
        "set search_path = pg_temp",
        "create temp table leak as select 1",
        "select 1 into temp leak",
        "do $$ begin execute 'prepare leak as select 1'; raise exception 'too late'; end $$",
        "prepare leak as select 1",
        "deallocate all",
        "discard all",
        "create temp sequence leak",
        "set local role authenticated",
        "declare leak cursor with hold for select 1",
        "select pg_advisory_lock(42)",
        "listen leak",
        "begin",
    ] {
        proxy.send(&json!({ "query": leak })).await;
        let state = proxy
            .rows(
                "select current_user u, coalesce(current_setting('request.jwt.claims', true), '') c, \
                 current_setting('statement_timeout') t, current_setting('search_path') s, \
                 (select count(*) from pg_class where relname = 'leak') temp, \
                 (select count(*) from pg_prepared_statements where name = 'leak') prep, \
                 (select count(*) from pg_cursors where name = 'leak') cur, \
                 (select count(*) from pg_locks where locktype = 'advisory') locks, \
                 (select count(*) from pg_listening_channels()) chan",
                json!([]),
            )
            .await;
        assert_eq!(
            state,
            json!([{"u": "authenticator", "c": "", "t": "10s", "s": "\"$user\", public",
                "temp": "0", "prep": "0", "cur": "0", "locks": "0", "chan": "0"}]),
            "after {leak}"
        );
        // The session is another one only where its statements were tampered with.
        let now = proxy.rows("select pg_backend_pid() p", json!([])).await;
        let is_tampering = ["prepare", "deallocate", "discard"].iter().any(|it| leak.contains(it));
        assert_eq!(pid != now, keeps_statements && is_tampering, "{leak}");
        pid = now;
    }
    // A failed batch that changed the session first.
    let batch = json!({"queries": [{"query": "set role authenticated"}, {"query": "select 1/0"}]});
    proxy.expect(400, &batch).await;
    let user = proxy.rows("select current_user u", json!([])).await;
    assert_eq!(user, json!([{"u": "authenticator"}]));
}

#[tokio::test]
async fn requests_that_are_refused() {
    let (_postgres, proxy) = setup().await;
    let url = format!("{}/sql", proxy.url);
    let body = json!({"query": "select 1"});
    for credentials in [
        None,
        Some("nonsense"),
        Some("postgres://authenticator:wrong@h/d"),
        Some("postgres://authenticator@h/d"),
        Some("postgres://postgres:shared-secret@h/d"),
    ] {
        let mut request = proxy.client.post(&url).json(&body);
        if let Some(credentials) = credentials {
            request = request.header("Neon-Connection-String", credentials);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400, "{credentials:?}");
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["code"], "28P01");
        assert!(!error.to_string().contains("wrong"));
    }
    let elsewhere = proxy.client.get(format!("{}/other", proxy.url)).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(elsewhere.json::<Value>().await.unwrap()["code"], "08P01");
    let wrong = proxy.client.get(&url).send().await.unwrap();
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    assert_eq!(wrong.json::<Value>().await.unwrap()["code"], "08P01");
}

#[tokio::test]
async fn bad_input_has_a_status_and_a_code() {
    let (_postgres, proxy) = setup().await;
    let deep =
        format!(r#"{{"query":"select $1","params":[{}{}]}}"#, "[".repeat(200), "]".repeat(200));
    let many = format!(r#"{{"query":"select","params":[{}1]}}"#, "1,".repeat(65_535));
    let batch = format!(r#"{{"queries":[{}{{"query":""}}]}}"#, r#"{"query":""},"#.repeat(10_000));
    let cases: &[(&[u8], &str)] = &[
        (b"", "08P01"),
        (b"{", "08P01"),
        (b"[]", "08P01"),
        (b"\xff\xfe", "08P01"),
        (br#"{"query":["x"]}"#, "08P01"),
        (br#"{"query":"select 1","query":"select 2"}"#, "08P01"),
        (br#"{"query":"select 1","params":{"a":1}}"#, "08P01"),
        (br#"{"query":"select 1","arrayMode":"yes"}"#, "08P01"),
        (br#"{"query":"select 1","queries":[]}"#, "08P01"),
        (br#"{"queries":[[]]}"#, "08P01"),
        (b"{\"query\":\"select '\xff'\"}", "08P01"),
        (deep.as_bytes(), "08P01"),
        (many.as_bytes(), "54000"),
        (batch.as_bytes(), "54000"),
        // Zero bytes: in SQL, in a text, in JSON.
        (br#"{"query":"select '\u0000'"}"#, "22021"),
        (br#"{"query":"select $1::text","params":["a\u0000b"]}"#, "22021"),
        (br#"{"query":"select $1::jsonb","params":[{"a":"\u0000"}]}"#, "22P05"),
        // Types that do not fit.
        (br#"{"query":"select $1::int","params":["one"]}"#, "22P02"),
        (br#"{"query":"select $1::int","params":[{"a":1}]}"#, "22P02"),
        (br#"{"query":"select $1::int","params":[99999999999]}"#, "22003"),
        (br#"{"query":"select $1::uuid","params":["1"]}"#, "22P02"),
        (br#"{"query":"select $1::int[]","params":[[[1],[2,3]]]}"#, "22P02"),
        (br#"{"query":"select $1::timestamptz","params":["soon"]}"#, "22007"),
        (br#"{"query":"select $1::text","params":["\ud800"]}"#, "08P01"),
        (br#"{"query":"select $1::int","params":[]}"#, "08P01"),
        (br#"{"query":"select 1","params":[1]}"#, "08P01"),
    ];
    for (body, code) in cases {
        let response = proxy.post().body(body.to_vec()).send().await.unwrap();
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
        assert_eq!(response.status(), 400, "{shown}");
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["code"], *code, "{shown}: {error}");
        assert!(error["message"].is_string());
    }
    let response = proxy.post().header("Neon-Batch-Isolation-Level", "Chaos");
    let response = response.json(&json!({"queries": []})).send().await.unwrap();
    assert_eq!(response.status(), 400);
    proxy.rows("select 1", json!([])).await;
}

#[tokio::test]
async fn limits_of_size() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.max_request_bytes = 100_000;
        settings.max_response_bytes = 100_000;
    })
    .await;
    let big = |bytes: usize| json!({"query": "select length($1)", "params": ["x".repeat(bytes)]});
    proxy.expect(200, &big(99_000)).await;
    for bytes in [100_000, 300_000] {
        assert_eq!(proxy.expect(413, &big(bytes)).await["code"], "54000");
    }
    for sql in [
        "select repeat('x', 100000)",
        "select repeat('x', 50000000)",
        "select generate_series(1, 100000000)",
    ] {
        assert_eq!(proxy.expect(507, &json!({"query": sql})).await["code"], "54000");
        // What it ran is cancelled, and the next one has a sound connection.
        proxy.rows("select 1", json!([])).await;
    }
    // A pipeline and answers that both exceed every socket buffer.
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = 1).await;
    let query = json!({"query": "select $1::text", "params": ["y".repeat(90_000)]});
    let body = proxy.expect(200, &json!({"queries": vec![query; 100]})).await;
    assert_eq!(body["results"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn limits_of_time() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.statement_timeout = Duration::from_secs(1);
        settings.queue_timeout = Duration::from_millis(200);
        settings.request_timeout = Duration::from_secs(3);
    })
    .await;
    assert_eq!(proxy.code("select pg_sleep(5)").await, "57014");
    // While one sleeps, the other waits for the only connection, in vain.
    let sleep = json!({"query": "select pg_sleep(0.7)"});
    let (first, second) = tokio::join!(proxy.send(&sleep), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.send(&json!({"query": "select 1"})).await
    });
    assert_eq!(first.status(), 200);
    assert_eq!(second.status(), 503);
    assert_eq!(second.headers()["retry-after"], "1");
    // Who lifts the statement timeout meets the deadline of the request, and leaves nothing behind.
    let batch = json!({"queries": [
        {"query": "set statement_timeout = 0"}, {"query": "select pg_sleep(60)"}]});
    assert_eq!(proxy.expect(504, &batch).await["code"], "57014");
    nothing_sleeps(&postgres).await;
    proxy.rows("select 1", json!([])).await;
}

#[tokio::test]
async fn a_client_that_leaves_is_not_worked_for() {
    let (postgres, proxy) = setup().await;
    let leave = proxy.post().timeout(Duration::from_millis(500));
    let query = json!({"query": "select pg_sleep(9)"});
    assert!(leave.json(&query).send().await.unwrap_err().is_timeout());
    nothing_sleeps(&postgres).await;
    proxy.rows("select 1", json!([])).await;
}

#[tokio::test]
async fn fifty_at_once_each_get_their_own() {
    let postgres = Postgres::start("scram-sha-256");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = 4).await;
    let requests = (0..50).map(|number| {
        let proxy = &proxy;
        async move {
            let rows = proxy.rows("select $1::int n, pg_sleep(0.01)::text", json!([number])).await;
            assert_eq!(rows[0]["n"], number);
        }
    });
    futures::future::join_all(requests).await;
    let used = "select count(*) from pg_stat_activity where application_name = 'atoms-edge-proxy'";
    assert_eq!(postgres.psql(used), "4");
}
