//! What every way to a database promises.

use std::sync::Arc;

use migrations::{Connection, Direct, Failure, Http, Statement};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::support::{By, Cluster, both_ways};

both_ways!(every_promise_is_kept);

/// One after the other on one Postgres: to start one takes longer than all of these.
async fn every_promise_is_kept(by: By) {
    let cluster = Cluster::start(by).await;
    rows_come_as_text_in_the_order_of_the_statements(&cluster).await;
    a_transaction_happens_whole_or_not_at_all(&cluster).await;
    what_a_transaction_sets_ends_with_it(&cluster).await;
    a_refusal_says_what_postgres_says(&cluster).await;
    what_is_away_is_told_from_what_refuses(&cluster).await;
}

async fn rows_come_as_text_in_the_order_of_the_statements(cluster: &Cluster) {
    let mut way = cluster.connect().await;
    let statements = [
        Statement::new("create table r (id int, name text)"),
        Statement::with(
            "insert into r select $1::int, $2::text",
            ["7".to_owned(), "it's $1".to_owned()],
        ),
        Statement {
            text: "insert into r values ($1::int, null)".to_owned(),
            parameters: vec![None],
        },
        Statement::new("select id::text, name from r order by id"),
        Statement::new("select 'ä; ''b'''::text where false"),
    ];
    let rows = way.transaction(&statements).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = vec![vec![text("7"), text("it's $1")], vec![None, None]];
    assert_eq!(rows, [vec![], vec![], vec![], expected, vec![]]);
}

async fn a_transaction_happens_whole_or_not_at_all(cluster: &Cluster) {
    let mut way = cluster.connect().await;
    let statements = ["create table t ()", "select 1 / 0", "create table u ()"].map(Statement::new);
    let error = way.transaction(&statements).await.unwrap_err();
    assert_eq!(error.code(), Some("22012"), "{error}");
    assert_eq!(cluster.ask("select to_regclass('t')::text").await, None);
    // The same way goes on.
    way.transaction(&statements[..1]).await.unwrap();
    assert_eq!(cluster.ask("select to_regclass('t')::text").await.as_deref(), Some("t"));
}

async fn what_a_transaction_sets_ends_with_it(cluster: &Cluster) {
    let mut way = cluster.connect().await;
    let sets = [
        "create role other",
        "grant other to current_user",
        "set role other",
        "set search_path = pg_temp",
    ];
    way.transaction(&sets.map(Statement::new)).await.unwrap();
    let look = Statement::new("select current_user::text, current_setting('search_path')");
    let rows = way.transaction(&[look]).await.unwrap();
    assert_eq!(rows[0][0], [Some("deployer".to_owned()), Some("\"$user\", public".to_owned())]);
}

async fn a_refusal_says_what_postgres_says(cluster: &Cluster) {
    let mut way = cluster.connect().await;
    let script =
        "do $$ begin raise 'no' using errcode = 'AE000', detail = 'why', hint = 'how'; end $$";
    let error = way.transaction(&[Statement::new(script)]).await.unwrap_err();
    assert_eq!(error.to_string(), "no (SQLSTATE AE000)\n  detail: why\n  hint: how");
    let statements = ["select 1", "select\n nothing"].map(Statement::new);
    let Failure::Refused(refusal) = way.transaction(&statements).await.unwrap_err() else {
        panic!("not a refusal");
    };
    assert_eq!((&*refusal.code, refusal.position), ("42703", Some(9)));
    assert_eq!(refusal.statement, matches!(cluster.by, By::Session).then_some(1));
}

async fn what_is_away_is_told_from_what_refuses(cluster: &Cluster) {
    let (away, wrong) = match cluster.by {
        By::Session => {
            let wrong = cluster.url().replace("deployer:", "deployer:x");
            (
                Direct::connect("postgresql://deployer@127.0.0.1:9/atoms").await.err(),
                Direct::connect(&wrong).await.err(),
            )
        }
        By::Proxy => {
            let mut away = Http::new("http://127.0.0.1:9/sql", "postgresql://a:b@c/d").unwrap();
            let mut wrong = cluster.over_http("guessed");
            (away.transaction(&[]).await.err(), wrong.transaction(&[]).await.err())
        }
    };
    assert!(matches!(away, Some(Failure::Unreachable(_))), "{away:?}");
    assert_eq!(wrong.unwrap().code(), Some("28P01"));
}

#[tokio::test]
async fn an_endpoint_with_a_certificate_of_its_own_making_is_told_nothing() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}/sql", listener.local_addr().unwrap().port());
    let accepted = async {
        let (stream, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await.is_ok()
    };
    let mut way = Http::new(&endpoint, "postgresql://a:b@c/d").unwrap();
    let (error, accepted) = futures::join!(way.transaction(&[]), accepted);
    let error = error.unwrap_err();
    assert!(
        matches!(&error, Failure::Unreachable(text) if text.contains("UnknownIssuer")),
        "{error}"
    );
    assert!(!accepted, "something was sent");
}
