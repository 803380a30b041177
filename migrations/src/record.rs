//! What a database knows of its own history: the table that sqlx keeps, and its lock. So databases that
//! sqlx has migrated carry on, and both keep out of each other's way.

use sha2::{Digest, Sha256};

use crate::connection::{Connection, Failure, Statement};
use crate::plan::{Applied, hex};
use crate::source::Migration;

/// SQLSTATEs of our own: another run is at it; the database is not as it was read.
pub(crate) const BUSY: &str = "AE001";
pub(crate) const MOVED: &str = "AE002";

const LIST: &str = "
    select version::text, description::text, encode(checksum, 'hex'), success::text,
        to_char(installed_on at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    from _sqlx_migrations as m order by m.version";

const TABLE: &str = "
    create table if not exists _sqlx_migrations (
        version bigint primary key,
        description text not null,
        installed_on timestamptz not null default now(),
        success boolean not null,
        checksum bytea not null,
        execution_time bigint not null
    )";

/// The time is that of the transaction so far, in nanoseconds.
const ADD: &str = "
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
    values ($1::bigint, $2::text, true, decode($3::text, 'hex'),
        (extract(epoch from clock_timestamp() - now()) * 1e9)::bigint)";

/// [`token`] in SQL.
const TOKEN: &str = r"(
    select encode(sha256(convert_to(
        coalesce(string_agg(version || ':' || encode(checksum, 'hex') || ':' || success || E'\n', ''
            order by version), ''), 'UTF8')), 'hex')
    from _sqlx_migrations
)";

/// What was applied to a database.
pub(crate) struct Record {
    database: String,
    has_table: bool,
    pub(crate) applied: Vec<Applied>,
}

impl Record {
    /// Read it; a database without one has had no step.
    pub(crate) async fn read(connection: &mut impl Connection) -> Result<Self, Failure> {
        let question = "select current_database()::text, to_regclass('_sqlx_migrations')::text";
        let rows = connection.transaction(&[Statement::new(question)]).await?;
        let row = rows.into_iter().flatten().next().unwrap_or_default();
        let [Some(database), table] = <[_; 2]>::try_from(row).unwrap_or_default() else {
            return Err(Failure::Protocol("the database has no name".to_owned()));
        };
        let mut applied = Vec::new();
        if table.is_some() {
            let rows = connection.transaction(&[Statement::new(LIST)]).await?;
            let strange =
                || Failure::Protocol("_sqlx_migrations is not as sqlx makes it".to_owned());
            let rows = rows.into_iter().flatten().map(|row| applied_of(row).ok_or_else(strange));
            applied = rows.collect::<Result<_, _>>()?;
        }
        Ok(Self { database, has_table: table.is_some(), applied })
    }

    /// Begins a transaction that changes the schema: [`BUSY`] if another one is at it.
    pub(crate) fn lock(&self) -> Statement {
        let key = lock_key(&self.database);
        Statement::new(format!(
            "do $$ begin
                if not pg_try_advisory_xact_lock({key}) then
                    raise exception 'another run is at it' using errcode = '{BUSY}';
                end if;
            end $$"
        ))
    }

    /// Goes on with it: [`MOVED`] if the record is not as it was read.
    pub(crate) fn hold(&self) -> Vec<Statement> {
        let expected = token(&self.applied);
        let check = format!(
            "do $$ begin
                if {TOKEN} <> '{expected}' then
                    raise exception 'another run was faster' using errcode = '{MOVED}';
                end if;
            end $$"
        );
        // Where there is a table, the right to make one is not needed.
        let table = (!self.has_table).then_some(TABLE.to_owned());
        table.into_iter().chain([check]).map(Statement::new).collect()
    }
}

/// A step forward was done.
pub(crate) fn add(migration: &Migration) -> Statement {
    let (version, checksum) = (migration.version.to_string(), hex(&migration.checksum()));
    Statement::with(ADD, [version, migration.description(), checksum])
}

/// A step was taken back.
pub(crate) fn remove(migration: &Migration) -> Statement {
    let text = "delete from _sqlx_migrations where version = $1::bigint";
    Statement::with(text, [migration.version.to_string()])
}

/// Nothing was ever done.
pub(crate) fn forget() -> Statement {
    Statement::new("drop table if exists _sqlx_migrations")
}

/// What a step holds the database to while it runs: a digest of all that was applied.
pub(crate) fn token(applied: &[Applied]) -> String {
    let row = |row: &Applied| format!("{}:{}:{}\n", row.version, row.checksum, row.success);
    hex(&Sha256::digest(applied.iter().map(row).collect::<String>()))
}

/// As sqlx derives it.
fn lock_key(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32fast::hash(database.as_bytes()))
}

fn applied_of(row: Vec<Option<String>>) -> Option<Applied> {
    let [version, description, checksum, success, installed_on] = <[_; 5]>::try_from(row).ok()?;
    Some(Applied {
        version: version?.parse().ok()?,
        description: description?,
        checksum: checksum?,
        success: success?.parse().ok()?,
        installed_on: installed_on?,
    })
}
