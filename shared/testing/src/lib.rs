//! What tests stand on: one fake platform with a settable clock, fakes of the identity provider and
//! the business database behind it, a seeded world, and a contract suite per port that every
//! adapter must pass.
//!
//! Out of scope: HTTP servers and real stores (package `e2e`). Nothing here is for production: the
//! randomness is predictable and the keys are public.
#![expect(
    async_fn_in_trait,
    reason = "statically dispatched on single-threaded hosts; no Send bound is wanted"
)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "this is test code: what does not hold must end the test"
)]

mod consents;
pub mod contract;
mod database;
mod eventual_kv;
mod faults;
mod platform;
mod proof_key;
#[cfg(feature = "redis")]
pub mod redis;
mod stores;
mod workos;
mod world;

pub use database::FakeDatabase;
pub use eventual_kv::{KvLocation, Lag, Obstacle};
pub use faults::{Dependency, Fault};
pub use platform::{FakePlatform, yield_once};
pub use proof_key::{ProofKey, proof_claims};
pub use workos::{AuthKitToken, FakeWorkos};
pub use world::{
    ALL_SCOPES, API_SECRET, NARROW_SECRET, NOW, PUBLIC_URL, SERVICE_SECRET, SQL_CONNECTION_STRING,
    SQL_URL, WORKOS_API_KEY, WORKOS_API_URL, WORKOS_CLIENT_ID, WORKOS_ISSUER,
    WORKOS_WEBHOOK_SECRET, World,
};
