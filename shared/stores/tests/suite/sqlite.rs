//! SQLite as a host offers it: several connections to one file.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ledger::{Address, Command, Millis, Outcome};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};
use stores::{
    SqliteConnection, SqliteStore, SqliteValue, StoreError, Stored, Version, VersionedStore,
};

use crate::support::{Native, Person, fresh_address, issue, refresh, sign_in};

/// A file; gone when dropped.
pub(crate) struct Database(pub(crate) PathBuf);

impl Database {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("atoms-ledgers-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A connection that does not wait for others: they are the engine's to wait for.
    pub(crate) fn connect(&self) -> Sqlite {
        let connection = Connection::open(self.0.join("ledgers.db")).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        Sqlite(connection)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Sqlite(Connection);

impl SqliteConnection for Sqlite {
    async fn execute(
        &self,
        statement: &str,
        parameters: &[SqliteValue],
    ) -> Result<Vec<Vec<SqliteValue>>, StoreError> {
        self.run(statement, parameters).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy(error.to_string())
            }
            _ => StoreError::Away(error.to_string()),
        })
    }
}

impl Sqlite {
    fn run(
        &self,
        statement: &str,
        parameters: &[SqliteValue],
    ) -> rusqlite::Result<Vec<Vec<SqliteValue>>> {
        let mut statement = self.0.prepare(statement)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters.iter().map(Parameter)))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|column| Ok(value(row.get_ref(column)?)));
            all.push(values.collect::<rusqlite::Result<_>>()?);
        }
        Ok(all)
    }
}

struct Parameter<'a>(&'a SqliteValue);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            SqliteValue::Null => ToSqlOutput::Owned(Value::Null),
            SqliteValue::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            SqliteValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn value(value: ValueRef<'_>) -> SqliteValue {
    match value {
        ValueRef::Integer(number) => SqliteValue::Integer(number),
        ValueRef::Text(text) => SqliteValue::Text(String::from_utf8(text.to_vec()).unwrap()),
        _ => SqliteValue::Null,
    }
}

/// Uses one after the other.
pub(crate) struct Several<S> {
    stores: Vec<S>,
    next: Cell<usize>,
}

impl<S> Several<S> {
    pub(crate) fn new(stores: Vec<S>) -> Self {
        Self { stores, next: Cell::new(0) }
    }

    fn one(&self) -> &S {
        self.next.set(self.next.get() + 1);
        &self.stores[self.next.get() % self.stores.len()]
    }
}

impl<S: VersionedStore> VersionedStore for Several<S> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        self.one().load(address).await
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        self.one().swap(address, expected, write).await
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        self.one().remove(address, expected).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        self.one().due(now, limit).await
    }
}

/// True concurrency: threads, each with a connection of its own, write the ledger of one user.
#[test]
fn many_connections_to_one_file_lose_nothing() {
    const ROTATIONS: u32 = 40;
    let (database, address) = (Database::new(), fresh_address());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(async {
                    let store = open(&database).await;
                    let person = Person::at(address, Native::new(), store);
                    let session = issue(insist(&person, sign_in()).await).session;
                    for counter in 0..ROTATIONS {
                        let issue = issue(insist(&person, refresh(session, counter)).await);
                        assert_eq!((issue.counter, issue.repeated), (counter + 1, false));
                    }
                });
            });
        }
    });
}

/// Repeats a command as a client does that is told to try again later.
async fn insist<S: VersionedStore>(person: &Person<'_, Native, S>, command: Command) -> Outcome {
    loop {
        match person.apply(command.clone()).await {
            Ok(applied) => return applied.outcome,
            Err(error) => assert!(error.to_string().contains("locked"), "{error}"),
        }
    }
}

/// The table is made by whoever comes first, and the others may meet it half made.
async fn open(database: &Database) -> SqliteStore<Sqlite> {
    loop {
        match SqliteStore::open(database.connect()).await {
            Ok(store) => return store,
            Err(StoreError::Busy(_)) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}
