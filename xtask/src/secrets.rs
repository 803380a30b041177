//! The master secret, and what is derived from it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauth::keys::{Derived, Master, VERIFY_ONLY, hash_client_secret, hash_operator_key, parse_key};
use stack::layout::FUNCTIONS;
use stack::settings::{self, Kind, Settings};

/// The environment variable with the master secret: `id=base64url,…`, newest first, with `verify:`
/// before a version that must not mint yet.
pub(crate) const MASTER_VARIABLE: &str = "MASTER_SECRET";
/// The environment variable with the path of a file that holds it.
const MASTER_FILE_VARIABLE: &str = "MASTER_SECRET_FILE";

/// What `secrets` does.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// Make a master secret in a file of this name; in one that exists, a newer version that
    /// verifies and does not mint yet
    #[arg(long, value_name = "FILE")]
    new: Option<PathBuf>,
    /// Let the newest version in a file mint, once every function was deployed with it
    #[arg(long, value_name = "FILE")]
    promote: Option<PathBuf>,
    /// Print the settings of a function that are derived from the master secret (`MASTER_SECRET` or
    /// `MASTER_SECRET_FILE`), as NAME='VALUE' lines
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Print all settings that are derived from the master secret as variables of Spin, as
    /// SPIN_VARIABLE_NAME='VALUE' lines
    #[arg(long)]
    spin: bool,
    /// Print a new client secret, and the hash to register it by
    #[arg(long)]
    client: bool,
    /// Print a new credential of an operator, and the entry of `OPERATOR_KEY_HASHES` for it
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

/// The command.
///
/// # Errors
/// If there is no master secret, or none of its form.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(path) = &arguments.new {
        return add_version(path);
    }
    if let Some(path) = &arguments.promote {
        return promote(path);
    }
    if let Some(name) = &arguments.operator {
        return print_operator(name);
    }
    let keys = derived()?.with_context(|| {
        format!("set {MASTER_VARIABLE}, or {MASTER_FILE_VARIABLE} to a file made with --new")
    })?;
    if let Some(function) = &arguments.function {
        return print_settings(function, &keys);
    }
    if arguments.spin {
        for (name, value) in settings::derived(&keys) {
            println!("SPIN_VARIABLE_{name}='{value}'");
        }
        return Ok(());
    }
    print_client_secret(&keys)
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
    let form = "a master secret is id=base64url,… with 32 bytes each, newest first";
    Master::parse_ring(text).context(form)
}

/// The text of a file with a master secret from which keys can be derived.
fn read(path: &Path) -> Result<String> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Derived::from_masters(&parse(text.trim())?)?;
    Ok(text.trim().to_owned())
}

fn add_version(path: &Path) -> Result<()> {
    let shown = path.display();
    if fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        write(path, &format!("1={}", new_secret()?))?;
        println!("version 1 is in {shown}; keep it as you keep a private key");
        return Ok(());
    }
    let before = read(path)?;
    if before.contains(VERIFY_ONLY) {
        bail!("a version in {shown} does not mint yet: deploy it and --promote it first");
    }
    let newest = parse(&before)?.iter().map(|master| master.id).max().unwrap_or(0);
    let id = newest.checked_add(1).context("there are 255 versions already")?;
    write(path, &format!("{VERIFY_ONLY}{id}={},{before}", new_secret()?))?;
    println!(
        "version {id} is in {shown} and verifies only: deploy, then `cargo xtask secrets --promote \
         {shown}`, then deploy again"
    );
    Ok(())
}

fn promote(path: &Path) -> Result<()> {
    let before = read(path)?;
    if !before.contains(VERIFY_ONLY) {
        bail!("every version in {} may mint already", path.display());
    }
    let after = before.replace(VERIFY_ONLY, "");
    let id = parse(&after)?.first().map_or(0, |master| master.id);
    write(path, &after)?;
    println!("version {id} mints from the next deployment on: deploy again");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    // Beside the old one first: half a secret would be none.
    let draft = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    Ok(fs::rename(&draft, path)?)
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

fn print_operator(name: &str) -> Result<()> {
    let credential = format!("op_{}", new_secret()?);
    let entry = format!("{name}={}", hash_operator_key(&credential));
    let values = Settings::from([("OPERATOR_KEY_HASHES".to_owned(), entry.clone())]);
    settings::check_each(&values).context("a name is letters, digits and . _ - @")?;
    println!("credential {credential}\nentry      {entry}");
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

    fn ids(path: &Path) -> Vec<u8> {
        let masters = parse(fs::read_to_string(path).unwrap().trim()).unwrap();
        masters.iter().map(|master| master.id).collect()
    }

    #[test]
    fn a_version_verifies_before_it_mints() {
        let folder = std::env::temp_dir().join(format!("xtask-secrets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.secret");
        assert!(promote(&path).is_err(), "there is none");
        add_version(&path).unwrap();
        assert_eq!(ids(&path), [1]);
        let first = read(&path).unwrap();
        assert!(promote(&path).is_err(), "it mints already");

        add_version(&path).unwrap();
        assert_eq!(ids(&path), [1, 2], "the first mints");
        assert!(add_version(&path).is_err(), "one at a time");
        promote(&path).unwrap();
        assert_eq!(ids(&path), [2, 1]);
        assert!(read(&path).unwrap().ends_with(&format!(",{first}")));

        add_version(&path).unwrap();
        assert_eq!(ids(&path), [2, 1, 3]);
        promote(&path).unwrap();
        assert_eq!(ids(&path), [3, 2, 1]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_without_version_1_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("xtask-retired-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.secret");
        let text = format!("2={}", new_secret().unwrap());
        fs::write(&path, &text).unwrap();
        assert!(add_version(&path).unwrap_err().to_string().contains("version 1"));
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        fs::remove_dir_all(folder).unwrap();
    }
}
