use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use ledger::{Address, Answer, Envelope};
use ports::{LedgerError, Ledgers, Request};
use spin_sdk::wasip3::http::types::ErrorCode;
use stores::StoreChoice;

use super::Spin;
use super::fetch::{exchange, said};
use super::platform::within;
use crate::{answer, store};

/// The components that own the ledgers, by local service chaining: of stores that compare and swap, and
/// of the one that does not. They are two because one would be too large.
const OWNERS: [&str; 2] = ["http://ledger.spin.internal/", "http://ledger-kv.spin.internal/"];
/// An owner that takes longer is away; whether the command took effect is then unknown.
const LONGEST: Duration = Duration::from_secs(8);

impl Ledgers for Spin {
    /// One call of the owner of the ledgers. One whose instance ends breaks the calls in flight; since
    /// every command can be repeated, it is asked once more.
    async fn ask(&self, address: &Address, envelope: &Envelope) -> Result<Answer, LedgerError> {
        let failed = |error: String| LedgerError(error);
        let command = serde_json::to_vec(envelope).map_err(|error| failed(error.to_string()))?;
        let mut request = Request::new(Bytes::from(command));
        *request.method_mut() = Method::POST;
        let eventual = matches!(store::on_spin(self), Ok(StoreChoice::PlatformKv));
        let uri = format!("{}{address}", OWNERS[usize::from(eventual)]).parse();
        *request.uri_mut() = uri.map_err(|_| failed("no address".to_owned()))?;
        let twice = async {
            match self.command(&request).await {
                Ok(answer) => Ok(answer),
                Err(lost) => answer::of_second(lost, self.command(&request).await).map_err(failed),
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
        answer::read(answer.body()).map_err(|error| error.to_string())
    }

    fn unreached(&self, error: &ErrorCode) -> String {
        if matches!(error, ErrorCode::HttpRequestDenied) {
            let problem = "lacks the component that owns the ledgers";
            self.refused("allowed_outbound_hosts", problem);
        }
        said(error).to_owned()
    }
}
