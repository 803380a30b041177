//! Measures the service at scale beside the platform's floors and a peer, all in one workerd in one
//! run, so that numbers can be compared. `cargo xtask bench` builds what it needs and runs it.
//!
//! Everything listens on the loopback interface, and the load is bounded in time.
#![expect(clippy::disallowed_methods, reason = "a native tool: it has a clock and an environment")]

mod config;
mod database;
mod floors;
mod identity;
mod load;
mod machine;
mod memory;
mod peer;
mod pgbench;
mod pool;
mod product;
mod race;
mod report;
mod run;
mod server;
mod subjects;
mod targets;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use tokio::task::LocalSet;

use crate::report::Report;
use crate::run::Scale;

/// Measure the service at scale.
#[derive(Parser)]
struct Arguments {
    /// See that it works, in a few seconds; the numbers mean nothing
    #[arg(long)]
    smoke: bool,
    /// Measure one part
    #[arg(long)]
    only: Option<Part>,
    /// Measure nothing: print the latest results as Markdown
    #[arg(long)]
    readme: bool,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The functions, the floors, the peer
    Service,
    /// The SQL proxy and the database behind it
    Proxy,
}

/// One thread makes the load: the other processors are for what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.readme {
        print!("{}", Report::latest()?.markdown());
        return Ok(());
    }
    let scale = if arguments.smoke { Scale::SMOKE } else { Scale::FULL };
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    let measured = run::run(scale, wanted(Part::Service), wanted(Part::Proxy));
    let report = LocalSet::new().run_until(measured).await?;
    print!("{}", report.table());
    if !arguments.smoke {
        println!("{} targets missed; all of it: {}", report.missed(), report.save()?.display());
    }
    Ok(())
}
