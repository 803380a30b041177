use std::time::Duration;

use ledger::{Address, Answer, Envelope};
use ports::{LedgerError, Ledgers};
use stores::StoreChoice;
use worker::wasm_bindgen::JsValue;
use worker::{Method, RequestInit};

use super::Cloudflare;
use super::platform::within;
use crate::{answer, store};

/// The binding of the objects.
const OBJECTS: &str = "LEDGER";
/// The binding of the function that reaches every other store.
const FUNCTION: &str = "LEDGERS";
/// Any host will do: both have one purpose. The path tells the address.
const URL: &str = "https://ledger/";
/// An owner that takes longer is away; whether the command took effect is then unknown.
const LONGEST: Duration = Duration::from_secs(5);

impl Ledgers for Cloudflare {
    /// One round trip to the owner of the ledger: its object, or the function that reaches the store
    /// that the deployment has chosen. An owner that moves (a deploy, a restart) breaks the calls in
    /// flight; since every command can be repeated, it is asked once more.
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let failed = |error: worker::Error| LedgerError(error.to_string());
        let command =
            serde_json::to_string(envelope).map_err(|error| LedgerError(error.to_string()))?;
        let choice = store::on_workers(self).map_err(|error| LedgerError(error.to_string()))?;
        let name = address.to_string();
        let ask = async || -> worker::Result<Answer> {
            let mut init = RequestInit::new();
            init.with_method(Method::Post).with_body(Some(JsValue::from_str(&command)));
            let request = worker::Request::new_with_init(&format!("{URL}{name}"), &init)?;
            let mut response = match choice {
                StoreChoice::DurableObject => {
                    let stub = self.env.durable_object(OBJECTS)?.get_by_name(&name)?;
                    stub.fetch_with_request(request).await?
                }
                _ => self.env.service(FUNCTION)?.fetch_request(request).await?,
            };
            if response.status_code() != 200 {
                return Err(response.text().await?.into());
            }
            Ok(answer::read(&response.bytes().await?)?)
        };
        let twice = async {
            match ask().await {
                Ok(answer) => Ok(answer),
                Err(_) => ask().await.map_err(failed),
            }
        };
        within(LONGEST, twice).await.unwrap_or_else(|| Err(LedgerError("no answer".to_owned())))
    }
}
