//! `cargo xtask test`: every check and every test, cheapest first, up to the first failure.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use stack::layout::{self, FUNCTIONS};
use stack::{PLATFORM_VARIABLE, Platform, STACK_VARIABLE, Stack};

use crate::spin::Component;
use crate::{bench, build, dev, judges, prerequisites, redis, report, run, spin, tools};

/// How `test` runs.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run one step, and what it needs
    #[arg(long)]
    only: Option<Step>,
    /// Test on one platform, `workers` or `spin` [default: both]
    #[arg(long)]
    platform: Option<Platform>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Formatting
    Fmt,
    /// Lints, natively and for wasm
    Clippy,
    /// Licences, sources, duplicates
    Deny,
    /// Unit and property tests
    Unit,
    /// Random input for what strangers send
    Fuzz,
    /// The host's tests, as wasm in Node
    Wasm,
    /// The host that runs our spin.toml where Spin is not installed
    SpinHost,
    /// Black-box tests against a local stack, on each platform
    E2e,
    /// Other people's clients against a local stack, on each platform
    Judges,
}

/// The command. Its last line of output is the sum of all tests.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut session = Session::default();
    let outcome = session.run(arguments.only, &build::platforms(arguments.platform));
    session.summary();
    if let Err(error) = &outcome {
        report::error(error);
        session.failed = session.failed.max(1);
    }
    println!("{} passed, {} failed", session.passed, session.failed);
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Session {
    passed: u64,
    failed: u64,
    steps: Vec<(String, bool, Duration)>,
}

impl Session {
    fn run(&mut self, only: Option<Step>, platforms: &[Platform]) -> Result<()> {
        let wanted = |step| only.is_none_or(|only| only == step);
        prerequisites::check()?;
        if wanted(Step::Fmt) {
            self.step("fmt", cargo(&["fmt", "--all", "--check"]))?;
        }
        if wanted(Step::Clippy) {
            self.clippy(platforms)?;
        }
        if wanted(Step::Deny) {
            self.deny()?;
        }
        if wanted(Step::Unit) {
            redis::prepare()?;
            let mut unit = cargo(&["test", "--no-fail-fast"]);
            unit.env("PATH", layout::path_variable()?);
            self.step("unit", unit)?;
        }
        if wanted(Step::Fuzz) {
            let mut fuzz = cargo(&["test", "-p", "auth", "--test", "fuzz", "--"]);
            // All targets at the same time, for a minute.
            fuzz.args(["--test-threads", "4", "--nocapture"]).env("FUZZ_SECONDS", "60");
            self.step("fuzz", fuzz)?;
        }
        if wanted(Step::Wasm) && platforms.contains(&Platform::Workers) {
            self.wasm()?;
        }
        if wanted(Step::SpinHost) && platforms.contains(&Platform::Spin) {
            self.spin_host()?;
        }
        if wanted(Step::Judges) {
            self.step("judge of pages", judges::of_pages()?)?;
        }
        self.against_stacks(platforms, wanted(Step::E2e), wanted(Step::Judges))?;
        if wanted(Step::E2e) && platforms.contains(&Platform::Workers) {
            self.smoke()?;
        }
        Ok(())
    }

    fn deny(&mut self) -> Result<()> {
        tools::install_for_checks()?;
        let mut deny = Command::new(layout::cargo_program("cargo-deny"));
        deny.args(["check", "bans", "licenses", "sources"]).current_dir(layout::root());
        self.step("deny", deny)
    }

    /// The benchmark has a database of its own, so after the stack.
    fn smoke(&mut self) -> Result<()> {
        let mut smoke = bench::program(false)?;
        smoke.arg("--smoke");
        self.step("benchmark, smoke run", smoke)
    }

    fn clippy(&mut self, platforms: &[Platform]) -> Result<()> {
        let components = spin::declared()?;
        let workers = FUNCTIONS.map(build::package_name);
        let mut native = cargo(&["clippy", "--workspace", "--all-targets"]);
        // What is a function on one platform or the other is wasm only.
        let alone = components.iter().map(|component| &component.package);
        let alone = alone.filter(|package| !workers.contains(package));
        for package in workers.iter().chain(alone) {
            native.args(["--exclude", package]);
        }
        self.lint("clippy", native)?;
        if platforms.contains(&Platform::Workers) {
            let mut wasm = cargo(&["clippy", "--target", "wasm32-unknown-unknown"]);
            wasm.args(["-p", "host", "-p", "floor"]);
            wasm.args(workers.iter().flat_map(|package| ["-p", package]));
            self.lint("clippy for workers", wasm)?;
        }
        if platforms.contains(&Platform::Spin) {
            self.clippy_for_spin(&components)?;
        }
        Ok(())
    }

    /// The owners of ledgers turn on a feature of the host, so it is looked at with and without.
    fn clippy_for_spin(&mut self, components: &[Component]) -> Result<()> {
        let names = ["clippy for spin", "clippy for spin, owners"];
        for (name, owners) in names.into_iter().zip([false, true]) {
            let mut wasm = cargo(&["clippy", "--target", "wasm32-wasip2", "-p", "host"]);
            if !owners {
                wasm.args(["-p", "spin-host-fixture"]);
            }
            let group = components.iter().filter(|component| component.is_owner == owners);
            wasm.args(group.flat_map(|component| ["-p", &component.package]));
            self.lint(name, wasm)?;
        }
        Ok(())
    }

    fn lint(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        command.args(["--", "-D", "warnings"]);
        self.step(name, command)
    }

    fn wasm(&mut self) -> Result<()> {
        tools::install_for_builds()?;
        let mut command =
            cargo(&["test", "-p", "host", "--target", "wasm32-unknown-unknown", "--no-fail-fast"]);
        command
            .env(
                "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
                layout::cargo_program("wasm-bindgen-test-runner"),
            )
            .env("PATH", layout::path_variable()?);
        self.step("wasm", command)
    }

    /// It builds a component of its own, and asks a Redis.
    fn spin_host(&mut self) -> Result<()> {
        redis::prepare()?;
        let mut command = cargo(&["test", "-p", "spin-host", "--no-fail-fast"]);
        command.env("PATH", layout::path_variable()?);
        self.step("spin-host", command)
    }

    fn against_stacks(&mut self, platforms: &[Platform], suites: bool, judges: bool) -> Result<()> {
        for (index, platform) in platforms.iter().enumerate() {
            if suites || judges {
                self.against_a_stack(*platform, suites, judges.then_some(index == 0))?;
            }
        }
        Ok(())
    }

    /// The stack lives as long as its tests. `judges` says whether they are asked for the first time.
    fn against_a_stack(
        &mut self,
        platform: Platform,
        suites: bool,
        judges: Option<bool>,
    ) -> Result<()> {
        redis::prepare()?;
        dev::prepare(platform)?;
        let runtime = tokio::runtime::Runtime::new()?;
        let stack = runtime.block_on(dev::start(platform, None, &[]))?;
        let mut outcome = Ok(());
        if suites {
            outcome = self.suites(platform, &stack);
        }
        if let Some(first) = judges {
            outcome = outcome.and_then(|()| self.judges(platform, &stack));
            if first {
                // After all others: they must see the rights that functions have.
                outcome = outcome.and_then(|()| runtime.block_on(stack.info().allow_schemas()));
                outcome = outcome.and_then(|()| {
                    self.step("judge of the SQL proxy", judges::of_sql_proxy(stack.info()))
                });
            }
        }
        let folder = stack.info().folder.display().to_string();
        stack.stop();
        outcome.with_context(|| format!("the stack's logs are in {folder}"))
    }

    /// The same on every platform; the stack's own tests and the benchmark's start Workers.
    fn suites(&mut self, platform: Platform, stack: &Stack) -> Result<()> {
        let (name, others): (_, &[&str]) = match platform {
            Platform::Workers => ("e2e on workers", &["-p", "stack", "-p", "bench"]),
            Platform::Spin => ("e2e on spin", &[]),
        };
        let mut command = cargo(&["test", "-p", "e2e"]);
        command
            .args(others)
            .arg("--no-fail-fast")
            .env(STACK_VARIABLE, stack.info().save()?)
            .env(PLATFORM_VARIABLE, platform.to_string())
            .env("PATH", layout::path_variable()?);
        self.step(name, command)
    }

    fn judges(&mut self, platform: Platform, stack: &Stack) -> Result<()> {
        for name in judges::OF_THE_SERVICE {
            let command = judges::of_the_service(name, stack.info())?;
            self.step(&format!("judge {name} on {platform}"), command)?;
        }
        Ok(())
    }

    fn step(&mut self, name: &str, mut command: Command) -> Result<()> {
        let since = Instant::now();
        let (mut passed, mut failed) = (0, 0);
        let outcome = run::watched(name, &mut command, |line| {
            if let Some(counts) = counts(line) {
                passed += counts.0;
                failed += counts.1;
            }
        });
        self.passed += passed;
        self.failed += failed;
        self.steps.push((name.to_owned(), outcome.is_ok(), since.elapsed()));
        outcome
    }

    fn summary(&self) {
        report::line("");
        for (name, passed, took) in &self.steps {
            let mark = if *passed { "✓" } else { "✗" };
            report::line(&format!("{mark} {name:<32} {:>7.1} s", took.as_secs_f64()));
        }
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(layout::root());
    // Of a test that fails the place is enough; its frames would push out what other tests said.
    command.env("RUST_BACKTRACE", "0");
    command
}

/// Passed and failed tests of a line that reports them, cargo's or a judge's.
fn counts(line: &str) -> Option<(u64, u64)> {
    let line = line.trim();
    let rest = match line.strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ")?.1,
        None => line,
    };
    let (passed, rest) = rest.split_once(" passed")?;
    let failed = rest.trim_start_matches([';', ',', ' ']).split_once(" failed")?.0;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted() {
        let cargo = "test result: FAILED. 12 passed; 3 failed; 0 ignored; finished in 0.01s";
        assert_eq!(counts(cargo), Some((12, 3)));
        assert_eq!(counts("test result: ok. 0 passed; 0 failed"), Some((0, 0)));
        assert_eq!(counts("14 passed, 0 failed"), Some((14, 0)));
        assert_eq!(counts("test passed_and_failed ... ok"), None);
        assert_eq!(counts("many passed, none failed"), None);
    }
}
