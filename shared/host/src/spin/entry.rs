use std::cell::RefCell;
use std::rc::Rc;
use std::thread::LocalKey;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use ports::Response;
use ports::route::find;
use spin_sdk::wasip3::http::types::{self, ErrorCode, Fields};
use spin_sdk::wasip3::wit_future;

use super::{Spin, fetch, guard, headers};
use crate::{BodyError, Endpoint, Incoming, Instance, Visit, body_limit, respond, serve, store};

/// An endpoint's instance and its platform, made by the first request: settings are told in requests
/// only.
pub struct Held<E: Endpoint>(RefCell<Option<Rc<Loaded<E>>>>);

struct Loaded<E: Endpoint> {
    platform: Spin,
    instance: Instance<E>,
    /// Of the guard.
    limit: u32,
}

impl<E: Endpoint> Held<E> {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "made in one place only, by the macro")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }
}

/// The export of a function: one request, of several at a time.
///
/// # Errors
/// If the platform's own types refuse a response.
pub async fn handle<E: Endpoint>(
    held: &'static LocalKey<Held<E>>,
    request: types::Request,
) -> Result<types::Response, ErrorCode> {
    let loaded = loaded(held).await;
    let Loaded { platform, instance, limit } = &*loaded;
    let response = match parts(&request) {
        Ok(parts) if guard::floods(platform, &parts, *limit) => {
            let visit = Visit::begin(platform, E::FUNCTION.name(), &parts);
            let path = parts.uri.path();
            let route = find(path).map_or("none", |found| found.route.path);
            visit.end(platform, route, crate::guard::refusal(path))
        }
        Ok(parts) => {
            let body = body(request, &parts, body_limit(parts.uri.path())).await;
            serve(platform, instance, Incoming::from_parts(parts, body)).await
        }
        Err(refusal) => refusal,
    };
    outgoing(response)
}

async fn loaded<E: Endpoint>(held: &'static LocalKey<Held<E>>) -> Rc<Loaded<E>> {
    if let Some(loaded) = held.with(|held| held.0.borrow().clone()) {
        return loaded;
    }
    let platform = Spin::load().await;
    let limit = guard::limit(&platform);
    let chosen = store::on_spin(&platform).and(limit.map(drop));
    let instance = Instance::new(&platform).with_store(chosen).with_fault(platform.fault());
    let loaded = Rc::new(Loaded { platform, instance, limit: limit.unwrap_or(0) });
    // Of several who have begun at once one stays, as what one learns all should know.
    held.with(|held| Rc::clone(held.0.borrow_mut().get_or_insert(loaded)))
}

/// The request in our terms, or the answer to one that has none.
pub(super) fn parts(request: &types::Request) -> Result<Parts, Response> {
    let refuse = |detail| respond::problem(StatusCode::BAD_REQUEST, "invalid_request", detail);
    let path = request.get_path_with_query().unwrap_or_default();
    let uri: Uri = path.parse().map_err(|_| refuse("unreadable URL"))?;
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method(request.get_method()).ok_or_else(|| refuse("unreadable method"))?;
    parts.uri = uri;
    parts.headers = headers::incoming(request.get_headers().copy_all());
    Ok(parts)
}

/// Read the body of a request as far as its limit.
pub(super) async fn body(
    request: types::Request,
    parts: &Parts,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge);
    }
    let (_, result) = wit_future::new(|| Ok(()));
    let (stream, end) = types::Request::consume_body(request, result);
    fetch::read(stream, end, limit).await
}

/// The response in the platform's terms.
pub(super) fn outgoing(response: Response) -> Result<types::Response, ErrorCode> {
    let (parts, body) = response.into_parts();
    let mut fields = headers::outgoing(&parts.headers);
    let (contents, end) = fetch::body(body, &mut fields);
    let fields = Fields::from_list(&fields).map_err(|_| ErrorCode::HttpProtocolError)?;
    let (response, _) = types::Response::new(fields, contents, end);
    let status = response.set_status_code(parts.status.as_u16());
    status.map_err(|()| ErrorCode::HttpProtocolError)?;
    Ok(response)
}

fn method(method: types::Method) -> Option<Method> {
    Some(match method {
        types::Method::Get => Method::GET,
        types::Method::Head => Method::HEAD,
        types::Method::Post => Method::POST,
        types::Method::Put => Method::PUT,
        types::Method::Delete => Method::DELETE,
        types::Method::Connect => Method::CONNECT,
        types::Method::Options => Method::OPTIONS,
        types::Method::Trace => Method::TRACE,
        types::Method::Patch => Method::PATCH,
        types::Method::Other(name) => Method::from_bytes(name.as_bytes()).ok()?,
    })
}
