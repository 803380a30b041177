//! Builds the functions for Workers: one cargo build for all of them, then worker-build makes a Worker of each.
//! A function whose sources and tools are what they were is not touched.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use stack::Platform;
use stack::layout::{self, FUNCTIONS};

use crate::{prerequisites, report, run, spin, tools};

/// The largest function we accept, compressed: small functions start fast.
const LIMIT: usize = 350 * 1024;
/// The same for the owner of the ledgers, which is no endpoint: it has every store in it, and all that
/// is done in the background.
const OWNER_LIMIT: usize = 540 * 1024;
/// The function that exports the Durable Object of the ledgers.
const LEDGER_OWNER: &str = "ledger";
/// The benchmark's own Worker: built like a function, and not one.
const FLOOR: &str = "floor";

/// What `build` builds.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// For one platform, `workers` or `spin` [default: both]
    #[arg(long)]
    platform: Option<Platform>,
}

/// `cargo xtask build`.
///
/// # Errors
/// If a function does not build or is too large.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    for platform in platforms(arguments.platform) {
        match platform {
            Platform::Workers => workers()?,
            Platform::Spin => {
                prerequisites::check()?;
                spin::components()?;
            }
        }
    }
    Ok(())
}

/// The one platform that is asked for, or both.
pub(crate) fn platforms(only: Option<Platform>) -> Vec<Platform> {
    only.map_or_else(|| vec![Platform::Workers, Platform::Spin], |platform| vec![platform])
}

/// Build the functions as Workers, on a machine that may have none of the tools yet.
///
/// # Errors
/// If a function does not build or is too large.
pub(crate) fn workers() -> Result<()> {
    prerequisites::check()?;
    tools::install_for_builds()?;
    functions()
}

/// Build the functions that changed and print the sizes of all.
///
/// # Errors
/// If a function does not build or is too large.
pub(crate) fn functions() -> Result<()> {
    let shared = shared_digest()?;
    let mut stale = Vec::new();
    for function in FUNCTIONS {
        let digest = digest_of(shared.clone(), function)?;
        if !is_current(function, &digest) {
            stale.push((function, digest));
        }
    }
    if stale.is_empty() {
        report::line("✓ the functions are built");
    } else {
        compile(&stale)?;
        package(&stale)?;
    }
    sizes()
}

/// Build the Worker that the benchmark takes the platform's floors from.
///
/// # Errors
/// If it does not build.
pub(crate) fn floor() -> Result<()> {
    let mut digest = Sha256::new();
    digest.update(tools::WORKER_BUILD);
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package-lock.json"] {
        add_file(&mut digest, &layout::root().join(file))?;
    }
    let digest = digest_of(digest, FLOOR)?;
    if is_current(FLOOR, &digest) { Ok(()) } else { package_one(FLOOR, &digest) }
}

/// Build the native programs that the stack runs.
///
/// # Errors
/// If they do not build.
pub(crate) fn native() -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["build", "-p", "proxy"]).current_dir(layout::root());
    run::step("build the SQL proxy", &mut command)
}

/// Building many at once uses the processors best. worker-build asks cargo for the same again, with
/// the same environment, and finds it done. The owner of the Durable Object builds the host with a
/// feature that the others must not have, so it is built by itself.
fn compile(stale: &[(&str, String)]) -> Result<()> {
    let names: Vec<&str> = stale.iter().map(|(function, _)| *function).collect();
    let (owner, others): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| *name == LEDGER_OWNER);
    for group in [others, owner] {
        if group.is_empty() {
            continue;
        }
        let mut command = cargo("build");
        command.args(["--lib", "--release", "--target", "wasm32-unknown-unknown"]);
        for function in &group {
            command.args(["-p", &package_name(function)]);
        }
        run::step(&format!("compile {} to wasm", group.join(" ")), &mut command)?;
    }
    Ok(())
}

fn package(stale: &[(&str, String)]) -> Result<()> {
    two_at_a_time(stale, |(function, digest)| package_one(function, digest))
}

/// Do the same for each: what is mostly one process at work.
///
/// # Errors
/// The first one's that fails; the others are done all the same.
pub(crate) fn two_at_a_time<T: Sync>(
    items: &[T],
    each: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let queue = Mutex::new(items.iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(item) = queue.lock().ok().and_then(|mut queue| queue.next()) {
            if let Err(error) = each(item)
                && let Ok(mut failures) = failures.lock()
            {
                failures.push(error);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let failures = failures.into_inner().map_err(|_| anyhow!("a build panicked"))?;
    failures.into_iter().next().map_or(Ok(()), Err)
}

fn package_one(function: &str, digest: &str) -> Result<()> {
    let since = Instant::now();
    let name = format!("package {function}");
    let stamp = stamp(function);
    fs::create_dir_all(stamp.parent().context("a stamp is in a folder")?)?;
    // What is cut off has made something that is neither the one nor the other.
    fs::write(&stamp, "")?;
    let mut command = Command::new(layout::cargo_program("worker-build"));
    command.arg("--release").current_dir(folder(function));
    environment(&mut command);
    let outcome = run::logged(&name, &mut command, |_| {});
    match &outcome {
        Ok(()) => report::done(&name, since.elapsed()),
        Err(_) => report::failed(&name, since.elapsed()),
    }
    outcome?;
    strip(function)?;
    Ok(fs::write(stamp, digest)?)
}

/// worker-build keeps the names of functions, a fifth of the module; what a panic says of its place
/// comes from the code and stays.
fn strip(function: &str) -> Result<()> {
    let wasm = folder(function).join("build/index_bg.wasm");
    let mut command = Command::new(layout::npm_program("wasm-opt"));
    command.args(["-Oz", "--strip-debug", "--strip-producers"]).arg(&wasm).arg("-o").arg(&wasm);
    environment(&mut command);
    run::logged(&format!("strip {function}"), &mut command, |_| {})
}

fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.arg(subcommand).current_dir(layout::root());
    environment(&mut command);
    command
}

/// The tools that worker-build would otherwise download, and what it tells cargo.
fn environment(command: &mut Command) {
    command
        .env("WASM_BINDGEN_BIN", layout::cargo_program("wasm-bindgen"))
        .env("WASM_OPT_BIN", layout::npm_program("wasm-opt"))
        .env("ESBUILD_BIN", layout::npm_program("esbuild"))
        .env("WASM_BINDGEN_USE_JS_SYS", "1")
        .env("CARGO_TARGET_DIR", layout::cargo_target());
}

/// The crate of a function.
pub(crate) fn package_name(function: &str) -> String {
    format!("{function}-function")
}

fn folder(function: &str) -> PathBuf {
    let parent = if function == FLOOR { "tests/bench" } else { "functions" };
    layout::root().join(parent).join(function)
}

/// The file that tells of what something was built.
pub(crate) fn stamp(function: &str) -> PathBuf {
    layout::target().join("stamps").join(function)
}

fn is_current(function: &str, digest: &str) -> bool {
    let built = folder(function).join("build");
    built.join("index.js").is_file()
        && built.join("index_bg.wasm").is_file()
        && fs::read_to_string(stamp(function)).is_ok_and(|stamp| stamp == digest)
}

/// Of everything that all functions are made of.
fn shared_digest() -> Result<Sha256> {
    let mut digest = Sha256::new();
    digest.update(tools::WORKER_BUILD);
    digest.update(tools::wasm_bindgen_version()?);
    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "package-lock.json"] {
        add_file(&mut digest, &layout::root().join(file))?;
    }
    add_folder(&mut digest, &layout::root().join(".cargo"))?;
    add_folder(&mut digest, &layout::root().join("shared"))?;
    Ok(digest)
}

/// Of a function as well.
fn digest_of(mut digest: Sha256, function: &str) -> Result<String> {
    add_folder(&mut digest, &folder(function))?;
    Ok(hexadecimal(digest))
}

/// A digest as stamps have it.
pub(crate) fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn add_folder(digest: &mut Sha256, folder: &Path) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !matches!(name.as_ref(), "build" | ".wrangler" | "tests" | "testing") {
            add_folder(digest, &path)?;
        } else if path.is_file() && !name.ends_with(".md") && name != "wrangler.toml" {
            add_file(digest, &path)?;
        }
    }
    Ok(())
}

fn add_file(digest: &mut Sha256, path: &Path) -> Result<()> {
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    digest.update(path.strip_prefix(layout::root()).unwrap_or(path).as_os_str().as_encoded_bytes());
    digest.update([0]);
    digest.update(content.len().to_be_bytes());
    digest.update(content);
    Ok(())
}

fn sizes() -> Result<()> {
    report::line("  function       raw KB   gzip KB");
    let mut over = Vec::new();
    for function in FUNCTIONS {
        let (raw, compressed) = size(function)?;
        row(function, raw, compressed);
        let limit = if function == LEDGER_OWNER { OWNER_LIMIT } else { LIMIT };
        if compressed > limit {
            over.push(function);
        }
    }
    if over.is_empty() {
        return Ok(());
    }
    bail!("larger than it may be when compressed: {}", over.join(", "))
}

/// A row of a table of sizes.
pub(crate) fn row(name: &str, raw: usize, compressed: usize) {
    let [raw, compressed] = [raw, compressed].map(|bytes| bytes as f64 / 1024.0);
    report::line(&format!("  {name:<12} {raw:>8.0} {compressed:>9.0}"));
}

fn size(function: &str) -> Result<(usize, usize)> {
    let built = folder(function).join("build");
    measure(&["index_bg.wasm", "index.js"].map(|file| built.join(file)))
}

/// The bytes of files, as they are and compressed together.
pub(crate) fn measure(files: &[PathBuf]) -> Result<(usize, usize)> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut raw = 0;
    for file in files {
        let content = fs::read(file).with_context(|| format!("there is no {}", file.display()))?;
        raw += content.len();
        encoder.write_all(&content)?;
    }
    Ok((raw, encoder.finish()?.len()))
}
