use ledger::{Address, Millis};

use crate::store::{StoreError, Stored, Version, VersionedStore, address as parse_address};

const TABLE: &str = include_str!("../queries/sqlite_table.sql");
const INDEX: &str = include_str!("../queries/sqlite_index.sql");
const LOAD: &str = include_str!("../queries/sqlite_load.sql");
const INSERT: &str = include_str!("../queries/sqlite_insert.sql");
const UPDATE: &str = include_str!("../queries/sqlite_update.sql");
const REMOVE: &str = include_str!("../queries/sqlite_remove.sql");
const DUE: &str = include_str!("../queries/sqlite_due.sql");

/// A connection to one SQLite database (3.35 or later, for `RETURNING`).
pub trait SqliteConnection {
    /// Run one statement to its end, in a transaction of its own, and return its rows. Parameters
    /// are `?1`, `?2`, ….
    ///
    /// # Errors
    /// [`StoreError::Busy`] for `SQLITE_BUSY` and `SQLITE_LOCKED`, else [`StoreError::Away`].
    async fn execute(
        &self,
        statement: &str,
        parameters: &[SqliteValue],
    ) -> Result<Vec<Vec<SqliteValue>>, StoreError>;
}

/// A value in a row or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqliteValue {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// Text.
    Text(String),
}

/// Ledgers in a table of SQLite. Any number of connections may share a database on one host; with
/// `synchronous = FULL`, SQLite's default, what was answered survives a power cut.
pub struct SqliteStore<C> {
    connection: C,
}

impl<C: SqliteConnection> SqliteStore<C> {
    /// Ledgers in the database of `connection`, whose table is made if it is not there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open(connection: C) -> Result<Self, StoreError> {
        connection.execute(TABLE, &[]).await?;
        connection.execute(INDEX, &[]).await?;
        Ok(Self::on(connection))
    }

    /// Ledgers in a database that was opened before.
    pub const fn on(connection: C) -> Self {
        Self { connection }
    }

    /// Run a statement that returns a row for what it has changed.
    async fn changes(
        &self,
        statement: &str,
        parameters: &[SqliteValue],
    ) -> Result<bool, StoreError> {
        Ok(!self.connection.execute(statement, parameters).await?.is_empty())
    }
}

impl<C: SqliteConnection> VersionedStore for SqliteStore<C> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        let rows = self.connection.execute(LOAD, &[text(address)]).await?;
        rows.into_iter().next().map(stored).transpose()
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        let due = write.due.map_or(SqliteValue::Null, integer);
        let document = SqliteValue::Text(write.document.clone());
        let mut parameters = vec![text(address), document, text(&write.version), due];
        match expected {
            None => self.changes(INSERT, &parameters).await,
            Some(expected) => {
                parameters.push(text(expected));
                self.changes(UPDATE, &parameters).await
            }
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        self.changes(REMOVE, &[text(address), text(expected)]).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        let parameters = [integer(now), SqliteValue::Integer(limit.into())];
        let rows = self.connection.execute(DUE, &parameters).await?;
        let addresses = rows.into_iter().map(|row| match row.as_slice() {
            [SqliteValue::Text(text)] => parse_address(text),
            _ => Err(unexpected()),
        });
        addresses.collect()
    }
}

fn text(value: &impl ToString) -> SqliteValue {
    SqliteValue::Text(value.to_string())
}

/// SQLite's integers are signed; no time is beyond them but one that never comes.
fn integer(time: Millis) -> SqliteValue {
    SqliteValue::Integer(i64::try_from(time).unwrap_or(i64::MAX))
}

fn stored(row: Vec<SqliteValue>) -> Result<Stored, StoreError> {
    let [SqliteValue::Text(document), SqliteValue::Text(version), due] =
        <[SqliteValue; 3]>::try_from(row).map_err(|_| unexpected())?
    else {
        return Err(unexpected());
    };
    let due = match due {
        SqliteValue::Null => None,
        SqliteValue::Integer(due) => Some(Millis::try_from(due).map_err(|_| unexpected())?),
        SqliteValue::Text(_) => return Err(unexpected()),
    };
    Ok(Stored { document, version: Version::from_text(version), due })
}

fn unexpected() -> StoreError {
    StoreError::Broken("SQLite: a row of another shape".to_owned())
}
