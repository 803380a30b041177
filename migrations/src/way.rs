//! Either of the ways to a database, for whoever chooses at run time.

use crate::connection::{Connection, Failure, Rows, Statement};
use crate::direct::Direct;
use crate::over_http::Http;

/// A way to a database.
pub enum Way {
    /// A session with Postgres.
    Direct(Direct),
    /// A `/sql` endpoint.
    Http(Http),
}

impl Connection for Way {
    async fn transaction(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
        match self {
            Self::Direct(way) => way.transaction(statements).await,
            Self::Http(way) => way.transaction(statements).await,
        }
    }
}
