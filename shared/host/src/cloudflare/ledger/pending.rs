//! Revocations that the publisher has not heard of yet. They are stored in the same step as the ledger
//! that they were made in, in one row beside it.

use ledger::Revocation;
use worker::{Result, SqlStorage, SqlStorageValue};

/// What is stored, as it is held in memory.
pub(super) struct Pending {
    revocations: Vec<Revocation>,
    /// Whether the storage has its table.
    stored: bool,
}

impl Pending {
    /// What is stored.
    pub(super) fn load(sql: &SqlStorage) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Row {
            revocations: String,
        }
        let table = "select name from sqlite_master where type = 'table' and name = 'unreported'";
        let stored = sql.exec(table, None)?.raw().next().is_some();
        let row = match stored {
            true => sql.exec("select revocations from unreported", None)?.to_array::<Row>()?.pop(),
            false => None,
        };
        let revocations = match row {
            Some(row) => serde_json::from_str(&row.revocations)?,
            None => Vec::new(),
        };
        Ok(Self { revocations, stored })
    }

    /// Whether the publisher has heard of everything.
    pub(super) const fn is_empty(&self) -> bool {
        self.revocations.is_empty()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Revocation] {
        &self.revocations
    }

    /// Store some more.
    pub(super) fn add(&mut self, sql: &SqlStorage, revocations: &[Revocation]) -> Result<()> {
        self.revocations.extend_from_slice(revocations);
        self.store(sql)
    }

    /// The publisher has stored these.
    pub(super) fn remove(&mut self, sql: &SqlStorage, reported: &[Revocation]) -> Result<()> {
        self.revocations.retain(|revocation| !reported.contains(revocation));
        self.store(sql)
    }

    fn store(&mut self, sql: &SqlStorage) -> Result<()> {
        if !self.stored {
            let table = "create table if not exists unreported \
                         (id integer primary key check (id = 1), revocations text not null)";
            sql.exec(table, None)?;
            self.stored = true;
        }
        let revocations = SqlStorageValue::String(serde_json::to_string(&self.revocations)?);
        let text = "insert into unreported (id, revocations) values (1, ?) \
                    on conflict (id) do update set revocations = excluded.revocations";
        sql.exec(text, vec![revocations]).map(drop)
    }
}
