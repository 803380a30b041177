//! What strangers send, at random: valid tokens, forms, metadata and addresses of clients, flipped, cut,
//! stuffed and spliced. Nothing makes the parsers panic, nothing but the very token is taken for it, and
//! what is read is safe to use.
//!
//! Each target runs for `FUZZ_SECONDS`, one by default, on stable Rust and without a corpus: inputs
//! are made from valid ones, and a failing one is shrunk by proptest.
#![expect(clippy::panic, clippy::unwrap_used, reason = "what does not hold must end the test")]

mod forms;
mod jwt;
mod metadata;
mod mutation;
mod proofs;
mod refresh_tokens;

use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Inputs between two looks at the clock.
const BATCH: u32 = 500;

/// Tries inputs until the time is over.
fn fuzz<S: Strategy>(inputs: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to run is for who starts the tests to say"
    )]
    let (seconds, since) = (std::env::var("FUZZ_SECONDS"), Instant::now());
    let limit = Duration::from_secs(seconds.map_or(1, |seconds| seconds.parse().unwrap()));
    let config = Config { cases: BATCH, failure_persistence: None, ..Config::default() };
    let mut tried = 0_u64;
    while since.elapsed() < limit {
        // A runner counts what it has tried, and tries no more than that.
        let mut runner = TestRunner::new(config.clone());
        if let Err(failure) = runner.run(inputs, &property) {
            panic!("after {tried} inputs: {failure}");
        }
        tried += u64::from(BATCH);
    }
    assert!(tried > 0, "the time was too short for any input");
    println!("{tried} inputs in {:?}", since.elapsed());
}
