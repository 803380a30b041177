//! `cargo xtask bench`: builds what is compared and lets `tests/bench` measure it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};
use stack::layout;

use crate::{build, prerequisites, run, tools};

/// How `bench` runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// See that it works, in a few seconds; the numbers mean nothing
    #[arg(long)]
    smoke: bool,
    /// Measure one part: `service` or `proxy`
    #[arg(long)]
    only: Option<String>,
    /// Measure nothing: print the latest results as Markdown
    #[arg(long)]
    readme: bool,
}

/// The command.
///
/// # Errors
/// If something does not build or does not answer as it should. A missed target is no error: the
/// table says so, and machines differ.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    prerequisites::check()?;
    let optimised = !arguments.smoke && !arguments.readme;
    // The proxy and the database need none of the functions.
    let mut command = if arguments.only.as_deref() == Some("proxy") {
        natives(optimised)?
    } else {
        tools::install_for_builds()?;
        build::functions()?;
        program(optimised)?
    };
    command.args(arguments.smoke.then_some("--smoke"));
    command.args(arguments.readme.then_some("--readme"));
    if let Some(part) = &arguments.only {
        command.args(["--only", part]);
    }
    let status = command.status()?;
    if status.success() { Ok(()) } else { bail!("the benchmark failed ({status})") }
}

/// The benchmark's program, built, and everything that it starts but the functions. What is to be
/// measured is optimised; otherwise what is built anyway will do.
///
/// # Errors
/// If something does not build.
pub(crate) fn program(optimised: bool) -> Result<Command> {
    build::floor()?;
    bundle_peer()?;
    natives(optimised)
}

fn natives(optimised: bool) -> Result<Command> {
    let profile = if optimised { "native" } else { "dev" };
    let mut build = Command::new("cargo");
    build.args(["build", "--profile", profile, "-p", "bench", "-p", "proxy"]);
    run::step("build the benchmark", build.current_dir(layout::root()))?;
    let folder = if optimised { "native" } else { "debug" };
    let mut command = Command::new(layout::cargo_target().join(folder).join("bench"));
    command.current_dir(layout::root());
    Ok(command)
}

/// The peer and what it is made of, in one module.
fn bundle_peer() -> Result<()> {
    let bundled: PathBuf = layout::target().join("bench/peer.mjs");
    let mut command = Command::new(layout::npm_program("esbuild"));
    command
        .args(["tests/bench/workers/peer.mjs", "--bundle", "--format=esm", "--platform=neutral"])
        .args(["--main-fields=module,main", "--log-level=warning", "--external:cloudflare:*"])
        .arg(format!("--outfile={}", bundled.display()))
        .current_dir(layout::root());
    run::step("bundle the peer", &mut command)
}
