//! The schedule of a deployment whose ledgers have no alarms: it asks for maintenance, as a cron would.

use std::time::Duration;

use anyhow::Result;
use oauth::keys::hash_operator_key;
use tokio::task::JoinHandle;

use crate::keys;
use crate::settings::Settings;

/// Suites do not wait for the minute of a real one.
const PERIOD: Duration = Duration::from_secs(1);
/// Work that is cut off is done by the next call.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whose credential the schedule has.
pub(crate) struct Operator(String);

impl Operator {
    /// A new one, who is known beside those that are.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(crate) fn new(values: &mut Settings) -> Result<Self> {
        let credential = format!("op_{}", keys::secret()?);
        let entry = format!("schedule={}", hash_operator_key(&credential));
        let known = values.entry("OPERATOR_KEY_HASHES".to_owned()).or_default();
        *known = if known.is_empty() { entry } else { format!("{known},{entry}") };
        Ok(Self(credential))
    }
}

/// A schedule at work. It ends with this.
pub(crate) struct Schedule(JoinHandle<()>);

impl Schedule {
    /// Ask the service at this address from now on. Whether it answers is its own affair.
    pub(crate) fn start(service: &str, operator: Operator) -> Self {
        let url = format!("{service}{}", ports::route::MAINTENANCE);
        Self(tokio::spawn(async move {
            let client = reqwest::Client::new();
            loop {
                tokio::time::sleep(PERIOD).await;
                let request = client.post(&url).bearer_auth(&operator.0).timeout(PATIENCE);
                let _ = request.send().await;
            }
        }))
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.abort();
    }
}
