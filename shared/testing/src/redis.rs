//! A real Redis for a test, a client of it, and a bridge that speaks to it for those who have HTTP
//! only, in the protocol of Upstash and Vercel KV.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::post;
use serde_json::{Value, json};
use stores::{CommandError, Commands, RedisValue};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const PROGRAM: &str = "redis-server";
/// Connections that one client opens.
const CONNECTIONS: usize = 32;

/// How a Redis is started that writes before it answers, with its files in `folder`.
pub fn server_arguments(port: u16, folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let (port, dir) = (port.to_string(), folder);
    ["--bind", "127.0.0.1", "--port", &port, "--dir", &dir, "--save", ""]
        .into_iter()
        .chain(["--appendonly", "yes", "--appendfsync", "always"])
        .map(str::to_owned)
        .collect()
}

/// A Redis of its own on a free port; gone when dropped.
pub struct RedisServer {
    folder: PathBuf,
    port: u16,
    process: Mutex<Option<Child>>,
}

impl RedisServer {
    /// Start one.
    ///
    /// # Panics
    /// If there is none, which says how to get it, or it does not start.
    pub async fn start() -> Self {
        // Whoever takes it next gets another one for some time.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let name = format!("atoms-redis-{}-{port}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let server = Self { folder, port, process: Mutex::new(None) };
        server.resume().await;
        server
    }

    /// Where it listens, on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client of it.
    pub fn client(&self) -> RedisClient {
        RedisClient::new(self.port)
    }

    /// Kill it as a crash would. What it had answered is on the disk.
    pub fn kill(&self) {
        if let Some(mut process) = lock(&self.process).take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Start it again on the same port and the same files.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn resume(&self) {
        let log = std::fs::File::create(self.folder.join("log")).expect("a log");
        let process = Command::new(PROGRAM)
            .args(server_arguments(self.port, &self.folder))
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| unreachable!("{}", missing(&error)));
        *lock(&self.process) = Some(process);
        let client = self.client();
        for _ in 0..400 {
            if client.send(&["PING"]).await == Ok(RedisValue::Text("PONG".to_owned())) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        unreachable!("Redis does not start: {log}");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn missing(error: &io::Error) -> String {
    format!(
        "{PROGRAM}: {error}. These tests need a real one: `cargo xtask test` brings it along, else \
         install Redis 7 (`apt-get install redis-server`)"
    )
}

/// A few connections to a Redis on this machine.
pub struct RedisClient {
    port: u16,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
    permits: Semaphore,
}

impl RedisClient {
    /// For the one on this port. Connects when it is needed.
    pub fn new(port: u16) -> Self {
        Self { port, idle: Mutex::default(), permits: Semaphore::new(CONNECTIONS) }
    }

    /// Send a command and read its answer.
    ///
    /// # Errors
    /// As [`Commands::command`].
    pub async fn send(&self, command: &[&str]) -> Result<RedisValue, CommandError> {
        let away = |error: io::Error| {
            // The others have broken as well.
            lock(&self.idle).clear();
            CommandError::Away(error.to_string())
        };
        let _permit = self.permits.acquire().await.expect("never closed");
        let idle = lock(&self.idle).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await;
                BufReader::new(stream.map_err(away)?)
            }
        };
        connection.write_all(&encoded(command)).await.map_err(away)?;
        let answer = reply(&mut connection).await.map_err(away)?;
        lock(&self.idle).push(connection);
        answer.map_err(CommandError::Refused)
    }
}

impl Commands for RedisClient {
    async fn command(&self, command: &[&str]) -> Result<RedisValue, CommandError> {
        self.send(command).await
    }
}

/// Serve the bridge to the Redis on `redis` for those who have the token, for as long as the
/// runtime lives. Says where.
///
/// # Errors
/// If the address is taken.
pub async fn serve_bridge(listen: SocketAddr, redis: u16, token: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let bridge = Bridge { client: RedisClient::new(redis), bearer: format!("Bearer {token}") };
    let router = Router::new().route("/", post(carry)).with_state(Arc::new(bridge));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

struct Bridge {
    client: RedisClient,
    bearer: String,
}

async fn carry(
    State(bridge): State<Arc<Bridge>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let error = |status: StatusCode, why: &str| (status, json!({"error": why}).to_string());
    if bearer != Some(bridge.bearer.as_bytes()) {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized");
    }
    let Ok(command) = serde_json::from_slice::<Vec<String>>(&body) else {
        return error(StatusCode::BAD_REQUEST, "ERR failed to parse command");
    };
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    match bridge.client.send(&command).await {
        Ok(value) => (StatusCode::OK, json!({"result": as_json(&value)}).to_string()),
        Err(CommandError::Refused(why)) => error(StatusCode::BAD_REQUEST, &why),
        Err(CommandError::Away(why)) => error(StatusCode::BAD_GATEWAY, &why),
    }
}

fn as_json(value: &RedisValue) -> Value {
    match value {
        RedisValue::Nil => Value::Null,
        RedisValue::Integer(number) => (*number).into(),
        RedisValue::Text(text) => text.as_str().into(),
        RedisValue::Array(items) => items.iter().map(as_json).collect(),
    }
}

/// RESP: an array of strings.
fn encoded(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for part in command {
        bytes.extend(format!("${}\r\n{part}\r\n", part.len()).into_bytes());
    }
    bytes
}

/// One answer; the inner error is Redis's own.
async fn reply(from: &mut BufReader<TcpStream>) -> io::Result<Result<RedisValue, String>> {
    let mut line = String::new();
    from.read_line(&mut line).await?;
    let Some((kind, rest)) = line.trim_end().split_at_checked(1) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let number = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    Ok(match kind {
        "+" => Ok(RedisValue::Text(rest.to_owned())),
        "-" => Err(rest.to_owned()),
        ":" => Ok(RedisValue::Integer(number()?)),
        "$" | "*" if number()? < 0 => Ok(RedisValue::Nil),
        "$" => {
            let length = usize::try_from(number()?).unwrap_or_default();
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes).await?;
            bytes.truncate(length);
            let text = String::from_utf8(bytes);
            Ok(RedisValue::Text(text.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..number()? {
                match Box::pin(reply(from)).await? {
                    Ok(item) => items.push(item),
                    Err(why) => return Ok(Err(why)),
                }
            }
            Ok(RedisValue::Array(items))
        }
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
