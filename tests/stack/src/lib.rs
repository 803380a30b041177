//! Starts and owns the local stack: a real Postgres with migrations and a seed, the SQL proxy, the
//! WorkOS emulator and all functions in workerd. Everything listens on free ports of the loopback
//! interface, so several stacks run side by side.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let mut stack = stack::Stack::start(stack::StackOptions::default()).await?;
//! let tokens = stack.info().workos().sign_in("ada@example.test").await?;
//! stack.stop_proxy(); // Postgres is away now
//! # Ok(()) }
//! ```
#![expect(clippy::disallowed_methods, reason = "a native tool: it has a clock and an environment")]

mod clients;
mod database;
mod door;
mod info;
mod keys;
pub mod layout;
mod local;
mod migrate;
mod network;
mod platform;
mod postgres;
pub mod process;
mod proxy;
mod redis;
mod schedule;
mod scratch;
pub mod settings;
mod spin;
mod workers;
mod workos;

pub use database::Database;
pub use door::Door;
pub use info::{ClientInfo, STACK_VARIABLE, StackInfo};
pub use local::{Progress, Stack, StackOptions};
pub use network::{free_port, wait_for_ok};
pub use platform::{PLATFORM_VARIABLE, Platform};
pub use scratch::Scratch;
pub use spin::InstalledSpin;
pub use workos::{AuthKitTokens, User, WorkOs};
