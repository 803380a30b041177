//! Where things are: the project, its tools and its build results.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// The functions, in the order in which they are deployed. The ledger function owns the Durable
/// Object that others bind to. Whoever verifies tokens has the keys before the token function mints
/// with them, and whoever publishes keys before the introspect function signs with them. The gateway
/// calls all of them.
pub const FUNCTIONS: [&str; 9] = [
    "ledger",
    "sessions",
    "authorize",
    "introspect",
    "revoke",
    "mcp",
    "health",
    "token",
    "gateway",
];

/// The project's folder: the one that cargo works in, or that we are in, or were compiled in. The
/// last alone would not do: checkouts may share a build folder.
pub fn root() -> PathBuf {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
        let cargo = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let candidates = [cargo, env::current_dir().ok(), Some(compiled.clone())];
        let is_root = |folder: &&Path| folder.join("tests/stack/Cargo.toml").is_file();
        let mut roots =
            candidates.iter().flatten().filter_map(|from| from.ancestors().find(is_root));
        roots.next().unwrap_or(&compiled).to_path_buf()
    });
    ROOT.clone()
}

/// The folder for what is made: tools, stacks' files, deployments.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The folder where cargo builds: `CARGO_TARGET_DIR`, else [`target`].
pub fn cargo_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(target, |folder| root().join(folder))
}

/// A program that an npm package brought.
pub fn npm_program(name: &str) -> PathBuf {
    root().join("node_modules/.bin").join(name)
}

/// A program that cargo installed for this project.
pub fn cargo_program(name: &str) -> PathBuf {
    target().join("tools/bin").join(name)
}

/// The value of `PATH` with the project's Node in front: wrangler and the emulator need a newer one
/// than many machines have. What the project brought along is behind: it is for machines without.
pub fn path_variable() -> Result<std::ffi::OsString> {
    let before = env::var_os("PATH").unwrap_or_default();
    let (node, tools) = (root().join("node_modules/.bin"), target().join("tools/bin"));
    let folders = [node].into_iter().chain(env::split_paths(&before)).chain([tools]);
    env::join_paths(folders).context("the project's path has a colon in it")
}

/// The committed wrangler configuration of a function. The gateway's is the root's, so that
/// `wrangler` without arguments means the product's front door.
pub fn wrangler_config(function: &str) -> PathBuf {
    match function {
        "gateway" => root().join("wrangler.toml"),
        other => root().join("functions").join(other).join("wrangler.toml"),
    }
}

/// A binary of this workspace, built beside the running program.
///
/// # Errors
/// If it was not built.
pub fn sibling_binary(name: &str) -> Result<PathBuf> {
    let current = env::current_exe().context("the running program has no path")?;
    let beside = current.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    match beside.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("{name} is not built; run `cargo xtask build`"),
    }
}

/// Make the folder of a new run, and forget all but the newest runs.
pub(crate) fn new_run(id: &str) -> Result<PathBuf> {
    let runs = target().join("stack");
    let folder = runs.join(id);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    forget_old_runs(&runs);
    Ok(folder)
}

/// Runs that are kept: as many as one program of tests has.
const KEPT: usize = 60;

/// Keep the newest runs: their logs are what one looks at after a failure.
fn forget_old_runs(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut known: Vec<_> = entries
        .flatten()
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry)))
        .filter(|(_, entry)| !is_running(&entry.file_name().to_string_lossy()))
        .collect();
    known.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
    for (_, entry) in known.iter().skip(KEPT) {
        // Another process may be tidying up as well.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// A run's name begins with the id of the process that owns it.
fn is_running(run: &str) -> bool {
    let owner = run.split('-').next().and_then(|pid| pid.parse().ok());
    owner.is_some_and(|pid| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SETTINGS;

    #[test]
    fn verifiers_are_deployed_before_the_one_who_mints() {
        let place = |name: &str| FUNCTIONS.iter().position(|function| *function == name).unwrap();
        assert_eq!((place("ledger"), place("gateway")), (0, FUNCTIONS.len() - 1));
        assert!(place("authorize") < place("introspect"), "it publishes what the other signs with");
        for name in ["PUBLIC_KEYS", "REFRESH_MAC_KEYS", "INTERNAL_MAC_KEYS_MCP"] {
            let setting = SETTINGS.iter().find(|setting| setting.name == name).unwrap();
            for function in setting.functions.iter().filter(|function| **function != "token") {
                assert!(place(function) < place("token"), "{function} has {name}");
            }
        }
    }
}
