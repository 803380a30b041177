//! The HTTP client for what leaves the process: connections are kept and used again, as in Spin.

mod body;
mod connect;

use std::error::Error as _;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client as Pooled, Error as PooledError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::{Error, WasiBody};

use self::body::Patient;
use self::connect::{CONNECT_TIMEOUT, Connect, Failed};
use crate::outbound::Patience;

/// One for all components.
pub(crate) struct Client(Pooled<Connect, WasiBody>);

impl Client {
    /// Trusts Mozilla's list of authorities.
    pub(crate) fn new() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connect = Connect::new(Arc::new(tls));
        Self(Pooled::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connect))
    }

    /// Sends a request whose URI is absolute.
    pub(crate) async fn send(
        &self,
        request: Request<WasiBody>,
        patience: Patience,
    ) -> Result<Response<WasiBody>, Error> {
        let sent = CONNECT_TIMEOUT.scope(patience.connect, self.0.request(request));
        let answered =
            timeout(patience.first_byte, sent).await.map_err(|_| Error::ConnectionReadTimeout)?;
        let response = answered.map_err(|error| named(&error))?;
        Ok(response.map(|body| Patient::new(body, patience.between_bytes).boxed_unsync()))
    }
}

/// The name that the interface has for what went wrong.
fn named(error: &PooledError) -> Error {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(failed) = error.downcast_ref::<Failed>() {
            return failed.named();
        }
        cause = error.source();
    }
    Error::HttpProtocolError
}
