//! `cargo xtask audit`: is the audit trail what the ledgers have delivered, and how much of it is kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use audit::retain::{DAYS, retain};
use audit::verify::{Anchor, Report};
use audit::{Seals, walk};
use oauth::keys::KeyRing;
use stack::Database;
use tokio::runtime::Runtime;

use crate::{report, secrets};

/// The setting with the keys of the seals.
const KEYS: &str = "AUDIT_KEYS";
/// Findings that are printed; a wrong key makes one of every row.
const SHOWN: usize = 100;

/// What `audit` does.
#[derive(clap::Subcommand)]
pub(crate) enum Arguments {
    /// Walk every chain: rows that are missing, changed, inserted or cut off are named, and the exit
    /// code is not 0. The keys are `AUDIT_KEYS`, or derived from the master secret
    Verify {
        #[command(flatten)]
        database: DatabaseArguments,
        /// A file of heads that were noted before: each must still be there. If nothing is found, it
        /// is written anew. Keep it where whoever has the database cannot change it
        #[arg(long, value_name = "FILE")]
        anchors: Option<PathBuf>,
    },
    /// Delete what is older, and leave a sealed checkpoint behind in each chain
    Retain {
        #[command(flatten)]
        database: DatabaseArguments,
        /// How many days are kept
        #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
    },
}

#[derive(clap::Args)]
pub(crate) struct DatabaseArguments {
    /// A postgresql:// URL of a login that may become `atoms_service`, such as `authenticator`
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

/// The command.
///
/// # Errors
/// If something is found, or the trail cannot be read.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (seals, runtime) = (seals()?, Runtime::new()?);
    match arguments {
        Arguments::Verify { database, anchors } => {
            runtime.block_on(verify(&database.database_url, &seals, anchors.as_deref()))
        }
        Arguments::Retain { database, days } => {
            runtime.block_on(shorten(&database.database_url, &seals, *days))
        }
    }
}

async fn verify(url: &str, seals: &Seals, anchors: Option<&Path>) -> Result<()> {
    let known = anchors.map(read_anchors).transpose()?.unwrap_or_default();
    let database = Database::snapshot(url).await.context("cannot connect to the database")?;
    let noted = known.len();
    let found = walk(&database, seals, known).await?;
    let Report { ledgers, events, alone, checkpoints, forks, findings, anchors: heads } = found;
    println!("{events} events of {ledgers} ledgers, {checkpoints} behind a checkpoint");
    if alone > 0 {
        println!(
            "{alone} are in no chain, as their store has none: that none is missing cannot be told"
        );
    }
    if anchors.is_some() {
        println!("{noted} heads were noted before");
    }
    for (ledger, number) in forks.iter().take(SHOWN) {
        println!("ledger {ledger} forks at event {number}: its store had lost writes");
    }
    for finding in findings.iter().take(SHOWN) {
        println!("✗ {finding}");
    }
    if findings.len() > SHOWN {
        println!("✗ … and {} more", findings.len() - SHOWN);
    }
    if !findings.is_empty() {
        bail!("the audit trail is not what was delivered: {} findings", findings.len());
    }
    if let Some(path) = anchors {
        write_anchors(path, &heads)?;
    }
    report::line("✓ the audit trail is what was delivered");
    Ok(())
}

async fn shorten(url: &str, seals: &Seals, days: u32) -> Result<()> {
    let database = Database::connect(url).await.context("cannot connect to the database")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let retained = retain(&database, seals, u64::try_from(now)?, days).await?;
    println!("{} events of {} ledgers were deleted", retained.events, retained.ledgers);
    for (ledger, number, problem) in &retained.refused {
        println!("✗ ledger {ledger} event {number}: {problem}");
    }
    if !retained.refused.is_empty() {
        bail!("{} chains were left as they are; verify says more", retained.refused.len());
    }
    Ok(())
}

fn seals() -> Result<Seals> {
    let text = match std::env::var(KEYS) {
        Ok(text) => text,
        Err(_) => {
            let keys = secrets::derived()?;
            let keys =
                keys.with_context(|| format!("set {KEYS} or {}", secrets::MASTER_VARIABLE))?;
            keys.get(KEYS).with_context(|| format!("no {KEYS} can be derived"))?.to_owned()
        }
    };
    Ok(Seals::new(KeyRing::parse(&text).with_context(|| format!("{KEYS} is no ring of keys"))?))
}

/// One head in a line, as JSON. A file that is not there yet has none.
fn read_anchors(path: &Path) -> Result<Vec<Anchor>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let parse = |(number, line)| {
        serde_json::from_str(line).with_context(|| format!("{shown} line {}: no head", number + 1))
    };
    text.lines().enumerate().map(parse).collect()
}

fn write_anchors(path: &Path, heads: &[Anchor]) -> Result<()> {
    let heads: BTreeMap<_, _> = heads.iter().map(|head| (&head.ledger, head)).collect();
    let lines = heads.values().map(|head| Ok(serde_json::to_string(head)? + "\n"));
    let text: String = lines.collect::<Result<_>>()?;
    // Beside the old one first: half a file would forget heads.
    let draft = path.with_extension("new");
    fs::write(&draft, text).with_context(|| format!("cannot write {}", draft.display()))?;
    Ok(fs::rename(&draft, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noted_heads_are_read_again_and_half_a_file_is_refused() {
        let folder = std::env::temp_dir().join(format!("xtask-anchors-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("heads");
        assert_eq!(read_anchors(&path).unwrap(), []);
        let head = |digit: &str, number| Anchor {
            ledger: digit.repeat(32),
            number,
            hash: digit.repeat(64),
        };
        let heads = [head("a", 7), head("b", 1)];
        write_anchors(&path, &heads).unwrap();
        assert_eq!(read_anchors(&path).unwrap(), heads);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        assert!(read_anchors(&path).unwrap_err().to_string().contains("line 2"));
        fs::remove_dir_all(folder).unwrap();
    }
}
