use data::as_service;
use ledger::{Address, Millis};
use ports::{Rows, Sql, SqlError, Statement};

use crate::store::{StoreError, Stored, Version, VersionedStore};
use crate::store::{address as parse_address, time as parse_time};

const LOAD: &str = include_str!("../queries/postgres_load.sql");
const INSERT: &str = include_str!("../queries/postgres_insert.sql");
const UPDATE: &str = include_str!("../queries/postgres_update.sql");
const REMOVE: &str = include_str!("../queries/postgres_remove.sql");
const DUE: &str = include_str!("../queries/postgres_due.sql");

/// Ledgers in the table `app.ledgers` of the business database, which only the service's role may
/// touch. The address must be of the primary: a replica would answer with what was there before.
pub struct PostgresStore<S> {
    sql: S,
}

impl<S: Sql> PostgresStore<S> {
    /// Ledgers in the database behind `sql`.
    pub const fn new(sql: S) -> Self {
        Self { sql }
    }

    async fn rows(
        &self,
        text: &str,
        parameters: Vec<Option<String>>,
    ) -> Result<Vec<Vec<Option<String>>>, StoreError> {
        let results = as_service(&self.sql, vec![Statement { text, parameters }]).await;
        let first = results.map_err(|error| failed(&error))?.into_iter().next();
        first.map(|Rows { rows }| rows).ok_or_else(unexpected)
    }

    /// Run a statement that returns a row for what it has changed.
    async fn changes(
        &self,
        text: &str,
        parameters: Vec<Option<String>>,
    ) -> Result<bool, StoreError> {
        Ok(!self.rows(text, parameters).await?.is_empty())
    }
}

impl<S: Sql> VersionedStore for PostgresStore<S> {
    async fn load(&self, address: &Address) -> Result<Option<Stored>, StoreError> {
        let rows = self.rows(LOAD, vec![Some(address.to_string())]).await?;
        rows.into_iter().next().map(stored).transpose()
    }

    async fn swap(
        &self,
        address: &Address,
        expected: Option<&Version>,
        write: &Stored,
    ) -> Result<bool, StoreError> {
        let mut parameters = vec![
            Some(address.to_string()),
            Some(write.document.clone()),
            Some(write.version.to_string()),
            write.due.map(|due| integer(due).to_string()),
        ];
        match expected {
            None => self.changes(INSERT, parameters).await,
            Some(expected) => {
                parameters.push(Some(expected.to_string()));
                self.changes(UPDATE, parameters).await
            }
        }
    }

    async fn remove(&self, address: &Address, expected: &Version) -> Result<bool, StoreError> {
        let parameters = vec![Some(address.to_string()), Some(expected.to_string())];
        self.changes(REMOVE, parameters).await
    }

    async fn due(&self, now: Millis, limit: u32) -> Result<Vec<Address>, StoreError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let parameters = vec![Some(integer(now).to_string()), Some(limit.to_string())];
        let rows = self.rows(DUE, parameters).await?;
        let addresses = rows.into_iter().map(|row| match row.as_slice() {
            [Some(address)] => parse_address(address),
            _ => Err(unexpected()),
        });
        addresses.collect()
    }
}

/// Postgres' integers are signed; no time is beyond them but one that never comes.
fn integer(time: Millis) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn stored(row: Vec<Option<String>>) -> Result<Stored, StoreError> {
    let [Some(document), Some(version), due] =
        <[Option<String>; 3]>::try_from(row).map_err(|_| unexpected())?
    else {
        return Err(unexpected());
    };
    let due = due.map(|due| parse_time(&due)).transpose()?;
    Ok(Stored { document, version: Version::from_text(version), due })
}

fn failed(error: &SqlError) -> StoreError {
    match error {
        SqlError::Unavailable(_) => StoreError::Away(error.to_string()),
        // Lost against others again and again: it was undone.
        SqlError::Refused { code, .. } if code == "40001" || code == "40P01" => {
            StoreError::Busy(error.to_string())
        }
        SqlError::Refused { .. } | SqlError::Protocol(_) => StoreError::Broken(error.to_string()),
    }
}

fn unexpected() -> StoreError {
    StoreError::Broken("Postgres: a row of another shape".to_owned())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    /// Answers every statement alike.
    struct Always(Result<Vec<Vec<Option<String>>>, SqlError>);

    impl Sql for Always {
        async fn transaction(&self, statements: &[Statement<'_>]) -> Result<Vec<Rows>, SqlError> {
            self.0.clone().map(|rows| vec![Rows { rows }; statements.len()])
        }
    }

    fn load(
        answer: Result<Vec<Vec<Option<String>>>, SqlError>,
    ) -> Result<Option<Stored>, StoreError> {
        let address = Address::from_bytes([1; 16]);
        block_on(PostgresStore::new(Always(answer)).load(&address))
    }

    fn row(columns: &[Option<&str>]) -> Vec<Option<String>> {
        columns.iter().map(|column| column.map(str::to_owned)).collect()
    }

    #[test]
    fn rows_that_make_no_sense_are_errors() {
        assert_eq!(load(Ok(Vec::new())), Ok(None));
        assert!(load(Ok(vec![row(&[Some("{}"), Some("1-x"), Some("5")])])).is_ok());
        for columns in [
            [Some("{}"), None, None].as_slice(),
            &[None, Some("1-x"), None],
            &[Some("{}"), Some("1-x"), Some("-5")],
            &[Some("{}")],
        ] {
            let answer = load(Ok(vec![row(columns)]));
            assert!(matches!(answer, Err(StoreError::Broken(_))), "{columns:?}");
        }
    }

    #[test]
    fn a_lost_race_is_told_from_an_outage_and_from_a_defect() {
        let refused = |code: &str| SqlError::Refused {
            code: code.to_owned(),
            message: String::new(),
            constraint: None,
        };
        assert!(matches!(load(Err(refused("40001"))), Err(StoreError::Busy(_))));
        assert!(matches!(load(Err(refused("42P01"))), Err(StoreError::Broken(_))));
        let away = SqlError::Unavailable("refused".to_owned());
        assert!(matches!(load(Err(away)), Err(StoreError::Away(_))));
        let nonsense = SqlError::Protocol("<html>".to_owned());
        assert!(matches!(load(Err(nonsense)), Err(StoreError::Broken(_))));
    }
}
