//! `spin:sqlite`: files that the manifest grants, a connection for each that a component opens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params_from_iter};
use wasmtime::Result as Trapped;
use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use crate::bindings::spin::sqlite::sqlite::{
    Error, Host, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use crate::state::{Imports, State};

/// Spin's limit of open connections in an instance.
const LIMIT: usize = 256;

/// A connection that a component has opened. The file is opened by the first statement, as in Spin,
/// with the file's own journal mode and the five seconds that rusqlite waits for a lock.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Opened(Arc<Inner>);

struct Inner {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

type Streamed = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl Opened {
    async fn execute(
        self,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<QueryResult, Error> {
        self.run(move |connection| query(connection, &statement, parameters)).await
    }

    async fn changes(self) -> Result<u64, Error> {
        self.run(|connection| Ok(connection.changes())).await
    }

    async fn last_insert_rowid(self) -> Result<i64, Error> {
        self.run(|connection| Ok(connection.last_insert_rowid())).await
    }

    async fn run<R: Send + 'static>(
        self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, Error> {
        let done = tokio::task::spawn_blocking(move || {
            let mut slot = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let connection = match slot.take() {
                Some(connection) => connection,
                None => Connection::open(&self.0.path)?,
            };
            work(slot.insert(connection))
        });
        done.await.map_err(io)?.map_err(io)
    }
}

fn query(
    connection: &Connection,
    statement: &str,
    parameters: Vec<Value>,
) -> rusqlite::Result<QueryResult> {
    let mut statement = connection.prepare_cached(statement)?;
    let columns = statement.column_names().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let count = columns.len();
    let rows = statement
        .query_map(params_from_iter(parameters.into_iter().map(bound)), |row| values(row, count))?;
    Ok(QueryResult { columns, rows: rows.collect::<rusqlite::Result<_>>()? })
}

fn bound(value: Value) -> rusqlite::types::Value {
    match value {
        Value::Integer(number) => number.into(),
        Value::Real(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Blob(bytes) => bytes.into(),
        Value::Null => rusqlite::types::Value::Null,
    }
}

fn values(row: &Row<'_>, count: usize) -> rusqlite::Result<RowResult> {
    let value = |index| -> rusqlite::Result<Value> {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        })
    };
    Ok(RowResult { values: (0..count).map(value).collect::<rusqlite::Result<_>>()? })
}

fn io(error: impl std::fmt::Display) -> Error {
    Error::Io(error.to_string())
}

impl State {
    fn open_database(&mut self, label: &str) -> Result<Resource<Opened>, Error> {
        if !self.component.databases.contains(label) {
            return Err(Error::AccessDenied);
        }
        let path =
            self.component.stores.databases.get(label).cloned().ok_or(Error::NoSuchDatabase)?;
        if self.open.databases >= LIMIT {
            return Err(io("too many connections opened"));
        }
        self.open.databases += 1;
        self.table.push(Opened(Arc::new(Inner { path, connection: Mutex::new(None) }))).map_err(io)
    }

    fn database(&mut self, connection: &Resource<Opened>) -> Result<Opened, Error> {
        self.table.get(connection).cloned().map_err(|_| Error::InvalidConnection)
    }
}

impl Host for State {}

impl HostConnection for State {
    async fn open(&mut self, database: String) -> Result<Resource<Opened>, Error> {
        self.open_database(&database)
    }

    async fn execute(
        &mut self,
        connection: Resource<Opened>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<QueryResult, Error> {
        self.database(&connection)?.execute(statement, parameters).await
    }

    async fn last_insert_rowid(&mut self, connection: Resource<Opened>) -> Trapped<i64> {
        Ok(self.database(&connection)?.last_insert_rowid().await?)
    }

    async fn changes(&mut self, connection: Resource<Opened>) -> Trapped<u64> {
        Ok(self.database(&connection)?.changes().await?)
    }

    fn drop(&mut self, connection: Resource<Opened>) -> Trapped<()> {
        self.table.delete(connection)?;
        self.open.databases -= 1;
        Ok(())
    }
}

impl<T: Send> HostConnectionWithStore<T> for Imports {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> Result<Resource<Opened>, Error> {
        accessor.with(|mut access| access.get().open_database(&database))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Opened>,
        statement: String,
        parameters: Vec<Value>,
    ) -> Result<Streamed, Error> {
        let opened = accessor.with(|mut access| access.get().database(&connection))?;
        let QueryResult { columns, rows } = opened.execute(statement, parameters).await?;
        let streams = accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, rows)?;
            Ok::<_, wasmtime::Error>((
                rows,
                FutureReader::new(
                    &mut access,
                    std::future::ready(Ok::<_, wasmtime::Error>(Ok(()))),
                )?,
            ))
        });
        let (rows, end) = streams.map_err(io)?;
        Ok((columns, rows, end))
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Opened>,
    ) -> Trapped<i64> {
        let opened = accessor.with(|mut access| access.get().database(&connection))?;
        Ok(opened.last_insert_rowid().await?)
    }

    async fn changes_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Opened>,
    ) -> Trapped<u64> {
        let opened = accessor.with(|mut access| access.get().database(&connection))?;
        Ok(opened.changes().await?)
    }
}
