use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use ledger::{Address, Answer, Envelope};
use ports::{LedgerError, Ledgers, Request};
use spin_sdk::wasip3::http::types::ErrorCode;

use super::Spin;
use super::fetch::exchange;
use super::platform::within;

/// The component that owns the ledgers, by local service chaining.
const OWNER: &str = "http://ledger.spin.internal/";
/// An owner that takes longer is away; whether the command took effect is then unknown.
const LONGEST: Duration = Duration::from_secs(5);

impl Ledgers for Spin {
    /// One call of the owner of the ledgers. One whose instance ends breaks the calls in flight; since
    /// every command can be repeated, it is asked once more.
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let failed = |error: String| LedgerError(error);
        let command = serde_json::to_vec(envelope).map_err(|error| failed(error.to_string()))?;
        let mut request = Request::new(Bytes::from(command));
        *request.method_mut() = Method::POST;
        let uri = format!("{OWNER}{address}").parse();
        *request.uri_mut() = uri.map_err(|_| failed("no address".to_owned()))?;
        let twice = async {
            match self.command(&request).await {
                Ok(answer) => Ok(answer),
                Err(_) => self.command(&request).await.map_err(failed),
            }
        };
        within(LONGEST, twice).await.unwrap_or_else(|| Err(failed("no answer".to_owned())))
    }
}

impl Spin {
    async fn command(&self, request: &Request) -> Result<Answer, String> {
        let answer = exchange(request, false).await.map_err(|error| self.unreached(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(String::from_utf8_lossy(answer.body()).into_owned());
        }
        serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
    }

    fn unreached(&self, error: &ErrorCode) -> String {
        if matches!(error, ErrorCode::HttpRequestDenied) {
            let problem = "lacks http://ledger.spin.internal, where the ledgers are";
            self.refused("allowed_outbound_hosts", problem);
        }
        error.to_string()
    }
}
