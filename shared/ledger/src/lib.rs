//! The session ledger: one small document per user (or machine client), changed only by commands
//! that a pure function applies.
//!
//! In scope: sessions, rotation of refresh tokens, reuse detection, risk, timeouts, revocation, the
//! session limit, rate limits, the grant at the identity provider, and the audit trail and
//! announcements until they are delivered. Time and randomness are arguments; a store makes each
//! command atomic.
//!
//! Out of scope: fingerprints, network prefixes and seals, which need keys or configuration; token
//! text and signatures (crate `oauth`), storage (crate `host`), HTTP.

mod alarm;
mod apply;
mod audit;
mod checking;
mod command;
mod device;
mod extension;
#[cfg(test)]
mod fixture;
mod hex;
mod id;
mod lifecycle;
mod limits;
mod model;
mod once;
mod outbox;
mod outcome;
mod policy;
mod revocation;
mod risk;
mod rotation;
mod session;
mod step;
mod throttle;
mod upstream;
mod webhooks;

pub use alarm::{SPREAD, alarm};
pub use apply::{Answer, Applied, Revocation, apply};
pub use audit::{Actor, AuditEvent, AuditKind, AuditLevel, AuditOutcome, Origin};
pub use command::{
    Check, Command, CreateSession, Credential, Envelope, Extend, Refresh, Revoke, Which,
};
pub use device::{Device, Location, OnChange, Seen, Signals};
pub use hex::Hex;
pub use id::{Address, Fingerprint, InvalidId, LeaseId, Link, OnceId, SessionId};
pub use lifecycle::next_due;
pub use limits::{Budget, Class, Limits, Window};
pub use model::{
    EndReason, Ledger, PastRefresh, RevokedToken, Session, State, Subject, UnsupportedSchema, Usage,
};
pub use once::Once;
pub use outbox::{ChainedEvent, Delivery, Outbox};
pub use outcome::{Inactive, Issue, Outcome, Refusal, SessionView, Standing};
pub use policy::{OnLimit, Policy, SessionLimit};
pub use risk::{Risk, RiskMemory, RiskReason};
pub use step::Context;
pub use throttle::{Throttle, Throttles};
pub use upstream::{
    Lease, Renewed, Upstream, UpstreamAnswer, UpstreamGrant, UpstreamOutcome, UpstreamState,
    UpstreamStore,
};
pub use webhooks::{Claimed, Settle, Settled, Webhook, Webhooks};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;
