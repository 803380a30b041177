//! The rules of the MCP endpoint, each against a database in memory.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

mod arbitrary;
mod messages;
mod schemas;
mod tools;
mod world;
