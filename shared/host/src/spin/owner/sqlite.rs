use std::cell::RefCell;
use std::rc::Rc;

use spin_sdk::sqlite::{Connection, Error, Value};
use stores::{SqliteConnection, SqliteStore, SqliteValue, StoreError};

/// The only database that every Spin has without being told of it. Where it is, and whether it is one
/// of a server, the runtime configuration says.
const DATABASE: &str = "default";

thread_local! {
    static OPEN: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// The instance's connection. Every statement is a transaction of its own, so that requests may share
/// it.
pub struct Sqlite(Rc<Connection>);

impl Sqlite {
    /// Ledgers in the database, whose table an instance makes sure of once.
    pub(super) async fn opened() -> Result<SqliteStore<Self>, StoreError> {
        if let Some(open) = OPEN.with_borrow(Clone::clone) {
            return Ok(SqliteStore::on(Self(open)));
        }
        let connection = Rc::new(Connection::open(DATABASE).await.map_err(failed)?);
        let store = SqliteStore::open(Self(Rc::clone(&connection))).await?;
        OPEN.set(Some(connection));
        Ok(store)
    }
}

impl SqliteConnection for Sqlite {
    async fn execute(
        &self,
        statement: &str,
        parameters: &[SqliteValue],
    ) -> Result<Vec<Vec<SqliteValue>>, StoreError> {
        let parameters = parameters.iter().map(|value| match value {
            SqliteValue::Null => Value::Null,
            SqliteValue::Integer(number) => Value::Integer(*number),
            SqliteValue::Text(text) => Value::Text(text.clone()),
        });
        let run = async { self.0.execute(statement, parameters).await?.collect().await };
        let rows = run.await.map_err(|error| {
            // Whatever became of the connection, the next command begins with a new one.
            OPEN.set(None);
            failed(error)
        })?;
        rows.into_iter().map(|row| row.values.into_iter().map(value).collect()).collect()
    }
}

fn value(value: Value) -> Result<SqliteValue, StoreError> {
    match value {
        Value::Null => Ok(SqliteValue::Null),
        Value::Integer(number) => Ok(SqliteValue::Integer(number)),
        Value::Text(text) => Ok(SqliteValue::Text(text)),
        Value::Real(_) | Value::Blob(_) => {
            Err(StoreError::Broken("SQLite: a value of another kind".to_owned()))
        }
    }
}

fn failed(error: Error) -> StoreError {
    match error {
        Error::NoSuchDatabase | Error::AccessDenied => StoreError::Broken(
            "SQLite: the manifest does not give the component the database \"default\"".to_owned(),
        ),
        Error::Io(text) if ["locked", "busy"].iter().any(|word| text.contains(word)) => {
            StoreError::Busy(format!("SQLite: {text}"))
        }
        other => StoreError::Away(format!("SQLite: {other}")),
    }
}
