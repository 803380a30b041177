//! The project's commands. Run `cargo xtask --help`.
#![expect(clippy::disallowed_methods, reason = "a native tool: it has a clock and an environment")]

mod audit;
mod bench;
mod build;
mod configuration;
mod db;
mod deploy;
mod dev;
mod judges;
mod loading;
mod prerequisites;
mod redis;
mod report;
mod run;
mod secrets;
mod shrink;
mod spin;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands of Atoms Edge.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build and start everything on this machine, run the main job once, serve until Ctrl-C
    Dev(dev::Arguments),
    /// Check and test everything
    Test(test::Arguments),
    /// Measure the service at scale, beside the platform's floors and a peer
    Bench(bench::Arguments),
    /// Build every function for each platform and print its size
    Build(build::Arguments),
    /// Build one component for Spin: `spin build` runs this for each
    Component(spin::Arguments),
    /// Deploy the functions
    #[command(subcommand)]
    Deploy(deploy::Target),
    /// Make a master secret, or see what is derived from it
    Secrets(secrets::Arguments),
    /// Verify the audit trail, or delete what is old of it
    #[command(subcommand)]
    Audit(audit::Arguments),
    /// Take a database's schema forward or back, check it, or see what differs
    #[command(subcommand)]
    Db(db::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Dev(arguments) => dev::run(&arguments),
        Command::Test(arguments) => return test::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Build(arguments) => build::run(&arguments),
        Command::Component(arguments) => spin::one(&arguments),
        Command::Deploy(target) => deploy::run(&target),
        Command::Secrets(arguments) => secrets::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Db(arguments) => return db::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}
