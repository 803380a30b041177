//! The object's SQLite: one row with the ledger as text and the policy that its alarm goes by, and one
//! about the delivery of the audit trail.

use audit::Schedule;
use ledger::{Address, Ledger as Document, Policy};
use worker::{Result, SqlStorage, SqlStorageValue};

/// What is stored, as it is held in memory.
pub(super) struct Held {
    /// The ledger.
    pub(super) document: Document,
    /// The policy of the last command.
    pub(super) policy: Policy,
    /// What it knows of the delivery of its audit trail.
    pub(super) delivery: Delivery,
    /// Whether the storage has its table.
    stored: bool,
    /// Whether the storage has this policy.
    policy_stored: bool,
}

/// How the delivery of the audit trail stands.
#[derive(Default)]
pub(super) struct Delivery {
    /// Where the ledger is, as the trail names it: known from the first command on.
    pub(super) address: Option<Address>,
    /// When it goes on.
    pub(super) schedule: Schedule,
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
        let stored = has_table(sql, "ledger")?;
        // An object that was only asked about has no table, and leaves nothing behind.
        let row = match stored {
            true => sql.exec("select document, policy from ledger", None)?.to_array::<Row>()?.pop(),
            false => None,
        };
        let policy_stored = row.is_some();
        let (document, policy) = match row {
            Some(row) => {
                let document: Document = serde_json::from_str(&row.document)?;
                let document = document.upgraded().map_err(|error| error.to_string())?;
                (document, serde_json::from_str(&row.policy)?)
            }
            None => (Document::default(), policy.clone()),
        };
        let delivery = Delivery::load(sql)?;
        Ok(Self { document, policy, delivery, stored, policy_stored })
    }

    /// Goes on by this policy, which is stored with the ledger's next change.
    pub(super) fn follow(&mut self, policy: Policy) {
        if self.policy != policy {
            (self.policy, self.policy_stored) = (policy, false);
        }
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
        if self.policy_stored {
            return sql.exec("update ledger set document = ?", vec![document]).map(drop);
        }
        let policy = SqlStorageValue::String(serde_json::to_string(&self.policy)?);
        let text = "insert into ledger (id, document, policy) values (1, ?, ?) \
                    on conflict (id) do update set document = excluded.document, policy = excluded.policy";
        sql.exec(text, vec![document, policy])?;
        self.policy_stored = true;
        Ok(())
    }
}

impl Delivery {
    fn load(sql: &SqlStorage) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Row {
            address: String,
            schedule: String,
        }
        if !has_table(sql, "delivery")? {
            return Ok(Self::default());
        }
        let text = "select address, schedule from delivery";
        let Some(row) = sql.exec(text, None)?.to_array::<Row>()?.pop() else {
            return Ok(Self { stored: true, ..Self::default() });
        };
        let schedule = serde_json::from_str(&row.schedule)?;
        Ok(Self { address: row.address.parse().ok(), schedule, stored: true })
    }

    /// Goes on by this schedule, and stores it if it is another one.
    pub(super) fn set(&mut self, schedule: Schedule, sql: &SqlStorage) -> Result<()> {
        let Some(address) = self.address.filter(|_| schedule != self.schedule) else {
            return Ok(());
        };
        if !self.stored {
            let table = "create table if not exists delivery (id integer primary key check (id = 1), \
                         address text not null, schedule text not null)";
            sql.exec(table, None)?;
            self.stored = true;
        }
        self.schedule = schedule;
        let address = SqlStorageValue::String(address.to_string());
        let schedule = SqlStorageValue::String(serde_json::to_string(&schedule)?);
        let text = "insert into delivery (id, address, schedule) values (1, ?, ?) \
                    on conflict (id) do update set address = excluded.address, schedule = excluded.schedule";
        sql.exec(text, vec![address, schedule]).map(drop)
    }
}

fn has_table(sql: &SqlStorage, name: &str) -> Result<bool> {
    let text = "select name from sqlite_master where type = 'table' and name = ?";
    let name = SqlStorageValue::String(name.to_owned());
    Ok(sql.exec(text, vec![name])?.raw().next().is_some())
}
