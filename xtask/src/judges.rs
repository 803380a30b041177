//! Other people's clients, which judge what we serve: scripts in tests/judges, each a step of its own.

use std::process::Command;

use anyhow::Result;
use stack::{STACK_VARIABLE, StackInfo, layout};

use crate::{run, tools};

/// Those that judge the service, in order. They are asked on every platform, as what is under the use
/// cases differs: signatures, requests to other hosts, stores.
pub(crate) const OF_THE_SERVICE: [&str; 9] = [
    "openid-client",
    "oauth4webapi",
    "known-clients",
    "conformance",
    "differential",
    "mcp-sdk-1",
    "mcp-sdk-2",
    "mcp-python",
    "people",
];

/// One of them.
///
/// # Errors
/// If the stack cannot be described.
pub(crate) fn of_the_service(name: &str, info: &StackInfo) -> Result<Command> {
    let mut command = script(name);
    command.env(STACK_VARIABLE, info.save()?);
    Ok(command)
}

/// The genuine driver of Neon, which knows nothing of functions: the proxy is the same on all platforms.
pub(crate) fn of_sql_proxy(info: &StackInfo) -> Command {
    let mut command = script("neon-driver");
    command.args([&info.sql_url, &info.sql_connection_string]);
    command
}

/// A browser, which looks at every page that the service could show.
///
/// # Errors
/// If the browser is not installed and cannot be, or the pages do not build.
pub(crate) fn of_pages() -> Result<Command> {
    tools::install_for_stacks()?;
    let gallery = layout::target().join("pages");
    let mut pages = Command::new("cargo");
    pages.args(["run", "-p", "pages", "--example", "gallery", "--"]).arg(&gallery);
    run::step("every page", pages.current_dir(layout::root()))?;
    let mut command = script("pages");
    command.arg(&gallery).arg(gallery.join("pictures"));
    Ok(command)
}

fn script(name: &str) -> Command {
    let mut command = Command::new(layout::npm_program("node"));
    let path = format!("tests/judges/{name}.mjs");
    command.arg(path).current_dir(layout::root());
    command
}
