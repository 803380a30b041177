//! How the proxy and Postgres get together: authentication, TLS, restarts, the binary.

mod support;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use support::{Postgres, Proxy, SECRET};

#[tokio::test]
async fn every_authentication_method() {
    for method in ["trust", "password", "md5", "scram-sha-256"] {
        let postgres = Postgres::start(method);
        let proxy = Proxy::start(&postgres.url(), |_| ()).await;
        assert_eq!(proxy.rows("select 1 n", json!([])).await, json!([{"n": 1}]), "{method}");
        if method != "trust" {
            let wrong = postgres.url().replace("word@", "wort@");
            let proxy = Proxy::start(&wrong, |_| ()).await;
            let error = proxy.expect(503, &json!({"query": "select 1"})).await;
            assert_eq!(error["code"], "08006", "{method}");
        }
    }
}

#[tokio::test]
async fn tls_is_verified() {
    let postgres = Postgres::start("scram-sha-256");
    let requires = format!("{}?sslmode=require", postgres.url());
    let proxy = Proxy::start(&requires, |_| ()).await;
    proxy.expect(503, &json!({"query": "select 1"})).await;

    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    postgres.write_private("server.crt", &issued.cert.pem());
    postgres.write_private("server.key", &issued.signing_key.serialize_pem());
    postgres.configure("ssl = on");
    postgres.ctl("restart");
    let roots = postgres.folder.join("data/server.crt").display().to_string();
    let is_encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    for (parameters, encrypted) in [
        (format!("sslmode=verify-full&sslrootcert={roots}"), true),
        (format!("sslmode=prefer&sslrootcert={roots}"), true),
        ("sslmode=disable".to_owned(), false),
    ] {
        let proxy = Proxy::start(&format!("{}?{parameters}", postgres.url()), |_| ()).await;
        for _ in 0..3 {
            let rows = proxy.rows(is_encrypted, json!([])).await;
            assert_eq!(rows, json!([{"ssl": encrypted}]), "{parameters}");
        }
    }
    // Unknown issuer; and a certificate for another name.
    let other = postgres.url().replace("127.0.0.1", "localhost");
    for url in [requires, format!("{other}?sslmode=require&sslrootcert={roots}")] {
        let proxy = Proxy::start(&url, |_| ()).await;
        proxy.expect(503, &json!({"query": "select 1"})).await;
    }
}

#[tokio::test]
async fn outage_and_restart() {
    let postgres = Postgres::start("scram-sha-256");
    postgres.psql("create table t (id int); grant all on t to authenticator;");
    let proxy = Proxy::start(&postgres.url(), |_| ()).await;
    let health = async || proxy.client.get(format!("{}/healthz", proxy.url)).send().await.unwrap();
    let insert = json!({"query": "insert into t values (1)"});
    proxy.expect(200, &insert).await;
    assert_eq!(health().await.status(), 200);
    // The pooled session is dead; the request must not notice.
    postgres.ctl("restart");
    proxy.expect(200, &insert).await;
    assert_eq!(postgres.psql("select count(*) from t"), "2");

    postgres.ctl("stop");
    let response = proxy.send(&insert).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "08006");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(health().await.status(), 503);
    postgres.ctl("start");
    proxy.expect(200, &insert).await;
}

#[tokio::test]
async fn a_session_ended_in_the_middle_is_told_and_not_repeated() {
    let postgres = Postgres::start("trust");
    postgres.psql("create table t (id int); grant all on t to authenticator;");
    let proxy = Proxy::start(&postgres.url(), |_| ()).await;
    let work = json!({"query": "with i as (insert into t values (1)) select pg_sleep(5)"});
    let (response, ()) = tokio::join!(proxy.send(&work), async {
        let end =
            "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'";
        while postgres.psql(end).is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(response.status(), 503);
    assert!(!response.headers().contains_key("retry-after"));
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "57P01");
    assert_eq!(postgres.psql("select count(*) from t"), "0");
    proxy.rows("select 1", json!([])).await;
}

/// The driver that applications use. Needs the npm packages of package.json and Node.
#[tokio::test(flavor = "multi_thread")]
async fn the_genuine_driver_is_content() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !root.join("node_modules/@neondatabase/serverless").exists() {
        eprintln!("skipped: run `npm ci` first");
        return;
    }
    let postgres = Postgres::start("scram-sha-256");
    let proxy = Proxy::start(&postgres.url(), |_| ()).await;
    let output = Command::new("node")
        .arg("tests/judges/neon-driver.mjs")
        .arg(format!("{}/sql", proxy.url))
        .arg(format!("postgresql://authenticator:{SECRET}@db.example/atoms"))
        .current_dir(root)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_binary_serves_and_stops() {
    let postgres = Postgres::start("trust");
    let mut child = Command::new(env!("CARGO_BIN_EXE_atoms-edge-proxy"))
        .args(["--listen", "127.0.0.1:0"])
        .env("PROXY_DATABASE_URL", postgres.url())
        .env("PROXY_SECRET", SECRET)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    let response = reqwest::get(format!("{url}/healthz")).await.unwrap();
    assert_eq!(response.status(), 200);
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(child.wait().unwrap().success());

    let help = Command::new(env!("CARGO_BIN_EXE_atoms-edge-proxy"))
        .arg("--help")
        .env("PROXY_SECRET", "hidden")
        .output()
        .unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hidden"));
}
