//! The one row of the object's SQLite: the ledger as text, and the policy that its alarm goes by.

use ledger::{Ledger as Document, Policy};
use worker::{Result, SqlStorage, SqlStorageValue};

/// What is stored, as it is held in memory.
pub(super) struct Held {
    /// The ledger.
    pub(super) document: Document,
    /// The policy of the last command.
    pub(super) policy: Policy,
    /// Whether the storage has its table.
    stored: bool,
}

impl Held {
    /// What is stored; of an object that nobody has used, an empty ledger with this policy.
    pub(super) fn load(sql: &SqlStorage, policy: &Policy) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Row {
            document: String,
            policy: String,
        }
        let table = "select name from sqlite_master where type = 'table' and name = 'ledger'";
        let stored = sql.exec(table, None)?.raw().next().is_some();
        // An object that was only asked about has no table, and leaves nothing behind.
        let row = match stored {
            true => sql.exec("select document, policy from ledger", None)?.to_array::<Row>()?.pop(),
            false => None,
        };
        let (document, policy) = match row {
            Some(row) => {
                let document: Document = serde_json::from_str(&row.document)?;
                let document = document.upgraded().map_err(|error| error.to_string())?;
                (document, serde_json::from_str(&row.policy)?)
            }
            None => (Document::default(), policy.clone()),
        };
        Ok(Self { document, policy, stored })
    }

    /// Store it in place of what was there.
    pub(super) fn store(&mut self, sql: &SqlStorage) -> Result<()> {
        if !self.stored {
            let table = "create table if not exists ledger (id integer primary key check (id = 1), \
                         document text not null, policy text not null)";
            sql.exec(table, None)?;
            self.stored = true;
        }
        let document = SqlStorageValue::String(serde_json::to_string(&self.document)?);
        let policy = SqlStorageValue::String(serde_json::to_string(&self.policy)?);
        let text = "insert into ledger (id, document, policy) values (1, ?, ?) \
                    on conflict (id) do update set document = excluded.document, policy = excluded.policy";
        sql.exec(text, vec![document, policy]).map(drop)
    }
}
