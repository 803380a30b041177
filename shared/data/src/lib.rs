//! SQL over HTTP, row-level-security transactions and the typed queries of the Atoms model.
//!
//! The database decides who may do what: every transaction first takes a role, and for people
//! their claims, and row-level security judges the rest. The login role has no rights of its own,
//! so a transaction that forgets this step is refused. The SQL texts are in `queries/`, fixed and
//! with bound parameters only: the role guards against our mistakes, not against hostile SQL,
//! which could take another role.

use ports::{Millis, Random, Sql, SqlError, Statement};

pub mod audit;
mod backoff;
pub mod clients;
pub mod consents;
mod error;
pub mod membership;
pub mod model;
mod neon;
mod session;
pub mod workspaces;

pub use backoff::Backoff;
pub use error::DataError;
pub use neon::{DEFAULT_TIMEOUT, NeonSql};
pub use session::{Caller, ROLE_SERVICE, ROLE_USER, as_service, as_user};

/// Whether the database answers. Takes no role and reads no table.
///
/// # Errors
/// What the database or the way to it says.
pub async fn ping(sql: &impl Sql) -> Result<(), SqlError> {
    let text = include_str!("../queries/ping.sql");
    sql.transaction(&[Statement { text, parameters: Vec::new() }]).await.map(drop)
}

/// A new key for a row: UUID version 7 (RFC 9562), so that keys sort by the time of creation.
pub fn new_uuid(now: Millis, random: &impl Random) -> String {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    uuid::Builder::from_unix_timestamp_millis(now, &bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;

    impl Random for Ones {
        fn fill(&self, out: &mut [u8]) {
            out.fill(0xff);
        }
    }

    #[test]
    fn keys_are_version_7_and_carry_the_time() {
        assert_eq!(new_uuid(0x0190_0000_0001, &Ones), "01900000-0001-7fff-bfff-ffffffffffff");
    }
}
