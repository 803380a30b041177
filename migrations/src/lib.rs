//! The history of the schema, and what takes a database along it. The scripts are beside this crate,
//! `README.md` there says how to write them.
//!
//! In scope: forward, back and check per version, over a session with Postgres or over HTTP; the record of
//! what was applied, as sqlx keeps it, so that both work on the same database; what a database consists of
//! ([`Catalogue`]), and how that differs from what the scripts make.
//!
//! Out of scope: making databases and logins, data, steps that cannot run in a transaction.
#![expect(async_fn_in_trait, reason = "statically dispatched; no Send bound is wanted")]

mod catalogue;
mod connection;
mod direct;
mod over_http;
mod place;
mod plan;
mod record;
mod runner;
mod script;
mod source;
mod step;
mod way;

use std::path::{Path, PathBuf};

pub use catalogue::{Catalogue, Difference};
pub use connection::{Connection, Failure, Refusal, Rows, Statement};
pub use direct::Direct;
pub use over_http::Http;
pub use place::{Place, is_loopback};
pub use plan::{Applied, Line, PlanError, Standing};
pub use runner::{Error, Event, Runner, is_complete};
pub use source::{Migration, Migrations, SourceError};
pub use way::Way;

/// The project's own scripts.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The catalogue of a database that all of the project's scripts were applied to, as it was reviewed.
pub fn snapshot() -> PathBuf {
    folder().join("catalogue.txt")
}
