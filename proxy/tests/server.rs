//! How the proxy and Postgres get together: authentication, TLS, restarts, the binary.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use proxy::Certificate;
use serde_json::{Value, json};
use support::{Postgres, Proxy, SECRET};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

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
async fn the_password_exchange_is_bound_to_the_connection() {
    let postgres = Postgres::start("scram-sha-256");
    let required = format!("{}?channel_binding=require", postgres.url());
    let proxy = Proxy::start(&required, |_| ()).await;
    proxy.expect(503, &json!({"query": "select 1"})).await;

    let roots = secure(&postgres, "postgres");
    let parameters = format!("sslmode=verify-full&sslrootcert={roots}&channel_binding=");
    for binding in ["require", "prefer", "disable"] {
        let url = format!("{}?{parameters}{binding}", postgres.url());
        let proxy = Proxy::start(&url, |_| ()).await;
        assert_eq!(proxy.rows("select 1 n", json!([])).await, json!([{"n": 1}]), "{binding}");
    }
    // Somebody in between with a certificate that we trust.
    let between = impostor(postgres.port, &postgres).await;
    let url = postgres.url().replace(&postgres.port.to_string(), &between.to_string());
    for (binding, status) in [("disable", 200), ("prefer", 503), ("require", 503)] {
        let proxy = Proxy::start(&format!("{url}?{parameters}{binding}"), |_| ()).await;
        proxy.expect(status, &json!({"query": "select 1"})).await;
    }
}

/// Gives the server a certificate, and returns the path of the roots to trust.
fn secure(postgres: &Postgres, name: &str) -> String {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    postgres.write_private("server.crt", &issued.cert.pem());
    postgres.write_private("server.key", &issued.signing_key.serialize_pem());
    postgres.configure("ssl = on");
    postgres.ctl("restart");
    postgres.write_private(&format!("{name}.pem"), &issued.cert.pem());
    postgres.folder.join(format!("data/{name}.pem")).display().to_string()
}

/// Takes TLS connections with a certificate of its own, which it adds to the trusted roots, and
/// passes what is said on to Postgres, over TLS again. Returns its port.
async fn impostor(target: u16, postgres: &Postgres) -> u16 {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let roots = postgres.folder.join("data/postgres.pem");
    let genuine = fs::read_to_string(&roots).unwrap();
    fs::write(&roots, format!("{genuine}{}", issued.cert.pem())).unwrap();
    let acceptor = acceptor(&issued);
    let connector = connector(&genuine);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::spawn(async move {
                let mut ssl_request = [0; 8];
                near.read_exact(&mut ssl_request).await?;
                let mut far = TcpStream::connect(("127.0.0.1", target)).await?;
                far.write_all(&ssl_request).await?;
                near.write_u8(far.read_u8().await?).await?;
                let name = ServerName::try_from("127.0.0.1").unwrap();
                let mut far = connector.connect(name, far).await?;
                let mut near = acceptor.accept(near).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    port
}

fn acceptor(issued: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let chain = vec![issued.cert.der().clone()];
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn connector(roots: &str) -> TlsConnector {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn https_is_served_and_a_new_certificate_is_noticed() {
    let postgres = Postgres::start("trust");
    let files = Certificate {
        chain: postgres.folder.join("chain.pem"),
        key: postgres.folder.join("key.pem"),
    };
    let issue = || {
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(&files.chain, issued.cert.pem()).unwrap();
        fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
        issued.cert.pem()
    };
    let first = issue();
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.certificate = Some(files.clone());
        settings.certificate_poll = Duration::from_millis(100);
    })
    .await;
    let ask = async |roots: &str| {
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut stream = connector(roots).connect(name, stream).await.ok()?;
        let mut request = proxy.raw_request(r#"{"query":"select 1 n"}"#);
        request = request.replace("host: proxy", "host: proxy\r\nconnection: close");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        Some(answer)
    };
    assert!(
        ask(&first)
            .await
            .unwrap()
            .ends_with(r#""rows":[{"n":1}],"command":"SELECT","rowCount":1,"rowAsArray":false}"#)
    );
    // Plain HTTP gets no answer, and a client that says nothing holds nobody up.
    let _silent = TcpStream::connect(proxy.address()).await.unwrap();
    let mut plain = TcpStream::connect(proxy.address()).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: p\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));

    // Half of a change is none.
    fs::write(&files.chain, "nonsense").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(ask(&first).await.is_some());
    let second = issue();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(ask(&second).await.is_some());
    assert!(ask(&first).await.is_none());
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.pool_size = 3).await;
    proxy.rows("select 1", json!([])).await;
    proxy.code("select wrong").await;
    proxy.expect(400, &json!({})).await;
    proxy.client.post(format!("{}/sql", proxy.url)).send().await.unwrap();
    let sleep = proxy.post().json(&json!({"query": "select pg_sleep(9)"}));
    assert!(sleep.timeout(Duration::from_millis(300)).send().await.is_err());
    proxy.until("atoms_edge_proxy_cancels_total{result=\"done\"}", 1).await;
    for (outcome, count) in
        [("ok", 1), ("sql_error", 1), ("bad_request", 1), ("refused", 1), ("abandoned", 1)]
    {
        let series = format!("atoms_edge_proxy_requests_total{{outcome=\"{outcome}\"}}");
        assert_eq!(proxy.metric(&series).await, count, "{outcome}");
    }
    for (series, value) in [
        ("request_duration_seconds_count", 5),
        ("queue_duration_seconds_count", 3),
        ("sessions_opened_total{result=\"done\"}", 1),
        ("sessions_ended_total{reason=\"cancelled\"}", 1),
        ("sessions_limit", 3),
        ("sessions_busy", 0),
        ("sessions_idle", 0),
        ("waiting", 0),
    ] {
        assert_eq!(proxy.metric(&format!("atoms_edge_proxy_{series}")).await, value, "{series}");
    }
    let response = proxy.client.get(format!("{}/metrics", proxy.url)).send().await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(response.text().await.unwrap().ends_with("# EOF\n"));
}

#[tokio::test]
async fn metrics_ask_for_their_token() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.metrics_token = Some("scrape".to_owned());
    })
    .await;
    for (given, status) in [(None, 401), (Some("Bearer other"), 401), (Some("Bearer scrape"), 200)]
    {
        let mut request = proxy.client.get(format!("{}/metrics", proxy.url));
        if let Some(given) = given {
            request = request.header("authorization", given);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{given:?}");
    }
}

#[tokio::test]
async fn a_drain_tells_waits_and_cancels() {
    let postgres = Postgres::start("trust");
    let mut proxy = Proxy::start(&postgres.url(), |settings| {
        settings.drain_delay = Duration::from_millis(500);
        settings.drain_timeout = Duration::from_millis(1500);
    })
    .await;
    let health = format!("{}/healthz", proxy.url);
    let mut idle = TcpStream::connect(proxy.address()).await.unwrap();
    let send = |seconds: f32| {
        let request = proxy.post().json(&json!({"query": format!("select pg_sleep({seconds})")}));
        tokio::spawn(request.send())
    };
    let (short, long) = (send(1.0), send(30.0));
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // Load balancers hear of it while everybody is still served.
    let told = reqwest::get(&health).await.unwrap();
    assert_eq!(told.status(), 503);
    assert_eq!(told.json::<Value>().await.unwrap()["status"], "draining");
    proxy.rows("select 1", json!([])).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    // What can be finished is, and what cannot is cancelled.
    assert_eq!(short.await.unwrap().unwrap().status(), 200);
    assert!(long.await.unwrap().is_err());
    proxy.served.await.unwrap().unwrap();
    let ours = "select count(*) from pg_stat_activity where application_name = 'atoms-edge-proxy'";
    for _ in 0..20 {
        if postgres.psql(ours) == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(postgres.psql(ours), "0");
}

#[tokio::test]
async fn health_is_not_lost_to_a_busy_pool() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.queue_timeout = Duration::from_millis(300);
    })
    .await;
    proxy.rows("select 1", json!([])).await;
    let sleep = json!({"query": "select pg_sleep(2.5)"});
    let ((), _) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(1200)).await;
            let health = reqwest::get(format!("{}/healthz", proxy.url)).await.unwrap();
            assert_eq!(health.status(), 200);
            assert_eq!(health.json::<Value>().await.unwrap()["status"], "busy");
        },
        proxy.send(&sleep)
    );
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
