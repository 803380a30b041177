//! What goes wrong around the proxy: Postgres restarts, peers fall silent, clients are slow, results
//! are huge.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    collections::HashSet,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use support::{Postgres, Proxy, SECRET};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, timeout},
};

const BUFFERED: &str = "atoms_edge_proxy_buffered_bytes";

#[tokio::test(flavor = "multi_thread")]
async fn postgres_restarts_under_load_and_every_answer_is_true() {
    let postgres = Postgres::start("scram-sha-256");
    postgres.psql("create table t (id int); grant all on t to authenticator;");
    let proxy = Arc::new(Proxy::start(&postgres.url(), |settings| settings.pool_size = 4).await);
    let (stop, stopped) = watch::channel(false);
    let writers: Vec<_> = (0..8)
        .map(|writer| tokio::spawn(write(Arc::clone(&proxy), writer, stopped.clone())))
        .collect();
    for _ in 0..3 {
        sleep(Duration::from_millis(700)).await;
        tokio::task::block_in_place(|| postgres.ctl("restart"));
    }
    sleep(Duration::from_millis(700)).await;
    stop.send(true).unwrap();
    let mut told = Told::default();
    for writer in writers {
        let part = writer.await.unwrap();
        told.done.extend(part.done);
        told.refused.extend(part.refused);
        told.unknown.extend(part.unknown);
    }
    let rows = postgres.psql("select id from t");
    let rows: Vec<i32> = rows.lines().map(|id| id.parse().unwrap()).collect();
    let there: HashSet<i32> = rows.iter().copied().collect();
    assert_eq!(rows.len(), there.len(), "something was done twice");
    assert!(told.done.is_subset(&there), "something that was confirmed is not there");
    assert!(told.refused.is_disjoint(&there), "something that was refused is there");
    let known = |id: &i32| told.done.contains(id) || told.unknown.contains(id);
    assert!(there.iter().all(known));
    assert!(told.done.len() > 100 && !told.refused.is_empty(), "{}", told.done.len());
    proxy.rows("select 1", json!([])).await;
}

/// What a writer was told of the numbers that it wrote.
#[derive(Default)]
struct Told {
    done: HashSet<i32>,
    refused: HashSet<i32>,
    unknown: HashSet<i32>,
}

async fn write(proxy: Arc<Proxy>, writer: i32, stopped: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    for number in writer * 1_000_000.. {
        if *stopped.borrow() {
            break;
        }
        let batch = json!({"queries": [
            {"query": "insert into t values ($1)", "params": [number]}, {"query": "select 1"}]});
        let response = proxy.send(&batch).await;
        let is_retryable = response.headers().contains_key("retry-after");
        let set = match response.status().as_u16() {
            200 => &mut told.done,
            503 if is_retryable => &mut told.refused,
            503 => &mut told.unknown,
            status => {
                assert_eq!(status, 503, "{}", response.text().await.unwrap());
                continue;
            }
        };
        set.insert(number);
        if is_retryable {
            sleep(Duration::from_millis(20)).await;
        }
    }
    told
}

/// Passes on what comes, until it falls silent: it then neither passes on nor hangs up.
struct Relay {
    port: u16,
    silence: watch::Sender<bool>,
}

impl Relay {
    async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silence, silent) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                tokio::spawn(relay(near, far, silent.clone()));
            }
        });
        Self { port, silence }
    }
}

async fn relay(mut near: TcpStream, mut far: TcpStream, mut silent: watch::Receiver<bool>) {
    let is_silent = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        silent = silent.wait_for(|silent| *silent) => silent.is_ok(),
    };
    if is_silent {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_postgres_that_falls_silent_costs_a_deadline_and_no_place() {
    let postgres = Postgres::start("trust");
    let relay = Relay::start(postgres.port).await;
    let through = postgres.url().replace(&postgres.port.to_string(), &relay.port.to_string());
    let proxy = Proxy::start(&through, |settings| {
        settings.pool_size = 2;
        settings.request_timeout = Duration::from_secs(1);
    })
    .await;
    let sleep_long = json!({"query": "select pg_sleep(0.5)"});
    let (response, ()) = tokio::join!(proxy.send(&sleep_long), async {
        sleep(Duration::from_millis(200)).await;
        relay.silence.send(true).unwrap();
    });
    assert_eq!(response.status(), 504);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "57014");
    relay.silence.send(false).unwrap();
    // The cancel request got no answer either, and then the place is free again.
    proxy.until("atoms_edge_proxy_sessions_busy", 0).await;
    for _ in 0..3 {
        proxy.rows("select 1", json!([])).await;
    }
}

#[tokio::test]
async fn idle_sessions_that_fell_silent_are_not_trusted_with_a_request() {
    let postgres = Postgres::start("trust");
    let relay = Relay::start(postgres.port).await;
    let through = postgres.url().replace(&postgres.port.to_string(), &relay.port.to_string());
    let proxy = Proxy::start(&through, |settings| settings.pool_size = 4).await;
    let nap = json!({"query": "select pg_sleep(0.3)"});
    futures::future::join_all((0..4).map(|_| proxy.expect(200, &nap))).await;
    relay.silence.send(true).unwrap();
    sleep(Duration::from_millis(5100)).await;
    relay.silence.send(false).unwrap();
    let since = Instant::now();
    proxy.rows("select 1", json!([])).await;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(proxy.metric("atoms_edge_proxy_sessions_ended_total{reason=\"unfit\"}").await, 4);
}

/// What comes until the proxy hangs up.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await.unwrap();
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn clients_that_do_not_finish_their_request_are_not_waited_for() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.idle_timeout = Duration::from_millis(500);
        settings.request_timeout = Duration::from_millis(1500);
    })
    .await;
    // Nothing; half a head, letter by letter; half a body.
    let mut silent = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");

    let mut dribbling = TcpStream::connect(proxy.address()).await.unwrap();
    let since = Instant::now();
    while dribbling.write_all(b"POST /sql HTTP/1.1\r\nx: ").await.is_ok() {
        sleep(Duration::from_millis(50)).await;
        assert!(since.elapsed() < Duration::from_secs(5), "still listening");
    }

    let mut half = TcpStream::connect(proxy.address()).await.unwrap();
    let request = proxy.raw_request(&" ".repeat(100));
    half.write_all(&request.as_bytes()[..request.len() - 50]).await.unwrap();
    let answer = rest(&mut half).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"08P01""#), "{answer}");
    proxy.until("atoms_edge_proxy_requests_total{outcome=\"slow_request\"}", 1).await;
    proxy.until(BUFFERED, 0).await;
    // Meanwhile and afterwards others are served.
    proxy.rows("select 1", json!([])).await;
    proxy.until("atoms_edge_proxy_clients", 1).await;
}

const LARGE: &str = r#"{"query":"select repeat('x', 8000000)"}"#;

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_keeps_neither_session_nor_memory() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.pool_size = 1;
        settings.write_timeout = Duration::from_millis(1500);
    })
    .await;
    let mut slow = TcpStream::connect(proxy.address()).await.unwrap();
    slow.write_all(proxy.raw_request(LARGE).as_bytes()).await.unwrap();
    let mut start = [0; 15];
    slow.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    // Its session serves others while its answer waits.
    proxy.rows("select 1", json!([])).await;
    assert!(proxy.metric(BUFFERED).await > 1_000_000);
    proxy.until(BUFFERED, 0).await;
    proxy.until("atoms_edge_proxy_clients", 1).await;
    let mut all = Vec::new();
    let _ = slow.read_to_end(&mut all).await;
    assert!(all.len() < 8_000_000);
}

#[tokio::test]
async fn all_requests_together_hold_no_more_than_allowed() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| {
        settings.max_buffered_bytes = 24_000_000;
        settings.write_timeout = Duration::from_secs(60);
    })
    .await;
    // Two answers that nobody takes fill it.
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(proxy.raw_request(LARGE).as_bytes()).await.unwrap();
        client.read_exact(&mut [0; 15]).await.unwrap();
        slow.push(client);
    }
    let held = proxy.metric(BUFFERED).await;
    assert!(held > 12_000_000, "{held}");
    let error = proxy.expect(507, &serde_json::from_str(LARGE).unwrap()).await;
    assert_eq!(error["code"], "53200");
    let large = json!({"query": "select length($1)", "params": ["x".repeat(8_000_000)]});
    let response = proxy.send(&large).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "53200");
    // Small ones still fit, and large ones again when the others have left.
    proxy.rows("select 1", json!([])).await;
    drop(slow);
    proxy.until(BUFFERED, 0).await;
    proxy.expect(200, &large).await;
    proxy.until(BUFFERED, 0).await;
}

#[tokio::test]
async fn more_clients_than_allowed_wait_for_their_turn() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.max_clients = 2).await;
    let request = proxy.raw_request(r#"{"query":"select 1"}"#);
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    let (mut third, mut second) = (clients.pop().unwrap(), clients.pop().unwrap());
    second.read_exact(&mut [0; 15]).await.unwrap();
    let mut start = [0; 15];
    let early = timeout(Duration::from_millis(300), third.read_exact(&mut start)).await;
    assert!(early.is_err(), "the third was served beside the others");
    drop(second);
    timeout(Duration::from_secs(5), third.read_exact(&mut start)).await.unwrap().unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn what_is_no_request_of_ours_is_refused_and_not_kept() {
    let postgres = Postgres::start("trust");
    let proxy = Proxy::start(&postgres.url(), |settings| settings.max_request_bytes = 1000).await;
    let head = proxy.raw_request("").replace("content-length: 0", "transfer-encoding: chunked");
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let long = format!("GET /healthz HTTP/1.1\r\nhost: p\r\nlong: {}\r\n\r\n", "x".repeat(70_000));
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (long, 431),
        // Twice the limit, with no word of it before.
        (format!("{head}{}0\r\n\r\n", chunk.repeat(4)), 413),
        (format!("{head}{}", chunk.repeat(9)), 413),
        (format!("{head}zz\r\n"), 400),
        (proxy.raw_request("").replace("content-length: 0", "content-length: 99999999999"), 413),
    ] {
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        let answer = timeout(Duration::from_secs(10), client.read_exact(&mut start)).await;
        answer.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&start), format!("HTTP/1.1 {status}"));
    }
    proxy.until(BUFFERED, 0).await;
    proxy.rows("select 1", json!([])).await;
}

/// The binary, whose memory is its own.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(postgres: &Postgres, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_atoms-edge-proxy"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("PROXY_DATABASE_URL", postgres.url())
            .env("PROXY_SECRET", SECRET)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    /// The most memory that it ever had, in MB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request and reads its answer, which has a length.
async fn exchange(client: &mut TcpStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer).await.unwrap();
        assert!(count > 0, "hung up");
        all.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&all);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if body.len() >= length.parse().unwrap() {
            return text.into_owned();
        }
    }
}

#[tokio::test]
async fn five_hundred_clients_need_little_memory() {
    let postgres = Postgres::start("trust");
    let program = Program::start(&postgres, &[]);
    let proxy = Proxy::start(&postgres.url(), |_| ()).await;
    let request = proxy.raw_request(
        r#"{"queries":[{"query":"select set_config('role','authenticated',true)"},{"query":"select $1::int n","params":[7]}]}"#,
    );
    let mut clients = Vec::new();
    for _ in 0..500 {
        clients.push(TcpStream::connect(&program.address).await.unwrap());
    }
    for _ in 0..3 {
        let exchanges = clients.iter_mut().map(|client| exchange(client, &request));
        for answer in futures::future::join_all(exchanges).await {
            assert!(answer.contains(r#"[{"n":7}]"#), "{answer}");
        }
    }
    let peak = program.peak();
    println!("500 clients: {peak} MB");
    let allowed = if cfg!(debug_assertions) { 45 } else { 30 };
    assert!(peak < allowed, "{peak} MB");
}

#[tokio::test]
async fn huge_results_are_cut_before_they_take_memory() {
    let postgres = Postgres::start("trust");
    let limits =
        ["--max-response-bytes=1000000", "--statement-timeout-ms=0", "--request-timeout-ms=120000"];
    let program = Program::start(&postgres, &limits);
    let proxy = Proxy::start(&postgres.url(), |_| ()).await;
    let mut client = TcpStream::connect(&program.address).await.unwrap();
    for sql in [
        "select repeat('x', 50000000)",
        "select repeat('x', 100) from generate_series(1, 100000000)",
        "select array_agg(n) from generate_series(1, 500000) n",
        "select repeat('x', 900000), generate_series(1, 1000)",
    ] {
        let request = proxy.raw_request(&json!({ "query": sql }).to_string());
        let answer = exchange(&mut client, &request).await;
        assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");
        assert!(answer.contains(r#""code":"54000""#), "{answer}");
    }
    let answer = exchange(&mut client, &proxy.raw_request(r#"{"query":"select 1 n"}"#)).await;
    assert!(answer.contains(r#"[{"n":1}]"#), "{answer}");
    assert!(program.peak() < 40, "{} MB", program.peak());
    let active = "select count(*) from pg_stat_activity \
                  where state = 'active' and application_name = 'atoms-edge-proxy'";
    for _ in 0..50 {
        if postgres.psql(active) == "0" {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(postgres.psql(active), "0", "a query went on for nobody");
}
