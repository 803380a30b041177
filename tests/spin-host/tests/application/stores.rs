//! Key-value, SQLite and Redis, granted and denied.

use nix::sys::signal::Signal;
use testing::redis::RedisServer;

use crate::host::Setting;

const STORES: &str = r#"
    [[trigger.http]]
    route = "/granted/..."
    component = "granted"
    [[trigger.http]]
    route = "/denied/..."
    component = "denied"
    [component.granted]
    source = "FIXTURE"
    key_value_stores = ["default"]
    sqlite_databases = ["default"]
    [component.denied]
    source = "FIXTURE"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn key_value_is_kept_for_those_who_may() {
    let setting = Setting::new(STORES);
    let host = setting.start();
    assert_eq!(host.ask("/granted/kv-get?default/a", "").await, "ok:none");
    assert_eq!(host.ask("/granted/kv-set?default/a", "first").await, "ok:true");
    assert_eq!(host.ask("/granted/kv-set?default/a", "second").await, "ok:true");
    assert_eq!(host.ask("/granted/kv-set?default/gone", "x").await, "ok:true");
    assert_eq!(host.ask("/granted/kv-keys?default", "").await, "ok:a");
    assert_eq!(host.ask("/denied/kv-get?default/a", "").await, "err:Error::AccessDenied");
    assert_eq!(host.ask("/granted/kv-get?other/a", "").await, "err:Error::AccessDenied");
    assert!(host.stop(Signal::SIGTERM));
    let host = setting.start();
    assert_eq!(host.ask("/granted/kv-get?default/a", "").await, "ok:second");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_takes_and_gives_every_type() {
    let setting = Setting::new(STORES);
    let host = setting.start();
    let create =
        "CREATE TABLE t (a, b, c, d, e)\nINSERT INTO t VALUES (?, ?, ?, ?, ?)\nSELECT * FROM t";
    let row = "[[Value::Integer(7), Value::Real(1.5), Value::Text(\"text\"), Value::Blob([0, 255]), Value::Null]]";
    assert_eq!(
        host.ask("/granted/sql?default", create).await,
        format!("ok:{row} rowid 1 changes 1")
    );
    assert_eq!(host.ask("/denied/sql?default", "SELECT 1").await, "err:Error::AccessDenied");
    assert_eq!(host.ask("/granted/sql?other", "SELECT 1").await, "err:Error::AccessDenied");
    let error = host.ask("/granted/sql?default", "SELECT * FROM missing").await;
    assert!(error.contains("no such table: missing"), "{error}");
    assert!(host.stop(Signal::SIGINT));
    let host = setting.start();
    let count = host.ask("/granted/sql?default", "SELECT count(*) FROM t").await;
    assert_eq!(count, "ok:[[Value::Integer(1)]] rowid 0 changes 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_wait_for_each_other() {
    let setting = Setting::new(STORES);
    let host = std::sync::Arc::new(setting.start());
    host.ask("/granted/sql?default", "CREATE TABLE n (n)\nINSERT INTO n VALUES (0)").await;
    let adds = (0..64).map(|_| {
        let host = host.clone();
        tokio::spawn(
            async move { host.ask("/granted/sql?default", "UPDATE n SET n = n + 1").await },
        )
    });
    for add in adds.collect::<Vec<_>>() {
        assert_eq!(add.await.unwrap(), "ok:[] rowid 0 changes 1");
    }
    let sum = host.ask("/granted/sql?default", "SELECT n FROM n").await;
    assert_eq!(sum, "ok:[[Value::Integer(64)]] rowid 0 changes 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_read_is_an_error_of_the_call() {
    let setting = Setting::new(STORES);
    setting.file("broken.db", &[7; 4096]);
    let path = setting.path("broken.db");
    let text = format!("[sqlite_database.default]\ntype = \"spin\"\npath = \"{path}\"\n");
    let setting = setting.configured(&text);
    let host = setting.start();
    let error = host.ask("/granted/sql?default", "SELECT count(*) FROM sqlite_master").await;
    assert!(error.starts_with("err:Error::Io(\"file is not a database"), "{error}");
}

#[test]
fn a_label_without_a_store_behind_it_is_named() {
    let error = Setting::new(&STORES.replacen("\"default\"", "\"ledger\"", 1)).refused();
    assert!(error.contains("the key-value store \"ledger\", which is not configured"), "{error}");
}

const REDIS: &str = r#"
    [variables]
    redis = { required = true }
    [[trigger.http]]
    route = "/granted/..."
    component = "granted"
    [[trigger.http]]
    route = "/denied/..."
    component = "denied"
    [component.granted]
    source = "FIXTURE"
    key_value_stores = ["default"]
    allowed_outbound_hosts = ["redis://{{ redis }}"]
    [component.denied]
    source = "FIXTURE"
    allowed_outbound_hosts = ["http://{{ redis }}"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_reached_where_the_manifest_says() {
    let server = RedisServer::start().await;
    let authority = format!("127.0.0.1:{}", server.port());
    let config =
        format!("[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://{authority}\"\n");
    let setting = Setting::new(REDIS).with("SPIN_VARIABLE_REDIS", &authority).configured(&config);
    let host = setting.start();
    let granted = format!("/granted/redis?redis://{authority}");
    assert_eq!(host.ask(&granted, "SET\nkey\nvalue").await, "ok:[RedisResult::Status(\"OK\")]");
    let script = "EVAL\nreturn {redis.call('GET', KEYS[1]), ARGV[1], 7, {false}}\n1\nkey\nargument";
    let reply = host.ask(&granted, script).await;
    assert!(reply.starts_with("ok:[RedisResult::Binary(["), "{reply}");
    assert!(reply.ends_with("RedisResult::Int64(7), RedisResult::Nil]"), "{reply}");
    let error = host.ask(&granted, "INCR\nkey").await;
    assert!(error.starts_with("err:Error::Other(") && error.contains("not an integer"), "{error}");
    let denied = format!("/denied/redis?redis://{authority}");
    assert_eq!(host.ask(&denied, "GET\nkey").await, "err:Error::InvalidAddress");
    let localhost = granted.replace("127.0.0.1", "localhost");
    assert_eq!(host.ask(&localhost, "GET\nkey").await, "err:Error::InvalidAddress");

    assert_eq!(host.ask("/granted/kv-get?default/key", "").await, "ok:value");
    assert_eq!(host.ask("/granted/kv-set?default/other", "kept").await, "ok:true");
    assert_eq!(host.ask("/granted/kv-keys?default", "").await, "ok:key,other");
}
