use std::time::Duration;

use ledger::{Address, Answer, Envelope};
use ports::{LedgerError, Ledgers};
use stores::StoreChoice;
use worker::worker_sys::Fetcher;

use super::Cloudflare;
use super::exchange::post;
use super::platform::within;
use crate::{answer, store};

/// The binding of the objects.
const OBJECTS: &str = "LEDGER";
/// The binding of the function that reaches every other store.
const FUNCTION: &str = "LEDGERS";
/// Any host will do: both have one purpose. The path tells the address.
const URL: &str = "https://ledger/";
/// An owner that takes longer is away; whether the command took effect is then unknown.
const LONGEST: Duration = Duration::from_secs(8);

impl Ledgers for Cloudflare {
    /// One round trip to the owner of the ledger: its object, or the function that reaches the store
    /// that the deployment has chosen. An owner that moves (a deploy, a restart) breaks the calls in
    /// flight; since every command can be repeated, it is asked once more.
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let command =
            serde_json::to_string(envelope).map_err(|error| LedgerError(error.to_string()))?;
        let choice = store::on_workers(self).map_err(|error| LedgerError(error.to_string()))?;
        let name = address.to_string();
        let twice = async {
            match self.ask_once(choice, &name, &command).await {
                Ok(answer) => Ok(answer),
                Err(lost) => answer::of_second(lost, self.ask_once(choice, &name, &command).await),
            }
        };
        let answer = within(LONGEST, twice).await;
        answer.unwrap_or_else(|| Err("no answer".into())).map_err(|e| LedgerError(e.to_string()))
    }
}

impl Cloudflare {
    async fn ask_once(
        &self,
        choice: StoreChoice,
        name: &str,
        command: &str,
    ) -> worker::Result<Answer> {
        let owner: Fetcher = match choice {
            // The stub of an object has the methods of a service's.
            StoreChoice::DurableObject => {
                self.env.durable_object(OBJECTS)?.get_by_name(name)?.into_rpc()
            }
            _ => self.env.service(FUNCTION)?.into_rpc(),
        };
        let (status, text) = post(&owner, &format!("{URL}{name}"), command).await?;
        match status {
            200 => Ok(answer::read(&text)?),
            _ => Err(String::from_utf8_lossy(&text).into_owned().into()),
        }
    }
}
