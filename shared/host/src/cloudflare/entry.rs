use std::cell::OnceCell;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use ports::{Log as _, Response};
use worker::wasm_bindgen::JsValue;
use worker::{Env, Headers, ResponseBuilder};

use super::Cloudflare;
use crate::{BodyError, Endpoint, Incoming, Instance, body_limit, respond, serve};

/// An endpoint's instance, made by the first request: bindings exist only in requests.
pub struct Held<E: Endpoint>(OnceCell<Rc<Instance<E>>>);

impl<E: Endpoint> Held<E> {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "made in one place only, by the macro")]
    pub const fn new() -> Self {
        Self(OnceCell::new())
    }

    /// The instance, configured from the bindings of the first request.
    pub fn instance(&self, env: &Env) -> Rc<Instance<E>> {
        let make = || {
            console_error_panic_hook::set_once();
            Rc::new(Instance::new(&Cloudflare::new(env.clone())))
        };
        Rc::clone(self.0.get_or_init(make))
    }
}

/// The `fetch` event of a function.
///
/// # Errors
/// If the platform's own types refuse a response: it then answers with its error page.
pub async fn fetch_event<E: Endpoint>(
    instance: &Instance<E>,
    request: worker::web_sys::Request,
    env: Env,
) -> Result<JsValue, JsValue> {
    let response = match incoming(request.into()).await {
        Ok(incoming) => serve(&Cloudflare::new(env), instance, incoming).await,
        Err(refusal) => refusal,
    };
    Ok(to_js(response)?)
}

/// The `fetch` event of the gateway: hand the request on, as it is, to the function of its path.
///
/// # Errors
/// If the platform's own types refuse a response.
pub async fn gateway_event(
    binding_of: fn(&str) -> Option<&'static str>,
    request: worker::web_sys::Request,
    env: &Env,
) -> Result<JsValue, JsValue> {
    let request = worker::Request::from(request);
    let uri: Option<Uri> = request.inner().url().parse().ok();
    let Some(binding) = uri.and_then(|uri| binding_of(uri.path())) else {
        let detail = "there is nothing here";
        return Ok(to_js(respond::problem(StatusCode::NOT_FOUND, "not_found", detail))?);
    };
    let handed_on = match env.service(binding) {
        Ok(service) => service.fetch_request(request).await,
        Err(error) => Err(error),
    };
    match handed_on {
        Ok(response) => Ok(worker::web_sys::Response::from(response).into()),
        Err(error) => {
            let line = serde_json::json!({
                "severity": "ERROR",
                "service.name": "gateway",
                "outcome": "unavailable",
                "error.message": format!("{binding}: {error}"),
            });
            Cloudflare::new(env.clone()).line(&line.to_string());
            Ok(to_js(respond::unavailable())?)
        }
    }
}

/// The request in our terms, or the answer to one that has none.
async fn incoming(mut request: worker::Request) -> Result<Incoming, Response> {
    let refuse = |detail| respond::problem(StatusCode::BAD_REQUEST, "invalid_request", detail);
    let uri: Uri = request.inner().url().parse().map_err(|_| refuse("unreadable URL"))?;
    let limit = body_limit(uri.path());
    let mut headers = http::HeaderMap::new();
    for (name, value) in request.headers().entries() {
        // What is no header cannot be meant for us.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            headers.append(name, value);
        }
    }
    let method = Method::from_bytes(request.inner().method().as_bytes())
        .map_err(|_| refuse("unreadable method"))?;
    let body = read(&mut request, limit).await;
    let mut incoming = Incoming::new(body);
    *incoming.method_mut() = method;
    *incoming.uri_mut() = uri;
    *incoming.headers_mut() = headers;
    Ok(incoming)
}

/// Read a body as far as its limit; of a larger one no more than the limit is ever held.
async fn read(request: &mut worker::Request, limit: usize) -> Result<Bytes, BodyError> {
    let length = request.headers().get("content-length").ok().flatten();
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|l| l > limit as u64) {
        return Err(BodyError::TooLarge);
    }
    if request.inner().body().is_none() {
        return Ok(Bytes::new());
    }
    let mut stream = request.stream().map_err(|_| BodyError::Unreadable)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyError::Unreadable)?;
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

fn to_js(response: Response) -> worker::Result<JsValue> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        headers.append(name.as_str(), value.to_str().map_err(|error| error.to_string())?)?;
    }
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    let response = if body.is_empty() { builder.empty() } else { builder.fixed(body.into()) };
    Ok(worker::web_sys::Response::from(response).into())
}
