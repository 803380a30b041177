use std::cell::OnceCell;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use observe::Facts;
use ports::Response;
use ports::route::find;
use worker::wasm_bindgen::JsValue;
use worker::{Env, Headers, ResponseBuilder};

use super::{Cloudflare, place};
#[cfg(feature = "ledger-owner")]
use crate::owner::{self, MAX_COMMAND, Maintenance};
use crate::{
    BodyError, Endpoint, Incoming, Instance, Visit, body_limit, guard, respond, serve, store,
};

/// The URI type takes no longer ones.
const MAX_URL: usize = 65_534;
/// Where the platform says from which address a request comes.
const ADDRESS: HeaderName = HeaderName::from_static("cf-connecting-ip");
/// The binding of the platform's limiter.
const GUARD: &str = "GUARD";

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
            let platform = Cloudflare::new(env.clone());
            Rc::new(Instance::new(&platform).with_store(store::on_workers(&platform)))
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
    let platform = Cloudflare::new(env.clone());
    let request = worker::Request::from(request);
    let own = match parts(&request) {
        Ok(parts) => {
            let visit = Visit::begin(&platform, "gateway", &parts);
            let path = parts.uri.path();
            let answer = match binding_of(path) {
                _ if floods(env, &parts).await => guard::refusal(path),
                Some(binding) => match hand_on(env, binding, request).await {
                    Ok(response) => return Ok(response),
                    Err(error) => away(path, binding, &error),
                },
                None => respond::not_found(),
            };
            visit.end(&platform, find(path).map_or("none", |found| found.route.path), answer)
        }
        Err(refusal) => refusal,
    };
    Ok(to_js(own)?)
}

#[cfg(feature = "ledger-owner")]
thread_local! {
    static MAINTENANCE: OnceCell<Rc<Maintenance>> = const { OnceCell::new() };
}

/// The `fetch` event of the owner of the ledgers: commands for the ledgers of a store that is elsewhere
/// come from the other functions, by binding. The gateway hands on what is for its one route, and
/// nothing else.
///
/// # Errors
/// If the platform's own types refuse a response.
#[cfg(feature = "ledger-owner")]
pub async fn owner_event(
    request: worker::web_sys::Request,
    env: Env,
    context: worker::worker_sys::Context,
) -> Result<JsValue, JsValue> {
    let platform = Cloudflare::new(env);
    let mut request = worker::Request::from(request);
    let parts = match parts(&request) {
        Ok(parts) => parts,
        Err(refusal) => return Ok(to_js(refusal)?),
    };
    let Some(address) = owner::addressed(&parts) else {
        let load = || Rc::new(Maintenance::load(&platform));
        let maintenance = MAINTENANCE.with(|held| Rc::clone(held.get_or_init(load)));
        return Ok(to_js(maintenance.answer(&platform, &parts).await)?);
    };
    let body = read(&mut request, MAX_COMMAND).await;
    let response = owner::command(&platform, &address, body).await;
    if owner::is_time(&platform) {
        let work = async move { drop(owner::pass(&platform).await) };
        worker::Context::new(context).wait_until(work);
    }
    Ok(to_js(response)?)
}

/// Whether the platform's limiter has seen too many of the kind. Without one, or if it fails, nothing
/// is filtered.
async fn floods(env: &Env, parts: &Parts) -> bool {
    let Some(key) = guard::counted_as(parts, &ADDRESS) else { return false };
    let Ok(limiter) = env.rate_limiter(GUARD) else { return false };
    limiter.limit(key).await.is_ok_and(|outcome| !outcome.success)
}

async fn hand_on(env: &Env, binding: &str, request: worker::Request) -> worker::Result<JsValue> {
    let response = env.service(binding)?.fetch_request(request).await?;
    Ok(worker::web_sys::Response::from(response).into())
}

/// A function that cannot be reached is a dependency that is away.
fn away(path: &str, binding: &str, error: &worker::Error) -> Response {
    let response = respond::unavailable_at(find(path).map(|found| found.route.function));
    let cause = format!("{binding}: {error}");
    respond::noted(response, Facts::outcome("unavailable").because(cause))
}

/// The request in our terms, or the answer to one that has none.
async fn incoming(mut request: worker::Request) -> Result<Incoming, Response> {
    let parts = parts(&request)?;
    let body = read(&mut request, body_limit(parts.uri.path())).await;
    Ok(Incoming::from_parts(parts, body))
}

fn parts(request: &worker::Request) -> Result<Parts, Response> {
    let refuse = |status, detail| respond::problem(status, "invalid_request", detail);
    let url = request.inner().url();
    let uri: Uri = url.parse().map_err(|_| match url.len() {
        0..MAX_URL => refuse(StatusCode::BAD_REQUEST, "unreadable URL"),
        _ => refuse(StatusCode::URI_TOO_LONG, "the URL is too long"),
    })?;
    let method = Method::from_bytes(request.inner().method().as_bytes())
        .map_err(|_| refuse(StatusCode::BAD_REQUEST, "unreadable method"))?;
    let (mut parts, ()) = http::Request::new(()).into_parts();
    (parts.method, parts.uri) = (method, uri);
    for (name, value) in request.headers().entries() {
        // What is no header cannot be meant for us.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            parts.headers.append(name, value);
        }
    }
    parts.extensions.insert(place::of(request));
    Ok(parts)
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
