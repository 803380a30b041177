//! Key-value on a SQLite file, in the table that Spin has for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};

use super::other;
use crate::bindings::spin::key_value::key_value::Error;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (store, key)
)";

/// One store. All components share its connection, as in Spin.
pub(crate) struct SqliteStore {
    path: PathBuf,
    label: String,
    connection: Mutex<Option<Connection>>,
}

impl SqliteStore {
    /// Opens nothing yet.
    pub(super) fn new(path: PathBuf, label: &str) -> Self {
        Self { path, label: label.to_owned(), connection: Mutex::new(None) }
    }

    /// Says whether the file can be used.
    pub(super) async fn open(self: Arc<Self>) -> Result<(), Error> {
        self.run(|_, _| Ok(())).await
    }

    pub(super) async fn get(self: Arc<Self>, key: String) -> Result<Option<Vec<u8>>, Error> {
        self.run(move |connection, label| {
            let sql = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([label, &key], |row| row.get(0)).optional()
        })
        .await
    }

    pub(super) async fn set(self: Arc<Self>, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.run(move |connection, label| {
            let sql = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
                ON CONFLICT (store, key) DO UPDATE SET value = ?3";
            connection.prepare_cached(sql)?.execute((label, &key, &value)).map(drop)
        })
        .await
    }

    pub(super) async fn delete(self: Arc<Self>, key: String) -> Result<(), Error> {
        self.run(move |connection, label| {
            let sql = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.execute([label, &key]).map(drop)
        })
        .await
    }

    pub(super) async fn exists(self: Arc<Self>, key: String) -> Result<bool, Error> {
        self.run(move |connection, label| {
            let sql = "SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2";
            connection.prepare_cached(sql)?.exists([label, &key])
        })
        .await
    }

    pub(super) async fn keys(self: Arc<Self>) -> Result<Vec<String>, Error> {
        self.run(move |connection, label| {
            let mut statement =
                connection.prepare_cached("SELECT key FROM spin_key_value WHERE store = ?1")?;
            statement.query_map([label], |row| row.get(0))?.collect()
        })
        .await
    }

    async fn run<R: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, Error> {
        let done = tokio::task::spawn_blocking(move || {
            let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = match slot.take() {
                Some(connection) => connection,
                None => self.connect()?,
            };
            work(slot.insert(connection), &self.label)
        });
        done.await.map_err(other)?.map_err(other)
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.execute(TABLE, ())?;
        Ok(connection)
    }
}
