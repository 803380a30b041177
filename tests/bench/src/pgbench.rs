//! Postgres' own benchmark, straight to the database: what the proxy is compared with.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::StackInfo;
use tokio::process::Command;

use crate::database::CLAIMS;
use crate::load::{CONNECTIONS, Sample};

/// How statements are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// As text each time, which is its default.
    Simple,
    /// Prepared once per connection.
    Prepared,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Prepared => "prepared",
        }
    }
}

/// Whether it is installed.
pub(crate) async fn is_here() -> bool {
    let output = Command::new("pgbench").arg("--version").output().await;
    output.is_ok_and(|output| output.status.success())
}

/// Run a person's transaction, a round trip for each of its statements, over as many connections as
/// the proxy's clients have.
///
/// # Errors
/// If it fails, or says what is not understood.
pub(crate) async fn round(
    sample: &mut Sample,
    info: &StackInfo,
    lasting: Duration,
    mode: Mode,
) -> Result<()> {
    let folder = info.folder.join("pgbench");
    fs::create_dir_all(&folder)?;
    let script = folder.join("notes.sql");
    fs::write(&script, transaction())?;
    let seconds = lasting.as_secs_f64().ceil().max(1.0);
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--jobs=1", "--log", "--log-prefix=times"])
        .arg(format!("--client={CONNECTIONS}"))
        .arg(format!("--time={seconds}"))
        .arg(format!("--protocol={}", mode.name()))
        .arg("--file")
        .arg(&script)
        .arg(&info.postgres_url)
        .current_dir(&folder)
        .output()
        .await?;
    let problem = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pgbench: {problem}");
    sample.rates.push(rate(&String::from_utf8_lossy(&output.stdout))?);
    sample.micros.extend(times(&folder)?);
    Ok(())
}

fn transaction() -> String {
    format!(
        "\\set id random(1, 10000)\n\
         begin;\n\
         select set_config('role', 'authenticated', true), \
         set_config('request.jwt.claims', '{CLAIMS}', true);\n\
         select id, body from bench.notes where id = :id;\n\
         commit;\n"
    )
}

/// Transactions per second, connecting not counted.
fn rate(output: &str) -> Result<f64> {
    let line = output.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|line| line.split(' ').next()).context("pgbench tells no rate")?;
    Ok(number.parse()?)
}

/// How long each transaction took, in microseconds; the logs are removed.
fn times(folder: &Path) -> Result<Vec<u32>> {
    let mut micros = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("times.")) {
            let text = fs::read_to_string(&path)?;
            micros.extend(
                text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()),
            );
            fs::remove_file(&path)?;
        }
    }
    Ok(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_rate_and_not_the_latency() {
        let output = "latency average = 1.711 ms\n\
                      initial connection time = 12.1 ms\n\
                      tps = 9353.639889 (without initial connection time)\n";
        assert_eq!(rate(output).unwrap(), 9_353.639_889);
        assert!(rate("nothing").is_err());
    }
}
