use std::cell::OnceCell;
use std::rc::Rc;

use http::HeaderName;
use http::request::Parts;
use observe::Facts;
use ports::Response;
use ports::route::find;
use worker::Env;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::Request;
use worker::worker_sys::Fetcher;

use super::{Cloudflare, exchange};
#[cfg(feature = "ledger-owner")]
use crate::owner::{self, MAX_COMMAND, Maintenance};
use crate::{Endpoint, Incoming, Instance, Visit, body_limit, guard, respond, serve, store};

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
    request: Request,
    env: Env,
) -> Result<JsValue, JsValue> {
    let response = match incoming(&request).await {
        Ok(incoming) => serve(&Cloudflare::new(env), instance, incoming).await,
        Err(refusal) => refusal,
    };
    exchange::to_js(response)
}

/// The `fetch` event of the gateway: hand the request on, as it is, to the function of its path.
///
/// # Errors
/// If the platform's own types refuse a response.
pub async fn gateway_event(
    binding_of: fn(&str) -> Option<&'static str>,
    request: Request,
    env: &Env,
) -> Result<JsValue, JsValue> {
    let platform = Cloudflare::new(env.clone());
    let own = match exchange::parts(&request) {
        Ok(parts) => {
            let visit = Visit::begin(&platform, "gateway", &parts);
            let path = parts.uri.path();
            let answer = match binding_of(path) {
                _ if floods(env, &parts).await => guard::refusal(path),
                Some(binding) => match hand_on(env, binding, &request).await {
                    Ok(response) => return Ok(response),
                    Err(error) => away(path, binding, &error),
                },
                None => respond::not_found(),
            };
            visit.end(&platform, find(path).map_or("none", |found| found.route.path), answer)
        }
        Err(refusal) => refusal,
    };
    exchange::to_js(own)
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
    request: Request,
    env: Env,
    context: worker::worker_sys::Context,
) -> Result<JsValue, JsValue> {
    let platform = Cloudflare::new(env);
    let parts = match exchange::parts(&request) {
        Ok(parts) => parts,
        Err(refusal) => return exchange::to_js(refusal),
    };
    let Some(address) = owner::addressed(&parts) else {
        let load = || Rc::new(Maintenance::load(&platform));
        let maintenance = MAINTENANCE.with(|held| Rc::clone(held.get_or_init(load)));
        return exchange::to_js(maintenance.answer(&platform, &parts).await);
    };
    let body = exchange::read(&request, &parts.headers, MAX_COMMAND).await;
    let response = owner::command(&platform, &address, body).await;
    if owner::is_time(&platform) {
        let work = async move { drop(owner::pass(&platform).await) };
        worker::Context::new(context).wait_until(work);
    }
    exchange::to_js(response)
}

/// Whether the platform's limiter has seen too many of the kind. Without one, or if it fails, nothing
/// is filtered.
async fn floods(env: &Env, parts: &Parts) -> bool {
    let Some(key) = guard::counted_as(parts, &ADDRESS) else { return false };
    let Ok(limiter) = env.rate_limiter(GUARD) else { return false };
    limiter.limit(key).await.is_ok_and(|outcome| !outcome.success)
}

/// The answer is never looked at, so it need not pass through the gateway's memory.
async fn hand_on(env: &Env, binding: &str, request: &Request) -> worker::Result<JsValue> {
    let function: Fetcher = env.service(binding)?.into_rpc();
    Ok(JsFuture::from(function.fetch(request)?).await?)
}

/// A function that cannot be reached is a dependency that is away.
fn away(path: &str, binding: &str, error: &worker::Error) -> Response {
    let response = respond::unavailable_at(find(path).map(|found| found.route));
    let cause = format!("{binding}: {error}");
    respond::noted(response, Facts::outcome("unavailable").because(cause))
}

/// The request in our terms, or the answer to one that has none.
async fn incoming(request: &Request) -> Result<Incoming, Response> {
    let parts = exchange::parts(request)?;
    let body = exchange::read(request, &parts.headers, body_limit(parts.uri.path())).await;
    Ok(Incoming::from_parts(parts, body))
}
