//! The session ledger: one small document per user (or machine client), changed only by commands
//! that a pure function applies.
//!
//! In scope: sessions, rotation of refresh tokens, reuse detection, timeouts, revocation, the
//! session limit. Time and randomness are arguments; a store makes each command atomic.
//!
//! Out of scope: token text and signatures (crate `oauth`), storage (crate `host`), HTTP.

mod apply;
mod checking;
mod command;
#[cfg(test)]
mod fixture;
mod id;
mod lifecycle;
mod model;
mod policy;
mod revocation;
mod rotation;
mod session;
mod step;

pub use apply::{Applied, apply};
pub use command::{
    AuditEvent, AuditKind, Check, Command, CreateSession, Credential, Envelope, Inactive, Issue,
    Outcome, Refresh, Refusal, Revoke, SessionView, Standing,
};
pub use id::{Address, InvalidId, SessionId};
pub use lifecycle::next_due;
pub use model::{
    Device, EndReason, Ledger, RevokedToken, Session, State, Subject, UnsupportedSchema, Usage,
};
pub use policy::{OnLimit, Policy};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;
