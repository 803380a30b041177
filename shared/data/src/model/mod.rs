//! The Atoms model: workspaces, entities (projects and what is in them), relationships, workflows,
//! saved queries and exports, each with the rights of the caller.
//!
//! In scope: one round trip for each use case; judging input before the database is asked; telling
//! apart what is absent, forbidden, changed by others, taken and wrong, each with the field as callers
//! know it. Out of scope: who may do what, which row-level security decides.
//!
//! Everything is of the caller's active organization: what is elsewhere is not there.

use serde_json::{Map, Value};

mod batch;
mod check;
mod constraints;
mod cursor;
pub mod documents;
mod drafts;
pub mod entities;
mod error;
pub mod exports;
pub mod graph;
mod idempotency;
pub mod lists;
pub mod queries;
mod record;
pub mod relationships;
pub mod runs;
pub mod search;
mod shapes;
pub mod workflows;
pub mod workspaces;

pub use error::Error;
pub use shapes::EntityType;

/// An object of JSON.
pub type Object = Map<String, Value>;
/// What comes of a read.
pub type Read<T> = Result<T, Error>;
/// What comes of a write.
pub type Write<T> = Result<Written<T>, Error>;
/// A change: `None` leaves it as it is; an inner `None` takes the value away.
pub type Change<T> = Option<T>;

/// The longest part of a list that is served.
pub const MOST_ITEMS: usize = 100;

/// How a write is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempt {
    /// If something was created under the same key within a day, that is the result again. Creations
    /// alone have one: a change is made once by its version.
    pub idempotency: Option<Idempotency>,
    /// Let the database judge it, tell what would come of it, and leave everything as it is.
    pub dry_run: bool,
}

/// What makes two creations the same one. A key is of one user and organization and one type of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Chosen by the caller, up to 200 characters.
    pub key: String,
    /// Of what is asked for: the same key with another digest is [`Error::KeyReused`].
    pub digest: String,
}

/// A write that has happened, now or before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// What came of it; if it happened before, as it is now.
    pub value: T,
    /// Whether it had happened before, under the same idempotency key.
    pub replayed: bool,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// How many at most, from 1 to [`MOST_ITEMS`]; other values are taken to the nearest bound.
    pub limit: usize,
    /// [`Part::next`] of the part before, with nothing else changed.
    pub after: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// In order.
    pub items: Vec<T>,
    /// Where the next part starts, if there is one.
    pub next: Option<String>,
}

/// What is to be changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which one.
    pub id: String,
    /// Only if this is its version.
    pub version: Option<i64>,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Deleted {
    /// Its key.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// How many entities of which type went with it.
    pub contents: std::collections::BTreeMap<String, u64>,
}
