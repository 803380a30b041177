//! The revocation snapshot: how introspection in edge mode answers without asking the ledger, and why
//! what was revoked is inactive everywhere within [`REVOCATION_BOUND`].
//!
//! Revocations are kept in [`SHARDS`] shards by session. Each shard has one publisher, which stores
//! what ledgers report to it and writes, at least every 30 seconds while anybody reads, a [`Snapshot`]
//! under the shard's [`key`] of the cache. Readers keep it for a few seconds.
//!
//! The bound holds by construction:
//! 1. The owner of a ledger that revokes something reports it to the publisher before it answers, and
//!    keeps it, durably and in the same step as the revocation, until the publisher has stored it. A
//!    caller who asked for the revocation and whom this would keep waiting is told 503, never 200.
//! 2. A snapshot with `as_of` = T is made, at T by the publisher's clock, of everything that the
//!    publisher has stored, so it has all that was answered with 200 before T.
//! 3. A reader takes no notice of a snapshot that is older than the bound less [`SKEW`] by its own
//!    clock, or further in the future than that; it asks the ledger, and the publisher to go on.
//!
//! So long as the clocks of publisher and readers differ by no more than [`SKEW`], a token that was
//! revoked at time t is refused from t + [`REVOCATION_BOUND`] on whatever fails: cache, publisher, or
//! the way between them. Readers of an old or lost snapshot are slower, and right.
//!
//! Ledgers report only in edge mode. A snapshot therefore names the time `since` which they do, and
//! says nothing of tokens that are older.
//!
//! In scope: pure rules. Out of scope: storage and alarms (crate `host`), the use case (crate `auth`).

mod memory;
mod view;

pub use memory::{Mark, Memory, Report};
pub use view::{Snapshot, Verdict};

use ledger::{Millis, SessionId};

/// After so long whatever was revoked is inactive everywhere, in milliseconds.
pub const REVOCATION_BOUND: Millis = 120_000;

/// The clocks of the platform's machines are this close to each other, in milliseconds.
pub const SKEW: Millis = 10_000;

/// In so many parts revocations are published: each has a writer and a cache key of its own.
pub const SHARDS: u8 = 8;

/// The shard of a session and its tokens. Names of sessions are random, so any byte is a good hash.
pub fn shard_of(session: &SessionId) -> u8 {
    session.as_bytes()[0] % SHARDS
}

/// Where a shard is in the cache.
pub fn key(shard: u8) -> String {
    format!("revocations/{shard}")
}
