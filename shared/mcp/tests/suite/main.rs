//! The rules of the MCP endpoint, each against a database in memory.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod arbitrary;
mod atoms;
mod context;
#[path = "../../examples/conformance/fixture.rs"]
mod fixture;
mod judge;
mod messages;
mod model;
mod operations;
mod protocol;
mod schemas;
mod tools;
mod world;
