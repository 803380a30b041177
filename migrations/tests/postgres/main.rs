//! Steps on a real Postgres, over a session and over HTTP through our proxy, by a role that is no superuser;
//! and what differs. Each test starts a Postgres of its own, because roles are shared by all databases of one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod contract;
mod drift;
mod steps;
mod support;
mod texts;
mod with_sqlx;
mod words;
