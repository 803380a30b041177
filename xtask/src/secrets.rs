//! The master secret, and what is derived from it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth::keys::{Derived, Master, hash_client_secret, parse_key};
use stack::layout::FUNCTIONS;
use stack::settings::{self, Kind};

/// The environment variable with the master secret: `id=base64url,…`, newest first.
pub(crate) const MASTER_VARIABLE: &str = "MASTER_SECRET";
/// The environment variable with the path of a file that holds it.
const MASTER_FILE_VARIABLE: &str = "MASTER_SECRET_FILE";

/// What `secrets` does.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// Make a master secret in a file of this name; in one that exists, a newer version
    #[arg(long, value_name = "FILE")]
    new: Option<PathBuf>,
    /// Print the settings of a function that are derived from the master secret (`MASTER_SECRET` or
    /// `MASTER_SECRET_FILE`), as NAME='VALUE' lines
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Print a new client secret, and the hash to register it by
    #[arg(long)]
    client: bool,
}

/// The command.
///
/// # Errors
/// If there is no master secret, or none of its form.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(path) = &arguments.new {
        return add_version(path);
    }
    let keys = derived()?.with_context(|| {
        format!("set {MASTER_VARIABLE}, or {MASTER_FILE_VARIABLE} to a file made with --new")
    })?;
    match &arguments.function {
        Some(function) => print_settings(function, &keys),
        None => print_client_secret(&keys),
    }
}

/// The keys of the deployment, if a master secret is given.
///
/// # Errors
/// If the secret is not of its form.
pub(crate) fn derived() -> Result<Option<Derived>> {
    let text = match (std::env::var(MASTER_VARIABLE), std::env::var_os(MASTER_FILE_VARIABLE)) {
        (Ok(text), _) => text,
        (Err(_), Some(path)) => fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", Path::new(&path).display()))?,
        (Err(_), None) => return Ok(None),
    };
    Ok(Some(Derived::from_masters(&parse(text.trim())?)?))
}

fn parse(text: &str) -> Result<Vec<Master>> {
    let version = |entry: &str| {
        let (id, key) = entry.trim().split_once('=')?;
        Some(Master { id: id.parse().ok()?, secret: parse_key(key).ok()? })
    };
    let masters: Option<Vec<_>> = text.split(',').map(version).collect();
    masters.context("a master secret is id=base64url,… with 32 bytes each, newest first")
}

fn add_version(path: &Path) -> Result<()> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let known = if before.trim().is_empty() { Vec::new() } else { parse(before.trim())? };
    let newest = known.iter().map(|master| master.id).max().unwrap_or(0);
    let id = newest.checked_add(1).context("there are 255 versions already")?;
    let mut text = format!("{id}={}", new_secret()?);
    if !known.is_empty() {
        text = format!("{text},{}", before.trim());
    }
    // Beside the old one first: half a secret would be none.
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    println!("version {id} is in {}; keep it as you keep a private key", path.display());
    Ok(())
}

fn print_settings(function: &str, keys: &Derived) -> Result<()> {
    if !FUNCTIONS.contains(&function) {
        bail!("there is no function {function}; there are {}", FUNCTIONS.join(", "));
    }
    let values = settings::derived(keys);
    for kind in [Kind::Var, Kind::Secret] {
        for (name, value) in settings::of(function, kind, &values) {
            println!("{name}='{value}'");
        }
    }
    Ok(())
}

fn print_client_secret(keys: &Derived) -> Result<()> {
    let key = parse_key(keys.get("CLIENT_SECRET_KEY").context("no client secret key")?)?;
    let secret = new_secret()?;
    println!("secret {secret}\nhash   {}", hash_client_secret(&key, &secret));
    Ok(())
}

fn new_secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_version_goes_in_front() {
        let folder = std::env::temp_dir().join(format!("xtask-secrets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.secret");
        add_version(&path).unwrap();
        let first = parse(fs::read_to_string(&path).unwrap().trim()).unwrap();
        add_version(&path).unwrap();
        let both = parse(fs::read_to_string(&path).unwrap().trim()).unwrap();
        assert_eq!(both.iter().map(|master| master.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(both[1].secret, first[0].secret);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "1", "1=AAAA", "x=", "1=,"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
