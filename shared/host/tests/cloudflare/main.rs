//! The adapters and entry points for Workers, run under Node: requests, responses and bindings are
//! JavaScript objects of the shape that the platform gives. Workers themselves are the business of
//! the black-box suite.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(clippy::expect_used, reason = "what does not hold must end the test")]

mod adapters;
mod entry;
mod js;
