//! A Postgres of its own for a test, both ways to it, and scripts to try.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use migrations::{Catalogue, Connection, Direct, Http, Migrations, Runner, Statement, Way};
use proxy::{Database, Settings, serve};
use stack::Scratch;
use tokio::net::TcpListener;

const PASSWORD: &str = "deployer's own";
const SECRET: &str = "shared-secret";

/// How a test reaches its database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// A session with Postgres.
    Session,
    /// Our proxy.
    Proxy,
}

/// Makes a test of each function and each way.
macro_rules! both_ways {
    ($($name:ident),+ $(,)?) => {
        mod by_session {
            $(#[tokio::test] async fn $name() { super::$name(crate::support::By::Session).await; })+
        }
        mod by_proxy {
            $(#[tokio::test] async fn $name() { super::$name(crate::support::By::Proxy).await; })+
        }
    };
}
pub(crate) use both_ways;

/// A Postgres with an empty database that the role `deployer` owns: no superuser, as with hosted ones.
pub(crate) struct Cluster {
    scratch: Scratch,
    pub(crate) by: By,
    endpoint: String,
}

impl Cluster {
    /// Start it, and the proxy in front of it.
    pub(crate) async fn start(by: By) -> Self {
        let scratch = Scratch::start().await.unwrap();
        let mut superuser = Direct::connect(scratch.url()).await.unwrap();
        let make = [
            format!(
                "create role deployer login createrole password '{}'",
                PASSWORD.replace('\'', "''")
            ),
            "alter database atoms owner to deployer".to_owned(),
        ];
        superuser.transaction(&make.map(Statement::new)).await.unwrap();
        let mut cluster = Self { scratch, by, endpoint: String::new() };
        let database = Database::parse(&cluster.url()).unwrap();
        let settings = Settings::new(database, SECRET).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        cluster.endpoint = format!("http://{}/sql", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, settings, std::future::pending()));
        cluster
    }

    /// Start it with all of the project's scripts applied.
    pub(crate) async fn migrated(by: By) -> Self {
        let cluster = Self::start(by).await;
        let migrations = own();
        Runner::new(&mut cluster.connect().await, &migrations).up(None, |_| {}).await.unwrap();
        cluster
    }

    /// The URL of the deployer.
    pub(crate) fn url(&self) -> String {
        self.scratch.url_of("deployer", &PASSWORD.replace('\'', "%27").replace(' ', "%20"))
    }

    /// A way of its own, as the deployer.
    pub(crate) async fn connect(&self) -> Way {
        match self.by {
            By::Session => Way::Direct(Direct::connect(&self.url()).await.unwrap()),
            By::Proxy => Way::Http(self.over_http(SECRET)),
        }
    }

    /// The way through the proxy, with a secret of one's own.
    pub(crate) fn over_http(&self, secret: &str) -> Http {
        let credentials = format!("postgresql://deployer:{secret}@any.host/any");
        Http::new(&self.endpoint, &credentials).unwrap()
    }

    /// A session of the superuser.
    pub(crate) async fn superuser(&self) -> Direct {
        Direct::connect(self.scratch.url()).await.unwrap()
    }

    /// The URL of the superuser.
    pub(crate) fn superuser_url(&self) -> &str {
        self.scratch.url()
    }

    /// Run a script as the superuser, as somebody would by hand.
    pub(crate) async fn by_hand(&self, text: &str) {
        self.superuser().await.transaction(&[Statement::new(text)]).await.unwrap();
    }

    /// The first column of the first row.
    pub(crate) async fn ask(&self, text: &str) -> Option<String> {
        let mut connection = self.connect().await;
        let rows = connection.transaction(&[Statement::new(text)]).await.unwrap();
        rows[0].first().and_then(|row| row[0].clone())
    }

    /// What the database consists of.
    pub(crate) async fn catalogue(&self) -> Catalogue {
        Catalogue::read(&mut self.connect().await).await.unwrap()
    }
}

/// The project's scripts.
pub(crate) fn own() -> Migrations {
    Migrations::read(migrations::folder()).unwrap()
}

/// A folder of scripts for a test, gone when dropped.
pub(crate) struct Scripts(PathBuf);

impl Scripts {
    /// An empty one.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("migrations-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("verify")).unwrap();
        Self(folder)
    }

    /// A copy of the project's.
    pub(crate) fn of_the_project() -> Self {
        let scripts = Self::new();
        for folder in ["", "verify"] {
            for entry in fs::read_dir(migrations::folder().join(folder)).unwrap().flatten() {
                if entry.path().extension().is_some_and(|extension| extension == "sql") {
                    fs::copy(entry.path(), scripts.0.join(folder).join(entry.file_name())).unwrap();
                }
            }
        }
        scripts
    }

    /// Write a step: forward, back and check.
    pub(crate) fn write(&self, name: &str, up: &str, down: &str, verify: &str) -> &Self {
        fs::write(self.0.join(format!("{name}.up.sql")), up).unwrap();
        fs::write(self.0.join(format!("{name}.down.sql")), down).unwrap();
        fs::write(self.0.join(format!("verify/{name}.sql")), verify).unwrap();
        self
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Read them.
    pub(crate) fn read(&self) -> Migrations {
        Migrations::read(&self.0).unwrap()
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
