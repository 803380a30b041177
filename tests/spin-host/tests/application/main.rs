//! The host as a program, with a component that does what its path says.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

mod grants;
mod host;
mod instances;
mod outbound;
mod starting;
mod stores;
