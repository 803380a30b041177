//! Redis, which tests of the stores need: the one on PATH, else Debian's packages, unpacked beside
//! our tools and not installed, so that no privilege is needed and nothing of the machine changes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use stack::layout;

use crate::run;

const PROGRAM: &str = "redis-server";
/// Fetches the package of the server with all that it needs, into the folder `$1`.
const FETCH: &str = r#"
set -eu
mkdir -p "$1/packages"
cd "$1/packages"
needs=$(apt-cache depends redis-tools | awk '/ Depends:/ { print $2 }' | grep -vx 'libc6')
apt-get download redis-server redis-tools $needs
for package in ./*.deb; do dpkg-deb -x "$package" "$1"; done
"#;

/// See to it that `redis-server` runs for the commands that have [`layout::path_variable`].
///
/// # Errors
/// If there is none and it cannot be had.
pub(crate) fn prepare() -> Result<()> {
    if runs(Path::new(PROGRAM)) || runs(&layout::cargo_program(PROGRAM)) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").is_file() {
        bail!("there is no {PROGRAM} on PATH: install Redis 7 or newer (https://redis.io)");
    }
    let folder = layout::target().join("tools/redis");
    if fetch(&folder).is_err() {
        // A fresh machine may not know its packages yet.
        run::step("update the list of packages", Command::new("apt-get").arg("update"))?;
        run::step("fetch Redis", &mut fetching(&folder))?;
    }
    wrap(&folder)?;
    if runs(&layout::cargo_program(PROGRAM)) {
        return Ok(());
    }
    bail!("the {PROGRAM} of this system's packages does not run unpacked: install it")
}

fn fetch(folder: &Path) -> Result<()> {
    run::logged("fetch Redis", &mut fetching(folder), |_| {})
}

fn fetching(folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", FETCH, "fetch"]).arg(folder);
    command
}

/// A program that starts the unpacked server with the unpacked libraries.
fn wrap(folder: &Path) -> Result<()> {
    let libraries = library_folders(folder).join(":");
    let program = folder.join("usr/bin").join(PROGRAM);
    let text =
        format!("#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{}' \"$@\"\n", program.display());
    let path = layout::cargo_program(PROGRAM);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, text)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
}

/// The folders named for the machine's architecture, in which Debian keeps libraries.
fn library_folders(folder: &Path) -> Vec<String> {
    let inside = |folder: std::path::PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let bases = ["usr/lib", "lib"].map(|base| folder.join(base));
    let all = bases.into_iter().flat_map(inside).map(|entry| entry.path());
    all.filter(|path| path.is_dir()).map(|path| path.display().to_string()).collect()
}

fn runs(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}
