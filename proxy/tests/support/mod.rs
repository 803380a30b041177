//! A real Postgres in a temporary folder, and a proxy in front of it.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    net::TcpListener as StdListener,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use proxy::{Database, Settings, serve};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// The password of the role `authenticator`.
pub(crate) const PASSWORD: &str = "pg-pass/word";
/// What clients of the proxy must know.
pub(crate) const SECRET: &str = "shared-secret";
const NOBODY: u32 = 65_534;

/// A cluster with the role `authenticator`, removed when dropped.
pub(crate) struct Postgres {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    user: Option<u32>,
}

impl Postgres {
    /// Starts one; `authentication` is the method for connections over TCP.
    pub(crate) fn start(authentication: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("proxy-test-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        // Postgres refuses to run as root.
        let is_root = fs::metadata(&folder).unwrap().uid() == 0;
        let user = is_root.then_some(NOBODY);
        chown(&folder, user, None).unwrap();
        let mut postgres = Self { folder, port: 0, user };
        let data = postgres.data();
        postgres
            .tool("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]);
        let access = format!("local all all trust\nhost all all 127.0.0.1/32 {authentication}\n");
        fs::write(postgres.folder.join("data/pg_hba.conf"), access).unwrap();
        if authentication == "md5" {
            postgres.configure("password_encryption = md5");
        }
        // Another process may take the port between our look and the start.
        let started = (0..5).any(|_| {
            let probe = StdListener::bind("127.0.0.1:0").unwrap();
            postgres.port = probe.local_addr().unwrap().port();
            drop(probe);
            postgres.try_ctl("start")
        });
        assert!(started, "Postgres does not start");
        postgres.psql(&format!(
            "create role authenticator login noinherit password '{PASSWORD}';
             create role authenticated; grant authenticated to authenticator;
             create database atoms; grant create on database atoms to authenticator;"
        ));
        postgres
    }

    /// Appends a line to postgresql.conf.
    pub(crate) fn configure(&self, line: &str) {
        let path = self.folder.join("data/postgresql.conf");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(line);
        text.push('\n');
        fs::write(&path, text).unwrap();
    }

    /// Writes a file that only the server may read.
    pub(crate) fn write_private(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.join("data").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&path, self.user, None).unwrap();
    }

    /// `start`, `stop`, `restart` or `reload`.
    pub(crate) fn ctl(&self, action: &str) {
        assert!(self.try_ctl(action), "pg_ctl {action}");
    }

    fn try_ctl(&self, action: &str) -> bool {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off",
            self.port,
            self.folder.display()
        );
        let data = self.data();
        let log = self.folder.join("log").display().to_string();
        let mut arguments = vec![action, "-D", &data, "-w"];
        match action {
            "start" => arguments.extend(["-l", &log, "-o", &options]),
            "restart" => arguments.extend(["-l", &log, "-o", &options, "-m", "fast"]),
            "stop" => arguments.extend(["-m", "fast"]),
            _ => {}
        }
        self.tool("pg_ctl", &arguments)
    }

    /// Runs SQL as the superuser, in the database `atoms` once it is there.
    pub(crate) fn psql(&self, sql: &str) -> String {
        let database = if sql.contains("create database") { "postgres" } else { "atoms" };
        let mut command = Command::new("psql");
        command.args(["-h", &self.folder.display().to_string(), "-p", &self.port.to_string()]);
        command.args(["-U", "postgres", "-d", database, "-AtqX", "-v", "ON_ERROR_STOP=1"]);
        let mut all = String::new();
        for statement in sql.split_inclusive(';') {
            let output = command_clone(&command).arg("-c").arg(statement).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            all.push_str(&String::from_utf8(output.stdout).unwrap());
        }
        all.trim().to_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://authenticator:pg-pass%2Fword@127.0.0.1:{}/atoms", self.port)
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").stdout(Stdio::null()).stderr(Stdio::inherit());
        if let Some(user) = self.user {
            command.uid(user);
        }
        command.status().unwrap().success()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if Path::new(&self.data()).join("postmaster.pid").exists() {
            self.ctl("stop");
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn command_clone(command: &Command) -> Command {
    let mut clone = Command::new(command.get_program());
    clone.args(command.get_args());
    clone
}

/// A proxy in this process.
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) client: Client,
    /// Completes when it has drained.
    pub(crate) served: JoinHandle<anyhow::Result<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Proxy {
    pub(crate) async fn start(database_url: &str, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(Database::parse(database_url).unwrap(), SECRET).unwrap();
        adjust(&mut settings);
        let scheme = if settings.certificate.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, settings, async {
            let _ = stopped.await;
        }));
        Self { url, client: Client::new(), served, stop: Some(stop) }
    }

    /// As SIGTERM does it.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The value of a series of `/metrics`.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap();
        let text = text.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{series} ")));
        assert!(line.is_some(), "no {series} in {text}");
        line.unwrap().parse().unwrap()
    }

    /// Waits until a series has a value.
    pub(crate) async fn until(&self, series: &str, wanted: u64) {
        for _ in 0..100 {
            if self.metric(series).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self.metric(series).await, wanted, "{series}");
    }

    /// A request with good credentials.
    pub(crate) fn post(&self) -> RequestBuilder {
        self.client
            .post(format!("{}/sql", self.url))
            .header("Neon-Connection-String", format!("postgres://authenticator:{SECRET}@any/db"))
    }

    pub(crate) async fn send(&self, body: &Value) -> Response {
        self.post().json(body).send().await.unwrap()
    }

    /// The body of an answer with this status.
    pub(crate) async fn expect(&self, status: u16, body: &Value) -> Value {
        let response = self.send(body).await;
        let got = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(got, status, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The rows of one statement.
    pub(crate) async fn rows(&self, sql: &str, params: Value) -> Value {
        self.expect(200, &json!({"query": sql, "params": params})).await["rows"].take()
    }

    /// `POST /sql` with this body, byte for byte, for clients that speak HTTP themselves.
    pub(crate) fn raw_request(&self, body: &str) -> String {
        format!(
            "POST /sql HTTP/1.1\r\nhost: proxy\r\ncontent-length: {}\r\n\
             neon-connection-string: postgres://authenticator:{SECRET}@any/db\r\n\r\n{body}",
            body.len()
        )
    }

    /// The SQLSTATE that one statement is refused with.
    pub(crate) async fn code(&self, sql: &str) -> String {
        let body = self.expect(400, &json!({"query": sql})).await;
        body["code"].as_str().unwrap().to_owned()
    }
}

/// Waits until nothing that went through a proxy sleeps in Postgres any more.
pub(crate) async fn nothing_sleeps(postgres: &Postgres) {
    let sleeping = "select count(*) from pg_stat_activity \
                    where wait_event = 'PgSleep' and application_name = 'atoms-edge-proxy'";
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if postgres.psql(sleeping) == "0" {
            return;
        }
    }
    assert_eq!(postgres.psql(sleeping), "0", "a query went on for nobody");
}
