//! The way over HTTP: our proxy, or anything else that speaks the protocol of Neon's serverless driver.
//! One request carries a whole transaction.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

use crate::connection::{Connection, Failure, Refusal, Rows, Statement};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than what answers lets a statement run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// A `/sql` endpoint.
pub struct Http {
    endpoint: Url,
    host: Host,
    credentials: HeaderValue,
}

impl Http {
    /// `endpoint` is the URL of the `/sql` endpoint; `https` is checked against Mozilla's roots.
    /// `connection_string` is the Postgres URL with the credentials, whatever it means to what answers.
    ///
    /// # Errors
    /// [`Failure::Protocol`] for what cannot be such ones.
    pub fn new(endpoint: &str, connection_string: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Protocol(what.to_owned());
        let endpoint = Url::parse(endpoint).map_err(|_| wrong("this is no http(s):// URL"))?;
        if !matches!(endpoint.scheme(), "http" | "https") {
            return Err(wrong("this is no http(s):// URL"));
        }
        let host = endpoint.host().ok_or_else(|| wrong("the URL has no host"))?.to_owned();
        let mut credentials = HeaderValue::from_str(connection_string)
            .map_err(|_| wrong("the connection string cannot be a header"))?;
        credentials.set_sensitive(true);
        Ok(Self { endpoint, host, credentials })
    }

    async fn ask(&self, statements: &[Statement]) -> Result<(StatusCode, Bytes), Failure> {
        let queries = statements.iter().map(|s| Query { query: &s.text, params: &s.parameters });
        let body = serde_json::to_vec(&Batch { queries: queries.collect() });
        let body = body.map_err(|error| Failure::Protocol(error.to_string()))?;
        let port = self.endpoint.port_or_known_default().unwrap_or(443);
        let connecting = async {
            let stream = match &self.host {
                Host::Domain(name) => TcpStream::connect((name.as_str(), port)).await,
                Host::Ipv4(address) => TcpStream::connect((*address, port)).await,
                Host::Ipv6(address) => TcpStream::connect((*address, port)).await,
            };
            let stream = stream.map_err(|error| away(&error))?;
            if self.endpoint.scheme() == "http" {
                return Ok::<Box<dyn Stream>, Failure>(Box::new(stream));
            }
            let name = self.host.to_string();
            let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned());
            let name = name.map_err(|error| Failure::Protocol(error.to_string()))?;
            let secure = TlsConnector::from(tls()?).connect(name, stream).await;
            Ok(Box::new(secure.map_err(|error| away(&error))?))
        };
        let stream = timeout(CONNECT_TIMEOUT, connecting).await;
        let stream = stream.map_err(|_| Failure::Unreachable("no answer in time".to_owned()))??;
        let answer = timeout(ANSWER_TIMEOUT, self.exchange(stream, body)).await;
        answer.map_err(|_| Failure::Unknown("no answer in time".to_owned()))?
    }

    /// One request on a connection of its own.
    async fn exchange(
        &self,
        stream: Box<dyn Stream>,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| away(&error))?;
        let running = tokio::spawn(connection);
        let answer = async {
            let response = sender.send_request(self.request(body)?).await.map_err(|e| lost(&e))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| lost(&error))?;
            Ok((status, body.to_bytes()))
        };
        let answer = answer.await;
        running.abort();
        answer
    }

    fn request(&self, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Failure> {
        let authority = match self.endpoint.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        };
        let target = &self.endpoint[url::Position::BeforePath..url::Position::AfterQuery];
        Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header("Neon-Connection-String", self.credentials.clone())
            .header("Neon-Raw-Text-Output", "true")
            .header("Neon-Array-Mode", "true")
            .header("Neon-Batch-Isolation-Level", "ReadCommitted")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::Protocol(error.to_string()))
    }
}

impl Connection for Http {
    async fn transaction(&mut self, statements: &[Statement]) -> Result<Vec<Rows>, Failure> {
        let (status, body) = self.ask(statements).await?;
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| Failure::Unknown(format!("the answer is no result: {error}")))?;
        if answer.results.len() != statements.len() {
            let (got, asked) = (answer.results.len(), statements.len());
            return Err(Failure::Protocol(format!("{got} results of {asked} statements")));
        }
        Ok(answer.results.into_iter().map(|result| result.rows).collect())
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

#[derive(Serialize)]
struct Batch<'a> {
    queries: Vec<Query<'a>>,
}

#[derive(Serialize)]
struct Query<'a> {
    query: &'a str,
    params: &'a [Option<String>],
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Results>,
}

#[derive(Deserialize)]
struct Results {
    rows: Rows,
}

#[derive(Deserialize)]
struct Problem {
    message: Option<String>,
    code: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<String>,
}

/// 400 is what Postgres, or the check of credentials, says; 503 with the codes below that nothing was
/// sent; any other failure leaves it open.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let problem = serde_json::from_slice::<Problem>(body).ok();
    let code = problem.as_ref().and_then(|problem| problem.code.clone());
    let message = problem.as_ref().and_then(|problem| problem.message.clone());
    let message = message.unwrap_or_else(|| format!("status {status}"));
    match (status.as_u16(), code, problem) {
        (400, Some(code), Some(Problem { detail, hint, position, .. })) => {
            let position = position.and_then(|position| position.parse().ok());
            let statement = None;
            Failure::Refused(Box::new(Refusal { code, message, detail, hint, statement, position }))
        }
        (503, Some(code), _) if matches!(code.as_str(), "08006" | "53300") => {
            Failure::Unreachable(message)
        }
        (400..=499, _, _) => Failure::Unreachable(message),
        _ => Failure::Unknown(message),
    }
}

fn tls() -> Result<Arc<ClientConfig>, Failure> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Protocol(error.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

fn away(error: &dyn std::error::Error) -> Failure {
    Failure::Unreachable(error.to_string())
}

fn lost(error: &hyper::Error) -> Failure {
    Failure::Unknown(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_was_sent_for_is_told_from_what_may_have_happened() {
        let code = |code: &str| format!(r#"{{"message":"m","code":"{code}","position":"7"}}"#);
        let refused = refusal(StatusCode::BAD_REQUEST, code("42P01").as_bytes());
        assert_eq!(refused.code(), Some("42P01"));
        assert!(matches!(refused, Failure::Refused(refusal) if refusal.position == Some(7)));
        for (status, body, unknown) in [
            (400, "{}".to_owned(), false),
            (404, String::new(), false),
            (413, code("54000"), false),
            (503, code("08006"), false),
            (503, code("53300"), false),
            (503, code("08007"), true),
            (503, code("57P01"), true),
            (504, code("57014"), true),
            (507, code("54000"), true),
            (502, "<html>".to_owned(), true),
        ] {
            let failure = refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!(matches!(failure, Failure::Unknown(_)), unknown, "{status} {body}");
            assert_eq!(matches!(failure, Failure::Unreachable(_)), !unknown, "{status} {body}");
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_without_its_credentials() {
        for (endpoint, credentials) in
            [("db", "x"), ("postgresql://h/sql", "x"), ("http://h/sql", "secret\n")]
        {
            let error = Http::new(endpoint, credentials).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
