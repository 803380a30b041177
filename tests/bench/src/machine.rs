//! What it was measured on.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};
use stack::layout;

/// The machine, and the versions of what was compared on it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// Processors that may be used.
    pub(crate) cores: usize,
    /// Memory in GB.
    pub(crate) memory_gb: u64,
    /// The operating system's kernel.
    pub(crate) kernel: String,
    /// The version of workerd.
    pub(crate) workerd: String,
    /// The version of the peer.
    pub(crate) peer: String,
    /// The commit that was measured; with a plus if more was changed.
    pub(crate) commit: String,
}

impl Machine {
    /// This one. What cannot be found out is left empty.
    pub(crate) fn here() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kilobytes: u64 = value(&memory, "MemTotal").split(' ').next().map_or(0, number);
        let mut git = Command::new("git");
        git.args(["describe", "--always", "--dirty=+", "--abbrev=9"]).current_dir(layout::root());
        Self {
            processor: value(&info, "model name").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gb: kilobytes.div_ceil(1024 * 1024),
            kernel: output(Command::new("uname").arg("-sr")),
            workerd: output(Command::new(layout::npm_program("workerd")).arg("--version")),
            peer: pinned("@cloudflare/workers-oauth-provider"),
            commit: output(&mut git),
        }
    }
}

/// The version of an npm package that the project names.
fn pinned(package: &str) -> String {
    let text = fs::read_to_string(layout::root().join("package.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    manifest["devDependencies"][package].as_str().unwrap_or_default().to_owned()
}

fn output(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}

/// What a line of `/proc` says of a name.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim()).next().unwrap_or("")
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}
