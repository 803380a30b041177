//! Circuit breakers: a dependency that fails again and again is left alone for a while, so that
//! nobody waits for its timeouts and it can come back in peace.
//!
//! In scope: when a breaker opens and closes, a set of them by origin, and a platform whose
//! outbound HTTP goes through it. Out of scope: what callers do meanwhile, and how long that is told
//! to clients (crate `host`).

mod guarded;
mod origins;
mod rules;

pub use guarded::Guarded;
pub use origins::{Breakers, Pass};
pub use rules::{Breaker, Permit};
