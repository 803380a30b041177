//! Black-box suites over HTTP: a small client of the service, people to act as, and the main job.
//!
//! The suites are in `tests/`; they find a running stack through `ATOMS_STACK`. The fault suite
//! starts stacks of its own.
#![expect(clippy::disallowed_methods, reason = "a native tool: it has a clock and an environment")]

pub mod browser;
pub mod client;
mod jwt;
pub mod main_job;
pub mod world;

pub use browser::Browser;
pub use client::{Answer, Api};
pub use jwt::{Jwt, claims};
pub use main_job::Reporter;
pub use world::{Person, Session, World};
