use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode, Uri};
use ports::{AtMost, Config, Fetch, FetchError, Request, Response, StatusOnly};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields, Scheme, Trailers};
use spin_sdk::wasip3::{spawn, wit_future, wit_stream};
use spin_sdk::wit_bindgen::{FutureReader, StreamReader, StreamResult};

use super::Spin;
use super::headers;
use super::platform::within;
use crate::BodyError;

/// No answer that we ask for is longer.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
/// As much is read at a time.
const CHUNK: usize = 16 * 1024;
/// The settings that name a host, and what is to be said if the manifest does not allow it.
const HOSTS: [&str; 4] = ["SQL_URL", "WORKOS_API_URL", "REDIS_REST_URL", "WEBHOOK_URLS"];
const DENIED: &str = "names a host that is not among the component's allowed_outbound_hosts";

/// The end of a body: its trailers, which we neither send nor read.
type End = FutureReader<Result<Option<Trailers>, ErrorCode>>;

impl<K> Fetch for Spin<K> {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        let uri = request.uri().clone();
        let status_only = request.extensions().get::<StatusOnly>().is_some();
        match within(timeout, exchange(&request, status_only)).await {
            Some(Ok(response)) => Ok(response),
            Some(Err(ErrorCode::HttpResponseBodySize(_))) => {
                Err(FetchError::TooLong(longest(&request)))
            }
            Some(Err(ErrorCode::HttpRequestDenied)) => {
                if let Some(setting) = self.names(&uri) {
                    self.refused(setting, DENIED);
                }
                Err(FetchError::Connection(said(&ErrorCode::HttpRequestDenied).to_owned()))
            }
            Some(Err(error)) => Err(FetchError::Connection(said(&error).to_owned())),
            None => Err(FetchError::Timeout(timeout)),
        }
    }
}

impl<K> Spin<K> {
    /// Which setting a request goes to the host of.
    fn names(&self, uri: &Uri) -> Option<&'static str> {
        let authority = uri.authority()?.as_str();
        let named = |name: &&str| {
            let value = self.get(name).unwrap_or_default();
            let urls = value.split(',').filter_map(|url| url.trim().parse::<Uri>().ok());
            urls.into_iter().any(|url| url.authority().is_some_and(|it| it.as_str() == authority))
        };
        HOSTS.into_iter().find(named)
    }
}

/// One request and its answer, whose body is read unless nobody wants it.
pub(super) async fn exchange(request: &Request, status_only: bool) -> Result<Response, ErrorCode> {
    let answer = client::send(outgoing(request)?).await?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() =
        StatusCode::from_u16(answer.get_status_code()).map_err(|_| ErrorCode::HttpProtocolError)?;
    *response.headers_mut() = headers::incoming(answer.get_headers().copy_all());
    if !status_only {
        let (_, result) = wit_future::new(|| Ok(()));
        let (stream, end) = types::Response::consume_body(answer, result);
        *response.body_mut() =
            read(stream, end, longest(request)).await.map_err(|error| match error {
                BodyError::TooLarge => ErrorCode::HttpResponseBodySize(None),
                BodyError::Unreadable => ErrorCode::HttpResponseIncomplete,
            })?;
    }
    Ok(response)
}

/// How many bytes the body of the answer may have.
fn longest(request: &Request) -> usize {
    request.extensions().get::<AtMost>().map_or(LONGEST_ANSWER, |AtMost(bytes)| *bytes)
}

/// What an error is called in the log; its own text would be half of the platform's vocabulary.
pub(super) const fn said(error: &ErrorCode) -> &'static str {
    match error {
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => "the host's name is not known",
        ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::DestinationIpProhibited => "the host cannot be reached",
        ErrorCode::ConnectionRefused => "connection refused",
        ErrorCode::ConnectionTerminated => "connection closed",
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => "no answer in time",
        ErrorCode::ConnectionLimitReached => "too many connections",
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => "TLS failed",
        ErrorCode::HttpRequestDenied => "the manifest does not allow this host",
        ErrorCode::HttpResponseBodySize(_) => "the answer is too long",
        ErrorCode::HttpResponseIncomplete => "the answer breaks off",
        ErrorCode::InternalError(_) => "the platform failed",
        _ => "the exchange failed",
    }
}

fn outgoing(request: &Request) -> Result<types::Request, ErrorCode> {
    let uri = request.uri();
    let mut fields = headers::outgoing(request.headers());
    let (contents, end) = body(request.body().clone(), &mut fields);
    let fields = Fields::from_list(&fields).map_err(|_| ErrorCode::HttpProtocolError)?;
    // What becomes of the body the answer tells.
    let (outgoing, _) = types::Request::new(fields, contents, end, None);
    let scheme = match uri.scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let path = uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    let set = outgoing
        .set_method(&method(request.method()))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(uri.authority().map(http::uri::Authority::as_str)))
        .and_then(|()| outgoing.set_path_with_query(path));
    set.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(outgoing)
}

/// A body as the platform takes it; it is written while others read.
pub(super) fn body(
    body: Bytes,
    fields: &mut Vec<(String, Vec<u8>)>,
) -> (Option<StreamReader<u8>>, End) {
    let (end, ended) = wit_future::new(|| Ok(None));
    // What is not written stands for its default, which is the end that we want.
    drop(end);
    if body.is_empty() {
        return (None, ended);
    }
    fields.retain(|(name, _)| name != CONTENT_LENGTH.as_str());
    fields.push((CONTENT_LENGTH.as_str().to_owned(), body.len().to_string().into_bytes()));
    let (mut writer, reader) = wit_stream::new();
    spawn(async move {
        // Who does not read on needs no more of it.
        writer.write_all(body.to_vec()).await;
    });
    (Some(reader), ended)
}

/// Read a body as far as its limit; of a larger one no more than the limit and a chunk is ever held.
pub(super) async fn read(
    mut stream: StreamReader<u8>,
    end: End,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let mut body = Vec::new();
    loop {
        let (result, chunk) = stream.read(Vec::with_capacity(CHUNK)).await;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
        match result {
            StreamResult::Complete(_) => {}
            StreamResult::Dropped => break,
            StreamResult::Cancelled => return Err(BodyError::Unreadable),
        }
    }
    drop(stream);
    end.await.map_err(|_| BodyError::Unreadable)?;
    Ok(body.into())
}

fn method(method: &Method) -> types::Method {
    match *method {
        Method::GET => types::Method::Get,
        Method::POST => types::Method::Post,
        Method::PUT => types::Method::Put,
        Method::DELETE => types::Method::Delete,
        Method::HEAD => types::Method::Head,
        Method::OPTIONS => types::Method::Options,
        _ => types::Method::Other(method.as_str().to_owned()),
    }
}
