use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, StatusCode};
use ports::{AtMost, Fetch, FetchError, Request, Response, StatusOnly};
use worker::{AbortController, Headers, Method, RequestInit, RequestRedirect};

use super::Cloudflare;
use super::platform::within;

impl Fetch for Cloudflare {
    async fn fetch(&self, request: Request, timeout: Duration) -> Result<Response, FetchError> {
        let broken = |error: worker::Error| FetchError::Connection(error.to_string());
        let outbound = to_worker(&request).map_err(broken)?;
        let status_only = request.extensions().get::<StatusOnly>().is_some();
        let at_most = request.extensions().get::<AtMost>().copied();
        let abort = AbortController::default();
        let signal = abort.signal();
        let exchange = async {
            let mut answer = worker::Fetch::Request(outbound).send_with_signal(&signal).await?;
            let body = match at_most {
                _ if status_only => Some(Vec::new()),
                Some(AtMost(limit)) => read(&mut answer, limit).await?,
                None => Some(answer.bytes().await?),
            };
            body.map(|body| from_worker(&answer, body)).transpose()
        };
        match within(timeout, exchange).await {
            Some(outcome) => {
                if status_only || !matches!(outcome, Ok(Some(_))) {
                    // Nobody waits for the rest.
                    abort.abort();
                }
                let too_long = FetchError::TooLong(at_most.map_or(usize::MAX, |AtMost(it)| it));
                outcome.map_err(broken)?.ok_or(too_long)
            }
            None => {
                abort.abort();
                Err(FetchError::Timeout(timeout))
            }
        }
    }
}

/// Read a body as far as its limit; `None` if it is longer. No more than the limit and a chunk is ever
/// held.
async fn read(answer: &mut worker::Response, limit: usize) -> worker::Result<Option<Vec<u8>>> {
    // Without a body there is no stream.
    let Ok(mut stream) = answer.stream() else { return Ok(Some(Vec::new())) };
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn to_worker(request: &Request) -> worker::Result<worker::Request> {
    let headers = Headers::new();
    for (name, value) in request.headers() {
        headers.append(name.as_str(), value.to_str().map_err(|error| error.to_string())?)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method().as_str().to_owned()))
        .with_redirect(RequestRedirect::Manual)
        .with_headers(headers);
    if !request.body().is_empty() {
        let bytes = worker::js_sys::Uint8Array::from(request.body().as_ref());
        init.with_body(Some(bytes.into()));
    }
    worker::Request::new_with_init(&request.uri().to_string(), &init)
}

fn from_worker(answer: &worker::Response, body: Vec<u8>) -> worker::Result<Response> {
    let mut response = Response::new(Bytes::from(body));
    let status = StatusCode::from_u16(answer.status_code());
    *response.status_mut() = status.map_err(|error| error.to_string())?;
    for (name, value) in answer.headers().entries() {
        // What is no header in our terms is none that we look for.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}
